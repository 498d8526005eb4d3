"""The ledger: every closed interval of every probe, and what else a settlement must know, kept for years.

Rules: owns ledger.db. `append` and the other writes only queue; the writer thread (database.py) does the rest. Whole
hours are sealed into chained blocks by a thread of this class. Append-only: an interval that is handed over a second
time was lived through twice, because the clock went back; the later record counts, its rows are suspect
(CLOCK_STEP), and if the first is sealed already, both stand in the chain. Wall time comes from `now_ns`.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from netsla.model import SECOND, Reason
from netsla.sla.interval import NO_REASON, Cell
from netsla.store import fleetview, keeping
from netsla.store.archive import Archive, Look
from netsla.store.database import Database, Schema
from netsla.store.journal import DROPPED, RESCUED, write_note
from netsla.store.keeping import Retention
from netsla.store.layout import Layout
from netsla.store.press import BrokenError, pack_cell
from netsla.store.rescue import Rescue
from netsla.store.sealing import Total
from netsla.store.tables import DAY, HOUR, LEDGER, layout_id

log = logging.getLogger(__name__)

_GRACE_S = 300  # an hour is sealed so long after its end: its last interval is surely closed and written
_TURN_S = 30.0  # how often the sealing thread looks
_BREATH_S = 0.002  # pause between two blocks: others get the processor
_LONG_S = 600.0  # a sealed hour waits for the writer so long


@dataclass(slots=True)
class _Waiting:
    """A cell not yet on the disk."""

    cell: Cell
    layout: Layout


class Ledger:
    """The writing side. Every method may be called from any thread and returns at once."""

    def __init__(
        self,
        path: Path,
        *,
        quota_bytes: int = 50 * 2**30,
        backlog_bytes: int = 64 * 2**20,
        retention: Retention | None = None,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._now_ns = now_ns
        self._retention = retention or Retention()
        schema = Schema(LEDGER, "NORMAL", 1024, self._relieve, self._rescued)
        self.database = Database(path, schema, quota_bytes=quota_bytes, backlog_bytes=backlog_bytes)
        self.archive = Archive(path)
        self._lock = threading.Lock()
        self._waiting: OrderedDict[int, _Waiting] = OrderedDict()
        self._dropped: list[tuple[int, int]] = []  # (start, seconds) of cells given up since the last note of it
        self.lost_starts: set[int] = set()  # of cells this process gave up
        self._open: tuple[list[Cell], Layout] | None = None
        self._ending = threading.Event()
        self._sealer = threading.Thread(target=self._seal_now_and_then, name="seal-ledger", daemon=True)

    # --- life ---------------------------------------------------------------------------------------

    def start(self) -> None:
        """Open the file and begin to write and to seal."""
        self.database.start()
        self._sealer.start()

    def close(self, seconds: float = 10.0) -> None:
        """Write what waits, at most for so long."""
        self._ending.set()
        if self._sealer.is_alive():
            self._sealer.join(seconds)
        self.database.close(seconds)

    def problems(self) -> tuple[str, ...]:
        """What stands between the ledger and the disk now."""
        return self.database.problems()

    # --- writing ------------------------------------------------------------------------------------

    def append(self, cell: Cell, layout: Layout) -> Future[Any]:
        """Record a closed interval of the whole fleet; row r of the cell belongs to `layout.lanes[r]`."""
        start = cell.k * cell.seconds
        waiting = _Waiting(cell, layout)
        with self._lock:
            self._waiting[start] = waiting
        weight = cell.matrix.shape[1] * 40  # measured: pressed, with its histogram
        pressed: list[bytes] = []

        def write(connection: sqlite3.Connection) -> None:
            if not pressed:
                pressed.append(pack_cell(cell))
            _write_cell(connection, cell, layout, pressed[0])

        future = self.database.submit(write, weight=weight, dropped=lambda: self._drop(start, cell.seconds))
        future.add_done_callback(lambda _done: self._forget(start, waiting))
        return future

    def keep_open(self, cells: list[Cell], layout: Layout) -> None:
        """Keep what the open cells hold so far: all that a kill would otherwise lose. Call it every few seconds."""
        with self._lock:
            queued, self._open = self._open is not None, (cells, layout)
        if not queued:
            self.database.submit(self._write_open)

    def note(self, kind: str, detail: dict[str, Any], *, agreement: str = "", at_ns: int | None = None) -> Future[int]:
        """Add a note to the journal; the future holds its id."""
        at = self._now_ns() if at_ns is None else at_ns
        return self.database.submit(lambda connection: write_note(connection, at, kind, agreement, detail))

    def beat(self, started_ns: int, now_ns: int) -> None:
        """Say that the agent is alive."""
        row = (started_ns, now_ns)
        query = "INSERT OR REPLACE INTO pulse (id, started_ns, last_ns) VALUES (1, ?, ?)"
        self.database.submit(lambda connection: connection.execute(query, row) and None, dropped=_nothing)

    def flush(self, seconds: float = 10.0) -> bool:
        """Wait until everything queued so far is written; whether it is."""
        try:
            self.database.submit(lambda _connection: None).result(seconds)
        except TimeoutError:
            return False
        return True

    def waiting_cell(self, start: int) -> tuple[Cell, Layout] | None:
        """A cell that is not on the disk yet."""
        with self._lock:
            waiting = self._waiting.get(start)
        return (waiting.cell, waiting.layout) if waiting else None

    def _forget(self, start: int, waiting: _Waiting) -> None:
        with self._lock:
            if self._waiting.get(start) is waiting:
                del self._waiting[start]

    def _drop(self, start: int, seconds: int) -> None:
        with self._lock:
            self._dropped.append((start, seconds))
            self.lost_starts.add(start)

    def _write_open(self, connection: sqlite3.Connection) -> None:
        with self._lock:
            kept, self._open = self._open, None
        if kept is None:
            return
        cells, layout = kept
        try:
            connection.execute("DELETE FROM open")
            number = layout_id(connection, layout)
            rows = [(cell.k * cell.seconds, cell.seconds, number, pack_cell(cell)) for cell in cells]
            connection.executemany("INSERT INTO open (start, seconds, layout, body) VALUES (?, ?, ?, ?)", rows)
        except sqlite3.Error:
            with self._lock:
                self._open = self._open or kept
            raise

    # --- sealing ------------------------------------------------------------------------------------

    def seal_due(self, now_ns: int) -> int:
        """Seal every hour that is over, then let go what retention lets go; returns the hours sealed."""
        limit = (now_ns // SECOND - _GRACE_S) // HOUR
        self._note_dropped()
        with self.database.reader() as connection:
            found = connection.execute("SELECT DISTINCT start / ? FROM cell WHERE start < ?", (HOUR, limit * HOUR))
            hours = sorted(row[0] for row in found)
        for hour in hours:
            if self._ending.is_set():
                break
            self._seal(hour)
        self._sum_days((now_ns // SECOND - _GRACE_S) // DAY)
        self.database.submit(lambda connection: keeping.retire(connection, self._retention, now_ns)).result(_LONG_S)
        return len(hours)

    def _seal(self, hour: int) -> None:
        with self.database.reader() as connection:
            connection.execute("BEGIN")
            sealed = keeping.prepare(Look(connection), hour, lambda: self._ending.wait(_BREATH_S))
        at_ns = self._now_ns()
        corrects = self.database.submit(lambda connection: keeping.commit(connection, sealed, at_ns)).result(_LONG_S)
        if corrects:
            with self.database.reader() as connection:
                totals = fleetview.hour_totals(Look(connection), hour)
            self._write_totals(totals)

    def _sum_days(self, before: int) -> None:
        with self.database.reader() as connection:
            days = keeping.days_to_sum(connection, before)
            totals = [keeping.total_of_day(Look(connection), day) for day in days]
        self._write_totals(totals)

    def _write_totals(self, totals: list[Total]) -> None:
        for total in totals:
            work = partial(keeping.write_total, total=total)
            self.database.submit(work).result(_LONG_S)

    def _note_dropped(self) -> None:
        with self._lock:
            gone, self._dropped = self._dropped, []
        if gone:
            starts = sorted(start for start, _ in gone)
            why = "the disk was away too long"
            self.note(DROPPED, {"first": starts[0], "last": starts[-1], "intervals": len(gone), "why": why})

    def _seal_now_and_then(self) -> None:
        while not self._ending.wait(_TURN_S):
            try:
                self.seal_due(self._now_ns())
            except (sqlite3.Error, TimeoutError, BrokenError) as error:
                log.warning("%s: cannot seal yet: %s", self.database.path.name, error)

    def _relieve(self, connection: sqlite3.Connection) -> bool:
        return keeping.relieve(connection, self._now_ns())

    def _rescued(self, connection: sqlite3.Connection, happened: Rescue) -> None:
        detail = {"kind": happened.kind, "aside": happened.aside, "kept": happened.kept}
        write_note(connection, self._now_ns(), RESCUED, "", detail)


def _nothing() -> None:
    """A heartbeat that is given up is no loss."""


def _write_cell(connection: sqlite3.Connection, cell: Cell, layout: Layout, body: bytes) -> None:
    """Record a cell; a second record of an interval is suspect, whoever counted it."""
    start = cell.k * cell.seconds
    before = connection.execute("SELECT body FROM cell WHERE start = ?", (start,)).fetchone()
    if before and before[0] == body:
        return
    sealed = connection.execute("SELECT 1 FROM block WHERE hour = ? LIMIT 1", (start // HOUR,)).fetchone()
    if before or sealed:
        reason = np.where(cell.reason == NO_REASON, np.uint8(Reason.CLOCK_STEP), cell.reason)
        cell = replace(cell, reason=reason, standing=np.full_like(cell.standing, -1))
        body = pack_cell(cell)
    row = (start, cell.seconds, layout_id(connection, layout), body)
    connection.execute("INSERT OR REPLACE INTO cell (start, seconds, layout, body) VALUES (?, ?, ?, ?)", row)
    connection.execute("DELETE FROM open WHERE start <= ?", (start,))
