"""Runs of failures and of answers, as the samples tell them, in whatever order they come."""

import numpy as np

from netsla.model import Outcome, Samples
from netsla.sla.runs import Runs

NO_LIMIT = np.empty((0, 2), np.int64)


def samples(*told: tuple[int, int, Outcome, float]) -> Samples:
    """(row, sent, outcome, rtt in ms)."""
    row, at, outcome, rtt = zip(*told, strict=True)
    count = len(told)
    return Samples(
        np.array(row, np.int32), np.arange(count), np.array(at), np.array([int(ms * 1e6) for ms in rtt]),
        np.array(outcome, np.uint8), np.zeros(count, np.uint16), np.zeros(count, np.uint8),
    )  # fmt: skip


def runs(*batches: Samples, limits: np.ndarray = NO_LIMIT) -> Runs:
    found = Runs()
    found.cover(len(limits), 2, np.arange(2, dtype=np.int32))
    for batch in batches:
        found.add(batch, limits)
    return found


def good(row: int, at: int, ms: float = 1.0) -> tuple[int, int, Outcome, float]:
    return row, at, Outcome.ANSWERED, ms


def lost(row: int, at: int) -> tuple[int, int, Outcome, float]:
    return row, at, Outcome.LOST, -1e-6


def state(found: Runs, plane: int = 0, row: int = 0) -> tuple[int, int]:
    at = np.array([plane]), np.array([row])
    return int(found.failing_since(*at)[0]), int(found.well_since(*at)[0])


def test_a_blackout_begins_with_its_first_loss_and_ends_with_the_first_answer() -> None:
    found = runs(samples(*[good(0, t) for t in range(1, 5)]))
    assert state(found) == (0, 1)
    found.add(samples(*[lost(0, t) for t in (5, 6, 7)]), NO_LIMIT)
    assert state(found) == (5, 0)
    found.add(samples(good(0, 8), good(0, 9)), NO_LIMIT)
    assert state(found) == (0, 8)


def test_answers_come_in_before_the_losses_of_earlier_probes_are_known() -> None:
    found = runs(samples(good(0, 1), lost(0, 2)), samples(good(0, 5), good(0, 6)), samples(lost(0, 3), lost(0, 4)))
    assert state(found) == (0, 5)


def test_a_loss_known_late_inside_a_good_run_moves_its_begin() -> None:
    found = runs(samples(good(0, 1), good(0, 3), good(0, 4)), samples(lost(0, 2)))
    assert state(found)[0] == 0
    found.add(samples(good(0, 5)), NO_LIMIT)
    assert state(found) == (0, 5), "the newest run since the loss that can be vouched for"


def test_rows_do_not_touch_each_other() -> None:
    found = runs(samples(good(0, 1), lost(1, 1), good(0, 2), lost(1, 2)))
    assert state(found, row=0) == (0, 1)
    assert state(found, row=1) == (1, 0)


def test_a_threshold_has_a_plane_of_its_own() -> None:
    limits = np.array([[2000, -1]])
    found = runs(samples(good(0, 1), good(0, 2, 2.001), good(0, 3, 3), good(1, 1, 9)), limits=limits)
    assert state(found, plane=0) == (0, 1)
    assert state(found, plane=1) == (2, 0)
    assert state(found, plane=1, row=1) == (0, 0), "this row has no such threshold"


def test_unmeasured_probes_and_late_copies_say_nothing() -> None:
    found = runs(samples((0, 1, Outcome.UNMEASURED, 0), (0, 2, Outcome.DUPLICATE, 0), (0, 3, Outcome.LATE, 9)))
    assert state(found) == (0, 0)
    assert found.last_known(np.array([0]))[0] == 0


def test_a_fresh_row_has_no_past() -> None:
    found = runs(samples(lost(0, 1)))
    found.cover(0, 3, np.array([0], np.int32))
    assert state(found) == (0, 0)
    assert state(found, row=2) == (0, 0)
