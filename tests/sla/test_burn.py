from __future__ import annotations

from fractions import Fraction

import numpy as np

from netsla.sla.burn import BURNS, budget_spent, burning, projected, warning
from tests.sla.contracts import DAY, HOUR, percent


def test_one_bad_minute_is_silent_the_second_pages() -> None:
    bad, long, short = np.array([0, 1, 2]), np.full(3, 60), np.full(3, 5)
    pages = burning(bad, long, bad, short, percent("99.9"), BURNS[0])
    assert pages.tolist() == [False, False, True]
    limit = BURNS[0].factor * (1 - percent("99.9"))
    assert Fraction(1, 60) > limit
    assert Fraction(1, 5) > limit


def test_both_windows_must_burn() -> None:
    five, none = np.array([5]), np.array([0])
    assert not burning(five, np.array([60]), none, np.array([5]), percent("99.9"), BURNS[0]).any()


def test_projection() -> None:
    assert projected(HOUR, HOUR // 2, 14 * DAY, 7 * DAY) == 2 * HOUR
    assert projected(HOUR, 0, 14 * DAY, 7 * DAY) == HOUR


def test_budget() -> None:
    month = 30 * DAY
    spent = budget_spent(int(month * 0.001) // 2, month, percent("99.9"))
    assert spent == Fraction(1, 2)
    assert warning(spent) == Fraction(1, 2)
    assert warning(Fraction(3, 2)) == 1
    assert warning(Fraction(1, 3)) is None
    assert budget_spent(1, month, Fraction(1)) is None
    assert warning(None) is None
