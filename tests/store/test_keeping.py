"""Ageing: hours sealed, days summed, the oldest let go, and a quota that never takes the running month."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from netsla.model import SECOND
from netsla.sla.tally import Column
from netsla.store import fleetview, keeping
from netsla.store.keeping import KEPT_DAYS, Retention
from netsla.store.ledger import Ledger
from netsla.store.verify import verify
from tests.store.cells import START_S, cells, layout

DAY = 86400
MIDNIGHT = START_S // DAY * DAY + DAY


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    one = Ledger(
        tmp_path / "ledger.db",
        retention=Retention(blocks=30, hour_totals=5, day_totals=20, pace_s=0),
        now_ns=lambda: START_S * SECOND,
    )
    one.start()
    yield one
    one.close()


def live(ledger: Ledger, start: int, minutes: int, lanes: int = 3) -> None:
    for one in cells(lanes, minutes, k=start // 60, probes=4):
        ledger.append(one, layout(lanes))
    ledger.flush()


def spans(ledger: Ledger) -> list[tuple[int, int]]:
    with ledger.archive.open() as look:
        return look.connection.execute("SELECT start, span FROM total ORDER BY span, start").fetchall()


def test_a_day_that_is_over_is_summed_and_used(ledger: Ledger) -> None:
    live(ledger, MIDNIGHT, 24 * 60 + 120)
    ledger.seal_due((MIDNIGHT + DAY + 7200 + 301) * SECOND)
    assert (MIDNIGHT, DAY) in spans(ledger)
    assert len([span for _, span in spans(ledger) if span == 3600]) == 26
    with ledger.archive.open() as look:
        pieces = list(fleetview.pieces(look, layout(3), MIDNIGHT, MIDNIGHT + DAY + 7200))
    assert [(piece.start, piece.end - piece.start) for piece in pieces] == [
        (MIDNIGHT, DAY),
        (MIDNIGHT + DAY, 3600),
        (MIDNIGHT + DAY + 3600, 3600),
    ]
    assert pieces[0].matrix[Column.SENT].tolist() == [24 * 60 * 4] * 3


def test_totals_that_are_gone_are_made_again_from_blocks(ledger: Ledger) -> None:
    live(ledger, MIDNIGHT, 180)
    ledger.seal_due((MIDNIGHT + 3 * 3600 + 301) * SECOND)
    with ledger.archive.open() as look:
        kept = list(fleetview.pieces(look, layout(3), MIDNIGHT, MIDNIGHT + 3 * 3600))
        codes = list(fleetview.standings(look, layout(3), MIDNIGHT, MIDNIGHT + 3 * 3600))
    ledger.database.submit(lambda c: c.execute("DELETE FROM total")).result(10)
    with ledger.archive.open() as look:
        made = list(fleetview.pieces(look, layout(3), MIDNIGHT, MIDNIGHT + 3 * 3600))
        again = list(fleetview.standings(look, layout(3), MIDNIGHT, MIDNIGHT + 3 * 3600))
    for one, other in zip(kept, made, strict=True):
        assert np.array_equal(one.matrix, other.matrix)
        assert np.array_equal(one.spectrum.keys, other.spectrum.keys)
        assert np.array_equal(one.spectrum.counts, other.spectrum.counts)
    for before, after in zip(codes, again, strict=True):
        assert np.array_equal(before.codes, after.codes)


def test_each_kind_is_kept_as_long_as_it_must(ledger: Ledger) -> None:
    live(ledger, MIDNIGHT, 61)
    live(ledger, MIDNIGHT + 28 * DAY, 1)
    ledger.seal_due((MIDNIGHT + 3 * DAY) * SECOND)
    assert len(spans(ledger)) == 3
    ledger.seal_due((MIDNIGHT + 10 * DAY) * SECOND)
    assert spans(ledger) == [(MIDNIGHT, DAY)]
    ledger.seal_due((MIDNIGHT + 29 * DAY + 301) * SECOND)
    assert spans(ledger) == [(MIDNIGHT + 28 * DAY, 3600), (MIDNIGHT + 28 * DAY, DAY)]
    with ledger.archive.open() as look:
        assert len(look.intervals("acme-0000", 0, 2**62)[0].start) == 62
    ledger.seal_due((MIDNIGHT + 31 * DAY) * SECOND)
    with ledger.archive.open() as look:
        assert look.intervals("acme-0000", 0, 2**62)[0].start.tolist() == [MIDNIGHT + 28 * DAY]
        (note,) = look.notes(("retired",))
        assert (note.detail["blocks"], note.detail["why"]) == (2, "retention")
        assert verify(look).intact


def test_the_quota_takes_old_days_one_by_one_and_never_the_last_forty(ledger: Ledger) -> None:
    for day in (0, 1, KEPT_DAYS + 1):
        live(ledger, MIDNIGHT + day * DAY, 1)
        ledger.seal_due((MIDNIGHT + day * DAY + 3901) * SECOND)
    now_ns = (MIDNIGHT + (KEPT_DAYS + 1) * DAY) * SECOND

    def relieve(connection: sqlite3.Connection) -> tuple[bool, int]:
        went = keeping.relieve(connection, now_ns)
        return went, connection.execute("SELECT count(*) FROM block").fetchone()[0]

    # the sealing has let the two oldest go already by its own retention (30 days): nothing is left but the newest
    assert ledger.database.submit(relieve).result(10) == (False, 1)


def test_the_quota_takes_old_days(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db", now_ns=lambda: (MIDNIGHT + 200 * DAY) * SECOND)
    ledger.start()
    for day in (0, 1, 190):
        live(ledger, MIDNIGHT + day * DAY, 1)
    ledger.seal_due((MIDNIGHT + 190 * DAY + 3901) * SECOND)
    now_ns = (MIDNIGHT + 200 * DAY) * SECOND
    went = [ledger.database.submit(lambda c: keeping.relieve(c, now_ns)).result(10) for _ in range(4)]
    assert went == [True, True, False, False]
    with ledger.archive.open() as look:
        assert look.intervals("acme-0000", 0, 2**62)[0].start.tolist() == [MIDNIGHT + 190 * DAY]
        assert [note.detail["why"] for note in look.notes(("retired",))] == ["quota", "quota"]
        assert verify(look).intact
    ledger.close()


def test_standings_come_in_order_sealed_and_loose(ledger: Ledger) -> None:
    live(ledger, MIDNIGHT, 90)
    ledger.seal_due((MIDNIGHT + 3600 + 301) * SECOND)
    wide = layout(5)  # two lanes that were not measured then
    with ledger.archive.open() as look:
        found = list(fleetview.standings(look, wide, MIDNIGHT + 600, MIDNIGHT + 7200))
    assert [(one.start, one.seconds, one.codes.shape) for one in found] == [
        (MIDNIGHT, 60, (5, 60)),
        (MIDNIGHT + 3600, 60, (5, 60)),
    ]
    assert found[0].present[:3].all()
    assert not found[0].present[3:].any()
    assert found[1].present[0].tolist() == [True] * 30 + [False] * 30
    assert set(found[0].codes[0].tolist()) == {1}
    assert set(found[0].codes[4].tolist()) == {-1}
