"""Reactions: when a run of judgements becomes an alert, and when it is over (SLA section 4, as in Cisco IP SLA).

The table below is the machine; `docs/alerts.md` shows its diagram, made from it. Only judgements that say met or
breached count: no data neither extends nor breaks a run. `immediate` is one in a row; `xofy` looks at the last y
judgements, kept as bits with the newest lowest; `average(n)` compares the mean of the last n values; `burn` looks at
how fast the error budget goes, `forecast` at where the period is heading (SLA R19; burning.py, forecast.py): they bring
judgements of their own.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from netsla.model import SECOND, IntArray, Objective

MOST = 64  # judgements that a reaction can look back
_AHEAD = ("burn", "forecast")  # one judgement decides
BoolArray = npt.NDArray[np.bool_]


class Transition(NamedTuple):
    """In a state, on a condition: the next state, and what is told."""

    state: str
    condition: str
    then: str
    told: str


TABLE = (
    Transition("ok", "x of the last y judgements breached", "firing", "opened"),
    Transition("firing", "the clear condition holds", "ok", "closed"),
    Transition("firing", "the value is worse by a tenth, an hour later", "firing", "updated"),
    Transition("budget", "another share of the error budget is spent", "budget", "updated"),
    Transition("budget", "the next period begins", "budget", "nothing"),
    Transition("data", "no sample for no_data_after", "silent", "no_data"),
    Transition("silent", "a sample was decided", "data", "data_back"),
)


def diagram() -> str:
    """The table as a Mermaid state diagram."""
    lines = [f"    {one.state} --> {one.then}: {one.condition} / {one.told}" for one in TABLE]
    return "\n".join(["stateDiagram-v2", *(f"    [*] --> {state}" for state in ("ok", "data", "budget")), *lines])


def rhythm_ns(objective: Objective, interval_ns: int) -> int:
    """How often a judgement counts: every one (0) for immediate, else once an interval, or a shorter window."""
    if objective.reaction.type in ("immediate", *_AHEAD):
        return 0
    window_ns = objective.window.seconds * SECOND
    return min(interval_ns, window_ns) if window_ns else interval_ns


class Reactions:
    """Who is due, who turns; columnar over objective numbers."""

    def __init__(self) -> None:
        self.firing: BoolArray = np.zeros(0, bool)
        self._simple: BoolArray = np.zeros(0, bool)  # one judgement decides: nothing to look back at
        self._bad, self._good = np.zeros(0, np.int64), np.zeros(0, np.int64)  # in a row
        self._bits = np.zeros(0, np.uint64)  # 1: breached
        self._seen = np.zeros(0, np.uint64)  # 1: there was a judgement at all
        self._x, self._clear_x = np.ones(0, np.int64), np.ones(0, np.int64)
        self._mask, self._clear_mask = np.zeros(0, np.uint64), np.zeros(0, np.uint64)  # 0: in a row
        self._rhythm, self._beat = np.zeros(0, np.int64), np.zeros(0, np.int64)
        self._values: dict[int, list[float]] = {}  # of `average` objectives
        self._average: dict[int, tuple[int, bool, float]] = {}  # number -> n, at least, target

    def cover(self, numbers: int) -> None:
        """Make room for objective numbers."""
        more = numbers - len(self.firing)
        self.firing = np.pad(self.firing, (0, more))
        self._simple = np.pad(self._simple, (0, more))
        for name in ("_bad", "_good", "_bits", "_seen", "_mask", "_clear_mask", "_rhythm", "_beat"):
            setattr(self, name, np.pad(getattr(self, name), (0, more)))
        for name in ("_x", "_clear_x"):
            setattr(self, name, np.pad(getattr(self, name), (0, more), constant_values=1))

    def begin(self, number: int, objective: Objective, interval_ns: int, target: float, *, fresh: bool) -> None:
        """Set how a number reacts; a fresh one has no past."""
        reaction, clear = objective.reaction, objective.reaction.clear
        in_a_row = 1 if reaction.type in _AHEAD else reaction.count
        self._x[number] = reaction.x if reaction.type == "xofy" else in_a_row
        self._mask[number] = _mask(reaction.y) if reaction.type == "xofy" else 0
        self._clear_x[number] = clear.x if clear.y else clear.count
        self._clear_mask[number] = _mask(clear.y)
        self._rhythm[number] = rhythm_ns(objective, interval_ns)
        in_a_row = self._x[number] == self._clear_x[number] == 1 and not clear.y and reaction.type != "xofy"
        self._simple[number] = self._rhythm[number] == 0 and in_a_row and reaction.type != "average"
        self._average.pop(number, None)
        if reaction.type == "average":
            self._average[number] = (reaction.n, objective.target.at_least, target)
        if fresh:
            for column in (self.firing, self._bad, self._good, self._bits, self._seen, self._beat):
                column[number] = 0
            self._values.pop(number, None)

    def step(
        self, now_ns: int, numbers: IntArray, breached: BoolArray, known: BoolArray, value: npt.NDArray[np.float64]
    ) -> tuple[IntArray, IntArray]:
        """Count the judgements that are due; returns the numbers that begin to fire, and those that end."""
        simple, firing = self._simple[numbers], self.firing[numbers]
        turned = np.flatnonzero(simple & known & (breached != firing))
        begin, end = numbers[turned[breached[turned]]], numbers[turned[~breached[turned]]]
        self.firing[begin], self.firing[end] = True, False
        counted = np.flatnonzero(~simple)
        if len(counted):
            some = numbers[counted], breached[counted], known[counted], value[counted]
            opening, closing = self._count(now_ns, *some)
            return np.concatenate([begin, opening]), np.concatenate([end, closing])
        return begin, end

    def _count(
        self, now_ns: int, numbers: IntArray, breached: BoolArray, known: BoolArray, value: npt.NDArray[np.float64]
    ) -> tuple[IntArray, IntArray]:
        """Those that look back."""
        rhythm = self._rhythm[numbers]
        beat = now_ns // np.maximum(rhythm, 1)
        due = known & ((rhythm == 0) | (beat > self._beat[numbers]))
        at, bad = numbers[due], breached[due]
        self._beat[at] = beat[due]
        self._bad[at] = np.where(bad, self._bad[at] + 1, 0)
        self._good[at] = np.where(bad, 0, self._good[at] + 1)
        self._bits[at] = self._bits[at] << np.uint64(1) | bad.astype(np.uint64)
        self._seen[at] = self._seen[at] << np.uint64(1) | np.uint64(1)
        fires = _enough(self._bad[at], self._bits[at], self._mask[at], self._x[at])
        clears = _enough(self._good[at], ~self._bits[at] & self._seen[at], self._clear_mask[at], self._clear_x[at])
        if self._average:
            self._judge_averages(at, value[due], fires, clears)
        opening = at[fires & bad & ~self.firing[at]]
        closing = at[clears & ~bad & self.firing[at]]
        self.firing[opening], self.firing[closing] = True, False
        return opening, closing

    def _judge_averages(
        self, at: IntArray, value: npt.NDArray[np.float64], fires: BoolArray, clears: BoolArray
    ) -> None:
        for place in np.flatnonzero(np.isin(at, list(self._average))).tolist():
            n, at_least, target = self._average[int(at[place])]
            kept = [*self._values.get(int(at[place]), ()), float(value[place])][-n:]
            self._values[int(at[place])] = kept
            mean = sum(kept) / len(kept)
            breached = mean < target if at_least else mean > target
            fires[place], clears[place] = breached and len(kept) == n, not breached


def _enough(row: IntArray, bits: IntArray, mask: IntArray, x: IntArray) -> BoolArray:
    """Whether it is x in a row, or x of the newest that the mask covers."""
    return np.where(mask == 0, row, np.bitwise_count(bits & mask)) >= x


def _mask(newest: int) -> int:
    return (1 << min(newest, MOST)) - 1
