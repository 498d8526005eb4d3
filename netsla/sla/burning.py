"""Which error budgets burn too fast: bad intervals of the last minutes, hours and days, for objectives that ask for it.

Rules: for objectives with `reaction: {type: burn}` only. Intervals count as they were graded, bad or good; unknown and
excluded ones are left out of both. Sums slide by addition and subtraction; what is kept is one byte per interval of the
longest window (three days). Fed like the accounts, so a restart brings it back from the record.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from netsla.model import SECOND, IntArray
from netsla.sla.burn import BURNS, burning
from netsla.sla.fleet import Fleet, FleetObjective
from netsla.sla.grade import Graded
from netsla.sla.standing import BAD, GOOD, BoolArray, Standings

_WINDOWS = tuple(sorted({seconds for burn in BURNS for seconds in (burn.long_seconds, burn.short_seconds)}))


class Burning:
    """Arrays are over the objectives that ask, in the fleet's order; windows are `_WINDOWS`."""

    def __init__(self) -> None:
        self._numbers: list[int] = []
        self._place = np.zeros(0, np.int64)
        self._length = np.zeros((len(_WINDOWS), 0), np.int64)  # of each window, in intervals
        self._ring: Standings = np.zeros((0, 1), np.int8)
        self._count = np.zeros(0, np.int64)  # intervals so far
        self._bad = np.zeros((len(_WINDOWS), 0), np.int64)
        self._known = np.zeros((len(_WINDOWS), 0), np.int64)
        self._targets: dict[tuple[Fraction, int], IntArray] = {}  # (target, least bad intervals) -> positions

    def load(self, fleet: Fleet) -> None:
        """Take a new layout; unchanged objectives go on."""
        asking = [one for one in fleet.objectives if one.objective.reaction.type == "burn"]
        old = {number: at for at, number in enumerate(self._numbers)}
        keep = np.array([old.get(one.number, -1) for one in asking], np.int64)
        stay = keep >= 0
        length = np.array([[_intervals(one, seconds) for one in asking] for seconds in _WINDOWS], np.int64)
        self._length = length.reshape(len(_WINDOWS), len(asking))
        depth = max(int(self._length.max(initial=1)), self._ring.shape[1])
        ring = np.full((len(asking), depth), -1, np.int8)
        count, bad, known = np.zeros(len(asking), np.int64), np.zeros_like(self._length), np.zeros_like(self._length)
        if depth == self._ring.shape[1]:
            ring[stay], count[stay] = self._ring[keep[stay]], self._count[keep[stay]]
            bad[:, stay], known[:, stay] = self._bad[:, keep[stay]], self._known[:, keep[stay]]
        self._ring, self._count, self._bad, self._known = ring, count, bad, known
        self._numbers = [one.number for one in asking]
        self._place = np.array([one.endpoint.place for one in asking], np.int64)
        groups: dict[tuple[Fraction, int], list[int]] = {}
        for at, one in enumerate(asking):
            groups.setdefault((one.objective.target.value, one.objective.reaction.count), []).append(at)
        self._targets = {key: np.array(some) for key, some in groups.items()}

    def push(self, graded: Graded) -> None:
        """A cell was graded; intervals that ended with it enter."""
        if not self._numbers:
            return
        at = np.flatnonzero(graded.due[self._place])
        if not len(at):
            return
        code = graded.endpoints[self._place[at]]
        count, depth = self._count[at], self._ring.shape[1]
        for window, length in enumerate(self._length[:, at]):
            gone = np.where(count >= length, self._ring[at, (count - length) % depth], -1)
            self._bad[window, at] += (code == BAD).astype(np.int64) - (gone == BAD)
            self._known[window, at] += _is_known(code) - _is_known(gone)
        self._ring[at, count % depth] = code
        self._count[at] += 1

    def alight(self, numbers: int) -> BoolArray:
        """By objective number, of so many: whether any pair of windows burns too fast."""
        found = np.zeros(numbers, bool)
        index = {seconds: n for n, seconds in enumerate(_WINDOWS)}
        for (target, least), at in self._targets.items():
            fast = np.zeros(len(at), bool)
            for burn in BURNS:
                long, short = index[burn.long_seconds], index[burn.short_seconds]
                sums = (self._bad[long, at], self._known[long, at], self._bad[short, at], self._known[short, at])
                fast |= burning(*sums, target, burn, least)
            found[np.array(self._numbers)[at]] = fast
        return found

    @property
    def any(self) -> bool:
        """Whether anybody asks."""
        return bool(self._numbers)


def _is_known(code: Standings) -> IntArray:
    known: IntArray = ((code == BAD) | (code == GOOD)).astype(np.int64)
    return known


def _intervals(one: FleetObjective, seconds: int) -> int:
    return max(seconds * SECOND // one.endpoint.endpoint.uptime.interval_ns, 1)
