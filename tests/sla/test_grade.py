from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from netsla.model import SECOND, Outcome, UptimeRule
from netsla.sla.fleet import Roster
from netsla.sla.grade import Grader, combine
from netsla.sla.standing import BAD, GOOD, UNKNOWN
from netsla.sla.tally import Column
from tests.sla.builders import PING, plan


def grader(rule: UptimeRule, references: int = 0, endpoints: int = 1) -> Grader:
    some = Grader()
    some.load(Roster().lay_out(plan(endpoints, rule=rule, references=references), 0))
    return some


def counts(*pairs: tuple[int, int]) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    matrix = np.zeros((Column.LE, len(pairs)), np.int64)
    matrix[Column.SENT], matrix[Column.RECEIVED] = np.array(pairs).T
    return matrix


@pytest.mark.parametrize(
    ("sent", "received", "limit", "standing"),
    [
        (10, 8, Fraction(20, 100), GOOD),  # SLA section 6: the boundary is good
        (10, 7, Fraction(30, 100), GOOD),  # floats say otherwise
        (10, 7, Fraction(29, 100), BAD),
        (10, 5, Fraction(1, 2), GOOD),
        (10, 4, Fraction(1, 2), BAD),
        (0, 0, Fraction(1, 2), UNKNOWN),
    ],
)
def test_an_interval_is_bad_iff_its_loss_exceeds_the_limit_in_integers(
    sent: int, received: int, limit: Fraction, standing: int
) -> None:
    graded = grader(UptimeRule(loss_over=limit)).close(0, counts((sent, received)), np.array([False]))
    assert graded.probes[0] == graded.endpoints[0] == standing


def test_all_lost_profile_is_bad_only_if_nothing_came_back() -> None:
    some = grader(UptimeRule("google120", all_lost=True))
    assert some.close(0, counts((60, 1)), np.array([False])).probes[0] == GOOD
    assert some.close(1, counts((60, 0)), np.array([False])).probes[0] == BAD


def test_too_few_samples_or_doubt_is_unknown() -> None:
    some = grader(UptimeRule(min_samples=30))
    assert some.close(0, counts((29, 29)), np.array([False])).probes[0] == UNKNOWN
    assert some.close(1, counts((30, 30)), np.array([True])).probes[0] == UNKNOWN
    assert some.close(2, counts((30, 30)), np.array([False])).probes[0] == GOOD


def test_an_interval_of_five_cells_is_judged_on_all_of_them_at_its_end() -> None:
    some = grader(UptimeRule("y1540-2002", "interval", interval_ns=300 * SECOND, loss_over=Fraction(75, 100)))
    due = [some.close(k, counts((60, 60 if k < 5 else 0)), np.array([False])) for k in range(10)]
    assert [bool(graded.due[0]) for graded in due] == [k in (4, 9) for k in range(10)]
    assert [int(graded.probes[0]) for graded in due] == [-1] * 4 + [1] * 5 + [0]


def test_what_was_gathered_of_an_interval_is_read_back_from_its_first_cell() -> None:
    some = grader(UptimeRule("y1540-2002", "interval", interval_ns=300 * SECOND, loss_over=Fraction(75, 100)))
    assert [some.gathers_from(k) for k in (4, 5, 8, 10)] == [0, 5, 5, 10]


def test_half_of_the_references_bad_is_our_own_fault_less_is_not() -> None:
    some = grader(UptimeRule(), references=4)
    well, dead = (60, 60), (60, 0)
    assert some.references_failed(counts(well, dead, dead, well, well))
    assert not some.references_failed(counts(dead, dead, well, well, well))
    assert not some.references_failed(counts(dead, *[(0, 0)] * 4))  # not measured is no evidence


def test_without_references_nothing_is_excused() -> None:
    some = grader(UptimeRule())
    assert not some.references_failed(counts((60, 0)))
    assert not some.references_silent(np.array([Outcome.LOST], np.int8), np.array([SECOND]), 2 * SECOND)


def test_references_that_do_not_answer_now_freeze_judgement() -> None:
    some = grader(UptimeRule(), references=2)
    at = np.array([0, 100, 100]) * SECOND
    outcome = np.array([Outcome.LOST, Outcome.LOST, Outcome.ANSWERED], np.int8)
    assert some.references_silent(outcome, at, 101 * SECOND)
    assert not some.references_silent(outcome, at, 200 * SECOND)  # long not heard of


@pytest.mark.parametrize(
    ("probes", "any_", "all_"),
    [
        ((GOOD, BAD), GOOD, BAD),
        ((BAD, BAD), BAD, BAD),
        ((BAD, UNKNOWN), BAD, BAD),
        ((GOOD, UNKNOWN), GOOD, GOOD),
        ((UNKNOWN, UNKNOWN), UNKNOWN, UNKNOWN),
    ],
)
def test_feed_any_and_all(probes: tuple[int, int], any_: int, all_: int) -> None:
    standing, deciding = np.array(probes, np.int8), np.array([[0, 1], [0, 1]], np.int32)
    assert combine(standing, deciding, np.array([False, True])).tolist() == [any_, all_]


def test_fresh_rows_begin_unknown() -> None:
    some, roster = Grader(), Roster()
    first = plan(1)
    some.load(roster.lay_out(first, 0))
    some.close(0, counts((60, 60)), np.array([False]))
    endpoint = replace(first.agreements[0].endpoints[0], probes=(replace(PING, size=100),))
    some.load(roster.lay_out(replace(first, agreements=(replace(first.agreements[0], endpoints=(endpoint,)),)), 0))
    assert some.probes.tolist() == [1, -1]
