"""Telling the cells of some endpoints again, because other time is excluded than was thought (SLA R10).

Rules: standings are as they were; only what is excluded, and so the classes, may differ. It begins at a cell where
everything stood well, from which the machine says the same whatever lies before; failing that, at the oldest
cell held. Cells before a place's birth are of another endpoint, and not booked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from netsla.model import IntArray, UptimeRule
from netsla.sla.classes import Assigned, Classes
from netsla.sla.duty import Duty
from netsla.sla.marks import DOWN, NOT_DUE, PENDING, UNDECIDED, UP, Marks
from netsla.sla.repairs import Repairs
from netsla.sla.standing import EXCLUDED, GOOD, UNKNOWN, Standings
from netsla.sla.uptime import method_of


@dataclass(slots=True, eq=False)
class Found:
    """Classes of cells from `start_k` on, arrays (cells, places): as they were, and as they are now."""

    start_k: int
    old: Standings
    new: Standings
    classes: Classes
    repairs: Repairs


class Replay:
    """Some places of what `marks` hold; arrays are over these places, in their order."""

    def __init__(
        self, marks: Marks, places: IntArray, born_k: IntArray, cells: IntArray, rules: Sequence[UptimeRule]
    ) -> None:
        self._marks, self._places, self._born_k, self._cells, self._rules = marks, places, born_k, cells, rules

    def quiet_before(self, k: int) -> IntArray:
        """Per place: the newest cell up to `k` before which it was up and good, or had not been born."""
        step = int(np.lcm.reduce(self._cells))
        newest = max(method_of(rule).newest for rule in self._rules) * step
        k = (k - newest) // step * step
        oldest = max(self._marks.first_k, min(self._marks.told_k // step * step, k))  # nothing turns what nobody told
        starts = np.maximum(oldest, self._born_k // step * step)
        waiting = np.arange(len(self._places))
        while k > self._marks.first_k and len(waiting):
            mark = self._marks.at(k - 1)
            waiting = waiting[starts[waiting] < k]
            if mark is not None:
                there = waiting[self._places[waiting] < len(mark.codes)]
                at = self._places[there]
                starts[there[(mark.codes[at] == UP) & (mark.standing[at] == GOOD)]] = k
                waiting = waiting[starts[waiting] < k]
            k -= step
        return starts

    def run(self, start_k: int, end_k: int, duty: Duty, repairing: Sequence[int]) -> Found:
        """Tell cells [start, end) again; `repairing` are positions of places whose outages matter."""
        count = len(self._places)
        old, standing = self._load(start_k, end_k)
        classes, repairs = Classes(), Repairs()
        classes.load(count, range(count), self._rules)
        repairs.load(count, repairing, ())
        found = Found(start_k, old, np.full(old.shape, PENDING, np.int8), classes, repairs)
        step_ns = self._cells * duty.cell_ns
        for k in range(start_k, end_k):
            due = (k + 1) % self._cells == 0
            if not due.any():
                continue
            here = duty.at(k).excluded[self._places]
            now = np.where(here, EXCLUDED, standing[k - start_k]).astype(np.int8)
            step = classes.push((k + 1) // self._cells - 1, now, due)
            self._assign(found, k, due, step, duty if repairing else None)
            if repairing:
                repairs.note(step.ended, step_ns)
        for number in np.flatnonzero(self._born_k > start_k).tolist():
            found.new[: int(self._born_k[number]) - start_k, number] = PENDING
        return found

    def _load(self, start_k: int, end_k: int) -> tuple[Standings, Standings]:
        shape = (max(end_k - start_k, 0), len(self._places))
        old, standing = np.full(shape, PENDING, np.int8), np.full(shape, UNKNOWN)
        for k in range(start_k, end_k):
            mark = self._marks.at(k)
            if mark is None:
                continue
            there = (self._places < len(mark.codes)) & (self._born_k <= k)
            known = self._places[there]
            old[k - start_k, there] = mark.codes[known]
            standing[k - start_k, there] = mark.standing[known]
        standing[standing == NOT_DUE] = UNKNOWN
        return old, standing

    def _assign(self, found: Found, k: int, due: np.ndarray[tuple[int], np.dtype[np.bool_]], step: Assigned,
                counting: Duty | None) -> None:  # fmt: skip
        whole = np.flatnonzero(due)
        cells = self._cells
        intervals = [(int(p), (k + 1 - int(cells[p])), k + 1, int(step.codes[p])) for p in whole] if counting else []
        if not counting:
            for back in range(int(cells[whole].max())):
                some = whole[cells[whole] > back]
                found.new[k - back - found.start_k, some] = step.codes[some]
        intervals += [
            (p, n * int(cells[p]), (n + 1) * int(cells[p]), code)
            for p, n, code in zip(step.place.tolist(), step.k.tolist(), step.code.tolist(), strict=True)
        ]
        for place, first, end, code in intervals:
            self._set(found, place, range(first, end), code, counting)
        for place, first_n, end_n, code in step.decided:
            cells_of = range(first_n * int(cells[place]), end_n * int(cells[place]))
            open_ = [one for one in cells_of if found.new[one - found.start_k, place] == UNDECIDED]
            self._set(found, place, open_, code, counting)

    def _set(self, found: Found, place: int, cells: Sequence[int], code: int, counting: Duty | None) -> None:
        for k in cells:
            row = k - found.start_k
            if row < 0:
                continue
            was = int(found.new[row, place])
            found.new[row, place] = code
            if counting is not None and (was == DOWN) != (code == DOWN):
                share = counting.at(k).share_ns[self._places[place]]
                found.repairs.count(np.array([place]), np.array([share if code == DOWN else -share]))

    # --- what follows -------------------------------------------------------------------------------

    def rebook(self, book: IntArray, since_k: IntArray, found: Found, duty: Duty, *, whole: bool) -> None:
        """Correct a window's book (classes, all places); `whole`: nothing of these cells is booked in it."""
        touched = range(len(found.new)) if whole else np.flatnonzero((found.old != found.new).any(axis=1)).tolist()
        for row in touched:
            k = found.start_k + row
            mine = since_k <= k
            share = duty.at(k).share_ns[self._places]
            if not whole:
                was = mine & (found.old[row] != PENDING)
                book[found.old[row, was], self._places[was]] -= share[was]
            now = mine & (found.new[row] != PENDING)
            book[found.new[row, now], self._places[now]] += share[now]

    def turned(self, found: Found) -> Iterator[tuple[int, Standings, Standings]]:
        """Cells in which somebody was, or is now, down: (k, old, new)."""
        for row in np.flatnonzero(((found.old == DOWN) | (found.new == DOWN)).any(axis=1)).tolist():
            yield found.start_k + row, found.old[row], found.new[row]

    def write_back(self, found: Found) -> None:
        """Keep the new classes."""
        for row in np.flatnonzero((found.old != found.new).any(axis=1)).tolist():
            mark = self._marks.at(found.start_k + row)
            if mark is None:
                continue
            more = int(self._places.max()) + 1 - len(mark.codes)
            if more > 0:
                mark.widen(more)
            mark.codes[self._places] = found.new[row]
            self._marks.put(found.start_k + row, mark)
