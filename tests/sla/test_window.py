import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from netsla.model import IntArray
from netsla.sla.histogram import BUCKETS
from netsla.sla.tally import Spectrum
from netsla.sla.window import Window
from tests.sla.builders import FIVE

COLUMNS = 3
Cells = list[tuple[list[int], list[int]]]
cells = st.lists(
    st.tuples(
        st.lists(st.integers(0, 9), min_size=COLUMNS * 4, max_size=COLUMNS * 4),
        st.lists(st.integers(0, 4 * BUCKETS - 1), max_size=10),
    ),
    max_size=8,
)


def window(*rows: int, capacity: int = 4) -> Window:
    made = Window(FIVE, COLUMNS)
    made.cover(np.array(rows, np.int32), np.array(rows, np.int32), capacity, COLUMNS, 0)
    return made


def cell(numbers: list[int], keys: list[int]) -> tuple[IntArray, Spectrum]:
    return np.array(numbers, np.int64).reshape(COLUMNS, 4), Spectrum.of(np.array(keys, np.int64))


@given(cells, cells)
def test_what_is_added_and_taken_away_leaves_no_trace(stay: Cells, go: Cells) -> None:
    """The law of the tally: a + b - b == a, for the histogram too."""
    plain, slid = window(0, 2, 3), window(0, 2, 3)
    for k, one in enumerate(stay):
        plain.add(k, *cell(*one))
        slid.add(k, *cell(*one))
    for sign in (1, -1):
        for k, one in enumerate(go):
            slid.add(k, *cell(*one), sign=sign)
    assert (plain.matrix == slid.matrix).all()
    assert (plain.histogram == slid.histogram).all()


def test_rows_that_are_not_covered_are_not_counted() -> None:
    some = window(1)
    some.add(0, *cell(list(range(12)), [1 * BUCKETS + 5, 2 * BUCKETS + 5]))
    assert some.matrix[:, some.place[1]].tolist() == [1, 5, 9]
    assert some.histogram.sum() == 1


def test_cover_keeps_the_counts_of_those_who_stay_and_reuses_places_empty() -> None:
    some = window(0, 1)
    some.add(0, *cell([7] * 12, [0, BUCKETS]))
    some.cover(np.array([1, 2, 3], np.int32), np.array([2, 3], np.int32), 4, COLUMNS, 5)
    assert [some.matrix[0, some.place[row]] for row in (1, 2, 3)] == [7, 0, 0]
    assert some.place[0] == -1
    assert some.histogram[some.place[1]].sum() == 1
    assert sorted(some.rows.tolist()) == [1, 2, 3]


def test_counts_of_an_earlier_life_of_a_row_never_come_back() -> None:
    some = window(0)
    some.add(3, *cell([1] * 12, [4]))
    some.cover(np.array([0], np.int32), np.array([0], np.int32), 4, COLUMNS, 5)
    some.add(3, *cell([1] * 12, [4]), sign=-1)
    assert not some.matrix.any()
    assert not some.histogram.any()


def test_more_columns_and_rows_come_in_empty() -> None:
    some = window(0)
    some.add(0, *cell([1] * 12, []))
    some.cover(np.array([0, 5], np.int32), np.array([5], np.int32), 6, COLUMNS + 2, 1)
    assert some.matrix[:, some.place[0]].tolist() == [1, 1, 1, 0, 0]
    assert some.matrix[:, some.place[5]].tolist() == [0] * 5


def test_down_time_is_marked_and_unmarked_for_the_rows_named() -> None:
    some = window(0, 1)
    matrix, _ = cell(list(range(12)), [])
    some.mark_down(0, matrix, np.array([1, 3], np.int32))
    assert some.down[:, some.place[1]].tolist() == [1, 5, 9]
    assert some.down[:, some.place[0]].tolist() == [0, 0, 0]
    some.mark_down(0, matrix, np.array([1, 3], np.int32), sign=-1)
    assert not some.down.any()


def test_down_time_told_in_pairs_counts_for_who_was_there_then() -> None:
    """Of three rows one joins at cell 5, one has left; what was before the window's first cell is not in it."""
    some = window(0, 1, 2)
    some.cover(np.array([0, 1, 2], np.int32), np.array([1], np.int32), 4, COLUMNS, 5)
    some.until_k[some.place[2]] = 4
    some.first_k = 2
    k = np.array([1, 2, 3, 4, 3, 4, 5, 6, 3, 4, 5, 5])
    rows = np.array([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 3])
    some.count_down(k, rows, np.stack([2 ** np.arange(12)] * 2))
    assert some.down[:2, some.place[:3]].tolist() == [[2 + 4 + 8, 64 + 128, 256]] * 2
    assert some.down.sum() == 2 * (2 + 4 + 8 + 64 + 128 + 256)


def test_a_histogram_is_widened_before_a_bucket_can_overflow() -> None:
    some = window(0)
    some.add(0, *cell([0] * 12, [5] * 60_000))
    some.hold(65_535)
    assert some.histogram.dtype == np.uint16
    some.hold(65_536)
    some.add(0, *cell([0] * 12, [5] * 60_000))
    assert some.histogram[some.place[0], 5] == 120_000
