"""One SQLite file and the one thread that writes it.

Rules: nobody waits for the disk: `submit` queues a piece of work and returns. The writer does waiting work in
one transaction; when the disk refuses, the work stays queued, the fault stands in `problems`, and it is tried
again until it succeeds (at the latest every RETRY_S). Nothing that can still be written is given up, up to
`backlog_bytes`; what is over that is given up oldest first, and told to whoever queued it. A file that is
corrupt, replaced, deleted or from a newer netsla is never destroyed: see rescue.py.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netsla.store import faults, rescue
from netsla.store.checkup import Checkup, is_broken
from netsla.store.footing import Footing
from netsla.store.hang import Hang
from netsla.store.readonly import connect_readonly
from netsla.store.worklist import Piece, Worklist

log = logging.getLogger(__name__)

RETRY_S = 10.0  # the longest wait between two tries: recovery is well within 30 s of the cause going away
_FIRST_RETRY_S = 0.25
_LOOK_S = 5.0  # how often an idle writer looks whether its file is still there
_TOGETHER = 64  # pieces of work in one transaction: one fsync for all of them
_BUSY_MS = 2000  # another process (a report that reads) may hold the file so long
_WAL_BYTES = 16 * 2**20  # the log file is cut back to this after a checkpoint
_CHECK_BYTES = 64 * 2**20  # read through in about 0.1 s
_SHOWN_S = 20.0  # what became of a file is a problem for so long: a scrape sees it, and it is over within 30 s

Work = Callable[[sqlite3.Connection], Any]


@dataclass(frozen=True, slots=True)
class Schema:
    """What a file holds. `migrations[n]` leads from version n to n + 1; they are only ever appended."""

    migrations: tuple[str, ...]
    synchronous: str = "NORMAL"
    page_bytes: int = 4096
    relieve: Callable[[sqlite3.Connection], bool] | None = None  # at the quota: delete something, say whether
    rescued: Callable[[sqlite3.Connection, rescue.Rescue], None] | None = None  # record what happened


class Database:
    """A file, its writer thread and its standing problem. All methods may be called from any thread."""

    def __init__(
        self, path: Path, schema: Schema, *, quota_bytes: int = 50 * 2**30, backlog_bytes: int = 64 * 2**20
    ) -> None:
        self.path = path
        self._schema = schema
        self._quota_bytes = quota_bytes
        self._waiting: Worklist[Work] = Worklist(backlog_bytes)
        self._closing = threading.Event()
        self._deadline = 0.0
        self._together = _TOGETHER
        self._problem = ""
        self._notice = ""
        self._mended, self._mended_at = "", 0.0  # what became of the file, and when (monotonic)
        self._connection: sqlite3.Connection | None = None
        self._footing, self._hang = Footing(path), Hang(path.name)
        self._suspect = threading.Event()
        self._checkup = Checkup(path, self.report_corrupt)
        self._thread = threading.Thread(target=self._run, name=f"write-{path.stem}", daemon=True)

    # --- for everybody ------------------------------------------------------------------------------

    def start(self) -> None:
        """Open the file (on the writer's thread) and begin to write."""
        self._thread.start()

    def submit(self, work: Work, *, weight: int = 0, dropped: Callable[[], None] | None = None) -> Future[Any]:
        """Queue work that runs inside a transaction; its result comes in the future.

        `weight` is what it keeps in memory, in bytes. With `dropped`, it may be given up when the disk is away
        for too long: that is then called, and the future is cancelled.
        """
        return self._waiting.add(work, weight, dropped)

    def problems(self) -> tuple[str, ...]:
        """What stands between us and the disk now."""
        mended = self._mended if time.monotonic() < self._mended_at + _SHOWN_S else ""
        problem, given_up = self._hang.problem() or self._problem, self._waiting.given_up
        text = f"{problem}; {len(self._waiting)} writes wait in memory" if problem else ""
        text += f", {given_up} were given up" if text and given_up else ""
        return tuple(one for one in (text, self._notice, mended) if one)

    @contextlib.contextmanager
    def reader(self) -> Iterator[sqlite3.Connection]:
        """A connection of one's own that only reads, and never waits for the writer; raises sqlite3.Error."""
        connection = connect_readonly(self.path)
        try:
            yield connection
        finally:
            connection.close()

    def when_checked(self, seconds: float) -> bool:
        """Wait until the file was read through after its opening; whether it was."""
        return self._checkup.passed(seconds)

    def report_corrupt(self) -> None:
        """A reader met broken contents: have the file looked at, and rescued if need be."""
        self._suspect.set()
        self._waiting.rouse()

    def close(self, seconds: float = 10.0) -> int:
        """Write what waits, at most for so long, and end; returns how many writes were lost."""
        self._deadline = time.monotonic() + seconds
        self._closing.set()
        self._waiting.end()
        if self._thread.is_alive():
            self._thread.join()
        lost = self._waiting.abandon()
        if lost:
            log.error("%s: %d writes are lost: %s", self.path.name, lost, self._problem)
        return lost

    # --- the thread ---------------------------------------------------------------------------------

    def _run(self) -> None:
        pause = _FIRST_RETRY_S
        while (batch := self._waiting.take(self._together, _LOOK_S)) is not None:
            batch = [piece for piece in batch if not piece.future.cancelled()]
            try:
                with self._hang.watched():
                    self._attend()
                    if batch:
                        self._transact(batch)
            except (sqlite3.Error, OSError) as fault:
                self._waiting.put_back(batch)
                self._waiting.rouse()  # what befell the file is looked after, though nothing may wait to be written
                if self._makes_room(fault, len(batch)):
                    continue
                self._stumble(fault)
                if self._is_over(pause):
                    break
                pause = min(2 * pause, RETRY_S)
            else:
                pause = _FIRST_RETRY_S
                self._recover()
        self._shut()

    def _is_over(self, pause: float) -> bool:
        """Wait before the next try; whether the end has come."""
        if self._closing.wait(pause):
            time.sleep(_FIRST_RETRY_S)
        return self._closing.is_set() and time.monotonic() >= self._deadline

    def _makes_room(self, fault: sqlite3.Error | OSError, pieces: int) -> bool:
        """Undo; if room is missing, whether to try again at once: with less, or because something was let go."""
        connection = self._connection
        if connection is None:
            return False
        with contextlib.suppress(sqlite3.Error):
            connection.rollback()
        if not faults.is_full(fault):
            return False
        if pieces > 1:
            self._together = pieces // 2
            return True
        return self._at_quota() and self._relieve(connection)

    def _stumble(self, fault: sqlite3.Error | OSError) -> None:
        """Name the fault, once; see to what cures it."""
        what, remedy = faults.words(fault)
        if faults.is_full(fault) and self._at_quota():
            what, remedy = faults.QUOTA
        elif faults.is_corrupt(fault):
            self._suspect.set()
        elif not faults.is_full(fault):
            self._shut()  # begin with a fresh handle: the old one may remember a disk that is gone
        problem = f"{self.path.name}: {what}: {remedy}"
        if problem != self._problem:
            log.error("%s (%s)", problem, fault)
        self._problem = problem

    def _recover(self) -> None:
        self._together = min(2 * self._together, _TOGETHER)
        if self._problem:
            log.warning("%s: writing again", self.path.name)
            self._problem = ""

    def _transact(self, batch: list[Piece[Work]]) -> None:
        """All of it or nothing; a piece that is wrong in itself fails alone."""
        connection = self._connection
        assert connection is not None
        connection.execute("BEGIN IMMEDIATE")
        done: list[tuple[Piece[Work], Any, BaseException | None]] = []
        for piece in batch:
            connection.execute("SAVEPOINT piece")
            try:
                done.append((piece, piece.work(connection), None))
            except Exception as bug:  # a bug in the work belongs to whoever waits for its result
                if isinstance(bug, OSError) or (isinstance(bug, sqlite3.Error) and faults.is_fault(bug)):
                    raise
                connection.execute("ROLLBACK TO piece")
                log.exception("%s: a write failed", self.path.name)
                done.append((piece, None, bug))
            connection.execute("RELEASE piece")
        connection.execute("COMMIT")
        for piece, result, failure in done:
            if not piece.future.set_running_or_notify_cancel():
                continue
            if failure is None:
                piece.future.set_result(result)
            else:
                piece.future.set_exception(failure)

    # --- the file -----------------------------------------------------------------------------------

    def _attend(self) -> None:
        """See that the right file is open and sound."""
        if self._connection is not None and self._footing.is_gone():
            self._restore()
        if self._connection is not None and self._footing.has_lost_log():
            self._save_log(self._connection)
        if self._connection is not None and self._is_cut(self._connection):
            self._rescue()
        if self._connection is not None and self._footing.is_overwritten():
            self._suspect.set()
        if self._suspect.is_set() and self._is_broken():
            self._rescue()
        self._suspect.clear()
        if self._connection is None:
            self._look_first()
        if self._connection is None:
            self._open_file()

    def _look_first(self) -> None:
        """A small file is read through before it is written to, a large one beside that."""
        small = self.path.exists() and self.path.stat().st_size <= _CHECK_BYTES
        if small and self._is_broken():
            self._rescue()

    def _rescue(self) -> None:
        self._shut()
        happened = rescue.set_aside_corrupt(self.path, self._open)
        self._note(happened)

    def _restore(self) -> None:
        """The file was deleted or replaced under our feet: we still hold its contents."""
        assert self._connection is not None
        saved = rescue.save_orphan(self._connection, self.path)
        self._shut()
        self._footing.drop_log()  # what it holds is saved
        self._note(rescue.place_orphan(saved, self.path))

    def _save_log(self, connection: sqlite3.Connection) -> None:
        """Somebody deleted the log: what is in it goes into the file, before a kill takes it away."""
        try:
            (busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.Error as error:
            if not faults.is_corrupt(error):
                raise
            self._suspect.set()
            return
        if busy:
            return  # a reader holds it: at the next look
        self._shut()
        self._say("its log was deleted while running: what it held is written into the file")

    def _is_cut(self, connection: sqlite3.Connection) -> bool:
        try:
            pages, size = (connection.execute(f"PRAGMA {what}").fetchone()[0] for what in ("page_count", "page_size"))
        except sqlite3.Error as error:
            if faults.is_corrupt(error):
                return True
            raise
        return self._footing.is_cut(int(pages * size))

    def _is_broken(self) -> bool:
        if not self.path.exists():
            return False
        self._shut()
        return is_broken(self.path)

    def _open_file(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        rescue.finish(self.path)
        newer = rescue.newer_version(self.path, len(self._schema.migrations))
        if newer:
            aside = rescue.set_aside(self.path, f"newer-{newer}")
            self._notice = (
                f"{self.path.name} was written by a newer netsla and is set aside as {aside.name}: "
                "what it holds is not seen until that version runs again"
            )
            log.error("%s", self._notice)
        connection = self._open(self.path)
        self._connection = connection
        self._footing.take()
        self._checkup.begin()

    def _open(self, path: Path) -> sqlite3.Connection:
        """A connection for writing, migrated."""
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
            connection.execute(f"PRAGMA page_size = {self._schema.page_bytes}")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {self._schema.synchronous}")
            connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")
            page = connection.execute("PRAGMA page_size").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count = {max(self._quota_bytes // page, 16)}")
            self._migrate(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _migrate(self, connection: sqlite3.Connection) -> None:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        for number in range(version, len(self._schema.migrations)):
            connection.execute("BEGIN IMMEDIATE")
            for statement in self._schema.migrations[number].split(";\n"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number + 1}")
            connection.execute("COMMIT")

    def _note(self, happened: rescue.Rescue) -> None:
        """Say what became of the file, open what took its place, and let its owner record it."""
        self._say(happened.text)
        self._open_file()
        if self._schema.rescued:
            record = self._schema.rescued
            self.submit(lambda connection: record(connection, happened))

    def _say(self, text: str) -> None:
        """Something became of the file; it is cured already, and shown for a while."""
        self._mended, self._mended_at = f"{self.path.name}: {text}", time.monotonic()
        log.error("%s", self._mended)

    def _at_quota(self) -> bool:
        """Whether it is our own limit that is reached: the file fills its last eighth."""
        connection = self._connection
        if connection is None:
            return False
        used = connection.execute("PRAGMA page_count").fetchone()[0]
        most = connection.execute("PRAGMA max_page_count").fetchone()[0]
        return bool(used >= most - most // 8)

    def _relieve(self, connection: sqlite3.Connection) -> bool:
        """Delete what retention lets go first; whether something went."""
        if self._schema.relieve is None:
            return False
        try:
            connection.execute("BEGIN IMMEDIATE")
            went = self._schema.relieve(connection)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            log.warning("%s: cannot let go of old rows: %s", self.path.name, error)
            connection.rollback()
            return False
        return went

    def _shut(self) -> None:
        self._checkup.end()
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None
        self._footing.leave()
