"""Cells given back to the live windows: what leaves a long window is read again, an hour ahead of time.

Rules: a sealed hour is unpressed once, on a thread of its own, and kept as pressed cells (about 15 bytes a probe
and cell); two hours per window length are enough. Asked from the engine's thread; rows by the layout in force.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor

from netsla.sla.interval import Cell
from netsla.store import fleetview
from netsla.store.layout import Layout, relocate
from netsla.store.ledger import Ledger
from netsla.store.press import BrokenError, pack_cell, unpack_cell
from netsla.store.tables import HOUR

log = logging.getLogger(__name__)

_HOURS = 8  # kept: the one in use and the next, for four windows
_AHEAD_S = 1200  # the next hour is fetched when so much is left of this one

_Hour = dict[int, list[tuple[int, bytes, Layout]]]  # by start: parts of a cell: seconds, pressed, its layout


class Recall:
    """Reads cells back. `layout` may be exchanged at a reload."""

    def __init__(self, ledger: Ledger, layout: Layout) -> None:
        self.layout = layout
        self._ledger = ledger
        self._lock = threading.Lock()
        self._whole: set[int] = set()  # hours that were sealed when they were fetched
        self._said: set[int] = set()  # hours of which it was said that they cannot be read
        self._hours: OrderedDict[int, Future[_Hour]] = OrderedDict()
        self._worker = ThreadPoolExecutor(1, "recall")

    def cell(self, k: int, seconds: int) -> Cell | None:
        """The cell by the rows in force; empty if nothing was measured then, None if it cannot be known."""
        start = k * seconds
        waiting = self._ledger.waiting_cell(start)
        if waiting:
            return relocate(k, seconds, [waiting], self.layout)
        if start in self._ledger.lost_starts:
            return None
        try:
            hour = self._hour(start // HOUR).result()
            if start not in hour:
                hour = self._read_since(start)
        except (sqlite3.Error, BrokenError) as error:
            if start // HOUR not in self._said:
                self._said.add(start // HOUR)  # once for all of its cells
                log.warning("%s: an hour cannot be read back: %s", self._ledger.database.path.name, error)
            self._forget(start // HOUR)
            return None
        if start % HOUR >= HOUR - _AHEAD_S:
            self._hour(start // HOUR + 1)
        parts = hour.get(start, [])
        grid = parts[0][0] if parts else seconds
        cells = [(unpack_cell(start // grid, grid, body), layout) for _, body, layout in parts]
        return relocate(start // grid, grid, cells, self.layout)

    def close(self) -> None:
        """End the thread."""
        self._worker.shutdown(wait=True, cancel_futures=True)

    def _hour(self, hour: int) -> Future[_Hour]:
        with self._lock:
            if hour not in self._hours:
                self._hours[hour] = self._worker.submit(self._read, hour)
                while len(self._hours) > _HOURS:
                    self._whole.discard(self._hours.popitem(last=False)[0])
            self._hours.move_to_end(hour)
            return self._hours[hour]

    def _forget(self, hour: int) -> None:
        with self._lock:
            self._hours.pop(hour, None)
            self._whole.discard(hour)

    def _read(self, hour: int) -> _Hour:
        found: _Hour = {}
        with self._ledger.archive.open() as look:
            if look.is_sealed(hour):
                self._whole.add(hour)
            for cell, layout in fleetview.cells_of_hour(look, hour):
                found.setdefault(cell.k * cell.seconds, []).append((cell.seconds, pack_cell(cell), layout))
        return found

    def _read_since(self, start: int) -> _Hour:
        """It was written, and may have been sealed, after its hour was fetched; or there never was such a cell."""
        with self._ledger.archive.open() as look:
            found = [(cell.seconds, pack_cell(cell), layout) for cell, layout in look.cells(start, start + 1)]
            was_sealed_since = start // HOUR not in self._whole and look.is_sealed(start // HOUR)
        if found:
            return {start: found}
        if was_sealed_since:
            self._forget(start // HOUR)
            return self._hour(start // HOUR).result()
        return {}
