"""What every cell was for every endpoint: its standing, and the class that it is booked under at present.

Rules: cells follow one another without a hole; the newest may change and lie open, the older ones are pressed
(some 100 bytes a cell) and are only changed when exclusions are. A place whose interval ends in another cell has no
standing here (NOT_DUE). Places that a cell does not know were not recorded then.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, islice, repeat

import numpy as np

from netsla.sla.standing import UNKNOWN as UNKNOWN_STANDING
from netsla.sla.standing import BoolArray, Standings

UP, DOWN, UNKNOWN, EXCLUDED, UNDECIDED, PENDING = range(6)
"""Classes of a cell. UNDECIDED: known, but sliding may still turn it (it counts as unknown); PENDING: not over yet."""
CLASSES = 5  # those that time is booked under
NOT_DUE = np.int8(-3)
_FAST = 1  # zlib level


@dataclass(slots=True)
class Mark:
    """One cell, by place."""

    codes: Standings
    standing: Standings

    @staticmethod
    def blank(places: int) -> Mark:
        """Nothing is over yet."""
        return Mark(np.full(places, PENDING, np.int8), np.full(places, NOT_DUE))

    def widen(self, more: int) -> None:
        """Make room for more places."""
        self.codes = np.pad(self.codes, (0, more), constant_values=PENDING)
        self.standing = np.pad(self.standing, (0, more), constant_values=NOT_DUE)


class Marks:
    """Cells `first_k` to `end_k`; those from `open_k` on lie open."""

    def __init__(self, k: int = 0) -> None:
        self.first_k = self.open_k = k
        self.told_k = k  # before this cell there is no record at all
        self._old: deque[bytes] = deque()
        self._recent: deque[Mark] = deque()

    @property
    def end_k(self) -> int:
        """The first cell that is not held yet."""
        return self.open_k + len(self._recent)

    def widen(self, more: int) -> None:
        """Make room for more places in the open cells."""
        for mark in self._recent:
            mark.widen(more)

    def reach(self, k: int, places: int) -> None:
        """Hold every cell up to `k`."""
        while self.end_k <= k:
            self._recent.append(Mark.blank(places))

    def lay(self, mark: Mark, cells: int = 1) -> None:
        """The next cells were this and will not change; everything before them is pressed as well."""
        self.press(self.end_k)
        self._append(mark, cells)

    def open(self, k: int) -> Mark:
        """An open cell, to be changed."""
        return self._recent[k - self.open_k]

    def at(self, k: int) -> Mark | None:
        """A cell to be looked at; None if it is not held."""
        if not self.first_k <= k < self.end_k:
            return None
        return self._recent[k - self.open_k] if k >= self.open_k else _unpress(self._old[k - self.first_k])

    def stretches(self, first_k: int, end_k: int) -> Iterator[tuple[int, int, Mark]]:
        """What is held of cells [first, end), in order, as (begin, end, what they were): those alike at once."""
        begin = max(first_k, self.first_k)
        pressed = islice(self._old, begin - self.first_k, max(min(end_k, self.open_k) - self.first_k, 0))
        for body, alike in groupby(pressed):
            end = begin + sum(1 for _ in alike)
            yield begin, end, _unpress(body)
            begin = end
        for k in range(max(first_k, self.open_k), min(end_k, self.end_k)):
            yield k, k + 1, self.open(k)

    def put(self, k: int, mark: Mark) -> None:
        """Say anew what a held cell was."""
        if k >= self.open_k:
            self._recent[k - self.open_k] = mark
        else:
            self._old[k - self.first_k] = _press(mark)

    def press(self, before_k: int) -> None:
        """Cells before this one will hardly change any more."""
        while self.open_k < before_k and self._recent:
            self._append(self._recent.popleft(), 1)

    def _append(self, mark: Mark, cells: int) -> None:
        body = _press(mark)
        if self._old and self._old[-1] == body:
            body = self._old[-1]  # a stretch of cells that were alike holds one body
        self._old.extend(repeat(body, cells))
        if self.told_k == self.open_k and (mark.standing <= UNKNOWN_STANDING).all():
            self.told_k += cells
        self.open_k += cells

    def forget(self, before_k: int) -> None:
        """Drop pressed cells that are older."""
        while self._old and self.first_k < before_k:
            self._old.popleft()
            self.first_k += 1

    def pop(self) -> Mark:
        """Take the newest cell away."""
        if self._recent:
            return self._recent.pop()
        self.open_k -= 1
        self.told_k = min(self.told_k, self.open_k)
        return _unpress(self._old.pop())


def silent(excluded: BoolArray) -> Mark:
    """A cell of which there is no record."""
    codes = np.where(excluded, EXCLUDED, UNKNOWN).astype(np.int8)
    return Mark(codes, np.full(len(codes), UNKNOWN_STANDING))


def _press(mark: Mark) -> bytes:
    return zlib.compress(mark.codes.tobytes() + mark.standing.tobytes(), _FAST)


def _unpress(body: bytes) -> Mark:
    both = np.frombuffer(bytearray(zlib.decompress(body)), np.int8)
    half = len(both) // 2
    return Mark(both[:half], both[half:])
