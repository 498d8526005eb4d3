"""Uptime methods: standings in order become up, down or unknown (SLA R4). One rule, two forms that agree.

    method_of(rule) -> Method(falls, rises, gap, keeps, newest)
    settle(standing int8[T], rule) -> Settled            a whole series of one endpoint, at once
    uptrack.UptimeTrack                                  the same, interval by interval, over many endpoints

Rules (all counts are of intervals; a run is of equal standings in a row, EXCLUDED ones left out):
- An endpoint begins up (MEF 10: the first interval is available unless n BAD ones begin with it).
- A BAD run of `falls` turns it down from the run's onset, a GOOD run of `rises` turns it up from its onset:
  interval is (1, 1), sliding(n) is (n, n), outage(min) is (ceil(min / Δt), 1).
- UNKNOWN stays UNKNOWN. Up to `gap` = max(1, n - 1) of them in a row neither extend nor break a run, one more
  closes it: the run is judged as long as it was, and an outage ends with its last interval down. The state
  itself is kept by sliding (SLA R14: never from "assume up": it takes n GOOD to be up again), while for outage
  a run is all there is: what follows the gap is a new run.
- Provisional: of sliding the newest n - 1 intervals, and with either method the members of a run that may still
  turn the state. `code` says how they stand at present: as the state does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netsla.model import IntArray, UptimeRule
from netsla.sla.standing import (
    BAD,
    EXCLUDED,
    GOOD,
    UNKNOWN,
    BoolArray,
    Standings,
    combine_probes,
    interval_standing,
)

__all__ = [
    "BAD", "DOWN", "EXCLUDED", "GOOD", "UNKNOWN", "UP", "Method", "Settled", "combine_probes", "interval_standing",
    "method_of", "settle",
]  # fmt: skip

UP, DOWN = GOOD, BAD  # classes use the codes of standings: 1 up, 0 down, -1 unknown, -2 excluded


@dataclass(frozen=True, slots=True)
class Method:
    """An uptime rule in intervals."""

    falls: int  # BAD in a row that turn it down
    rises: int  # GOOD in a row that turn it up
    gap: int  # UNKNOWN in a row that a run survives
    keeps: bool  # whether the state outlives a longer gap
    newest: int  # how many of the newest are provisional whatever they are
    counts_micro: bool  # whether shorter BAD runs are counted as micro-outages


def method_of(rule: UptimeRule) -> Method:
    """The rule in intervals; n of outage(min) is ceil(min / Δt)."""
    if rule.method == "sliding":
        n = max(rule.n, 1)
        return Method(n, n, max(1, n - 1), keeps=True, newest=n - 1, counts_micro=False)
    if rule.method == "outage":
        n = max(-(-rule.minimum_ns // rule.interval_ns), 1)
        return Method(n, 1, max(1, n - 1), keeps=False, newest=0, counts_micro=True)
    return Method(1, 1, 1, keeps=False, newest=0, counts_micro=False)


@dataclass(frozen=True, slots=True, eq=False)
class Settled:
    """A series settled; positions are indices into it.

    `code` is UP, DOWN, UNKNOWN or EXCLUDED at each position, `provisional` where that may still change.
    Outages by order: `first` and `last` position down, `length` intervals down; the last one is `open` while
    nothing has ended it. `micro` holds the first positions of closed BAD runs that were too short.
    """

    code: Standings
    provisional: BoolArray
    first: IntArray
    last: IntArray
    length: IntArray
    open: bool
    micro: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class _Runs:
    """Runs of the known intervals: `at` are known positions, `begin` indices into `at`."""

    at: IntArray
    begin: IntArray
    length: IntArray
    bad: BoolArray
    after_gap: BoolArray
    tail: int  # intervals of the sequence after the last known one
    owner: IntArray  # the run of each known interval


def settle(standing: Standings, rule: UptimeRule) -> Settled:
    """Classify a series of one endpoint, whose positions are consecutive intervals of its grid.

    Missing intervals are to be given as UNKNOWN. It takes about 1 ms for a month of minutes.
    """
    method = method_of(rule)
    code = np.where(standing == EXCLUDED, EXCLUDED, UNKNOWN).astype(np.int8)
    sequence = np.flatnonzero(standing != EXCLUDED)
    runs = _runs(standing, sequence, method)
    none = np.empty(0, np.int64)
    if not len(runs.at):
        return Settled(code, np.zeros(len(code), bool), none, none, none, open=False, micro=none)
    state = _states(runs, method)
    code[runs.at] = state[runs.owner]
    is_open = runs.tail <= method.gap
    short = runs.bad & (runs.length < method.falls)
    if is_open:
        short[-1] = False
    micro = runs.at[runs.begin[short]] if method.counts_micro else none
    first, last, length = _outages(runs, state)
    still_down = is_open and bool(len(last)) and bool(last[-1] == runs.at[-1])
    since = _undecided_since(runs, state, sequence, method)
    provisional = (code >= DOWN) & (np.arange(len(code)) >= since)
    return Settled(code, provisional, first, last, length, open=still_down, micro=micro)


def _runs(standing: Standings, sequence: IntArray, method: Method) -> _Runs:
    values = standing[sequence]
    place = np.flatnonzero(values >= BAD)  # of the known ones in the sequence
    bad = values[place] == BAD
    gap = np.diff(place, prepend=place[:1]) > method.gap + 1
    begins = gap.copy()
    begins[1:] |= bad[1:] != bad[:-1]
    begins[:1] = True
    begin = np.flatnonzero(begins)
    tail = len(values) - 1 - int(place[-1]) if len(place) else 0
    owner = np.cumsum(begins) - 1
    length = np.diff(np.append(begin, len(place)))
    return _Runs(sequence[place], begin, length, bad[begin], gap[begin], tail, owner)


def _states(runs: _Runs, method: Method) -> Standings:
    """The state during each run: that of the latest run long enough to turn it, by its onset."""
    turns = np.where(runs.bad, runs.length >= method.falls, runs.length >= method.rises)
    event = np.where(turns, np.where(runs.bad, DOWN, UP), -1)
    if not method.keeps:
        event = np.where((event < 0) & runs.after_gap, UP, event)
    if event[0] < 0:
        event[0] = UP
    latest = np.maximum.accumulate(np.where(event >= 0, np.arange(len(event)), 0))
    states: Standings = event[latest].astype(np.int8)
    return states


def _outages(runs: _Runs, state: Standings) -> tuple[IntArray, IntArray, IntArray]:
    """First and last position, and intervals down, of each outage: runs down, ended by up or by a gap."""
    down = np.flatnonzero(state == DOWN)
    if not len(down):
        none = np.empty(0, np.int64)
        return none, none, none
    fresh = (np.diff(down, prepend=-2) != 1) | runs.after_gap[down]
    begin = np.flatnonzero(fresh)
    opening, closing = down[begin], down[np.append(begin[1:], len(down)) - 1]
    ends = runs.begin + runs.length - 1
    length = np.add.reduceat(runs.length[down], begin)
    return runs.at[runs.begin[opening]], runs.at[ends[closing]], length


def _undecided_since(runs: _Runs, state: Standings, sequence: IntArray, method: Method) -> int:
    """The first position that may still change, or that the rule calls provisional."""
    since = int(sequence[-1]) + 1
    if method.newest:
        since = int(sequence[-min(method.newest, len(sequence))])
    against = bool(runs.bad[-1]) == bool(state[-1] == UP)
    if against and runs.tail <= method.gap:
        since = min(since, int(runs.at[runs.begin[-1]]))
    return since
