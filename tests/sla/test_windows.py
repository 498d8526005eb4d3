"""Windows and their cells: whatever happens, a window is the sum of the cells it holds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netsla.model import SECOND, IntArray, Span
from netsla.sla.exclusion import Exclusion
from netsla.sla.tally import Column, Spectrum
from netsla.sla.windows import Windows, mask_of
from tests.sla.builders import HOUR, MINUTE, MONTH, plan, ratio_objective
from tests.sla.test_engine import Drive

SPANS = (Span("2m", seconds=120), HOUR, MONTH)


def begin(**more: object) -> Drive:
    return Drive(plan(2, objectives=tuple(ratio_objective(window=span) for span in SPANS)), **more)  # type: ignore[arg-type]  # what Drive takes


def held(drive: Drive, name: str) -> IntArray:
    """What the cells of a rolling window add up to: closed ones as they are read back, and those still open."""
    windows = drive.engine.windows
    total = np.zeros((Column.LE, 2), np.int64)
    for k in range(windows[name].first_k, drive.now // MINUTE + 1):
        cell = windows.open[k].matrix if k in windows.open else (windows.cell_at(k) or [total * 0])[0]
        total += cell[: Column.LE]
    return total


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60), st.sampled_from([0, 30, 60, 200])), min_size=1, max_size=6))
def test_a_rolling_window_is_the_sum_of_its_cells(minutes: list[tuple[int, int]]) -> None:
    drive = begin()
    for lost, silent in minutes:
        drive.minute(lost=lost, rows=(1,))
        drive.now += silent * SECOND
        drive.engine.step(drive.now)
        for name in ("2m", "1h"):
            window = drive.engine.windows[name]
            assert window.matrix[: Column.LE, window.place[:2]].tolist() == held(drive, name).tolist()


def test_a_cell_that_is_taken_out_is_as_if_it_had_never_been() -> None:
    drive = begin()
    drive.minute(lost=7)
    before = {name: window.matrix.copy() for name, window in drive.engine.windows.items()}
    k, matrix = drive.now // MINUTE - 1, np.full((Column.LE, 2), 3)
    spectrum = Spectrum(np.array([5, 700]), np.array([1, 2], np.uint32))
    drive.engine.windows.add(k, matrix, spectrum)
    assert all((window.matrix != before[name]).any() for name, window in drive.engine.windows.items())
    drive.engine.windows.add(k, matrix, spectrum, sign=-1)
    assert all((window.matrix == before[name]).all() for name, window in drive.engine.windows.items())
    assert all((window.histogram.sum() == 2 * 60 - 2 * 7) for window in drive.engine.windows.values())


@pytest.mark.parametrize("row", [0, 1])
def test_an_excluded_minute_counts_for_the_others_only(row: int) -> None:
    drive = begin()
    start = drive.now
    drive.minute()
    drive.minute()
    drive.settle()
    drive.engine.exclude("a", (Exclusion("x", f"e{row}", start, start + MINUTE, "customer"),), drive.now)
    windows = drive.engine.windows
    away = windows.away(start // MINUTE)
    assert away is not None
    assert away.tolist() == [row]
    counted = windows["1h"].matrix - windows["1h"].away
    assert counted[Column.SENT, windows["1h"].place[[row, 1 - row]]].tolist() == [60, 120]


def test_what_is_not_at_hand_is_read_back() -> None:
    asked: list[int] = []
    drive = begin(read_cell=asked.append)
    first = drive.now // MINUTE
    drive.minute()
    drive.settle()
    windows = drive.engine.windows
    found = windows.cell_at(first)
    assert found is not None
    assert found[0][Column.SENT].tolist() == [60, 60]
    assert asked == []
    windows.drop(first)
    assert windows.cell_at(first) is None
    assert asked == [first]


def test_windows_read_like_a_mapping() -> None:
    windows: Windows = begin().engine.windows
    assert set(windows) >= {"2m", "1h", "month"}
    assert len(windows) == len(list(windows))
    with pytest.raises(KeyError):
        windows["2h"]
    assert mask_of(np.array([1], np.int32), 3).tolist() == [False, True, False]
