"""The uptime machine with its undecided end: what every interval is booked under, as it comes in (SLA R4).

Rules: classes are those of marks.py. The undecided end of a sliding method (uptrack.py, as timeline.py accounts it)
is UNDECIDED until it is decided. A step is a list of assignments of intervals, in the order in which they hold;
`decided` names ranges of which only what was UNDECIDED takes the class.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from netsla.model import IntArray, UptimeRule
from netsla.sla import marks
from netsla.sla.standing import BoolArray, Standings
from netsla.sla.uptime import DOWN as IS_DOWN
from netsla.sla.uptrack import DECIDED, Ended, UptimeTrack

_CLASS = np.array([marks.DOWN, marks.UP, marks.EXCLUDED, marks.UNKNOWN], np.int8)  # by class of uptime.py: 0 1 -2 -1


@dataclass(frozen=True, slots=True, eq=False)
class Assigned:
    """What one push says: `codes` of the intervals pushed, by place; then earlier ones."""

    codes: Standings
    place: IntArray
    k: IntArray
    code: Standings
    decided: list[tuple[int, int, int, int]]  # place, intervals [from, to), class
    ended: Ended


class Classes:
    """Columnar over places."""

    def __init__(self) -> None:
        self.track = UptimeTrack()
        self._undecided = np.zeros(0, np.int64)

    def load(self, places: int, fresh: Sequence[int] | IntArray, rules: Sequence[UptimeRule]) -> None:
        """Make room; the fresh places begin by these rules."""
        self.track.resize(places)
        self._undecided = np.pad(self._undecided, (0, places - len(self._undecided)), constant_values=DECIDED)
        self.track.begin(fresh, rules)
        self._undecided[np.asarray(fresh, np.int64)] = DECIDED

    def push(self, number: IntArray, standing: Standings, due: BoolArray) -> Assigned:
        """Intervals `number` of the `due` places are closed."""
        step = self.track.push(number, standing, due)
        since, before = self.track.undecided_k, self._undecided
        known = due & (step.code >= IS_DOWN)
        codes = np.where(known & (number >= since), marks.UNDECIDED, _CLASS[step.code]).astype(np.int8)
        changed = _CLASS[step.changed_code]
        changed = np.where(step.changed_k >= since[step.changed_place], marks.UNDECIDED, changed).astype(np.int8)
        decided = []
        for place in np.flatnonzero((before != DECIDED) & (since > before)).tolist():
            until = min(int(since[place]), int(number[place]) + 1)
            decided.append((place, int(before[place]), until, marks.DOWN if self.track.down[place] else marks.UP))
        self._undecided = since
        return Assigned(codes, step.changed_place, step.changed_k, changed, decided, step.ended)

    def settled(self, standing: Standings) -> bool:
        """Whether more intervals like the last ones, as many as are looked back at, change nothing but numbers."""
        return self.track.settled(standing) and bool((self._undecided == DECIDED).all())

    def leap(self, count: int, standing: Standings) -> None:
        """So many more intervals like the last ones; only where that is settled."""
        self.track.leap(count, standing)

    def adopt(self, places: IntArray, other: Classes) -> None:
        """These places stand from now on as those of `other`."""
        self.track.adopt(places, other.track)
        self._undecided[places] = other._undecided

    def skip(self, places: IntArray, k: IntArray) -> None:
        """Quiet places were silent up to interval `k`."""
        self.track.skip(places, k)
        self._undecided = self.track.undecided_k
