"""The outbox: what must be told, kept until every sink has told it.

Rules: owns outbox.db (synchronous=FULL). Events and the states they change go in by one transaction; only then does
`next` give them out. While the disk is away for longer than TELL_ANYWAY_S they are given out all the same: an alert
that a kill could repeat under another id is better than none. A sink gets at most one event per objective at a
time, the oldest, until it says `done`: so order per objective holds whatever is refused or repeated. Per sink at
most `bound` events wait; above that the waiting ones of one objective are put together into one (`collapse`).
Payloads are opaque here.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any

from netsla.store.backlog import Backlog, Collapse, Collapsed, Event, Waiting
from netsla.store.database import Database, Schema
from netsla.store.readonly import connect_readonly
from netsla.store.rescue import Rescue

TELL_ANYWAY_S = 10.0
_BOUND = 50_000  # events that wait per sink: 10,000 breaches opened and closed twice over, about 40 MB
_HISTORY = 200_000  # events kept after they were told, for `netsla breaches`
_TRIM_EVERY = 1000  # events: what was told long ago is let go so often

_PIECE, _BREATH_S = 200, 0.0005  # rows written in a row, and the pause after them

SCHEMA = (
    """
CREATE TABLE event (id TEXT PRIMARY KEY, number INTEGER NOT NULL, at_ns INTEGER NOT NULL, objective TEXT NOT NULL,
  payload BLOB NOT NULL);
CREATE UNIQUE INDEX event_order ON event (number);
CREATE TABLE pending (sink TEXT NOT NULL, number INTEGER NOT NULL, id TEXT NOT NULL, PRIMARY KEY (sink, id));
CREATE TABLE state (objective TEXT PRIMARY KEY, payload BLOB NOT NULL);
""",
)


def read_history(path: Path, since_ns: int, standing: Mapping[str, int] = MappingProxyType({})) -> list[Event]:
    """The same from the file of an agent that may not run; raises sqlite3.Error."""
    with closing(connect_readonly(path)) as connection:
        return _history(connection, since_ns, standing)


def read_states(path: Path) -> dict[str, bytes]:
    """The state of every objective that has one, likewise."""
    with closing(connect_readonly(path)) as connection:
        return _states(connection)


def _history(connection: sqlite3.Connection, since_ns: int, standing: Mapping[str, int]) -> list[Event]:
    query = "SELECT id, objective, payload, at_ns FROM event WHERE at_ns >= ? ORDER BY number"
    rows = connection.execute(query, (min((since_ns, *standing.values())),))
    return [Event(*row) for row in rows if row[3] >= min(since_ns, standing.get(row[1], since_ns))]


def _states(connection: sqlite3.Connection) -> dict[str, bytes]:
    return {row[0]: bytes(row[1]) for row in connection.execute("SELECT objective, payload FROM state")}


class Outbox:
    """Durable events for some sinks. Every method may be called from any thread and returns at once."""

    def __init__(
        self, path: Path, sinks: Sequence[str], collapse: Collapse, *, bound: int = _BOUND, history: int = _HISTORY
    ) -> None:
        schema = Schema(SCHEMA, "FULL", 4096, self._relieve, self._rescued)
        self.database = Database(path, schema, quota_bytes=2**30)
        self._collapse, self._bound, self._history = collapse, bound, history
        self._lock = threading.Lock()
        self._backlogs = {sink: Backlog() for sink in sinks}
        self._states: dict[str, bytes] = {}
        self._behind = False
        self._listeners: list[Callable[[], None]] = []
        self.version = 0  # grows with every change of states

    # --- life ---------------------------------------------------------------------------------------

    def start(self) -> Future[dict[str, bytes]]:
        """Open the file; the future holds the states as they were kept, and what waited waits again."""
        self.database.start()
        return self.database.submit(self._load)

    def close(self, seconds: float = 10.0) -> None:
        """Write what is to be written, at most for so long."""
        self.database.close(seconds)

    def problems(self) -> tuple[str, ...]:
        """What stands between the outbox and the disk now."""
        return self.database.problems()

    def listen(self, wake: Callable[[], None]) -> None:
        """Call `wake` (from another thread) whenever there may be more to tell."""
        self._listeners.append(wake)

    def ignore(self, wake: Callable[[], None]) -> None:
        """Call it no more."""
        self._listeners.remove(wake)

    def set_sinks(self, sinks: Sequence[str]) -> Future[None]:
        """From now on for these sinks; a new one begins with what comes now, what a gone one had is let go."""
        with self._lock:
            self._backlogs = {sink: self._backlogs.get(sink, Backlog()) for sink in sinks}
        return self.database.submit(lambda connection: _forget_other_sinks(connection, sinks))

    # --- in -----------------------------------------------------------------------------------------

    def put(
        self, states: Mapping[str, bytes | None], events: Sequence[Event], quiet: Sequence[Event] = ()
    ) -> Future[None]:
        """Keep changed states (None: gone) and what must be told of them, in one transaction.

        `quiet` events are kept for the history alone.
        """
        with self._lock:
            now = time.monotonic()
            waiting = [Waiting(event, now, durable=False) for event in events]
            for backlog in self._backlogs.values():
                for one in waiting:
                    backlog.add(one)
            for objective, payload in states.items():
                if payload is None:
                    self._states.pop(objective, None)
                else:
                    self._states[objective] = payload
            self.version += bool(states)
            sinks = tuple(self._backlogs)
        changed = dict(states)

        def write(connection: sqlite3.Connection) -> None:
            _write_states(connection, changed)
            self._write_events(connection, (), quiet)
            self._write_events(connection, sinks, events)

        weight = sum(len(event.payload) + 300 for event in (*events, *quiet)) + 300 * len(states)
        future = self.database.submit(write, weight=weight, dropped=self._fell_behind)
        future.add_done_callback(lambda done: self._is_durable(done, waiting))
        self._keep_bound()
        return future

    def _is_durable(self, done: Future[None], waiting: list[Waiting]) -> None:
        if done.cancelled() or done.exception() is not None:
            return
        with self._lock:
            for one in waiting:
                one.durable = True
        for wake in tuple(self._listeners):
            wake()

    # --- out ----------------------------------------------------------------------------------------

    def next(self, sink: str, limit: int = 100) -> list[Event]:
        """The oldest event of up to `limit` objectives that may be told now."""
        late = time.monotonic() - TELL_ANYWAY_S if self.database.problems() else float("-inf")
        with self._lock:
            heads = self._backlog(sink).heads()
            ready = (one.event for one in heads if one.durable or one.since < late)
            return list(islice(ready, limit))

    def done(self, sink: str, ids: Iterable[str]) -> Future[None]:
        """These were told."""
        told = tuple(ids)
        with self._lock:
            for event_id in told:
                self._backlog(sink).remove(event_id)
        rows = [(sink, event_id) for event_id in told]
        return self.database.submit(lambda connection: _delete_pending(connection, rows), dropped=self._fell_behind)

    def failed(self, sink: str, ids: Iterable[str]) -> None:
        """These were refused for now: let other objectives go first."""
        with self._lock:
            for event_id in ids:
                self._backlog(sink).postpone(event_id)

    def pending(self, sink: str) -> int:
        """How many events wait for a sink."""
        with self._lock:
            return len(self._backlog(sink))

    def states(self) -> dict[str, bytes]:
        """The state of every objective that has one."""
        with self._lock:
            return dict(self._states)

    def history(self, since_ns: int, standing: Mapping[str, int] = MappingProxyType({})) -> list[Event]:
        """Events decided since, told or not, oldest first; raises sqlite3.Error.

        `standing` says since when those of some objectives are wanted, however long ago.
        """
        with self.database.reader() as connection:
            return _history(connection, since_ns, standing)

    def _backlog(self, sink: str) -> Backlog:
        """A sink that is no more has nothing to tell."""
        return self._backlogs.get(sink, Backlog())

    # --- bound --------------------------------------------------------------------------------------

    def _keep_bound(self) -> None:
        for sink in tuple(self._backlogs):
            with self._lock:
                made = self._backlog(sink).keep_within(self._bound, self._collapse)
            if made:
                self._write_collapsed(sink, made)

    def _write_collapsed(self, sink: str, made: Sequence[Collapsed]) -> None:
        def write(connection: sqlite3.Connection) -> None:
            for gone, summary in made:
                query = "SELECT number FROM event WHERE id = ?"
                (number,) = connection.execute(query, (gone[-1].event.id,)).fetchone() or (None,)
                _delete_pending(connection, [(sink, one.event.id) for one in gone])
                self._write_events(connection, (sink,), [summary.event], number)

        future = self.database.submit(write, dropped=self._fell_behind)
        future.add_done_callback(lambda done: self._is_durable(done, [one.summary for one in made]))

    # --- disk ---------------------------------------------------------------------------------------

    def _write_events(
        self, connection: sqlite3.Connection, sinks: Sequence[str], events: Sequence[Event], place: int | None = None
    ) -> None:
        """`place` orders a summary where the last event that it stands for was."""
        (last,) = connection.execute("SELECT coalesce(max(number), 0) FROM event").fetchone()
        rows = [(e.id, number, e.at_ns, e.objective, e.payload) for number, e in enumerate(events, last + 1)]
        query = "INSERT OR IGNORE INTO event (id, number, at_ns, objective, payload) VALUES (?, ?, ?, ?, ?)"
        _execute_many(connection, query, rows)
        waiting = [(sink, row[1] if place is None else place, row[0]) for row in rows for sink in sinks]
        _execute_many(connection, "INSERT OR IGNORE INTO pending (sink, number, id) VALUES (?, ?, ?)", waiting)
        newest = last + len(rows)
        if newest // _TRIM_EVERY > last // _TRIM_EVERY:
            _delete_told(connection, newest - self._history)

    def _load(self, connection: sqlite3.Connection) -> dict[str, bytes]:
        kept = _states(connection)
        query = (
            "SELECT sink, event.id, objective, payload, at_ns FROM pending JOIN event ON event.id = pending.id"
            " ORDER BY pending.number, event.number"
        )
        rows = connection.execute(query).fetchall()
        with self._lock:
            self._states = kept | self._states
            self.version += 1
            for sink, backlog in self._backlogs.items():
                old = [Waiting(Event(*row[1:]), 0.0, durable=True) for row in rows if row[0] == sink]
                backlog.replace(old)
        return kept

    def _relieve(self, connection: sqlite3.Connection) -> bool:
        """Let go the older half of what was told."""
        query = "SELECT number FROM event WHERE id NOT IN (SELECT id FROM pending) ORDER BY number"
        told = connection.execute(query).fetchall()
        if not told:
            return False
        _delete_told(connection, told[len(told) // 2][0])
        return True

    def _rescued(self, connection: sqlite3.Connection, happened: Rescue) -> None:
        """The file had to be made again: what is known here goes in once more."""
        self._write_all(connection)

    def _fell_behind(self) -> None:
        """The disk was away for so long that single writes were given up: all of it is written when it is back."""
        with self._lock:
            behind, self._behind = self._behind, True
        if not behind:
            self.database.submit(self._write_all)

    def _write_all(self, connection: sqlite3.Connection) -> None:
        with self._lock:
            self._behind = False
            states = dict(self._states)
            waiting = {sink: backlog.every() for sink, backlog in self._backlogs.items()}
        connection.execute("DELETE FROM pending")
        connection.execute("DELETE FROM state")
        _write_states(connection, states)
        for sink, ones in waiting.items():
            self._write_events(connection, (sink,), [one.event for one in ones])
            for one in ones:
                one.durable = True  # told before the commit at worst: as if the disk were still away


def _write_states(connection: sqlite3.Connection, states: Mapping[str, bytes | None]) -> None:
    kept = [(name, payload) for name, payload in states.items() if payload is not None]
    gone = [(name,) for name, payload in states.items() if payload is None]
    _execute_many(connection, "INSERT OR REPLACE INTO state (objective, payload) VALUES (?, ?)", kept)
    _execute_many(connection, "DELETE FROM state WHERE objective = ?", gone)


def _execute_many(connection: sqlite3.Connection, query: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """In pieces with a breath between: a row lets go of the interpreter for too short a time for others to take it."""
    for begin in range(0, len(rows), _PIECE):
        if begin:
            time.sleep(_BREATH_S)
        connection.executemany(query, rows[begin : begin + _PIECE])


def _delete_pending(connection: sqlite3.Connection, rows: Sequence[tuple[str, str]]) -> None:
    _execute_many(connection, "DELETE FROM pending WHERE sink = ? AND id = ?", rows)


def _delete_told(connection: sqlite3.Connection, last: int) -> None:
    connection.execute("DELETE FROM event WHERE number <= ? AND id NOT IN (SELECT id FROM pending)", (last,))


def _forget_other_sinks(connection: sqlite3.Connection, sinks: Sequence[str]) -> None:
    marks: Any = ",".join("?" * len(sinks))
    connection.execute(f"DELETE FROM pending WHERE sink NOT IN ({marks})", tuple(sinks))  # noqa: S608 - marks only
