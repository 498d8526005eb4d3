"""The uptime methods as they run: interval by interval, over all endpoints at once (SLA R4, rules in uptime.py).

    track = UptimeTrack(); track.resize(places); track.begin(places int[…], rules)
    step = track.push(k, standing int8[places], due bool[places] | None)
    track.down, track.onset_k (-1: up), track.last_k, track.final_before_k, track.undecided_k          per place
    track.state() -> dict of arrays; track.restore(state)             to go on after a restart

Rules: `k` is a number on the place's own grid of Δt (an int for all, or one per place) and grows by one with
every push that is due: time without data is pushed as UNKNOWN. Every interval is booked with its present class
when it is pushed; `Step.changed` says which earlier ones have to be booked anew. Intervals before
`final_before_k` will never be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from netsla.model import IntArray, UptimeRule
from netsla.sla.standing import BAD, EXCLUDED, GOOD, UNKNOWN, BoolArray, Standings
from netsla.sla.uptime import DOWN, UP, method_of

PENDING = np.int8(-3)  # `Step.code` of a place whose interval is not over
NOT_DOWN = -1  # `onset_k` without an outage
DECIDED = np.int64(2**62)  # `undecided_k` of a place of which everything is decided

_STATE = ("down", "onset_k", "_run", "_begin", "_gap", "_last", "_seen", "_length", "_recent", "_stood", "_filled")


@dataclass(frozen=True, slots=True, eq=False)
class Ended:
    """Outages that are over: place, first and last interval down, number of intervals down."""

    place: IntArray
    first_k: IntArray
    last_k: IntArray
    length: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """What one push says.

    `code` is the present class of the interval pushed, per place (PENDING where not due). The earlier
    intervals `changed_k` of `changed_place` are `changed_code` from now on. `micro_place`/`micro_k`: BAD runs that
    ended too short, by their first interval.
    """

    code: Standings
    changed_place: IntArray
    changed_k: IntArray
    changed_code: Standings
    ended: Ended
    micro_place: IntArray
    micro_k: IntArray


class UptimeTrack:
    """Where every endpoint stands; columnar over places."""

    def __init__(self) -> None:
        self.down: BoolArray = np.zeros(0, bool)
        self.onset_k: IntArray = np.zeros(0, np.int64)  # first interval of the open outage
        self._run = np.zeros(0, np.int64)  # intervals against the present state, in a row
        self._begin = np.zeros(0, np.int64)  # first interval of that run
        self._gap = np.zeros(0, np.int64)  # UNKNOWN since the last known one
        self._last = np.zeros(0, np.int64)  # last interval that agreed with the state
        self._seen = np.zeros(0, np.int64)  # last known interval
        self._length = np.zeros(0, np.int64)  # intervals down in the open outage
        self._next = np.zeros(0, np.int64)  # first interval not pushed yet
        self._recent = np.zeros((0, 0), np.int64)  # (newest, places): a ring of the newest of the sequence
        self._stood = np.zeros((0, 0), np.int8)  # their standings
        self._filled = np.zeros(0, np.int64)  # how many entered that ring
        self._holes: dict[int, list[int]] = {}  # UNKNOWN and EXCLUDED intervals inside open runs, by place
        self._falls, self._rises = np.ones(0, np.int64), np.ones(0, np.int64)
        self._most, self._newest = np.ones(0, np.int64), np.zeros(0, np.int64)
        self._keeps, self._counts_micro = np.zeros(0, bool), np.zeros(0, bool)

    # --- layout -------------------------------------------------------------------------------------

    def resize(self, places: int) -> None:
        """Make room for more places; new ones are up, by method `interval`, until they begin."""
        more = places - len(self.down)
        if more <= 0:
            return
        for name in ("down", "_run", "_begin", "_gap", "_last", "_seen", "_length", "_next", "_filled", "_newest",
                     "_keeps", "_counts_micro"):  # fmt: skip
            setattr(self, name, np.pad(getattr(self, name), (0, more)))
        for name in ("_falls", "_rises", "_most"):
            setattr(self, name, np.pad(getattr(self, name), (0, more), constant_values=1))
        self.onset_k = np.pad(self.onset_k, (0, more), constant_values=NOT_DOWN)
        self._recent = np.pad(self._recent, ((0, 0), (0, more)))
        self._stood = np.pad(self._stood, ((0, 0), (0, more)))

    def begin(self, places: Sequence[int] | IntArray, rules: Sequence[UptimeRule]) -> None:
        """These places begin anew: up, without a past, by these rules."""
        at = np.asarray(places, np.int64)
        self.down[at] = False
        self.onset_k[at] = NOT_DOWN
        for column in (self._run, self._gap, self._length, self._filled):
            column[at] = 0
        for place, rule in zip(at.tolist(), rules, strict=True):
            method = method_of(rule)
            self._falls[place], self._rises[place] = method.falls, method.rises
            self._most[place], self._newest[place] = method.gap, method.newest
            self._keeps[place], self._counts_micro[place] = method.keeps, method.counts_micro
            self._holes.pop(place, None)
        deeper = int(self._newest.max(initial=0)) - len(self._recent)
        if deeper > 0:
            self._deepen(deeper)

    def _deepen(self, more: int) -> None:
        """A longer ring: what it held is put where the longer one looks for it."""
        old, stood, depth = self._recent, self._stood, len(self._recent)
        self._recent = np.zeros((depth + more, len(self.down)), np.int64)
        self._stood = np.zeros((depth + more, len(self.down)), np.int8)
        for back in range(1, depth + 1):
            has = np.flatnonzero(self._filled >= back)
            entry = self._filled[has] - back
            self._recent[entry % (depth + more), has] = old[entry % depth, has]
            self._stood[entry % (depth + more), has] = stood[entry % depth, has]

    # --- time ---------------------------------------------------------------------------------------

    def push(self, k: int | IntArray, standing: Standings, due: BoolArray | None = None) -> Step:
        """Interval `k` of the `due` places (all, unless said) is closed."""
        if due is None:
            due = np.ones(len(self.down), bool)
        number: IntArray = np.broadcast_to(np.asarray(k, np.int64), self.down.shape)
        known = due & (standing >= BAD)
        unknown = due & (standing == UNKNOWN)
        self._note_holes(number, due & ~known)
        lapsing, lapsed = self._lapse(unknown)
        against = known & (standing == np.where(self.down, GOOD, BAD))
        agreeing = known & ~against
        broken = agreeing & (self._run > 0)
        micro = broken & self._micro() | lapsing
        micro_place, micro_k = np.flatnonzero(micro), self._begin[micro]
        self._run[agreeing] = 0
        fresh = against & (self._run == 0)
        self._begin[fresh] = number[fresh]
        self._run[against] += 1
        turning = against & (self._run >= np.where(self.down, self._rises, self._falls))
        places, changed = self._members(turning, number)
        ended = self._book(number, known, agreeing, turning, lapsed)
        self._enter(number, standing, due & (standing != EXCLUDED))
        self._next[due] = number[due] + 1
        code = np.where(known, np.where(self.down, DOWN, UP), np.where(due, standing, PENDING)).astype(np.int8)
        now = np.where(self.down[places], DOWN, UP).astype(np.int8)
        return Step(code, places, changed, now, ended, micro_place, micro_k)

    def _micro(self) -> BoolArray:
        """Where an open BAD run would count as a micro-outage if it ended."""
        return self._counts_micro & ~self.down & (self._run > 0)

    def _note_holes(self, number: IntArray, silent: BoolArray) -> None:
        for place in np.flatnonzero(silent & (self._run > 0)).tolist():
            begin = self._begin[place]
            self._holes[place] = [k for k in self._holes.get(place, ()) if k > begin] + [int(number[place])]

    def _lapse(self, unknown: BoolArray) -> tuple[BoolArray, Ended]:
        """Gaps that have become too long close runs and outages; says where a micro-outage ended so."""
        self._gap[unknown] += 1
        over = unknown & (self._gap == self._most + 1)
        lapsing = over & self._micro()
        ended = self._end(over & (self.onset_k != NOT_DOWN), self._seen)
        self._run[over] = 0
        self.down[over & ~self._keeps] = False
        return lapsing, ended

    def _end(self, over: BoolArray, last_k: IntArray) -> Ended:
        place = np.flatnonzero(over)
        ended = Ended(place, self.onset_k[place], last_k[place], self._length[place])
        self.onset_k[place] = NOT_DOWN
        self._length[place] = 0
        return ended

    def _members(self, turning: BoolArray, number: IntArray) -> tuple[IntArray, IntArray]:
        """(place, k) of the earlier members of the runs that turn: they change class."""
        place = np.flatnonzero(turning)
        count = number[place] - self._begin[place]
        owner = np.repeat(place, count)
        offset = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
        k = self._begin[owner] + offset
        for one in place.tolist():
            holes = self._holes.pop(one, None)
            if holes:
                keep = (owner != one) | ~np.isin(k, holes)
                owner, k = owner[keep], k[keep]
        return owner, k

    def _book(
        self, number: IntArray, known: BoolArray, agreeing: BoolArray, turning: BoolArray, lapsed: Ended
    ) -> Ended:
        """Turn what turns; keep first, last and length of outages."""
        rising, falling = turning & self.down, turning & ~self.down
        self._length[rising] -= self._run[rising] - 1
        none = rising & (self._length <= 0)  # since a gap it was down only provisionally
        self.onset_k[none], self._length[none] = NOT_DOWN, 0
        ended = self._end(rising & ~none, self._last)
        self.down ^= turning
        self.onset_k[falling], self._length[falling] = self._begin[falling], self._run[falling] - 1
        self._run[turning] = 0
        self._last[agreeing | turning] = number[agreeing | turning]
        self._seen[known] = number[known]
        self._gap[known] = 0
        is_down = known & self.down
        begins = is_down & (self.onset_k == NOT_DOWN)
        self.onset_k[begins] = number[begins]
        self._length[is_down] += 1
        return _join(lapsed, ended)

    def _enter(self, number: IntArray, standing: Standings, member: BoolArray) -> None:
        depth = len(self._recent)
        place = np.flatnonzero(member & (self._newest > 0))
        if depth and len(place):
            self._recent[self._filled[place] % depth, place] = number[place]
            self._stood[self._filled[place] % depth, place] = standing[place]
            self._filled[place] += 1

    @property
    def final_before_k(self) -> IntArray:
        """Per place: every interval before this one is settled for good."""
        since = self._next.copy()
        depth = len(self._recent)
        place = np.flatnonzero((self._newest > 0) & (self._filled > 0))
        if depth and len(place):
            back = np.minimum(self._newest[place], self._filled[place])
            since[place] = self._recent[(self._filled[place] - back) % depth, place]
        return np.where(self._run > 0, np.minimum(since, self._begin), since)

    @property
    def last_k(self) -> IntArray:
        """Per place: the last interval that was known."""
        return self._seen

    @property
    def undecided_k(self) -> IntArray:
        """Per place: the first provisional interval of a sliding method that contradicts the present state, or DECIDED.

        From there on nobody knows yet (timeline.py accounts it as unknown).
        """
        since = np.full(len(self.down), DECIDED)
        depth = len(self._recent)
        place = np.flatnonzero((self._newest > 0) & (self._filled > 0))
        if not depth or not len(place):
            return since
        filled, against = self._filled[place], np.where(self.down[place], GOOD, BAD)
        here = np.where(self._run[place] > 0, self._begin[place], DECIDED)
        for back in range(1, depth + 1):
            at = (filled - back) % depth
            contrary = (back <= np.minimum(self._newest[place], filled)) & (self._stood[at, place] == against)
            here = np.where(contrary, np.minimum(here, self._recent[at, place]), here)
        since[place] = here
        return since

    def quiet(self, places: IntArray) -> bool:
        """Whether a longer silence would change nothing of these places any more."""
        return bool((self._gap[places] > self._most[places]).all())

    def skip(self, places: IntArray, k: IntArray) -> None:
        """All intervals of these quiet places before `k` were silent as well."""
        self._next[places] = k
        self._recent[:, places] = k - 1

    @property
    def depth(self) -> int:
        """Intervals that the methods look back at."""
        return len(self._recent)

    def settled(self, standing: Standings) -> bool:
        """Whether every place stands so that more intervals of this standing move nothing but numbers.

        That is: no run is open, and no gap may yet become too long. The last `depth` intervals stood so as well.
        """
        waits = (self._gap > 0) & (self._gap <= self._most) & (standing != EXCLUDED)
        return not bool(((self._run > 0) | waits).any())

    def leap(self, count: int, standing: Standings) -> None:
        """Push `count` intervals of the same standing at once, at all places; only where they are settled."""
        known = standing >= BAD
        self._next += count
        self._seen[known] += count
        self._last[known] += count
        self._length[known & self.down] += count
        self._gap[standing == UNKNOWN] += count
        self._recent[:, standing != EXCLUDED] += count

    # --- restart ------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Everything that `restore` needs beside the rules: arrays over places, and the holes."""
        arrays: dict[str, Any] = {name: getattr(self, name).copy() for name in (*_STATE, "_next")}
        return {**arrays, "_holes": {place: list(holes) for place, holes in self._holes.items()}}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on where `state` was taken; places have begun with the same rules."""
        for name in (*_STATE, "_next"):
            array: npt.NDArray[Any] = state[name]
            setattr(self, name, array.copy())
        self._holes = {int(place): list(holes) for place, holes in state["_holes"].items()}

    def adopt(self, places: IntArray, other: UptimeTrack) -> None:
        """These places stand from now on as those of `other`, in this order, with the same rules."""
        if len(other._recent) < len(self._recent):
            other._deepen(len(self._recent) - len(other._recent))
        for name in (*_STATE, "_next"):
            getattr(self, name)[..., places] = getattr(other, name)
        for number, place in enumerate(places.tolist()):
            self._holes.pop(place, None)
            if number in other._holes:
                self._holes[place] = other._holes[number]


def _join(one: Ended, other: Ended) -> Ended:
    if not len(one.place):
        return other
    if not len(other.place):
        return one
    return Ended(*(np.concatenate(pair) for pair in (
        (one.place, other.place), (one.first_k, other.first_k), (one.last_k, other.last_k), (one.length, other.length)
    )))  # fmt: skip
