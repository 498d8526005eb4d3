"""Reading a database file through for faults, beside the work on it: it takes minutes when the file is large."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

from netsla.store import faults
from netsla.store.readonly import connect_readonly

_STEPS = 10_000  # of SQLite's machine, between two looks whether to stop


def is_broken(path: Path) -> bool:
    """Whether SQLite finds the contents broken; raises sqlite3.Error if the file cannot be read at all."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        return bool(connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",))
    except sqlite3.DatabaseError as error:
        if faults.is_corrupt(error):
            return True
        raise
    finally:
        connection.close()


class Checkup:
    """One check after another of one file, each on a thread of its own; `broken` is called when it is."""

    def __init__(self, path: Path, broken: Callable[[], None]) -> None:
        self._path, self._broken = path, broken
        self._stop, self._passed = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Start to read the file through."""
        self._passed.clear()
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name=f"check-{self._path.stem}", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Stop and let go of the file: the last connection to close writes the log back into it."""
        if self._thread is not None:
            self._stop.set()
            self._thread.join()
            self._thread = None

    def passed(self, seconds: float) -> bool:
        """Wait until the file was found sound; whether it was."""
        return self._passed.wait(seconds)

    def _run(self) -> None:
        try:
            connection = connect_readonly(self._path)
            try:
                connection.set_progress_handler(self._stop.is_set, _STEPS)
                sound = connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",)
            finally:
                connection.close()
        except sqlite3.Error as error:
            if not faults.is_corrupt(error):
                return  # stopped, or the disk is away: the next opening checks again
            sound = False
        if sound:
            self._passed.set()
        else:
            self._broken()
