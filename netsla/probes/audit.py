"""What a prober counts about itself, and its seam for time."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np

from netsla.probes.prober import LATENESS_BOUNDS


class Clock:
    """The seam for time: wall and monotonic, in nanoseconds."""

    wall = staticmethod(time.time_ns)
    mono = staticmethod(time.monotonic_ns)


@dataclass(slots=True)
class Audit:
    """What the prober counts about itself."""

    lateness: list[int] = field(default_factory=lambda: [0] * (len(LATENESS_BOUNDS) + 1))
    lateness_ns: int = 0
    drops: int = 0
    clock_steps: int = 0
    strangers: int = 0  # packets that answer none of our probes: forged, corrupted, or far too late
    ticks: int = 0

    def late(self, late_ns: int, probes: int) -> None:
        """Count probes that left `late_ns` after their tick."""
        place = int(np.searchsorted(LATENESS_BOUNDS, late_ns / 1e9))
        self.lateness[place] += probes
        self.lateness_ns += late_ns * probes
