"""Exact statistics: percentiles by counting, the mean of ratios as a fraction, Wilson's interval.

Rules: verdicts are integers and `Fraction`; floats only grade evidence and serve display (SLA section 2).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from netsla.model import IntArray

FloatArray = npt.NDArray[np.float64]

_Z = 1.959963984540054  # two-sided 95 % of the normal distribution


def percentile(samples: Sequence[float], share: Fraction, lost: int = 0) -> float | None:
    """sorted[ceil(p * N)], 1-based, no interpolation (RFC 2330 section 11.3); None without samples.

    `lost` samples count as infinite: longer than any (RFC 6703); leave it 0 to exclude them.
    """
    total = len(samples) + lost
    if not total:
        return None
    rank = max(math.ceil(share * total), 1)
    return sorted(samples)[rank - 1] if rank <= len(samples) else math.inf


def wilson(hits: IntArray | int, total: IntArray | int) -> tuple[FloatArray, FloatArray]:
    """Bounds of the 95 % score interval of hits/total (Wilson 1927); NaN where the total is 0."""
    hit, n = np.asarray(hits, np.float64), np.asarray(total, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = hit / n
        middle = share + _Z**2 / (2 * n)
        margin = _Z * np.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2))
        low, high = (middle - margin) / (1 + _Z**2 / n), (middle + margin) / (1 + _Z**2 / n)
    return np.where(hit == 0, 0 * share, low), np.where(hit == n, 1 + 0 * share, high)


def mean_of_intervals(received: IntArray, sent: IntArray) -> Fraction | None:
    """The mean of the ratios of the intervals in which something was sent, exactly."""
    used = sent > 0
    pairs, counts = np.unique(np.stack([received[used], sent[used]]), axis=1, return_counts=True)
    if not len(counts):
        return None
    by_total: dict[int, int] = {}
    for got, out, count in zip(*pairs.tolist(), counts.tolist(), strict=True):
        by_total[out] = by_total.get(out, 0) + got * count
    return sum((Fraction(got, out) for out, got in by_total.items()), Fraction(0)) / int(counts.sum())
