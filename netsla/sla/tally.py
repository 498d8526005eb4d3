"""Counting: a batch of samples becomes integers per probe that add and subtract exactly.

Rules: a tally is an int64 matrix of shape (columns, rows); row r is probe r of the agent. Columns before
LE are fixed, from LE on there is one per latency threshold of the probe ("received with RTT <= it"). The
latency histogram is sparse beside it: keys `row * BUCKETS + bucket`, sorted, each with a count.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

import numpy as np
import numpy.typing as npt

from netsla.model import IntArray, Outcome, RowArray, Samples
from netsla.sla.histogram import BUCKETS, bucket_of


class Column(IntEnum):
    """Row numbers of a tally's matrix."""

    SENT = 0
    RECEIVED = 1
    UNMEASURED = 2
    LATE = 3
    DUPLICATE = 4
    RTT_SUM = 5  # us
    JITTER_SUM = 6  # us
    JITTER_PAIRS = 7
    LE = 8  # the first threshold


@dataclass(frozen=True)
class Spectrum:
    """A sparse histogram over all probes: keys and their counts, sorted and distinct unless said otherwise."""

    keys: IntArray
    counts: npt.NDArray[np.uint32]

    @cached_property
    def cells(self) -> tuple[IntArray, IntArray]:
        """(row, bucket) of each key."""
        return np.divmod(self.keys, BUCKETS)

    @cached_property
    def reach(self) -> tuple[int, int]:
        """Lowest and highest bucket; (BUCKETS, 0) of nothing."""
        _, bucket = self.cells
        return int(bucket.min(initial=BUCKETS)), int(bucket.max(initial=0))

    @staticmethod
    def of(keys: IntArray) -> Spectrum:
        """Count equal keys."""
        small = keys.astype(np.uint32) if keys.max(initial=0) < 1 << 32 else keys  # sorted in half the time
        distinct, counts = np.unique(small, return_counts=True)
        return Spectrum(distinct.astype(np.int64), counts.astype(np.uint32))

    @staticmethod
    def merge(parts: list[Spectrum]) -> Spectrum:
        """The sum of all parts."""
        if not parts:
            return Spectrum(np.empty(0, np.int64), np.empty(0, np.uint32))
        keys = np.concatenate([part.keys for part in parts])
        counts = np.concatenate([part.counts for part in parts])
        if len(counts) and counts.max() == 1:
            return Spectrum.of(keys)
        order = np.argsort(keys, kind="stable")
        keys, counts = keys[order], counts[order]
        first = np.flatnonzero(np.diff(keys, prepend=-1))
        sums = np.add.reduceat(counts, first) if len(first) else counts
        return Spectrum(keys[first], sums.astype(np.uint32))

    def where(self, wanted: npt.NDArray[np.bool_]) -> Spectrum:
        """Only the probes for which `wanted[row]` holds."""
        keep = wanted[self.keys // BUCKETS]
        return Spectrum(self.keys[keep], self.counts[keep])


@dataclass(frozen=True, slots=True)
class Counted:
    """What a batch adds: the matrix, the spectrum, and the extremes (not additive, so apart)."""

    matrix: IntArray
    spectrum: Spectrum  # one key a received sample, as they came: it is sorted when its cell closes
    row: RowArray  # of the received samples
    rtt_us: IntArray


class Pairs:
    """Delay variation over consecutive slots both received (RFC 3393, selection by adjacent sequence).

    Remembers the last `depth` slots of each probe; depth must exceed timeout / interval + 2, because
    a slot may be decided long after its successor.
    """

    def __init__(self, rows: int, depth: int) -> None:
        self.depth = 1 << (depth - 1).bit_length()
        self._slot = np.full((rows, self.depth), -2, np.int64)
        self._rtt = np.zeros((rows, self.depth), np.int64)

    def grow(self, rows: int) -> None:
        """Make room for more probes."""
        more = rows - len(self._slot)
        if more > 0:
            self._slot = np.pad(self._slot, ((0, more), (0, 0)), constant_values=-2)
            self._rtt = np.pad(self._rtt, ((0, more), (0, 0)))

    def forget(self, rows: RowArray) -> None:
        """Begin these probes anew."""
        self._slot[rows] = -2

    def take(self, row: RowArray, slot: IntArray, rtt_us: IntArray) -> tuple[IntArray, IntArray]:
        """Remember received samples; per sample, the sum in us and the number of pairs it completes.

        Successors are looked for before the batch is remembered and predecessors after: a pair within it counts once.
        """
        slots, rtts, wrap = self._slot.reshape(-1), self._rtt.reshape(-1), self.depth - 1
        first = row.astype(np.int64) * self.depth
        after = first + (slot + 1 & wrap)
        has_after = slots.take(after) == slot + 1  # few, as a rule
        total, found = np.zeros(len(row), np.int64), has_after.astype(np.int64)
        if has_after.any():
            total[has_after] = np.abs(rtt_us - rtts.take(after))[has_after]
        here, before = first + (slot & wrap), first + (slot - 1 & wrap)
        slots[here], rtts[here] = slot, rtt_us
        has_before = slots.take(before) == slot - 1
        total += np.abs(rtt_us - rtts.take(before)) * has_before
        return total, found + has_before


def microseconds(rtt_ns: IntArray) -> IntArray:
    """Whole microseconds, rounded up: `us <= X` then says the same as `ns <= 1000 X`."""
    return -(-rtt_ns // 1000)


def count(samples: Samples, pairs: Pairs, thresholds_us: IntArray) -> Counted:
    """Count a batch; `thresholds_us` has shape (thresholds, rows), -1 where a probe has fewer."""
    rows = thresholds_us.shape[1]
    matrix = np.zeros((Column.LE + len(thresholds_us), rows), np.int64)
    outcome = samples.outcome

    def tell(column: int, row: RowArray) -> None:
        if len(row):
            matrix[column] = np.bincount(row, minlength=rows)

    received = outcome == Outcome.ANSWERED
    row, rtt_us = samples.row[received], microseconds(samples.rtt_ns[received])
    tell(Column.SENT, samples.row[outcome <= Outcome.REFUSED])
    tell(Column.RECEIVED, row)
    tell(Column.UNMEASURED, samples.row[outcome == Outcome.UNMEASURED])
    tell(Column.LATE, samples.row[outcome == Outcome.LATE])
    tell(Column.DUPLICATE, samples.row[outcome == Outcome.DUPLICATE])
    if len(row):
        jitter, found = pairs.take(row, samples.slot[received], rtt_us)
        # float64 sums of integers are exact below 2^53 us = 285 years of latency in one batch
        matrix[Column.RTT_SUM] = np.bincount(row, rtt_us, rows)
        matrix[Column.JITTER_SUM] = np.bincount(row, jitter, rows)
        matrix[Column.JITTER_PAIRS] = np.bincount(row, found, rows)
        for number, limits in enumerate(thresholds_us):
            tell(Column.LE + number, row[rtt_us <= limits[row]])
    keys = row.astype(np.int64) * BUCKETS + bucket_of(rtt_us)
    return Counted(matrix, Spectrum(keys, np.ones(len(keys), np.uint32)), row, rtt_us)
