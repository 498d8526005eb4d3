"""Whether the file that a database has open is still what it was: not deleted, not replaced, not overwritten, not cut.

Rules: the header is read by a descriptor that stays open as long as the database does. Closing any descriptor of a
file lets go every POSIX lock that the process holds on it, SQLite's too.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_MAGIC = b"SQLite format 3\0"


class Footing:
    """What stood under a database when it was opened."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._log_path = path.with_name(path.name + "-wal")
        self._file: tuple[int, int] | None = None
        self._log: tuple[int, int] | None = None
        self._descriptor = -1
        self._size = 0  # bytes, the most that the file ever had

    def take(self) -> None:
        """The file was opened."""
        self.leave()
        self._descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        self._file, self._log = _identity(self._path), _identity(self._log_path)
        self._size = 0

    def leave(self) -> None:
        """The database is closed."""
        if self._descriptor >= 0:
            with contextlib.suppress(OSError):
                os.close(self._descriptor)
        self._descriptor, self._file = -1, None

    def is_gone(self) -> bool:
        """Another file stands in its place, or none."""
        return self._file != _identity(self._path)

    def is_overwritten(self) -> bool:
        """Something that is no database was written over its beginning."""
        begin = os.pread(self._descriptor, len(_MAGIC), 0)
        return begin not in (_MAGIC, b"")  # empty: all of it is in the log yet

    def is_cut(self, bytes_used: int) -> bool:
        """The file is shorter than the database in it, and what is missing cannot lie in the log, or once was there."""
        log = self._log_path.stat().st_size if self._log_path.exists() else 0  # first: a checkpoint may empty it now
        size = os.fstat(self._descriptor).st_size
        self._size = max(self._size, size)
        return size < min(self._size, bytes_used) or size + log < bytes_used

    def has_lost_log(self) -> bool:
        """The log that we write goes by its name no more: whoever opens the file next will not see what is in it."""
        log = _identity(self._log_path)
        self._log = self._log or log
        return self._log != log

    def drop_log(self) -> None:
        """Remove the log of a file that is gone, if it is ours: it must not be replayed over another file."""
        if self._log is not None and _identity(self._log_path) == self._log:
            self._log_path.unlink()


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
