"""Where a period is heading: projected downtime, and how fast its error budget burns (SLA R19).

Rules: exact; times are integers of one unit (ns, or intervals). The windows and factors are those of Google's
SRE Workbook, chapter 5, "multiwindow, multi-burn-rate alerts".
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from netsla.model import IntArray

WEEK_SECONDS = 7 * 86_400
WARN_AT = (Fraction(1, 2), Fraction(3, 4), Fraction(1))  # of the error budget
MIN_BAD_INTERVALS = 2
CLEAR_BELOW = Fraction(9, 10)  # of the budget: a forecast has recovered, unless the configuration says otherwise


@dataclass(frozen=True, slots=True)
class Burn:
    """An alert: the budget burns more than `factor` times too fast in both windows (seconds)."""

    factor: Fraction
    long_seconds: int
    short_seconds: int


BURNS = (
    Burn(Fraction(72, 5), 3600, 300),
    Burn(Fraction(6), 6 * 3600, 1800),
    Burn(Fraction(3), 24 * 3600, 7200),
    Burn(Fraction(1), 72 * 3600, 6 * 3600),
)


def projected(down: int, down_last_week: int, remaining: int, week: int) -> Fraction:
    """Down time at the end of the period: D + (D over 7 d / 7 d) * remaining; all in the unit of `week`."""
    return down + Fraction(down_last_week, week) * remaining


def budget_spent(down: Fraction | int, scheduled: int, target: Fraction) -> Fraction | None:
    """Share of the error budget that is used; None when the target allows none."""
    budget = (1 - target) * scheduled
    return down / budget if budget else None


def warning(spent: Fraction | None) -> Fraction | None:
    """The highest of 50, 75 and 100 % that is reached."""
    return max((level for level in WARN_AT if spent is not None and spent >= level), default=None)


def burning(
    bad_long: IntArray,
    known_long: IntArray,
    bad_short: IntArray,
    known_short: IntArray,
    target: Fraction,
    burn: Burn,
    least: int = MIN_BAD_INTERVALS,
) -> npt.NDArray[np.bool_]:
    """Whether both windows exceed the factor, with at least so many bad intervals; counts of intervals, columnar."""
    limit = burn.factor * (1 - target)
    fast = bad_long * limit.denominator > limit.numerator * known_long
    fast &= bad_short * limit.denominator > limit.numerator * known_short
    return fast & (bad_long >= least)
