from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from netsla.sla.statistic import (
    mean_of_intervals,
    percentile,
    wilson,
)


@pytest.mark.parametrize(("share", "expected"), [("1/4", -2), ("1/2", 4), ("1", 18)])
def test_percentile_of_rfc_2330(share: str, expected: int) -> None:
    assert percentile([-2, 7, 7, 4, 18, -5], Fraction(share)) == expected


def test_lost_samples_are_infinite_or_left_out() -> None:
    delays = [100, 110, 90, 500]
    assert percentile(delays, Fraction(1, 2), lost=1) == 110
    assert percentile(delays, Fraction(1, 2)) == 100
    assert percentile(delays, Fraction(95, 100), lost=1) == math.inf
    assert percentile([], Fraction(1, 2)) is None


@pytest.mark.parametrize(
    ("hits", "total", "low", "high"), [(0, 10, 0, 27.75), (1, 100, 0.177, 5.449), (3, 3000, 0.0340, 0.2936)]
)
def test_wilson(hits: int, total: int, low: float, high: float) -> None:
    lower, upper = wilson(hits, total)
    assert float(lower) * 100 == pytest.approx(low, abs=6e-4)
    assert float(upper) * 100 == pytest.approx(high, abs=6e-3 if hits == 0 else 6e-4)


def test_wilson_of_nothing_and_of_everything() -> None:
    low, high = wilson(np.array([0, 5]), np.array([0, 5]))
    assert math.isnan(low[0])
    assert high[1] == 1.0


def test_the_mean_of_intervals_counts_those_in_which_something_was_sent() -> None:
    sent, received = np.array([100, 100, 10, 0]), np.array([100, 99, 5, 0])
    assert mean_of_intervals(received, sent) == Fraction(83, 100)
    assert mean_of_intervals(sent[3:], sent[3:]) is None
