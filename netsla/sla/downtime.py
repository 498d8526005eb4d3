"""Down time noted while a long past is told, to be marked in the windows once it is known what became of it.

Rules: pure. A cell may become down time and cease to be it many times over; what is left at the end is read once, all
of an hour together: to read it at every turn would take as long as reading all that was ever recorded.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from netsla.model import IntArray, RowArray

_ROWS = 2**31  # more than there can be


class Downtime:
    """Cells of rows that became down time, or ceased to be it."""

    def __init__(self) -> None:
        self._keys: list[IntArray] = []
        self._signs: list[IntArray] = []

    def note(self, k: int, rows: RowArray, *, down: bool) -> None:
        """Cell `k` of these rows is down time from now on, or is not any more."""
        self._keys.append(k * _ROWS + rows.astype(np.int64))
        self._signs.append(np.full(len(rows), 1 if down else -1))

    def left(self, cells: int) -> Iterator[tuple[IntArray, IntArray]]:
        """What is down time in the end: (cells, rows) in pairs, `cells` of the grid at a time, in order."""
        if not self._keys:
            return
        keys, which = np.unique(np.concatenate(self._keys), return_inverse=True)
        sums = np.zeros(len(keys), np.int64)
        np.add.at(sums, which, np.concatenate(self._signs))
        k, rows = np.divmod(keys[sums > 0], _ROWS)
        edges = np.flatnonzero(np.diff(k // cells, prepend=-1))
        for begin, end in pairwise([*edges.tolist(), len(k)]):
            yield k[begin:end], rows[begin:end]
