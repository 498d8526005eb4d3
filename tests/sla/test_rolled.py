"""Windows over a series: sums, exact means, extremes."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsla.model import Standing
from netsla.sla.rolled import rolled_standing, window_greatest, window_means, window_sums

SERIES = st.lists(st.integers(-50, 50), min_size=1, max_size=40)


@given(SERIES, st.integers(1, 45))
def test_sums_and_greatest_are_those_of_each_window(values: list[int], size: int) -> None:
    windows = [values[max(n + 1 - size, 0) : n + 1] for n in range(len(values))]
    series = np.array(values, np.int64)
    assert window_sums(series, size).tolist() == [sum(one) for one in windows]
    assert window_greatest(series, size).tolist() == [max(one) for one in windows]


def test_means_are_of_intervals_and_exact() -> None:
    hits, total = np.array([100, 99, 0, 5]), np.array([100, 100, 0, 10])
    # of the last two intervals in which anything was sent: 0 of 0 says nothing
    found = [Fraction(*one) for one in window_means(hits, total, 2, np.array([1, 2, 3]))]
    assert found == [Fraction(199, 200), Fraction(99, 100), Fraction(1, 2)]
    ((part, whole),) = window_means(hits, total, 4, np.array([3]))
    assert Fraction(part, whole) == Fraction(83, 100)


@pytest.mark.parametrize(
    ("share", "coverage", "standing"),
    [
        (Fraction(1), Fraction(19, 20), Standing.MET),
        (Fraction(1), Fraction(18, 20), Standing.INSUFFICIENT),
        (Fraction(1), None, Standing.MET),
        (Fraction(59, 60), Fraction(1, 20), Standing.BREACHED),
    ],
)
def test_standing(share: Fraction, coverage: Fraction | None, standing: Standing) -> None:
    assert rolled_standing(share, coverage, Fraction(19, 20)) is standing
