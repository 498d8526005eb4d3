"""Reading an SQLite file that another thread or process may be writing."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from urllib.parse import quote

_BUSY_MS = 2000


def connect_readonly(path: Path) -> sqlite3.Connection:
    """A connection that only reads; raises sqlite3.Error: that it cannot be opened also while nothing is in it yet.

    On a read-only file system SQLite cannot make the index of the log: then the file is read as it is, which
    is sound when nobody writes it.
    """
    address = f"file:{quote(str(path))}?mode=ro"
    try:
        return _open(address)
    except sqlite3.OperationalError:
        log = path.with_name(path.name + "-wal")
        if not path.exists() or (log.exists() and log.stat().st_size):
            raise
        return _open(address + "&immutable=1")


def _open(address: str) -> sqlite3.Connection:
    connection = sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False)
    try:
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
        if connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None and not _version(connection):
            raise _unbegun()
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _unbegun() -> sqlite3.OperationalError:
    """Its writer was killed before the first table: nothing is damaged, there is only nothing."""
    error = sqlite3.OperationalError("nothing is written in it yet")
    error.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
    return error
