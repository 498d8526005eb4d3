"""Windows: running sums of cells, slid by adding what comes and subtracting what expires.

Rules: a rolling window of W seconds holds the last W / Δt closed cells *and* what has come in of the
open ones, so it is always fresh and never shows less than W. A calendar window holds everything since
its period began in the agreement's zone. A window covers some probes: probe (row) r sits at `place[r]`.
Counts of a row's earlier life (`since_k`) are never mixed in.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from netsla.model import IntArray, RowArray, Span
from netsla.sla.histogram import BUCKETS, Counts, FloatArray, quantiles
from netsla.sla.tally import Spectrum

_FOREVER = np.iinfo(np.int64).max


class Window:
    """One window over the probes that have it.

    `matrix` (columns, places) counts everything, `away` the part of it that was sent in time that does not count
    (excluded, or outside service hours), `down` the part that fell in down time (for scope `available`); no cell
    is in both. `missing` (places) are probes that were due in time of which there is no record. `histogram` is
    dense, (places, BUCKETS).
    """

    def __init__(self, span: Span, columns: int) -> None:
        self.span = span
        self.place: RowArray = np.full(0, -1, np.int32)
        self.rows: RowArray = np.empty(0, np.int32)  # by place; -1: the place is free
        self._in_order = True  # whether each place is its row's number: then nothing has to be looked up
        self.since_k: IntArray = np.empty(0, np.int64)  # by place
        self.until_k: IntArray = np.empty(0, np.int64)  # by place: end of the calendar period
        self.matrix: IntArray = np.zeros((columns, 0), np.int64)
        self.away: IntArray = np.zeros((columns, 0), np.int64)
        self.down: IntArray = np.zeros((columns, 0), np.int64)
        self.missing: IntArray = np.zeros(0, np.int64)
        self.any_away = False  # whether `away` ever held anything
        self.histogram: Counts = np.zeros((0, BUCKETS), np.uint16)  # widened when it must hold more
        self._lowest, self._highest = BUCKETS, 0  # of the buckets that were ever used: all others are 0
        self.first_k = -1  # oldest closed cell inside (rolling windows)

    def cover(self, rows: RowArray, fresh: RowArray, capacity: int, columns: int, k: int) -> None:
        """Cover exactly these rows; those in `fresh` (or not covered before) begin at cell `k`."""
        self.matrix = np.pad(self.matrix, ((0, columns - len(self.matrix)), (0, 0)))
        self.away = np.pad(self.away, ((0, columns - len(self.away)), (0, 0)))
        self.down = np.pad(self.down, ((0, columns - len(self.down)), (0, 0)))
        self.place = np.pad(self.place, (0, capacity - len(self.place)), constant_values=-1)
        wanted = np.zeros(capacity, bool)
        wanted[rows] = True
        had = self.place >= 0
        leaving = np.flatnonzero(had & ~wanted)
        self.rows[self.place[leaving]] = -1
        self.place[leaving] = -1
        begin = np.zeros(capacity, bool)
        begin[fresh] = True
        begin |= ~had
        coming = np.flatnonzero(wanted & ~had)
        free = np.flatnonzero(self.rows < 0)
        if len(coming) > len(free):
            free = np.concatenate([free, self._extend(len(coming) - len(free))])
        self.place[coming] = free[: len(coming)]
        self.rows[free[: len(coming)]] = coming
        self._in_order = bool((self.rows == np.arange(len(self.rows))).all())
        self.restart(self.place[np.flatnonzero(wanted & begin)], k)

    def hold(self, most: int) -> None:
        """Make sure that a bucket can count `most` samples."""
        if most > np.iinfo(self.histogram.dtype).max:
            self.histogram = self.histogram.astype(np.uint32)

    def _extend(self, more: int) -> IntArray:
        old = len(self.rows)
        self.rows = np.pad(self.rows, (0, more), constant_values=-1)
        self.since_k, self.until_k = np.pad(self.since_k, (0, more)), np.pad(self.until_k, (0, more))
        self.matrix, self.away, self.down = (
            np.pad(table, ((0, 0), (0, more))) for table in (self.matrix, self.away, self.down)
        )
        self.missing = np.pad(self.missing, (0, more))
        grown: Counts = np.zeros((old + more, BUCKETS), self.histogram.dtype)
        grown[:old] = self.histogram
        self.histogram = grown
        return np.arange(old, old + more)

    def empty(self) -> None:
        """All that was counted has left; who counts from when stays as it is."""
        self.matrix[:] = self.away[:] = self.down[:] = 0
        self.missing[:] = 0
        self.histogram[:] = 0

    def restart(self, places: npt.NDArray[np.integer[Any]], k: int) -> None:
        """Empty these places: they count from cell `k` on."""
        if len(places):
            self.matrix[:, places] = self.away[:, places] = self.down[:, places] = 0
            self.missing[places] = 0
            if self._lowest <= self._highest:  # what was never written to needs no memory yet, and no time
                self.histogram[places, self._lowest : self._highest + 1] = 0
            self.since_k[places] = k
            self.until_k[places] = _FOREVER

    def quantiles(self, shares: tuple[Fraction, ...], places: npt.NDArray[np.integer[Any]]) -> FloatArray:
        """As :func:`netsla.sla.histogram.quantiles`, of these places (or of sums of them)."""
        used = self.histogram[:, self._lowest : self._highest + 1]
        return quantiles(used, shares, places, self._lowest)

    @property
    def member(self) -> RowArray:
        """Places in use."""
        return np.flatnonzero(self.rows >= 0).astype(np.int32)

    def add(self, k: int, matrix: IntArray, spectrum: Spectrum, sign: int = 1, away: RowArray | None = None) -> None:
        """Add what was counted for cell `k` (or, with `sign` -1, take it away again).

        `away` are the rows for which it does not count.
        """
        whole = self._in_order and matrix.shape[1] == len(self.rows) and self._all_count(k)
        here: slice | RowArray = slice(None)
        part = matrix
        if not whole:
            here, rows = self._counting(k, matrix.shape[1])
            part = matrix[:, rows]
        if sign > 0:
            self.matrix[: len(part), here] += part
        else:
            self.matrix[: len(part), here] -= part
        self._spread(spectrum, sign, None if whole else k)
        if away is not None and len(away):
            self.mark_away(k, matrix, away, sign)

    def mark_away(self, k: int, matrix: IntArray, rows: RowArray, sign: int = 1) -> None:
        """Say that what these rows counted in cell `k` does not count (or, with `sign` -1, that it does after all)."""
        self.any_away = True
        self._mark(self.away, k, matrix, rows, sign)

    def mark_down(self, k: int, matrix: IntArray, rows: RowArray, sign: int = 1) -> None:
        """Say that cell `k` was down time for these rows (or, with `sign` -1, that it was not)."""
        self._mark(self.down, k, matrix, rows, sign)

    def count_down(self, k: IntArray, rows: IntArray, figures: IntArray) -> None:
        """Say that these cells were down time: `k` and `rows` in pairs, `figures` (columns, pairs) their counts."""
        places = self.place[rows]
        mine = (places >= 0) & (self.since_k[places] <= k) & (self.until_k[places] > k)
        if not self.span.calendar:
            mine &= k >= self.first_k
        np.add.at(self.down[: len(figures)].T, places[mine], figures[:, mine].T)

    def _mark(self, table: IntArray, k: int, matrix: IntArray, rows: RowArray, sign: int) -> None:
        rows = rows[rows < matrix.shape[1]]
        places = self.place[rows]
        mine = (places >= 0) & (self.since_k[places] <= k) & (self.until_k[places] > k)
        table[: len(matrix), places[mine]] += sign * matrix[:, rows[mine]]

    def _counting(self, k: int, rows: int) -> tuple[RowArray, RowArray]:
        """Places, and their rows, that count cell `k`, which knew `rows` rows."""
        wanted = (self.rows >= 0) & (self.since_k <= k) & (self.until_k > k) & (self.rows < rows)
        places = np.flatnonzero(wanted).astype(np.int32)
        return places, self.rows[places]

    def _all_count(self, k: int) -> bool:
        return bool(self.since_k.max(initial=0) <= k < self.until_k.min(initial=_FOREVER))

    def _spread(self, spectrum: Spectrum, sign: int, k: int | None) -> None:
        """Into the histograms of those that count cell `k`; of all, in order of rows, if it is None."""
        lowest, highest = spectrum.reach
        self._lowest, self._highest = min(self._lowest, lowest), max(self._highest, highest)
        index, counts = spectrum.keys, spectrum.counts
        if k is not None:
            row, bucket = spectrum.cells
            place = self.place[row]
            mine = (place >= 0) & (self.since_k[place] <= k) & (self.until_k[place] > k)
            index, counts = (place.astype(np.int64) * BUCKETS + bucket)[mine], counts[mine]
        spread = np.add if sign > 0 else np.subtract
        spread.at(self.histogram.reshape(-1), index, counts.astype(self.histogram.dtype))
