"""Latency distributions as integer counts that add and subtract.

Buckets are those of Prometheus' native histograms at schema 5: base 2^(1/32), here from 2^-17 s to 16 s,
so that the middle of a bucket is within 1.1 % of everything in it. They serve display and windows that
no threshold names; verdicts come from exact counters (docs/sla.md).
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from netsla.model import IntArray

FloatArray = npt.NDArray[np.float64]
Counts = npt.NDArray[np.uint16] | npt.NDArray[np.uint32]

BUCKETS = 672  # 21 octaves of 32
_EXPONENTS = -17 + np.arange(BUCKETS) / 32
BOUNDS_US: IntArray = np.floor(np.exp2(_EXPONENTS) * 1e6).astype(np.int64)  # upper, inclusive
MIDDLE_SECONDS: FloatArray = np.exp2(_EXPONENTS - 1 / 64)
LEAST = Fraction(1, 10**9)  # as a share: the smallest sample
GREATEST = Fraction(1)
_CHUNK = 2048  # rows at a time: keeps the cumulated copy in the cache and the memory flat


def bucket_of(rtt_us: IntArray) -> IntArray:
    """Bucket number of each RTT in microseconds: the first whose upper bound is not below it."""
    return np.minimum(np.searchsorted(BOUNDS_US, rtt_us, side="left"), BUCKETS - 1)


def quantiles(
    counts: Counts, shares: tuple[Fraction, ...], rows: npt.NDArray[np.integer[Any]], first: int = 0
) -> FloatArray:
    """The smallest value with at least a share p of the samples at or below it, for the rows asked.

    `counts` has shape (all rows, BUCKETS), or `rows` shape (rows, parts): the counts of the parts are added, -1 adds
    nothing. `first` is the number of the first bucket in `counts`, if those that were never used are left out. Returns
    seconds, shape (len(shares), len(rows)), NaN for empty rows. The rank is ceil(p*N), 1-based,
    without interpolation (RFC 2330 section 11.3).
    """
    out = np.full((len(shares), len(rows)), np.nan)
    for begin in range(0, len(rows), _CHUNK):
        part = _gather(counts, rows[begin : begin + _CHUNK])
        used = np.flatnonzero(part.any(axis=0))
        if not len(used):
            continue
        low, high = int(used[0]), int(used[-1]) + 1
        cumulated = np.cumsum(part[:, low:high], axis=1, dtype=np.int64)
        total = cumulated[:, -1]
        for number, share in enumerate(shares):
            rank = -(-total * share.numerator // share.denominator)
            index = (cumulated < rank[:, None]).sum(axis=1)
            values = MIDDLE_SECONDS[np.minimum(index + low + first, BUCKETS - 1)]
            out[number, begin : begin + _CHUNK] = np.where(total > 0, values, np.nan)
    return out


def _gather(counts: Counts, rows: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.unsignedinteger[Any]]:
    total: npt.NDArray[np.unsignedinteger[Any]] = counts[rows if rows.ndim == 1 else rows[:, 0]]
    for part in rows.T[1:] if rows.ndim > 1 else ():
        total[part >= 0] += counts[part[part >= 0]]
    return total
