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
from concurrent.futures import CancelledError, Future
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from netsla.model import SECOND, Reason
from netsla.sla.interval import NO_REASON, Cell
from netsla.store import fleetview, keeping
from netsla.store.archive import Archive, Look
from netsla.store.database import Database, Schema
from netsla.store.journal import DROPPED, RESCUED, write_note
from netsla.store.keeping import Retention
from netsla.store.layout import Layout
from netsla.store.press import BrokenError, pack_cell, unpack_cell
from netsla.store.rescue import Rescue
from netsla.store.sealing import Total
from netsla.store.tables import DAY, HOUR, LEDGER, layout_id

log = logging.getLogger(__name__)

_GRACE_S = 300  # an hour is sealed so long after its end: its last interval is surely closed and written
_TURN_S = 30.0  # how often the sealing thread looks
_BREATH_S = 0.002  # pause between two blocks: others get the processor
_LONG_S = 600.0  # a sealed hour waits for the writer so long


class _Waiting(NamedTuple):
    """A cell not yet on the disk, pressed."""

    k: int
    seconds: int
    body: bytes
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
        self._dropped: list[int] = []  # starts of cells given up since the last note of it
        self.lost_starts: set[int] = set()  # of cells this process gave up
        self._open: tuple[list[tuple[int, int, bytes]], Layout] | None = None  # start, seconds, pressed cell
        self._retire_at = time.monotonic() + self._retention.pace_s
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
        """Record a closed interval of the whole fleet; row r of the cell belongs to `layout.lanes[r]`.

        Costs the caller about 0.7 ms per 1,000 rows, for pressing: what waits must be small.
        """
        start = cell.k * cell.seconds
        waiting = _Waiting(cell.k, cell.seconds, pack_cell(cell), layout)
        with self._lock:
            self._waiting[start] = waiting
        future = self.database.submit(
            partial(_write_cell, waiting=waiting), weight=len(waiting.body), dropped=partial(self._drop, start)
        )
        future.add_done_callback(lambda _done: self._forget(start, waiting))
        return future

    def keep_open(self, cells: list[Cell], layout: Layout) -> None:
        """Keep what the open cells hold so far: all that a kill would otherwise lose. Call it every few seconds."""
        kept = [(cell.k * cell.seconds, cell.seconds, pack_cell(cell)) for cell in cells]
        with self._lock:
            queued, self._open = self._open is not None, (kept, layout)
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
        return (unpack_cell(waiting.k, waiting.seconds, waiting.body), waiting.layout) if waiting else None

    def _forget(self, start: int, waiting: _Waiting) -> None:
        with self._lock:
            if self._waiting.get(start) is waiting:
                del self._waiting[start]

    def _drop(self, start: int) -> None:
        with self._lock:
            self._dropped.append(start)
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
            rows = [(start, seconds, number, body) for start, seconds, body in cells]
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
        if not self.flush():
            return 0  # what belongs to these hours still waits
        with self.database.reader() as connection:
            found = connection.execute("SELECT DISTINCT start / ? FROM cell WHERE start < ?", (HOUR, limit * HOUR))
            hours = sorted(row[0] for row in found)
        for hour in hours:
            if self._ending.is_set():
                break
            self._seal(hour)
        self._sum_days((now_ns // SECOND - _GRACE_S) // DAY)
        if time.monotonic() >= self._retire_at:
            self._retire_at = time.monotonic() + self._retention.pace_s
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
            starts = sorted(gone)
            why = "the disk was away too long"
            self.note(DROPPED, {"first": starts[0], "last": starts[-1], "intervals": len(gone), "why": why})

    def _seal_now_and_then(self) -> None:
        while not self._ending.wait(_TURN_S):
            try:
                self.seal_due(self._now_ns())
            except (sqlite3.Error, TimeoutError, CancelledError, BrokenError) as error:
                log.warning("%s: cannot seal yet: %s", self.database.path.name, error)

    def _relieve(self, connection: sqlite3.Connection) -> bool:
        return keeping.relieve(connection, self._now_ns())

    def _rescued(self, connection: sqlite3.Connection, happened: Rescue) -> None:
        detail = {"kind": happened.kind, "aside": happened.aside, "kept": happened.kept}
        write_note(connection, self._now_ns(), RESCUED, "", detail)


def _nothing() -> None:
    """A heartbeat that is given up is no loss."""


def _write_cell(connection: sqlite3.Connection, waiting: _Waiting) -> None:
    """Record a cell; a second record of an interval is suspect, whoever counted it."""
    start, seconds, body = waiting.k * waiting.seconds, waiting.seconds, waiting.body
    before = connection.execute("SELECT body FROM cell WHERE start = ?", (start,)).fetchone()
    if before and before[0] == body:
        return
    if before or fleetview.is_sealed(Look(connection), start):
        cell = unpack_cell(waiting.k, seconds, body)
        reason = np.where(cell.reason == NO_REASON, np.uint8(Reason.CLOCK_STEP), cell.reason)
        body = pack_cell(replace(cell, reason=reason, standing=np.full_like(cell.standing, -1)))
    row = (start, seconds, layout_id(connection, waiting.layout), body)
    connection.execute("INSERT OR REPLACE INTO cell (start, seconds, layout, body) VALUES (?, ?, ?, ?)", row)
    connection.execute("DELETE FROM open WHERE start <= ?", (start,))
