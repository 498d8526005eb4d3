"""What a prober counts about itself, and its seam for time."""

from __future__ import annotations

import time
from bisect import bisect_left
from dataclasses import dataclass, field

from netsla.probes.prober import LATENESS_BOUNDS

_BOUNDS_NS = [round(bound * 1e9) for bound in LATENESS_BOUNDS]
_READINGS, _APART_NS = 5, 20_000  # of both clocks; a process that is put aside in between would see a step


class Clock:
    """The seam for time: wall and monotonic, in nanoseconds."""

    wall = staticmethod(time.time_ns)
    mono = staticmethod(time.monotonic_ns)

    def both(self) -> tuple[int, int]:
        """(mono, wall) of one instant: the closest of a few readings."""
        nearest, found = 1 << 62, (0, 0)
        for _ in range(_READINGS):
            mono, wall = self.mono(), self.wall()
            apart = self.mono() - mono
            if apart < nearest:
                nearest, found = apart, (mono, wall)
            if apart <= _APART_NS:
                break
        return found

    def asleep(self) -> int:
        """How long the host has been suspended since it booted."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.clock_gettime_ns(time.CLOCK_MONOTONIC)


@dataclass(slots=True)
class Audit:
    """What the prober counts about itself."""

    lateness: list[int] = field(default_factory=lambda: [0] * (len(LATENESS_BOUNDS) + 1))
    lateness_ns: int = 0
    drops: int = 0
    clock_steps: int = 0
    strangers: int = 0  # packets that answer none of our probes: forged, corrupted, or far too late
    ticks: int = 0

    def late(self, first_ns: int, last_ns: int, probes: int) -> None:
        """Count probes that left evenly, the last at `last_ns`, between these two times after they were due."""
        if not probes:
            return
        span, counted = last_ns - first_ns, 0
        bucket = bisect_left(_BOUNDS_NS, first_ns)
        while counted < probes:
            beyond = bucket == len(_BOUNDS_NS) or _BOUNDS_NS[bucket] >= last_ns
            until = probes if beyond else probes * (_BOUNDS_NS[bucket] - first_ns) // span
            self.lateness[bucket] += until - counted
            counted, bucket = until, bucket + 1
        self.lateness_ns += first_ns * probes + span * (probes + 1) // 2
