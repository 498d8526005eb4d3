"""What a prober counts about itself, and its seam for time."""

from __future__ import annotations

import time
from bisect import bisect_left
from dataclasses import dataclass, field

from netsla.probes.prober import LATENESS_BOUNDS

_PARTS = 4  # of a batch, each counted as late as its last probe
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
        """Count probes that left one after the other between `first_ns` and `last_ns` after their tick."""
        for part in range(1, _PARTS + 1):
            late_ns = first_ns + (last_ns - first_ns) * part // _PARTS
            some = probes * part // _PARTS - probes * (part - 1) // _PARTS
            self.lateness[bisect_left(LATENESS_BOUNDS, late_ns / 1e9)] += some
            self.lateness_ns += late_ns * some
