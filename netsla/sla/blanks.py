"""Time of which there is no record: probes that were due in it are missing from every figure that counts packets.

Rules: before a row's first recorded cell, and in the gaps afterwards, what was due counts as missing, interval by
interval, just as a report counts it (packets.py). Time that was recorded as unmeasured is not meant.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netsla.model import IntArray, RowArray
from netsla.sla.accounts import Accounts
from netsla.sla.duty import Duty
from netsla.sla.fleet import Fleet
from netsla.sla.window import Window


@dataclass(frozen=True, slots=True, eq=False)
class Blank:
    """Nothing is recorded of these rows in cells [first, end)."""

    first_k: int
    end_k: int
    rows: RowArray


class Blanks:
    """Gaps in the record, by row."""

    def __init__(self) -> None:
        self.first_k: IntArray = np.zeros(0, np.int64)  # first recorded cell, by row
        self.place: RowArray = np.zeros(0, np.int32)  # endpoint of each row, -1 without
        self._interval_ns = np.ones(0, np.int64)
        self._gaps: list[Blank] = []

    def load(self, fleet: Fleet, k: int) -> None:
        """Take a new layout; fresh rows are recorded from cell `k` on."""
        self.first_k = np.pad(self.first_k, (0, fleet.rows - len(self.first_k)), constant_values=k)
        self.first_k[fleet.fresh_rows] = k
        self.place = np.full(fleet.rows, -1, np.int32)
        self._interval_ns = np.ones(fleet.rows, np.int64)
        for probe in fleet.probes:
            self.place[probe.row], self._interval_ns[probe.row] = probe.endpoint, probe.spec.interval_ns

    def forget(self) -> None:
        """Begin anew."""
        self._gaps.clear()

    def add(self, first_k: int, end_k: int, rows: RowArray) -> None:
        """A gap; one that goes on where the last of the same rows ended is one with it."""
        last = self._gaps[-1] if self._gaps else None
        if last is not None and last.end_k == first_k and np.array_equal(last.rows, rows):
            self._gaps[-1] = Blank(last.first_k, end_k, rows)
        elif first_k < end_k and len(rows):
            self._gaps.append(Blank(first_k, end_k, rows))

    def at(self, k: int) -> bool:
        """Whether nothing at all is recorded of cell `k`, as far as is known here."""
        return any(gap.first_k <= k < gap.end_k and len(gap.rows) == len(self.first_k) for gap in self._gaps)

    def count(self, window: Window, accounts: Accounts, duty: Duty, rows: RowArray) -> None:
        """Work out what these rows miss in a window."""
        rows = rows[(window.place[rows] >= 0) & (self.place[rows] >= 0)]
        if not len(rows):
            return
        begin = accounts.begin_k(window.span.name)[self.place[rows]]
        if not window.span.calendar:
            begin = np.maximum(begin, window.first_k)
        total = np.zeros(len(rows), np.int64)
        if window.span.calendar:
            self._due(total, duty, rows, begin, self.first_k[rows])
        for gap in self._gaps:
            mine = np.isin(rows, gap.rows)
            first = np.maximum(np.maximum(begin, gap.first_k), self.first_k[rows])
            self._due(total, duty, rows, np.where(mine, first, gap.end_k), np.full(len(rows), gap.end_k))
        window.missing[window.place[rows]] = total

    def _due(self, total: IntArray, duty: Duty, rows: RowArray, first_k: IntArray, end_k: IntArray) -> None:
        ranges = np.stack([first_k, end_k])
        for a, b in np.unique(ranges[:, first_k < end_k], axis=1).T.tolist():
            mine = (first_k == a) & (end_k == b)
            total[mine] += duty.due(self.place[rows[mine]].astype(np.int64), self._interval_ns[rows[mine]], a, b)

    def any_since(self, k: int) -> bool:
        """Whether a gap reaches past cell `k`; older ones are let go by `drop`."""
        return any(gap.end_k > k for gap in self._gaps)

    def drop(self, before_k: int) -> None:
        """Gaps that every window has left."""
        self._gaps = [gap for gap in self._gaps if gap.end_k > before_k]
