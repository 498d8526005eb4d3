"""The wall clock, watched: a step or a suspended host makes the touched time suspect (SLA R15).

Rules: wall and monotonic clock are slewed together, so their difference changes only when the wall clock is set or the
host sleeps (then the wall goes on and the monotonic clock does not). RTTs never come from here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class StepWatch:
    """Fed with both clocks now and then, it tells what time was touched by a step."""

    _offset: int | None = None

    def look(self, wall_ns: int, mono_ns: int, threshold_ns: int) -> tuple[int, int] | None:
        """[begin, end] in UTC ns of what a step of at least `threshold_ns` since the last look touched, if any."""
        offset = wall_ns - mono_ns
        step = 0 if self._offset is None else offset - self._offset
        self._offset = offset
        if abs(step) < threshold_ns:
            return None
        expected = wall_ns - step
        return min(expected, wall_ns), max(expected, wall_ns)
