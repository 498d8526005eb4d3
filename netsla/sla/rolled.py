"""Sums, means and extremes over every window of so many intervals, and what a series of verdicts comes to.

All windows end with one of the intervals and are shorter at the very beginning of the series.
"""

from __future__ import annotations

import math
from collections import deque
from fractions import Fraction
from itertools import accumulate

import numpy as np

from netsla.model import IntArray, Standing


def window_sums(values: IntArray, size: int) -> IntArray:
    """Sums over the `size` intervals that end with each one."""
    total = np.concatenate([[0], np.cumsum(values)])
    end = np.arange(1, len(total))
    sums: IntArray = total[end] - total[np.maximum(end - size, 0)]
    return sums


def window_means(hits: IntArray, total: IntArray, size: int, at: IntArray) -> list[tuple[int, int]]:
    """Exact means of hits/total over the intervals with any total, of the windows that end with the intervals `at`.

    As (numerator, denominator), not reduced. There has to be an interval with a total in each of these windows.
    """
    common = math.lcm(*(int(one) for one in np.unique(total[total > 0])))
    each = zip(hits.tolist(), total.tolist(), strict=True)
    sums = list(accumulate((part * (common // whole) if whole else 0 for part, whole in each), initial=0))
    counts = window_sums((total > 0).astype(np.int64), size).tolist()
    return [(sums[n + 1] - sums[max(n + 1 - size, 0)], common * counts[n]) for n in at.tolist()]


def window_greatest(values: IntArray, size: int) -> IntArray:
    """The greatest of the `size` values that end with each one."""
    falling: deque[tuple[int, int]] = deque()  # candidates, greatest first
    out = []
    for n, value in enumerate(values.tolist()):
        while falling and falling[-1][1] <= value:
            falling.pop()
        falling.append((n, value))
        if falling[0][0] <= n - size:
            falling.popleft()
        out.append(falling[0][1])
    return np.array(out, np.int64)


def rolled_standing(share: Fraction, coverage: Fraction | None, least: Fraction) -> Standing:
    """One window that failed is a breach; where too little was seen, what was not seen may have failed (SLA R6)."""
    if share < 1:
        return Standing.BREACHED
    return Standing.INSUFFICIENT if coverage is not None and coverage < least else Standing.MET
