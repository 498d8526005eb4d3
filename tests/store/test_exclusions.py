"""Exclusions in the journal: added and cancelled, never changed."""

from pathlib import Path

from netsla.sla.exclusion import Exclusion
from netsla.store.archive import Archive
from netsla.store.exclusions import cancel, history, in_force, record
from netsla.store.ledger import Ledger
from netsla.store.verify import verify

ONE = Exclusion("x1", "hq", 100, 200, "maintenance", "router", "CHG-1", 50, "anna@acme")
TWO = Exclusion("x2", None, 10, 20, "force_majeure")


def test_added_and_cancelled(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    ledger.start()
    record(ledger, "acme", ONE, "bert", 1_000)
    record(ledger, "acme", TWO, "bert", 2_000)
    record(ledger, "other", TWO, "bert", 2_500)
    cancel(ledger, "acme", "x1", "carl", "postponed", 3_000).result(10)
    ledger.close()
    with Archive(tmp_path / "ledger.db").open() as look:
        assert in_force(look, "acme") == (TWO,)
        assert in_force(look, "nobody") == ()
        first, second = history(look, "acme")
        assert (first.exclusion, first.by, first.recorded_ns) == (ONE, "bert", 1_000)
        assert (first.cancelled_ns, first.cancelled_by, first.cancelled_why) == (3_000, "carl", "postponed")
        assert second.cancelled_ns is None
        assert len(history(look)) == 3
        assert verify(look).intact, "notes are chained"


def test_an_exclusion_cancelled_may_be_recorded_again(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    ledger.start()
    record(ledger, "acme", ONE, "bert", 1)
    cancel(ledger, "acme", "x1", "bert", "wrong", 2)
    record(ledger, "acme", ONE, "bert", 3).result(10)
    ledger.close()
    with Archive(tmp_path / "ledger.db").open() as look:
        assert in_force(look, "acme") == (ONE,)
