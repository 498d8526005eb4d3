"""The ledger end to end: what goes in comes out, sealed or not, by whatever road."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from netsla.model import SECOND, Reason
from netsla.sla.interval import NO_REASON
from netsla.sla.tally import Column
from netsla.store import fleetview
from netsla.store.layout import relocate
from netsla.store.ledger import Ledger
from netsla.store.passage import links_between
from tests.store.cells import HOUR_K, START_S, cell, cells, layout, same
from tests.store.disks import fill, small_disk, until


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    one = Ledger(tmp_path / "ledger.db", now_ns=lambda: START_S * SECOND)
    one.start()
    yield one
    one.close()


def seal(ledger: Ledger, hours: int = 1) -> int:
    return ledger.seal_due((START_S + hours * 3600 + 301) * SECOND)


def test_loose_and_sealed_intervals_read_the_same(ledger: Ledger) -> None:
    fleet = layout(5)
    given = list(cells(5, 60))
    for one in given:
        ledger.append(one, fleet)
    assert ledger.flush()
    with ledger.archive.open() as look:
        loose = look.intervals("acme-0001", 0, 2**62)
    assert seal(ledger) == 1
    with ledger.archive.open() as look:
        assert look.connection.execute("SELECT count(*) FROM cell").fetchone() == (0,)
        sealed = look.intervals("acme-0001", 0, 2**62)
    assert [s.lane.endpoint for s in sealed] == ["site-0", "site-1"] == [s.lane.endpoint for s in loose]
    for number, (before, after) in enumerate(zip(loose, sealed, strict=True)):
        row = 2 + number
        for name in ("start", "seconds", "matrix", "rtt_min_us", "rtt_max_us", "standing", "reason"):
            assert np.array_equal(getattr(before, name), getattr(after, name)), name
        assert np.array_equal(after.matrix, np.stack([one.matrix[:, row] for one in given], axis=1))
        assert after.start.tolist() == [START_S + 60 * n for n in range(60)]


def test_whole_cells_come_back_from_sealed_hours(ledger: Ledger) -> None:
    fleet = layout(40, per_agreement=3)
    given = list(cells(40, 60))
    for one in given:
        ledger.append(one, fleet)
    ledger.flush()
    seal(ledger)
    with ledger.archive.open() as look:
        found = list(fleetview.cells_of_hour(look, START_S // 3600))
    back = [relocate(one.k, one.seconds, [(one, own)], fleet) for one, own in found]
    assert len(back) == 60
    assert all(same(one, other) for one, other in zip(given, back, strict=True))


def test_a_span_takes_only_what_begins_in_it(ledger: Ledger) -> None:
    fleet = layout(2)
    for one in cells(2, 60):
        ledger.append(one, fleet)
    ledger.flush()
    with ledger.archive.open() as look:
        some = look.intervals("acme-0000", (START_S + 60) * SECOND, (START_S + 180) * SECOND)
        assert [s.start.tolist() for s in some] == [[START_S + 60, START_S + 120]] * 2
        assert look.intervals("nobody", 0, 2**62) == []


def test_an_interval_lived_twice_is_suspect_and_counted_once(ledger: Ledger) -> None:
    fleet = layout(2)
    first, second = list(cells(2, 2, seed=1)), list(cells(2, 2, seed=2))
    for one in [*first, second[1]]:
        ledger.append(one, fleet)
    ledger.append(first[0], fleet)  # the very same again: nothing new
    ledger.flush()
    with ledger.archive.open() as look:
        (series, _) = look.intervals("acme-0000", 0, 2**62)
    assert series.start.tolist() == [START_S, START_S + 60]
    assert series.reason.tolist() == [NO_REASON, Reason.CLOCK_STEP]
    assert series.standing.tolist() == [1, -1]
    assert np.array_equal(series.matrix[:, 1], second[1].matrix[:, 0])


def test_a_sealed_interval_lived_again_is_corrected_beside_it(ledger: Ledger) -> None:
    fleet = layout(3)
    for one in cells(3, 60):
        ledger.append(one, fleet)
    ledger.flush()
    seal(ledger)
    again = next(cells(3, 1, k=HOUR_K + 7, seed=9))
    ledger.append(again, fleet)
    ledger.flush()
    with ledger.archive.open() as look:
        before = look.intervals("acme-0000", 0, 2**62)[0]
    seal(ledger)
    with ledger.archive.open() as look:
        after = look.intervals("acme-0000", 0, 2**62)[0]
        (total,) = fleetview.hour_totals(look, START_S // 3600)
        assert len(links_between(look, "acme-0000", 0, 2**62)) == 2
    assert before.reason[7] == after.reason[7] == Reason.CLOCK_STEP
    assert len(after.start) == 60
    assert np.array_equal(before.matrix, after.matrix)
    assert total.matrix[Column.SENT, 0] == 59 * 60
    assert total.matrix[Column.UNMEASURED, 0] == 60


def test_an_interval_that_comes_after_its_hour_was_sealed_is_no_suspect(ledger: Ledger) -> None:
    fleet = layout(3)
    given = list(cells(3, 60))
    for one in given[:50]:
        ledger.append(one, fleet)
    seal(ledger)
    for one in given[50:]:
        ledger.append(one, fleet)
    seal(ledger)
    with ledger.archive.open() as look:
        series = look.intervals("acme-0000", 0, 2**62)[0]
        (total,) = fleetview.hour_totals(look, START_S // 3600)
    assert series.start.tolist() == [START_S + 60 * n for n in range(60)]
    assert set(series.reason.tolist()) == {NO_REASON}
    assert total.matrix[Column.SENT].tolist() == [3600] * 3


def test_pieces_add_up_to_the_cells_whatever_they_are_made_of(ledger: Ledger) -> None:
    fleet = layout(4)
    given = list(cells(4, 150))
    for one in given[:-10]:
        ledger.append(one, fleet)
    bad = cell(given[-10].k, np.full((4, 60), 9_000), np.zeros((4, 60), bool), Reason.LOCAL_FAULT)
    for one in [bad, *given[-9:]]:
        ledger.append(one, fleet)
    ledger.flush()
    seal(ledger, 2)
    cut = START_S + 4000 // 60 * 60
    with ledger.archive.open() as look:
        pieces = list(fleetview.pieces(look, fleet, START_S + 120, START_S + 150 * 60, (cut,)))
    usable = [one.usable()[0] for one in [*given[2:-10], bad, *given[-9:]]]
    assert np.array_equal(sum(piece.matrix for piece in pieces), sum(usable))
    assert any(piece.start == cut for piece in pieces)
    assert not any(piece.start < cut < piece.end for piece in pieces)
    assert sum(int(piece.spectrum.counts.sum()) for piece in pieces) == sum(
        int(m[Column.RECEIVED].sum()) for m in usable
    )


def test_open_cells_are_kept_until_they_close(ledger: Ledger, tmp_path: Path) -> None:
    fleet = layout(3)
    one, two = cells(3, 2)
    ledger.keep_open([one, two], fleet)
    ledger.flush()
    with ledger.archive.open() as look:
        kept = look.open_cells()
    assert [same(a, b) for a, (b, _) in zip([one, two], kept, strict=True)] == [True, True]
    assert kept[0][1].lanes == fleet.lanes
    ledger.append(one, fleet)
    ledger.flush()
    with ledger.archive.open() as look:
        assert [cell.k for cell, _ in look.open_cells()] == [two.k]


def test_the_journal_keeps_notes_in_order(ledger: Ledger) -> None:
    ledger.note("start", {"version": "1"}, at_ns=5)
    ledger.note("exclusion", {"who": "ann"}, agreement="acme-0001", at_ns=7)
    assert ledger.note("stop", {}).result(10) == 3
    with ledger.archive.open() as look:
        assert [(note.id, note.kind, note.at_ns) for note in look.notes()] == [
            (1, "start", 5),
            (2, "exclusion", 7),
            (3, "stop", START_S * SECOND),
        ]
        assert [note.detail for note in look.notes(("exclusion",), "acme-0001")] == [{"who": "ann"}]
        assert look.notes(agreement="acme-0002") == []
        assert [note.id for note in look.notes(start_ns=6, end_ns=8)] == [2]


def test_the_pulse_tells_when_the_agent_was_last_alive(ledger: Ledger) -> None:
    ledger.beat(5, 10)
    ledger.beat(5, 20)
    ledger.flush()
    with ledger.archive.open() as look:
        assert look.pulse() == (5, 20)


def test_what_waits_too_long_is_given_up_and_noted(tmp_path: Path) -> None:
    (tmp_path / "way").write_text("in the way")
    ledger = Ledger(tmp_path / "way" / "ledger.db", backlog_bytes=3000)
    ledger.start()
    fleet = layout(10)
    given = list(cells(10, 12))
    for one in given:
        ledger.append(one, fleet)
    until(lambda: bool(ledger.problems()))
    assert ledger.waiting_cell(given[-1].k * 60) is not None
    (tmp_path / "way").unlink()
    assert ledger.flush(30)
    ledger.seal_due(START_S * SECOND)
    assert ledger.flush(30)
    lost = sorted(ledger.lost_starts)
    assert 0 < len(lost) < 12
    assert lost == [one.k * 60 for one in given[: len(lost)]]
    with ledger.archive.open() as look:
        (note,) = look.notes(("dropped",))
        (series, _) = look.intervals("acme-0000", 0, 2**62)
    assert note.detail["intervals"] == len(lost)
    assert (note.detail["first"], note.detail["last"]) == (lost[0], lost[-1])
    assert series.start.tolist() == [one.k * 60 for one in given[len(lost) :]]
    assert ledger.waiting_cell(given[-1].k * 60) is None
    ledger.close()


@pytest.mark.netns
def test_a_full_disk_loses_nothing_that_fits_in_memory(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "4m") as disk:
        ledger = Ledger(disk / "ledger.db")
        ledger.start()
        fleet, given = layout(200), list(cells(200, 30))
        for one in given[:10]:
            ledger.append(one, fleet)
        ledger.flush()
        ballast = fill(disk)
        for one in given[10:]:
            ledger.append(one, fleet)
        until(lambda: bool(ledger.problems()))
        assert "disk is full" in ledger.problems()[0]
        ballast.unlink()
        until(lambda: ledger.problems() == ())
        ledger.flush()
        with ledger.archive.open() as look:
            assert len(look.intervals("acme-0000", 0, 2**62)[0].start) == 30
        ledger.close()


def test_a_deleted_ledger_is_written_again_and_says_so(ledger: Ledger, tmp_path: Path) -> None:
    fleet = layout(2)
    first, second = cells(2, 2)
    ledger.append(first, fleet)
    ledger.flush()
    (tmp_path / "ledger.db").unlink()
    ledger.append(second, fleet)
    ledger.flush()
    ledger.flush()  # the note of it comes after
    with ledger.archive.open() as look:
        assert len(look.intervals("acme-0000", 0, 2**62)[0].start) == 2
        assert [note.detail["kind"] for note in look.notes(("rescued",))] == ["deleted"]
