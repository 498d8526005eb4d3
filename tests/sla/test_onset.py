"""Onsets and ends of objectives, from the runs of the two probes that feed them."""

from __future__ import annotations

import numpy as np
import pytest

from netsla.model import Metric, Outcome, ProbeSpec, ProbeType, UptimeRule
from netsla.sla.fleet import Fleet, Roster
from netsla.sla.onset import Onsets
from netsla.sla.runs import Runs
from tests.sla.builders import HOUR, MONTH, PING, latency_objective, plan, ratio_objective, samples

FAR = ProbeSpec("far", ProbeType.ICMP)
UPTIME = ratio_objective(Metric.UPTIME, window=MONTH)
DELIVERY = ratio_objective(window=HOUR)
SLOW = latency_objective(limit_ms=50, window=HOUR)
Told = tuple[int, int, float | None]  # row, sent at, RTT in ms: None is lost


def fleet(feed: str = "any") -> Fleet:
    return Roster().lay_out(plan(1, (UPTIME, DELIVERY, SLOW), UptimeRule(feed=feed), (PING, FAR)), 0)


def runs(laid_out: Fleet, *told: Told) -> Runs:
    found = Runs()
    found.cover(len(laid_out.thresholds_us), laid_out.rows, laid_out.fresh_rows)
    for row, at, ms in told:
        outcome = Outcome.LOST if ms is None else Outcome.ANSWERED
        found.add(samples(row, outcome, ms or 0.0, at), laid_out.thresholds_us)
    return found


def onsets(laid_out: Fleet) -> Onsets:
    made = Onsets()
    made.load(laid_out)
    return made


@pytest.mark.parametrize(
    ("feed", "uptime", "delivery"),
    [("any", 5, 3), ("all", 3, 3), ("ping", 3, 3), ("far", 5, 3)],
)
def test_an_onset_is_that_of_the_first_probe_unless_all_must_fail(feed: str, uptime: int, delivery: int) -> None:
    laid_out = fleet(feed)
    found = runs(laid_out, (0, 1, 1.0), (1, 1, 1.0), (0, 3, None), (1, 5, None))
    assert onsets(laid_out).begun([0, 1], found) == [uptime, delivery]


def test_one_probe_of_two_that_fails_leaves_an_uptime_fed_by_any_without_an_onset_of_its_own() -> None:
    laid_out = fleet()
    found = runs(laid_out, (0, 1, 1.0), (0, 3, None), (0, 4, None), (1, 4, 1.0))
    assert onsets(laid_out).begun([0, 1], found) == [4, 3], "the newest failure stands in for it"
    assert onsets(laid_out).answering([0, 1], found) == {0}


def test_the_end_is_when_all_are_well_or_when_one_is_where_one_is_enough() -> None:
    laid_out = fleet()
    found = runs(laid_out, (0, 1, None), (1, 1, None), (0, 6, 1.0), (1, 8, 1.0))
    assert onsets(laid_out).ended([0, 1], found) == [6, 8]


def test_slow_answers_are_failures_of_a_latency_objective_only() -> None:
    laid_out = fleet()
    found = runs(laid_out, (0, 2, 49.0), (0, 4, 51.0), (1, 4, 1.0))
    assert onsets(laid_out).begun([0, 1, 2], found) == [0, 0, 4]
    assert onsets(laid_out).answering([0, 1, 2], found) == {0, 1}


def test_the_newest_sample_of_any_probe_says_since_when_nothing_is_known() -> None:
    laid_out = fleet()
    found = runs(laid_out, (0, 2, None), (1, 7, 1.0))
    assert onsets(laid_out).last_known(np.array([0, 1]), found).tolist() == [7, 7]
    assert onsets(laid_out).last_known(np.array([1]), runs(laid_out)).tolist() == [0]
