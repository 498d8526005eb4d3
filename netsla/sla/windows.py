"""All windows of the fleet, by name, and the cells they are sums of: open, at hand, or read back.

Rules: a window holds exactly the cells that entered it and have not left it. What leaves is read again as it entered; a
cell that cannot be read back any more lets the window begin anew, rather than subtract what nobody knows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from netsla.model import SECOND, IntArray, RowArray, Span
from netsla.sla.accounts import Accounts, Change
from netsla.sla.blanks import Blanks
from netsla.sla.downtime import Downtime
from netsla.sla.duty import Duty
from netsla.sla.fleet import Fleet
from netsla.sla.interval import Cell, OpenCell, PackedCell
from netsla.sla.standing import BoolArray
from netsla.sla.tally import Column, Spectrum
from netsla.sla.window import Window

_KEEP_SECONDS = 3700  # closed cells kept at hand: the 1 h window gives them back
_YEAR_SECONDS = 366 * 86_400  # no calendar window is longer

NOTHING = Spectrum(np.empty(0, np.int64), np.empty(0, np.uint32))

ReadCell = Callable[[int], tuple[IntArray, Spectrum] | None]
ReadRows = Callable[[IntArray, IntArray], IntArray | None]  # cells and rows in pairs, of one hour: (columns, pairs)


class Windows(Mapping[str, Window]):
    """Windows over the cells of one grid; made anew where the grid begins anew."""

    duty: Duty  # what counts, as the engine says

    def __init__(
        self,
        accounts: Accounts,
        blanks: Blanks,
        read_cell: ReadCell,
        read_rows: ReadRows | None,
        *,
        scoped: bool = True,
    ) -> None:
        """`scoped`: whether it is kept apart what fell into down time (for scope `available`)."""
        self.open: dict[int, OpenCell] = {}
        self._recent: deque[PackedCell] = deque()
        self._windows: dict[str, Window] = {}
        self._accounts, self._blanks, self._read_cell = accounts, blanks, read_cell
        self._read_rows, self._scoped = read_rows, scoped
        self._noted: Downtime | None = None  # while a long past is told
        self._rows = 0

    def __getitem__(self, name: str) -> Window:
        return self._windows[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._windows)

    def __len__(self) -> int:
        return len(self._windows)

    # --- layout -------------------------------------------------------------------------------------

    def load(self, fleet: Fleet, duty: Duty, columns: int, k: int, next_k: int) -> None:
        """Cover exactly the windows of a fleet at cell `k`; new ones begin at `next_k`, the oldest cell still open."""
        self.duty, self._rows = duty, fleet.rows
        old, self._windows = self._windows, {}
        for name, span in fleet.windows.items():
            window = self._windows[name] = old.get(name) or _begin(span, columns, next_k)
            rows = fleet.window_rows[name]
            window.hold(_most(span, fleet))
            coming = rows[np.pad(window.place, (0, fleet.rows - len(window.place)), constant_values=-1)[rows] < 0]
            window.cover(rows, fleet.fresh_rows, fleet.rows, columns, k)
            self._add_open(window, coming)

    def enter_periods(self, next_k: int, fleet: Fleet) -> None:
        """Calendar windows whose period is over begin the next one, once its last cell is closed (and was judged)."""
        for window in self.values():
            if window.span.calendar:
                entering, again = self._accounts.enter(window, next_k, fleet)
                if len(entering):
                    self._add_open(window, again)
                    self._blanks.count(window, self._accounts, self.duty, entering)

    # --- what they hold -----------------------------------------------------------------------------

    def add(self, k: int, matrix: IntArray, spectrum: Spectrum, sign: int = 1) -> None:
        """Add what was counted for cell `k` (or, with `sign` -1, take it away again) wherever it belongs."""
        away = self.away(k)
        for window in self._holding(k):
            window.add(k, matrix, spectrum, sign, away)

    def _add_open(self, window: Window, rows: RowArray) -> None:
        """What has come in of these rows in open cells."""
        for k, cell in self.open.items():
            wanted = mask_of(rows, cell.matrix.shape[1])
            spectrum = Spectrum.merge(cell.spectra).where(wanted)
            away = self.away(k)
            away = None if away is None else away[wanted[away]]
            window.add(k, np.where(wanted, cell.matrix, 0), spectrum, away=away)

    def away(self, k: int) -> RowArray | None:
        """Rows whose packets do not count in cell `k`."""
        here = self.duty.at(k)
        if not here.any_away:
            return None
        place = self._blanks.place
        rows: RowArray = np.flatnonzero((place >= 0) & here.away[place]).astype(np.int32)
        return rows

    def _holding(self, k: int) -> list[Window]:
        """Windows that may hold cell `k`."""
        return [window for window in self.values() if k >= window.first_k or window.span.calendar]

    def mark(self, turned: Change) -> None:
        """A cell of some places turned down, or up again."""
        if not self._scoped:
            return
        rows = self._accounts.rows_of(turned.places)
        if self._noted is not None:
            self._noted.note(turned.k, rows, down=turned.down)
            return
        cell = self.cell_at(turned.k)
        if cell is not None and len(rows):
            for window in self._holding(turned.k):
                window.mark_down(turned.k, cell[0], rows, 1 if turned.down else -1)

    @contextmanager
    def telling(self, cells: int) -> Iterator[None]:
        """A long past is told: what is down time at its end is marked then, `cells` of the grid at once."""
        self._noted = noted = Downtime()
        yield
        self._noted = None
        for k, rows in noted.left(cells):
            figures = (self._read_rows or self._rows_of_cells)(k, rows)
            if figures is not None:
                for window in self.values():
                    window.count_down(k, rows, figures)

    def _rows_of_cells(self, k: IntArray, rows: IntArray) -> IntArray:
        """Single rows of cells that are read whole; nothing where that cannot be."""
        read = {number: self.cell_at(number) for number in np.unique(k).tolist()}
        figures = np.zeros((max((len(cell[0]) for cell in read.values() if cell), default=0), len(k)), np.int64)
        for number, cell in read.items():
            if cell is not None:
                figures[: len(cell[0]), k == number] = cell[0][:, rows[k == number]]
        return figures

    def leave_out(self, k: int, matrix: IntArray, rows: RowArray, sign: int = 1) -> None:
        """Say (or, with `sign` -1, unsay) that these rows' packets of a cell do not count."""
        for window in self._holding(k):
            window.mark_away(k, matrix, rows, sign)

    def recount(self, before: Duty, places: IntArray, from_k: int, next_k: int) -> None:
        """Other time counts at these places from cell `from_k` on than `before`; `next_k` is the oldest open cell."""
        held = [int(w.since_k[w.member].min(initial=next_k)) if w.span.calendar else w.first_k for w in self.values()]
        for k in range(max(from_k, min(held, default=from_k)), max([next_k, *(k + 1 for k in self.open)])):
            self._recount_cell(k, places, before)
        self.count_missing(self._accounts.rows_of(places))

    def _recount_cell(self, k: int, places: IntArray, before: Duty) -> None:
        was, now = before.at(k), self.duty.at(k)
        turned = was.away[places] != now.away[places]
        if not turned.any():
            return
        cell = self.open[k].matrix if k in self.open else (self.cell_at(k) or (None,))[0]
        if cell is None:
            return
        for away in (True, False):
            rows = self._accounts.rows_of(places[turned & (now.away[places] == away)])
            self.leave_out(k, cell, rows, 1 if away else -1)

    def count_missing(self, rows: RowArray | None = None) -> None:
        """Work out anew what is missing of these rows (of all, unless said)."""
        for window in self.values():
            mine = window.rows[window.member]
            self._blanks.count(window, self._accounts, self.duty, mine if rows is None else np.intersect1d(mine, rows))

    # --- closed cells -------------------------------------------------------------------------------

    def keep(self, cell: Cell) -> None:
        """A cell was closed: it stays at hand for an hour."""
        self._recent.append(PackedCell.of(cell))
        while self._recent[0].k < cell.k - _KEEP_SECONDS // cell.seconds:
            self._recent.popleft()

    def drop(self, from_k: int) -> None:
        """Cells from `from_k` on will be closed again."""
        while self._recent and self._recent[-1].k >= from_k:
            self._recent.pop()

    def cell_at(self, k: int) -> tuple[IntArray, Spectrum] | None:
        """What a closed cell held that windows may count; None if it cannot be known any more."""
        if self._recent and self._recent[0].k <= k <= self._recent[-1].k:
            packed = self._recent[k - self._recent[0].k]
            return packed.open() if packed.k == k else None
        if self._blanks.at(k):
            return np.zeros((Column.LE, self._rows), np.int64), NOTHING
        return self._read_cell(k)

    # --- sliding ------------------------------------------------------------------------------------

    def slide(self, k: int, seconds: int) -> None:
        """Cell `k`, of so many seconds, was closed: rolling windows let go what is older than they are long."""
        for window in self.values():
            if window.span.calendar:
                continue
            keep = -(-window.span.seconds // seconds)
            while window.first_k <= k - keep:
                self._expire(window, window.first_k)
                window.first_k += 1
            if self._blanks.any_since(window.first_k - 1):
                self._blanks.count(window, self._accounts, self.duty, window.rows[window.member])

    def slide_over(self, first_k: int, end_k: int, seconds: int) -> None:
        """Slide rolling windows over cells [first, end), of which there is no record."""
        self._recent.clear()
        for window in self.values():
            if not window.span.calendar:
                self._slide_over(window, first_k, end_k, end_k - -(-window.span.seconds // seconds))
        self.count_missing()

    def _slide_over(self, window: Window, first_k: int, end_k: int, begin_k: int) -> None:
        if begin_k >= first_k:
            window.empty()
            self._add_open(window, window.rows[window.member])
            self._accounts.keep_silence(window.span.name, begin_k, end_k)
        else:
            for k in range(window.first_k, begin_k):
                self._expire(window, k)
        window.first_k = max(window.first_k, begin_k)

    def _expire(self, window: Window, k: int) -> None:
        down = self._accounts.expire(window.span.name, k)
        cell = self.cell_at(k)
        if cell is None:
            self._rebuild(window, k + 1)
            return
        window.add(k, *cell, -1, self.away(k))
        if len(down) and self._scoped:
            window.mark_down(k, cell[0], down, sign=-1)

    def _rebuild(self, window: Window, k: int) -> None:
        """A cell cannot be read back: begin anew from what can, rather than guess."""
        window.restart(window.member, k)
        for packed in self._recent:
            if packed.k >= k:
                window.add(packed.k, *packed.open(), away=self.away(packed.k))
        for number, cell in self.open.items():
            window.add(number, cell.matrix, Spectrum.merge(cell.spectra), away=self.away(number))


def _begin(span: Span, columns: int, first_k: int) -> Window:
    window = Window(span, columns)
    window.first_k = first_k
    return window


def _most(span: Span, fleet: Fleet) -> int:
    """The most samples of one probe that a window can hold."""
    shortest_ns = min((probe.spec.interval_ns for probe in fleet.watched), default=SECOND)
    seconds = (span.seconds or _YEAR_SECONDS) + 2 * fleet.seconds + fleet.timeout_ns // SECOND + 1
    return seconds * SECOND // shortest_ns


def mask_of(rows: RowArray, capacity: int) -> BoolArray:
    """True at these rows of so many."""
    mask = np.zeros(capacity, bool)
    mask[rows] = True
    return mask
