"""Files that cannot be used: set aside, never destroyed, and what can be read of them kept.

Rules: a rescued file is built beside the place as `NAME.new` and moved in only when it is complete and the
old one is out of the way; `finish` completes that after a crash at any instant. Only the writer's thread
calls these, with no connection of this process open on the file (but for `save_orphan`).
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PARTS = ("", "-wal", "-shm")
_NEW = ".new"


@dataclass(frozen=True, slots=True)
class Rescue:
    """What happened to a file, for the log and for the record. `kept` counts rows by table."""

    kind: str  # corrupt | deleted | replaced
    text: str
    aside: str  # name of the file set aside; "" if there is none
    kept: dict[str, int]


def set_aside(path: Path, why: str) -> Path:
    """Rename a file and its log to `NAME.why-TIME`."""
    aside = path.with_name(f"{path.name}.{why}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}")
    number = 1
    while aside.exists():
        number += 1
        aside = aside.with_name(f"{aside.name.split('~')[0]}~{number}")
    for part in reversed(_PARTS):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + part).rename(aside.with_name(aside.name + part))
    return aside


def newer_version(path: Path, known: int) -> int:
    """The schema version of a file if it is above `known`, else 0; reads only."""
    if not path.exists() or path.stat().st_size == 0:
        return 0
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    finally:
        connection.close()
    return version if version > known else 0


def finish(path: Path) -> None:
    """A crash came between the two renames of a rescue: complete it, or drop the unfinished copy."""
    new = path.with_name(path.name + _NEW)
    if not new.exists():
        return
    if path.exists():
        _remove(new)
    else:
        new.rename(path)


def _remove(path: Path) -> None:
    for part in _PARTS:
        path.with_name(path.name + part).unlink(missing_ok=True)


# --- corrupt -----------------------------------------------------------------------------------------


def set_aside_corrupt(path: Path, create: Callable[[Path], sqlite3.Connection]) -> Rescue:
    """Copy what can be read into a new file (made by `create`), which takes the place of the broken one."""
    new = path.with_name(path.name + _NEW)
    _remove(new)
    target = create(new)
    try:
        kept = _copy_readable(path, target)
        target.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        target.close()
    aside = set_aside(path, "corrupt")
    new.rename(path)
    rows = sum(kept.values())
    return Rescue("corrupt", f"corrupt: set aside as {aside.name}, {rows} rows of it are kept", aside.name, kept)


def _copy_readable(path: Path, target: sqlite3.Connection) -> dict[str, int]:
    kept: dict[str, int] = {}
    tables = [row[0] for row in target.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    source = sqlite3.connect(path, isolation_level=None)
    try:
        with contextlib.suppress(sqlite3.Error):
            source.execute("PRAGMA writable_schema = ON")  # lets a file be read that is shorter than it says
        for table in tables:
            kept[table] = _copy_table(source, target, table)
    finally:
        source.close()
    return kept


def _copy_table(source: sqlite3.Connection, target: sqlite3.Connection, table: str) -> int:
    """Every row that can be reached from either end of the table."""
    columns = [row[1] for row in target.execute(f"PRAGMA table_info({table})")]
    marks = ",".join("?" * len(columns))
    insert = f"INSERT OR IGNORE INTO {table} ({','.join(columns)}) VALUES ({marks})"  # noqa: S608 - own names
    before = target.total_changes
    target.execute("BEGIN")
    for order in ("ASC", "DESC"):
        query = f"SELECT {','.join(columns)} FROM {table} ORDER BY rowid {order}"  # noqa: S608 - own names
        rows = _readable(source, query)
        target.executemany(insert, rows)
    target.execute("COMMIT")
    return target.total_changes - before


def _readable(source: sqlite3.Connection, query: str) -> Iterator[tuple[Any, ...]]:
    """Rows until the first that cannot be read."""
    with contextlib.suppress(sqlite3.Error):
        yield from source.execute(query)


# --- deleted, replaced -------------------------------------------------------------------------------


def save_orphan(connection: sqlite3.Connection, path: Path) -> Path:
    """Our open connection still holds the contents of a file whose name is gone: write them down again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(path.name + _NEW)
    _remove(new)
    target = sqlite3.connect(new, isolation_level=None)
    try:
        connection.backup(target)
    finally:
        target.close()
    return new


def place_orphan(saved: Path, path: Path) -> Rescue:
    """Put the saved contents in place; a file that somebody put there instead is set aside."""
    kind, aside = "deleted", ""
    if path.exists():
        kind, aside = "replaced", set_aside(path, "replaced").name
    else:
        _remove(path)  # a log without its file belongs to nobody
    saved.rename(path)
    text = f"{kind} while running: its contents are written again"
    return Rescue(kind, text + (f", what stood there is set aside as {aside}" if aside else ""), aside, {})
