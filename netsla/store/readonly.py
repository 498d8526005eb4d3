"""Reading an SQLite file that another thread or process may be writing."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from urllib.parse import quote

_BUSY_MS = 2000


def connect_readonly(path: Path) -> sqlite3.Connection:
    """A connection that only reads; raises sqlite3.Error.

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
        connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
    except sqlite3.Error:
        connection.close()
        raise
    return connection
