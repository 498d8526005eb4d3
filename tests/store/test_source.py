"""Where a report's figures come from."""

from dataclasses import replace
from pathlib import Path

from netsla.model import SECOND, Chronic, Credits, Span
from netsla.store.archive import Archive
from netsla.store.layout import Layout
from netsla.store.ledger import Ledger
from netsla.store.source import context, horizon, open_ledger, running_period
from tests.sla.contracts import contract, period_of
from tests.store.cells import START_S, cells, layout

DAY = 86_400 * SECOND


def test_what_is_read_reaches_over_the_edges_by_whole_hours() -> None:
    agreement = contract()
    period = period_of(agreement, "2026-04")
    start, end = context(agreement, period)
    assert start <= period.start_ns - 7 * DAY
    assert end >= period.end_ns + 2 * DAY
    assert (start % (3600 * SECOND), end % (3600 * SECOND)) == (0, 0)


def test_a_chronic_rule_on_a_quarter_is_given_the_quarter() -> None:
    """R17: downtime of April counts in June's report."""
    rule = Chronic(Span("quarter", calendar="quarter"), downtime_over_ns=3600 * SECOND)
    agreement = replace(contract(), credits=Credits(chronic=(rule,)))
    start, _ = context(agreement, period_of(agreement, "2026-06"))
    assert start <= period_of(agreement, "2026-04").start_ns


def test_the_horizon_is_the_newest_interval_unless_the_agent_is_gone(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    ledger.start()
    for cell in cells(1, 3):
        ledger.append(cell, layout(1))
    ledger.close()
    last = (START_S + 180) * SECOND
    with Archive(tmp_path / "ledger.db").open() as look:
        assert horizon(look, last + 70 * SECOND) == last, "the next interval has not closed yet"
        told = horizon(look, last + DAY)
        assert told == (START_S + 86_400) * SECOND, "nothing was recorded for a day: that is known, by the hour"
        assert horizon(look, last + DAY + 600 * SECOND) == told, "two reports in a row say the same"


def test_endpoints_are_read_in_order_and_those_gone_are_passed_over(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    ledger.start()
    for cell in cells(4, 3):
        ledger.append(cell, layout(4, per_agreement=4)).result(30)
    ledger.close()
    (hq,) = contract().endpoints
    left = tuple(replace(hq, id=f"site-{n}") for n in (1, 2, 3))  # site-0 has gone
    agreement = replace(contract(), id="acme-0000", endpoints=left)
    period = period_of(agreement, "2026-05")
    with open_ledger(tmp_path / "ledger.db", agreement, period, (START_S + 200) * SECOND) as source:
        assert [part.endpoint for part in source.read("site-1")] == ["site-1"]
        assert len(source.read("site-2")[0]) == 3
        assert list(source.read("site-22")) == []
        assert [part.endpoint for part in source.read("site-3")] == ["site-3"]


def test_the_running_month_in_the_zone() -> None:
    agreement = replace(contract(), timezone="Europe/Berlin")
    at = 1_772_320_000 * SECOND  # 2026-02-28T23:06:40Z: March has begun in Berlin
    assert running_period(agreement, at).name == "2026-03"


def test_a_probe_whose_thresholds_changed_is_read_as_one(tmp_path: Path) -> None:
    """Its lanes may be read in two goes: 24 at a time."""
    now_ns = (START_S + 7200) * SECOND
    ledger = Ledger(tmp_path / "ledger.db", now_ns=lambda: now_ns)
    ledger.start()
    names = layout(24, per_agreement=24)
    for hour in range(2):
        for cell in cells(24, 60, k=START_S // 60 + 60 * hour, probes=6):
            ledger.append(cell, names)
        names = Layout(tuple(lane._replace(thresholds_us=(50_000,)) if lane else None for lane in names.lanes))
    assert ledger.seal_due((START_S + 7500) * SECOND) == 2
    ledger.close()
    agreement = replace(contract(endpoints=[f"site-{n}" for n in range(24)]), id="acme-0000")
    with open_ledger(tmp_path / "ledger.db", agreement, period_of(agreement, "2026-05"), now_ns) as source:
        assert source.thresholds() == [30_000, 50_000]
        for endpoint in sorted(one.id for one in agreement.endpoints):
            (part,) = source.read(endpoint)
            assert len(part) == 120
            assert sorted(part.within) == [30_000, 50_000]


def test_links_of_all_that_is_read_are_the_same_read_or_fetched(tmp_path: Path) -> None:
    now_ns = (START_S + 7200) * SECOND
    ledger = Ledger(tmp_path / "ledger.db", now_ns=lambda: now_ns)
    ledger.start()
    for cell in cells(4, 120, probes=6):
        ledger.append(cell, layout(4, per_agreement=4))
    assert ledger.seal_due((START_S + 7500) * SECOND) == 2
    ledger.close()
    agreement = replace(contract(endpoints=["site-0", "site-3"]), id="acme-0000")
    day = period_of(agreement, "2026-05-30")  # what was recorded lies before it
    found = []
    for whole in (False, True):
        with open_ledger(tmp_path / "ledger.db", agreement, day, now_ns, whole=whole) as source:
            assert len(source.read("site-3")[0]) == 120
            assert source.unchained == "no hour of the period is sealed yet"
            found.append(source.links())
    assert len(found[0]) == 2
    assert found[0] == found[1]
