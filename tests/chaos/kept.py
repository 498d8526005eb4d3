"""What a ledger holds, cell by cell, beside what a wire saw and when the agents were killed. Pure, but for `Kept.read`.

Cells are numbered on the grid of `seconds`; arrays are (endpoints, cells) from cell `first` on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from netsla.model import SECOND, IntArray, Reason
from netsla.sla.interval import Cell
from netsla.sla.tally import Column
from netsla.store.archive import Look
from netsla.store.layout import Layout

MAY_LOSE_NS = 10 * SECOND  # of counts, by a kill
UNSURE_NS = SECOND // 50  # the wire's stamp and the sender's differ by less: which cell a probe at an edge belongs to
TURN_NS = 3 * SECOND  # a cell is closed so long after its end at the latest: time limit, grace, a turn of the engine
ABSENT = -2  # in `standing`: no row


@dataclass
class Life:
    """One agent from its launch to its kill, UTC ns; 0: never.

    `probing_ns`: when it was seen to probe, from which counts are kept; `back_ns`: when it had read back its record.
    """

    launched_ns: int
    killed_ns: int = 0
    probing_ns: int = 0
    back_ns: int = 0

    def __str__(self) -> str:
        back = f"back {(self.back_ns - self.launched_ns) / SECOND:.1f}" if self.back_ns else "never back"
        return f"begun at {self.launched_ns / SECOND:.1f}, {back}, {(self.killed_ns - self.launched_ns) / SECOND:.1f} s"


@dataclass(frozen=True)
class Wire:
    """Requests seen: when, and to which endpoint (number)."""

    at_ns: IntArray
    endpoint: IntArray
    endpoints: int
    seconds: int

    def count(self, chosen: IntArray, shift_ns: int, first: int, cells: int) -> IntArray:
        """Requests by endpoint and cell, their stamps moved by so much."""
        k = (self.at_ns[chosen] + shift_ns) // (self.seconds * SECOND) - first
        here = (k >= 0) & (k < cells)
        at = self.endpoint[chosen][here] * cells + k[here]
        counts: IntArray = np.bincount(at, minlength=self.endpoints * cells).reshape(self.endpoints, cells)
        return counts

    def bounds(self, lives: list[Life], first: int, cells: int) -> tuple[IntArray, IntArray]:
        """(fewest, most) that may be counted in each cell: what was out long before its kill must be there."""
        cell_ns = self.seconds * SECOND
        early, late = (self.at_ns - UNSURE_NS) // cell_ns, (self.at_ns + UNSURE_NS) // cell_ns
        sure = early == late
        kills = np.array([life.killed_ns for life in lives], np.int64)
        life = np.minimum(np.searchsorted(kills, self.at_ns), len(kills) - 1)
        kept_from = np.array([one.probing_ns or one.killed_ns for one in lives], np.int64)[life]
        old = kills[life] - np.maximum(self.at_ns, kept_from) > MAY_LOSE_NS
        fewest = self.count(np.flatnonzero(sure & old), 0, first, cells)
        unsure = np.flatnonzero(~sure)
        most = self.count(np.flatnonzero(sure), 0, first, cells)
        most = most + self.count(unsure, -UNSURE_NS, first, cells) + self.count(unsure, UNSURE_NS, first, cells)
        return fewest, most


@dataclass
class Kept:
    """A stretch of a ledger; `closed` are the numbers of the cells recorded, the rest is of the open ones."""

    first: int
    endpoints: int
    closed: list[int] = field(default_factory=list)
    counts: dict[Column, IntArray] = field(default_factory=dict)
    standing: IntArray = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    reason: IntArray = field(default_factory=lambda: np.zeros((0, 0), np.int64))

    @staticmethod
    def read(look: Look, first: int, last: int, seconds: int, endpoints: int) -> Kept:
        """Cells [first, last) of a ledger whose endpoints are called e0, e1, …"""
        kept = Kept(first, endpoints)
        columns = (Column.SENT, Column.RECEIVED, Column.UNMEASURED, Column.LATE, Column.DUPLICATE)
        kept.counts = {column: np.zeros((endpoints, last - first), np.int64) for column in columns}
        kept.standing = np.full((endpoints, last - first), ABSENT)
        kept.reason = np.full((endpoints, last - first), -1)
        for cell, layout in look.cells(first * seconds, last * seconds):
            kept.closed.append(cell.k)
            kept.add(cell, layout)
        for cell, layout in look.open_cells():
            assert cell.k not in kept.closed, f"cell {cell.k} is open and closed"
            assert first <= cell.k < last, f"an open cell of another time: {cell.k}, looked at are {first} to {last}"
            kept.add(cell, layout)
        return kept

    def add(self, cell: Cell, layout: Layout) -> None:
        """An endpoint whose thresholds changed has several lanes: counts add up, the best standing is told."""
        at = cell.k - self.first
        for lane, row in layout.rows.items():
            if row >= cell.matrix.shape[1]:
                continue
            number = int(lane.endpoint.removeprefix("e"))
            for column, counts in self.counts.items():
                counts[number, at] += cell.matrix[column, row]
            self.standing[number, at] = max(self.standing[number, at], cell.standing[row])
            self.reason[number, at] = cell.reason[row]


def windows_off(sent: dict[str, int], at_ns: int, window_s: int, wire: Wire, lives: list[Life]) -> list[str]:
    """What is wrong with a rolling window's counts by endpoint, as told at a time, beside what was seen."""
    slack_ns = (wire.seconds * SECOND) + TURN_NS
    age = at_ns - wire.at_ns
    kills = np.array([life.killed_ns for life in lives], np.int64)
    life = np.minimum(np.searchsorted(kills, wire.at_ns), len(kills) - 1)
    kept_from = np.array([one.probing_ns or one.killed_ns for one in lives], np.int64)[life]
    safe = (life == len(kills) - 1) | (kills[life] - np.maximum(wire.at_ns, kept_from) > MAY_LOSE_NS)
    here = (age >= -slack_ns) & (age <= window_s * SECOND + slack_ns)
    inner = (age >= slack_ns) & (age <= window_s * SECOND - slack_ns) & safe
    most, fewest = (np.bincount(wire.endpoint[some], minlength=wire.endpoints) for some in (here, inner))
    told = []
    for name, count in sent.items():
        number = int(name.removeprefix("e"))
        if not fewest[number] <= count <= most[number]:
            told.append(f"the window of {name} tells {count} sent, the wire saw {fewest[number]}..{most[number]}")
    return told[:3]


def faults(kept: Kept, wire: Wire, lives: list[Life], changing: IntArray) -> list[str]:
    """What is wrong, in words; `changing`: endpoints that reloads change, which then begin anew within a cell."""
    cells = kept.standing.shape[1]
    fewest, most = wire.bounds(lives, kept.first, cells)
    fewest[changing] = 0
    sent, received = kept.counts[Column.SENT], kept.counts[Column.RECEIVED]
    away = _wholly_away(lives, kept.first, cells, wire.seconds)
    told_away = (kept.reason == Reason.AGENT_DOWN) | (kept.standing == ABSENT)
    told_away |= ~np.isin(np.arange(cells) + kept.first, kept.closed)
    told_away[changing] |= kept.standing[changing] == -1
    counted = (sent > 0).any(axis=1)
    begins = np.where(counted, (sent > 0).argmax(axis=1), cells)[:, None]
    told_away |= (np.arange(cells) < begins) & (kept.standing == -1)  # of whom nothing is recorded yet, nobody misses
    numbers = list(range(min(kept.closed), max(kept.closed) + 1)) if kept.closed else []
    found = {
        "counted twice": sent > most,
        "lost, though older than 10 s": sent < fewest,
        "a probe counted lost": received != sent,
        "late or duplicate": (kept.counts[Column.LATE] + kept.counts[Column.DUPLICATE]) > 0,
        "judged bad": kept.standing == 0,
        "judged without a probe": (kept.standing == 1) & (most == 0),
        "time away has figures": away & (sent > 0),
        "time away is not the agent's": away & ~told_away,
    }
    told = [f"{what}: {_places(where, kept, sent, fewest, most)}" for what, where in found.items() if where.any()]
    if kept.closed != numbers:
        told.append(f"cells are missing or there twice: {sorted(set(numbers) ^ set(kept.closed))[:10]}")
    due = _closed_long_ago(wire, lives[-1])
    if due > max(kept.closed, default=kept.first):
        told.append(f"cell {due} was closed more than 10 s before the kill, the record ends at {max(kept.closed)}")
    return told


def _closed_long_ago(wire: Wire, life: Life) -> int:
    """The newest cell that an agent had closed 10 s before its kill; -1 if it did not live that long."""
    mine = wire.at_ns[wire.at_ns >= life.launched_ns]
    limit = life.killed_ns - MAY_LOSE_NS
    if not len(mine) or not life.back_ns or max(mine[0], life.back_ns) + TURN_NS > limit:
        return -1
    return int((limit - TURN_NS) // (wire.seconds * SECOND)) - 1


def _wholly_away(lives: list[Life], first: int, cells: int, seconds: int) -> IntArray:
    """(1, cells): whether no agent lived in any part of a cell, between two lives."""
    begin = (first + np.arange(cells)) * seconds * SECOND
    away = np.zeros(cells, bool)
    for before, after in pairwise(lives):
        away |= (begin >= before.killed_ns) & (begin + seconds * SECOND <= after.launched_ns)
    return away[None, :]


def _places(where: IntArray, kept: Kept, sent: IntArray, fewest: IntArray, most: IntArray) -> str:
    some = [
        f"e{e} cell {kept.first + c} sent {sent[e, c]} of {fewest[e, c]}..{most[e, c]}"
        f" standing {kept.standing[e, c]} reason {kept.reason[e, c]}"
        for e, c in np.argwhere(where)[:3]
    ]
    return f"{int(where.sum())} times, as " + "; ".join(some)
