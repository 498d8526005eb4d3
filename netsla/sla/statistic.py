"""Exact statistics: percentiles by counting, ratios as fractions, Wilson's interval, figures as people read them.

Rules: verdicts are integers and `Fraction`; floats only grade evidence and serve display. What is shown is
truncated toward failure: a figure never looks better than it is (SLA section 2).
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


def holds(hits: int, total: int, share: Fraction) -> bool | None:
    """Whether the percentile is within its threshold: count(rtt <= X) >= p * N; None when N = 0."""
    return hits * share.denominator >= share.numerator * total if total else None


def wilson(hits: IntArray | int, total: IntArray | int) -> tuple[FloatArray, FloatArray]:
    """Bounds of the 95 % score interval of hits/total (Wilson 1927); NaN where the total is 0."""
    hit, n = np.asarray(hits, np.float64), np.asarray(total, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = hit / n
        middle = share + _Z**2 / (2 * n)
        margin = _Z * np.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2))
        low, high = (middle - margin) / (1 + _Z**2 / n), (middle + margin) / (1 + _Z**2 / n)
    return np.where(hit == 0, 0 * share, low), np.where(hit == n, 1 + 0 * share, high)


def pooled(received: IntArray, sent: IntArray) -> Fraction | None:
    """Sum of received over sum of sent; None when nothing was sent (RFC 6673)."""
    total = int(sent.sum())
    return Fraction(int(received.sum()), total) if total else None


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


def shown_ratio(value: Fraction, places: int = 4, *, at_least: bool = True) -> str:
    """A ratio in per cent, cut off toward failure: down for what must be high, up for what must be low."""
    return f"{_cut(value * 100, places, up=not at_least)} %"


def shown_number(value: Fraction, places: int = 3, *, at_least: bool = False) -> str:
    """A number cut off toward failure."""
    return _cut(value, places, up=not at_least)


def _cut(value: Fraction, places: int, *, up: bool) -> str:
    scaled = value * 10**places
    whole = math.ceil(scaled) if up else math.floor(scaled)
    sign, digits = "-" if whole < 0 else "", str(abs(whole)).rjust(places + 1, "0")
    return f"{sign}{digits[:-places]}.{digits[-places:]}" if places else f"{sign}{digits}"
