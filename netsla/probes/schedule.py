"""The timetable: who is due when.

Rules: pure. Slot n of a probe is at `phase + n * interval` on the UTC scale; phase is a stable hash of the
probe's identity, so that load is flat and a restart keeps everybody's place (RFC 3432, periodic with random
start). Time runs in grains of `GRAIN_NS`: a tick serves all grains that have passed since the last one, so a
longer tick carries more probes, and changing it neither skips nor doubles a slot.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

GRAIN_NS = 10_000_000
LONGEST_NS = 100_000_000  # of a tick, as far as intervals allow it
_PACE_NS = 14_000  # what it takes to send and to read a probe, and half as much again for what else the host does


def phase_share(key: str) -> int:
    """A stable hash of an identity, 64 bit: its share of the interval times 2^64."""
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "big")


def tick_ns(intervals_ns: Collection[int], wanted_ns: float = LONGEST_NS) -> int:
    """Length of a tick: whole grains, as near as may be to what is wanted, and a divisor of every interval.

    A probe is then sent in the same tick of each of its intervals: they are as regular as the ticks. Where no
    length divides all intervals it is one grain, or the shortest interval.
    """
    common = math.gcd(*intervals_ns)
    lengths = [ns for ns in range(GRAIN_NS, LONGEST_NS + 1, GRAIN_NS) if common % ns == 0]
    nearest = min(lengths, key=lambda ns: max(ns / wanted_ns, wanted_ns / ns), default=0)
    return nearest or min(GRAIN_NS, *intervals_ns)


def pace_ns(rate: float) -> int:
    """Time from one probe of a tick to the next, where the ticks carry `rate` probes/s: a fifth of each stays free."""
    return int(min(_PACE_NS, 0.8e9 / rate)) if rate else _PACE_NS


class Timetable:
    """Probes of one interval in order of phase: position i of `order` is served in grain `grain[i]` of each cycle."""

    def __init__(self, keys: Sequence[str], interval_ns: int) -> None:
        self.interval_ns = interval_ns
        self.grains = max(interval_ns // GRAIN_NS, 1)
        shares = np.array([phase_share(key) for key in keys], np.uint64)
        # the top 32 bits are enough for a grain, and their product with it fits
        grain = ((shares >> np.uint64(32)) * np.uint64(self.grains)) >> np.uint64(32)
        self.order: npt.NDArray[np.int64] = np.argsort(shares, kind="stable")
        self.grain: npt.NDArray[np.int64] = grain[self.order].astype(np.int64)
        self._starts = np.searchsorted(self.grain, np.arange(self.grains + 1))

    def grain_at(self, now_ns: int) -> int:
        """Number of the grain that holds an instant."""
        cycle, rest = divmod(now_ns, self.interval_ns)
        return cycle * self.grains + rest * self.grains // self.interval_ns

    def time_of(self, grain: int) -> int:
        """When a grain begins."""
        cycle, part = divmod(grain, self.grains)
        return cycle * self.interval_ns + -(-part * self.interval_ns // self.grains)

    def times_of(self, slot: int, begin: int, stop: int) -> npt.NDArray[np.int64]:
        """When the positions [begin, stop) of `order` are due in a cycle."""
        grains, place = np.unique(self.grain[begin:stop], return_inverse=True)
        return np.array([self.time_of(slot * self.grains + int(grain)) for grain in grains])[place]

    def due(self, first: int, end: int) -> Iterator[tuple[int, int, int]]:
        """(slot, begin, end) of the positions in `order` that grains [first, end) serve, cycle by cycle."""
        while first < end:
            cycle, part = divmod(first, self.grains)
            until = min(end - cycle * self.grains, self.grains)
            begin, stop = int(self._starts[part]), int(self._starts[until])
            if begin < stop:
                yield cycle, begin, stop
            first = (cycle + 1) * self.grains if until == self.grains else end
