"""The uptime methods as they run: intervals in order become up, down or unknown (SLA R4).

Rules: one machine serves all methods. An endpoint turns down at the *onset* of `falls` BAD intervals in a
row and up at the onset of `rises` GOOD ones: interval is (1, 1), sliding(n) is (n, n), outage(min) is
(min / Δt, 1). UNKNOWN is never down: up to `gap` of them neither extend nor break a run, more close it.
Columnar: every array is over endpoint places; only endpoints whose class turns are touched one by one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from netsla.model import SECOND, IntArray, UptimeRule
from netsla.sla.fleet import Fleet

Standings = npt.NDArray[np.int8]
BoolArray = npt.NDArray[np.bool_]

UP, DOWN, UNKNOWN, PENDING = range(4)  # classes of a cell; PENDING: its interval is not closed yet
_GOOD, _BAD = 1, 0


@dataclass(frozen=True, slots=True)
class Turn:
    """These places' cell `k` is of this class from now on."""

    k: int
    places: IntArray
    code: int


def machine_of(rule: UptimeRule) -> tuple[int, int, int]:
    """(falls, rises, gap) of a rule, in intervals."""
    if rule.method == "sliding":
        falls = rises = rule.n
    elif rule.method == "outage":
        falls, rises = -(-rule.minimum_ns // rule.interval_ns), 1
    else:
        falls = rises = 1
    return falls, rises, max(1, falls - 1)


class Track:
    """Where every endpoint stands, and since when the run that may turn it has lasted."""

    def __init__(self) -> None:
        self.down: BoolArray = np.zeros(0, bool)
        self.since_k: IntArray = np.zeros(0, np.int64)  # of the present outage (where `down`)
        self._run = np.zeros(0, np.int64)  # intervals against the present state, in a row
        self._onset = np.zeros(0, np.int64)  # first cell of that run
        self._gap = np.zeros(0, np.int64)  # UNKNOWN intervals since the last known one
        self.reach = 2

    def load(self, fleet: Fleet) -> None:
        """Take a new layout; fresh places begin up, with no run."""
        more = fleet.places - len(self.down)
        self.down = np.pad(self.down, (0, more))
        self.since_k, self._run = np.pad(self.since_k, (0, more)), np.pad(self._run, (0, more))
        self._onset, self._gap = np.pad(self._onset, (0, more)), np.pad(self._gap, (0, more))
        self.down[fleet.fresh_places] = False
        self._run[fleet.fresh_places] = self._gap[fleet.fresh_places] = 0
        rules = np.array([[1, 1, 1, 1]] * fleet.places, np.int64).reshape(fleet.places, 4)
        for one in fleet.endpoints:
            cells = one.endpoint.uptime.interval_ns // (fleet.seconds * SECOND) or 1
            rules[one.place] = (*machine_of(one.endpoint.uptime), cells)
        self._falls, self._rises, self._most, self._cells = rules.T
        self._stays = np.zeros(fleet.places, bool)
        self._stays[[one.place for one in fleet.endpoints if one.endpoint.uptime.method == "sliding"]] = True
        span = (self._falls + self._rises) * (1 + self._most) + 1
        self.reach = int((span * self._cells).max(initial=1)) + 1

    def push(self, k: int, standing: Standings, due: BoolArray) -> Iterator[Turn]:
        """Cell `k` closes an interval of the `due` places; yields the classes that it settles or turns."""
        known = due & (standing >= 0)
        unknown = due & ~known
        self._gap[unknown] += 1
        self._gap[known] = 0
        lapsed = unknown & (self._gap > self._most)
        self._run[lapsed] = 0
        self.down[lapsed & ~self._stays] = False  # a longer gap closes the outage, but sliding(n) never assumes up
        against = known & (standing == np.where(self.down, _GOOD, _BAD))
        self._onset = np.where(against & (self._run == 0), k - self._cells + 1, self._onset)
        self._run = np.where(against, self._run + 1, np.where(known, 0, self._run))
        turning = against & (self._run >= np.where(self.down, self._rises, self._falls))
        self.down ^= turning
        self.since_k[turning & self.down] = self._onset[turning & self.down]
        self._run[turning] = 0
        yield from self._settle(k, unknown, np.full(len(due), UNKNOWN))
        yield from self._settle(k, known, np.where(self.down, DOWN, UP))
        yield from self._turn_back(k, turning)

    def _settle(self, k: int, places: BoolArray, code: IntArray) -> Iterator[Turn]:
        """Class of the interval that closes with cell `k`."""
        for cells in np.unique(self._cells[places]):
            for one in (UP, DOWN, UNKNOWN):
                some = np.flatnonzero(places & (self._cells == cells) & (code == one))
                if len(some):
                    yield from (Turn(k - back, some, one) for back in range(int(cells)))

    def _turn_back(self, k: int, turning: BoolArray) -> Iterator[Turn]:
        """The earlier intervals of the run that turned a place take its new class, those unknown apart."""
        places = np.flatnonzero(turning & (self._onset <= k - self._cells))
        first = int(self._onset[places].min()) if len(places) else k
        for number in range(first, k):
            some = places[(self._onset[places] <= number) & (number <= k - self._cells[places])]
            for code in (UP, DOWN):
                chosen = some[self.down[some] == (code == DOWN)]
                if len(chosen):
                    yield Turn(number, chosen, code)
