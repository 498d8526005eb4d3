import numpy as np
import pytest

from netsla.sla.marks import EXCLUDED, NOT_DUE, PENDING, UNKNOWN, UP, Mark, Marks, silent


def filled() -> Marks:
    """Cells 10 to 14, each with its number's last digit for a standing."""
    marks = Marks(10)
    marks.reach(14, 3)
    for k in range(10, 15):
        marks.open(k).standing[:] = k - 10
        marks.open(k).codes[:] = UP
    return marks


def test_what_was_pressed_reads_as_before_and_can_be_said_anew() -> None:
    marks = filled()
    marks.press(13)
    assert (marks.first_k, marks.open_k, marks.end_k) == (10, 13, 15)
    found = marks.at(11)
    assert found is not None
    assert found.standing.tolist() == [1, 1, 1]
    found.codes[1] = UNKNOWN
    marks.put(11, found)
    again = marks.at(11)
    assert again is not None
    assert again.codes.tolist() == [UP, UNKNOWN, UP]


def test_only_what_is_held_can_be_looked_at() -> None:
    marks = filled()
    marks.press(15)
    marks.forget(12)
    assert [marks.at(k) is not None for k in (11, 12, 14, 15)] == [False, True, True, False]


@pytest.mark.parametrize("pressed", [10, 15])
def test_the_newest_can_be_taken_away(pressed: int) -> None:
    marks = filled()
    marks.press(pressed)
    assert [int(marks.pop().standing[0]) for _ in range(5)] == [4, 3, 2, 1, 0]
    assert marks.end_k == 10


def test_new_places_were_not_recorded() -> None:
    marks = filled()
    marks.widen(1)
    assert marks.open(14).codes.tolist() == [UP, UP, UP, PENDING]
    assert marks.open(14).standing[3] == NOT_DUE


def test_silence_is_unknown_or_excluded() -> None:
    mark = silent(np.array([False, True]))
    assert isinstance(mark, Mark)
    assert mark.codes.tolist() == [UNKNOWN, EXCLUDED]
    marks = filled()
    marks.lay(mark)
    assert (marks.open_k, marks.end_k) == (16, 16)
    marks.lay(mark, 3)
    assert (marks.open_k, marks.end_k) == (19, 19)
    last = marks.at(18)
    assert last is not None
    assert last.codes.tolist() == [UNKNOWN, EXCLUDED]


def test_time_without_a_record_ends_with_the_first_standing() -> None:
    marks = Marks(10)
    marks.reach(11, 2)
    for k in (10, 11):
        marks.open(k).standing[:] = [int(NOT_DUE), -1]
    marks.lay(silent(np.array([False, False])), 100)  # after the newest, cell by cell, were closed without one
    assert marks.told_k == 112
    marks.reach(112, 2)
    marks.open(112).standing[1] = 0
    marks.press(113)
    assert marks.told_k == 112


def test_cells_that_were_alike_are_looked_at_at_once() -> None:
    marks = filled()
    marks.lay(silent(np.array([False, False, True])), 100)
    marks.reach(116, 3)
    found = [(begin, end, mark.codes.tolist()) for begin, end, mark in marks.stretches(13, 117)]
    blank = [PENDING] * 3
    assert found == [(13, 14, [UP] * 3), (14, 15, [UP] * 3), (15, 115, [UNKNOWN, UNKNOWN, EXCLUDED]),
                     (115, 116, blank), (116, 117, blank)]  # fmt: skip
    assert [begin for begin, _, _ in marks.stretches(0, 12)] == [10, 11]
    assert list(marks.stretches(0, 5)) == []
    assert list(marks.stretches(200, 300)) == []
