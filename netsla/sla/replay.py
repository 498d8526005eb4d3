"""Telling the cells of some endpoints again, because other time is excluded than was thought (SLA R10).

Rules: standings are as they were; only what is excluded, and so the classes, may differ. It begins at a cell where
everything stood well, from which the machine says the same whatever lies before; failing that, at the oldest
cell held. Cells before a place's birth are of another endpoint, and not booked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from netsla.model import IntArray, UptimeRule
from netsla.sla.classes import Assigned, Classes
from netsla.sla.duty import Duty
from netsla.sla.marks import DOWN, NOT_DUE, PENDING, UNDECIDED, UP, Marks
from netsla.sla.repairs import Repairs
from netsla.sla.standing import EXCLUDED, GOOD, UNKNOWN, Standings
from netsla.sla.uptime import method_of

_FIRST_LOOK = 16  # intervals looked at for a good one, before it is looked for further back


@dataclass(slots=True, eq=False)
class Found:
    """Classes of cells from `start_k` on, arrays (cells, places): as they were, and as they are now."""

    start_k: int
    old: Standings
    new: Standings
    classes: Classes
    repairs: Repairs


class Replay:
    """Some places of what `marks` hold, all with intervals of so many `cells`; arrays are in the places' order."""

    def __init__(
        self, marks: Marks, places: IntArray, born_k: IntArray, cells: int, rules: Sequence[UptimeRule]
    ) -> None:
        self._marks, self._places, self._born_k, self._cells, self._rules = marks, places, born_k, cells, rules

    def quiet_before(self, k: int) -> IntArray:
        """Per place: the newest cell up to `k` before which it was up and good, or had not been born."""
        cells, marks = self._cells, self._marks
        end = (k - max(method_of(rule).newest for rule in self._rules) * cells) // cells * cells
        oldest = max(marks.first_k, min(marks.told_k // cells * cells, end))  # nothing turns what nobody told
        starts = np.maximum(oldest, self._born_k // cells * cells)
        waiting, look = np.flatnonzero(starts < end), _FIRST_LOOK * cells
        while len(waiting):
            begin = max(int(starts[waiting].min()), end - look)
            codes, standing = self._load(begin, end, waiting)
            good = ((codes == UP) & (standing == GOOD))[cells - 1 :: cells]
            found = good.any(axis=0)
            starts[waiting[found]] = end - np.argmax(good[::-1, found], axis=0) * cells
            waiting = waiting[~found & (starts[waiting] < begin)]
            end, look = begin, 4 * look
        return starts

    def run(self, start_k: int, end_k: int, duty: Duty, repairing: Sequence[int]) -> Found:
        """Tell cells [start, end) again; `repairing` are positions of places whose outages matter.

        Once a stretch of equal intervals has brought the machines to where more of them change nothing, the rest of
        it is passed over at once: what this costs is a matter of what happened, not of how long ago.
        """
        count, cells = len(self._places), self._cells
        old, standing = self._load(start_k, end_k, np.arange(count))
        classes, repairs = Classes(), Repairs()
        classes.load(count, range(count), self._rules)
        repairs.load(count, repairing, ())
        found = Found(start_k, old, np.full(old.shape, PENDING, np.int8), classes, repairs)
        counting = duty if repairing else None
        out = duty.excluded(self._places, start_k, max(end_k, start_k))
        now = np.where(out, EXCLUDED, standing).astype(np.int8)[cells - 1 :: cells]
        first_n = start_k // cells
        for begin, end in _stretches(now):
            self._tell(found, now[begin], first_n + begin, first_n + end, counting)
        for number in np.flatnonzero(self._born_k > start_k).tolist():
            found.new[: int(self._born_k[number]) - start_k, number] = PENDING
        return found

    def _tell(self, found: Found, standing: Standings, begin_n: int, end_n: int, counting: Duty | None) -> None:
        """Intervals [begin, end) stand alike."""
        count, classes, step_ns = len(self._places), found.classes, counting.cell_ns * self._cells if counting else 0
        every = np.ones(count, bool)
        for number in range(begin_n, end_n):
            step = classes.push(np.full(count, number), standing, every)
            self._lay(found, number, number + 1, step.codes, counting)
            self._change(found, step, counting)
            if counting:
                found.repairs.note(step.ended, np.full(count, step_ns))
            if number - begin_n >= classes.track.depth and classes.settled(standing):
                classes.leap(end_n - number - 1, standing)
                self._lay(found, number + 1, end_n, step.codes, counting)
                return

    def _load(self, start_k: int, end_k: int, which: IntArray) -> tuple[Standings, Standings]:
        """Classes and standings (cells, places) of some of the places."""
        shape = (max(end_k - start_k, 0), len(which))
        old, standing = np.full(shape, PENDING, np.int8), np.full(shape, UNKNOWN)
        places = self._places[which]
        for begin, end, mark in self._marks.stretches(start_k, end_k):
            there = np.flatnonzero(places < len(mark.codes))
            old[begin - start_k : end - start_k, there] = mark.codes[places[there]]
            standing[begin - start_k : end - start_k, there] = mark.standing[places[there]]
        unborn = np.arange(start_k, start_k + shape[0])[:, None] < self._born_k[which]
        old[unborn], standing[unborn | (standing == NOT_DUE)] = PENDING, UNKNOWN
        return old, standing

    def _lay(self, found: Found, begin_n: int, end_n: int, codes: Standings, counting: Duty | None) -> None:
        """Intervals [begin, end), of which nothing was said before, are of these classes."""
        begin_k, end_k = begin_n * self._cells, end_n * self._cells
        found.new[begin_k - found.start_k : end_k - found.start_k] = codes
        down = np.flatnonzero(codes == DOWN)
        if counting and len(down):
            counts, out = counting.spent(begin_k, end_k)
            found.repairs.count(down, (counts + out)[self._places[down]])

    def _change(self, found: Found, step: Assigned, counting: Duty | None) -> None:
        """Earlier intervals turn, or are decided."""
        cells = self._cells
        for place, n, code in zip(step.place.tolist(), step.k.tolist(), step.code.tolist(), strict=True):
            self._set(found, place, range(n * cells, (n + 1) * cells), code, counting)
        for place, first_n, end_n, code in step.decided:
            begin, end = max(first_n * cells - found.start_k, 0), end_n * cells - found.start_k
            undecided = np.flatnonzero(found.new[begin:end, place] == UNDECIDED) + begin + found.start_k
            self._set(found, place, undecided.tolist(), code, counting)

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


def _stretches(rows: Standings) -> Iterator[tuple[int, int]]:
    """(begin, end) of rows that are alike."""
    bounds = np.flatnonzero((rows[1:] != rows[:-1]).any(axis=1)) + 1
    return pairwise([0, *bounds.tolist(), len(rows)]) if len(rows) else pairwise([])
