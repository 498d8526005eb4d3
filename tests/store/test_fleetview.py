"""The whole fleet, hour by hour (more of it in test_ledger.py and test_keeping.py)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from netsla.model import SECOND, Reason
from netsla.sla.interval import NO_REASON, Cell
from netsla.sla.tally import Spectrum
from netsla.store import fleetview
from netsla.store.layout import Layout, relocate
from netsla.store.ledger import Ledger
from tests.store.cells import HOUR_K, START_S, cells, layout, same

HOUR = START_S // 3600


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    one = Ledger(tmp_path / "ledger.db", now_ns=lambda: START_S * SECOND)
    one.start()
    yield one
    one.close()


def test_a_large_fleet_comes_in_parts_that_share_no_lane(ledger: Ledger) -> None:
    fleet = layout(2100, 1)
    given = list(cells(2100, 2, probes=2))
    for one in given:
        ledger.append(one, fleet)
    ledger.flush()
    ledger.seal_due((START_S + 3901) * SECOND)
    with ledger.archive.open() as look:
        parts = list(fleetview.cells_of_hour(look, HOUR))
    assert len({lane for _, part in parts for lane in part.lanes}) == 2100
    assert sum(len(part.lanes) for _, part in parts) == 2 * 2100
    assert len(parts) > 2
    for one in given:
        mine = [(cell, part) for cell, part in parts if cell.k == one.k]
        assert same(relocate(one.k, 60, mine, fleet), one)


def test_a_correction_replaces_only_the_lanes_that_it_knows(ledger: Ledger) -> None:
    fleet, some = layout(4), layout(2, first=2)
    for one in cells(4, 60, probes=3):
        ledger.append(one, fleet)
    ledger.flush()
    ledger.seal_due((START_S + 3901) * SECOND)
    (again,) = cells(2, 1, k=HOUR_K + 5, seed=4, probes=9)
    ledger.append(again, some)
    ledger.flush()
    for _ in range(2):  # first loose, then sealed
        with ledger.archive.open() as look:
            parts = [one for one in fleetview.cells_of_hour(look, HOUR) if one[0].k == HOUR_K + 5]
        whole = relocate(HOUR_K + 5, 60, parts, fleet)
        assert whole.matrix[0].tolist() == [3, 3, 9, 9]
        assert int(whole.spectrum.counts.sum()) == int(whole.matrix[1].sum())
        ledger.seal_due((START_S + 3901) * SECOND)


def test_whether_an_interval_is_sealed(ledger: Ledger) -> None:
    for one in cells(2, 30):
        ledger.append(one, layout(2))
    ledger.flush()
    with ledger.archive.open() as look:
        assert not fleetview.is_sealed(look, START_S)
    ledger.seal_due((START_S + 3901) * SECOND)
    with ledger.archive.open() as look:
        assert fleetview.is_sealed(look, START_S)
        assert not fleetview.is_sealed(look, START_S + 30 * 60)
        assert not fleetview.is_sealed(look, START_S + 3600)


def test_single_figures_are_those_of_the_whole_cells(ledger: Ledger) -> None:
    """Sealed, corrected, suspect, not sealed yet, of nobody: as reading every cell tells it."""
    fleet, first = layout(70), layout(65)
    given = list(cells(70, 70, probes=5, k=HOUR_K))
    given[3] = replace(given[3], reason=np.where(np.arange(70) % 3, NO_REASON, Reason.CLOCK_STEP).astype(np.uint8))
    for one in cells(65, 30, probes=3, k=HOUR_K, seed=9):
        ledger.append(one, first)
    ledger.flush()
    ledger.seal_due((START_S + 3901) * SECOND)
    for one in given[2:10]:
        ledger.append(one, fleet)  # lived through again
    ledger.flush()
    ledger.seal_due((START_S + 3901) * SECOND)
    for one in given[20:21] + given[60:]:
        ledger.append(one, fleet)
    ledger.flush()
    wanted = layout(75)
    with ledger.archive.open() as look:
        for hour in (HOUR_K, HOUR_K + 60):
            whole = [relocate(hour + slot, 60, [], wanted) for slot in range(60)]
            for cell, own in fleetview.cells_of_hour(look, hour // 60):
                whole[cell.k - hour] = _over(whole[cell.k - hour], cell, own, wanted)
            k, rows = (part.reshape(-1) for part in np.meshgrid(hour + np.arange(60), np.arange(75), indexing="ij"))
            found = fleetview.figures(look, wanted, 60, k, rows)
            assert found.any()
            assert np.array_equal(found, np.stack([c.usable()[0] for c in whole], axis=1).reshape(len(found), -1))


@pytest.mark.parametrize("told", ["once", "twice", "again, not sealed yet"])
def test_a_part_of_an_hour_is_the_sum_of_its_cells(ledger: Ledger, told: str) -> None:
    fleet, wanted = layout(70), layout(65, first=3)
    given = list(cells(70, 60))
    given[20] = replace(given[20], reason=np.where(np.arange(70) % 3, NO_REASON, Reason.CLOCK_STEP).astype(np.uint8))
    for one in given:
        ledger.append(one, fleet)
    ledger.flush()
    ledger.seal_due((START_S + 3901) * SECOND)
    if told != "once":
        for one in cells(20, 60, seed=4, probes=3):
            ledger.append(one, layout(20))
        ledger.flush()
    if told == "twice":
        ledger.seal_due((START_S + 3901) * SECOND)
    first, last = 7, 41
    with ledger.archive.open() as look:
        pieces = list(fleetview.pieces(look, wanted, START_S + first * 60, START_S + last * 60))
        whole = [relocate(HOUR_K + slot, 60, [], wanted) for slot in range(60)]
        for cell, own in fleetview.cells_of_hour(look, HOUR):
            slot = cell.k - HOUR_K
            whole[slot] = _over(whole[slot], cell, own, wanted)
    usable = [one.usable() for one in whole[first:last]]
    assert np.array_equal(sum(piece.matrix for piece in pieces), sum(matrix for matrix, _ in usable))
    mine, theirs = (Spectrum.merge(some) for some in ([p.spectrum for p in pieces], [s for _, s in usable]))
    assert np.array_equal(mine.keys, theirs.keys)
    assert np.array_equal(mine.counts, theirs.counts)
    assert (len(pieces) == 1) == (told == "once")


def _over(whole: Cell, cell: Cell, own: Layout, wanted: Layout) -> Cell:
    """A part of a cell in its place."""
    rest = Layout(tuple(lane if lane not in own.rows else None for lane in wanted.lanes))
    return relocate(cell.k, 60, [(whole, rest), (cell, own)], wanted)
