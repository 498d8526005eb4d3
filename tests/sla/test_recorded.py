from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsla.errors import NetslaError
from netsla.model import Reason
from netsla.sla.recorded import add_columns, add_up, gridded, place
from tests.sla.contracts import records

START = 1_775_001_600 * 1_000_000_000  # 2026-04-01T00:00Z
FIRST_K = 1_775_001_600 // 60


def test_records_on_their_own_grid() -> None:
    part = records(START, [12, -1, 3])
    part.reason[1] = Reason.LOCAL_FAULT
    grid = gridded(part, 60, FIRST_K - 1, 5)
    assert grid.sent.tolist() == [0, 12, 0, 12, 0]
    assert grid.received.tolist() == [0, 12, 0, 3, 0]
    assert grid.seconds.tolist() == [0, 60, 0, 60, 0]
    assert grid.reason.tolist() == [255, 255, 255, Reason.LOCAL_FAULT, 255]


def test_records_on_a_coarser_grid() -> None:
    grid = gridded(records(START, [1, 2, 3, 4, 5, 6]), 300, FIRST_K // 5, 2)
    assert grid.received.tolist() == [15, 6]
    assert grid.seconds.tolist() == [300, 60]


def test_records_longer_than_the_grid_are_refused() -> None:
    with pytest.raises(NetslaError, match="records of 60 s cannot feed"):
        place(records(START, [1]), 30, 0)


@given(st.lists(st.tuples(st.integers(-3, 12), st.integers(0, 2**40)), max_size=30))
def test_sums_by_place(rows: list[tuple[int, int]]) -> None:
    at, values = (np.array([row[n] for row in rows], np.int64) for n in (0, 1))
    expected = [sum(value for place_, value in rows if place_ == n) for n in range(10)]
    assert add_up(at, values, 10).tolist() == expected
    ordered = np.unique(at)
    once = [int((ordered == n).sum()) for n in range(10)]
    assert [column.tolist() for column in add_columns(ordered, (ordered * 0 + 1, ordered * 0 + 3), 10)] == [
        once,
        [3 * n for n in once],
    ]


def test_whole_columns_are_taken_as_they_are() -> None:
    values = np.arange(5)
    assert add_up(np.arange(5), values, 5) is values
    assert add_up(np.arange(4, -1, -1), values, 5).tolist() == [4, 3, 2, 1, 0]
