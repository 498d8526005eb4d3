"""The ledger's tables, and the few rows that others refer to: layouts, agreements, lanes.

Rules: `LEDGER` only ever grows at its end (forward-only migrations). Ids mean nothing outside the file. What
is evidence (block, note) is only appended, `ending` says which note was written last; `cell` and `open` hold what is
not sealed yet, `total` what can be made again from blocks. A block holds one large agreement or several small ones,
`first` to `last` by name, each with its own link.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import zlib
from functools import lru_cache

from netsla.store.layout import Lane, Layout

HOUR = 3600
DAY = 86400

LEDGER = (
    """
CREATE TABLE layout (id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, body BLOB NOT NULL);
CREATE TABLE agreement (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, base BLOB NOT NULL, head BLOB NOT NULL);
CREATE TABLE lane (id INTEGER PRIMARY KEY, agreement INTEGER NOT NULL, endpoint TEXT NOT NULL, probe TEXT NOT NULL,
  thresholds TEXT NOT NULL, UNIQUE (agreement, endpoint, probe, thresholds));
CREATE TABLE cell (id INTEGER PRIMARY KEY, start INTEGER NOT NULL UNIQUE, seconds INTEGER NOT NULL,
  layout INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE open (start INTEGER PRIMARY KEY, seconds INTEGER NOT NULL, layout INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE block (id INTEGER PRIMARY KEY, hour INTEGER NOT NULL, seconds INTEGER NOT NULL, first TEXT NOT NULL,
  last TEXT NOT NULL, lanes BLOB NOT NULL, figures BLOB NOT NULL, spectrum BLOB NOT NULL, links BLOB NOT NULL);
CREATE INDEX block_place ON block (hour, first, last);
CREATE TABLE total (id INTEGER PRIMARY KEY, start INTEGER NOT NULL, span INTEGER NOT NULL, seconds INTEGER NOT NULL,
  layout INTEGER NOT NULL, body BLOB NOT NULL, standings BLOB NOT NULL, UNIQUE (start, span, seconds));
CREATE TABLE note (id INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, kind TEXT NOT NULL, agreement TEXT NOT NULL,
  detail TEXT NOT NULL, hash BLOB NOT NULL);
CREATE TABLE pulse (id INTEGER PRIMARY KEY CHECK (id = 1), started_ns INTEGER NOT NULL, last_ns INTEGER NOT NULL);
""",
    """
CREATE TABLE ending (id INTEGER PRIMARY KEY CHECK (id = 1), note INTEGER NOT NULL, hash BLOB NOT NULL);
INSERT INTO ending (id, note, hash) SELECT 1, id, hash FROM note ORDER BY note.id DESC LIMIT 1;
""",
)


def layout_id(connection: sqlite3.Connection, layout: Layout) -> int:
    """The row of a layout, made if need be."""
    text = layout.text.encode()
    digest = hashlib.sha256(text).digest()
    found = connection.execute("SELECT id FROM layout WHERE digest = ?", (digest,)).fetchone()
    if found:
        return int(found[0])
    added = connection.execute("INSERT INTO layout (digest, body) VALUES (?, ?)", (digest, zlib.compress(text)))
    return int(added.lastrowid or 0)


def read_layout(connection: sqlite3.Connection, number: int) -> Layout:
    """A layout by its row; raises KeyError."""
    found = connection.execute("SELECT body FROM layout WHERE id = ?", (number,)).fetchone()
    if found is None:
        raise KeyError(f"layout {number}")
    return Layout.read(zlib.decompress(found[0]).decode())


def agreement_id(connection: sqlite3.Connection, name: str, genesis: bytes) -> int:
    """The row of an agreement, made if need be."""
    found = connection.execute("SELECT id FROM agreement WHERE name = ?", (name,)).fetchone()
    if found:
        return int(found[0])
    row = (name, genesis, genesis)
    return int(connection.execute("INSERT INTO agreement (name, base, head) VALUES (?, ?, ?)", row).lastrowid or 0)


def lane_id(connection: sqlite3.Connection, agreement: int, lane: Lane) -> int:
    """The row of a lane, made if need be."""
    row = (agreement, lane.endpoint, lane.probe, json.dumps(lane.thresholds_us))
    where = "agreement = ? AND endpoint = ? AND probe = ? AND thresholds = ?"
    found = connection.execute(f"SELECT id FROM lane WHERE {where}", row).fetchone()  # noqa: S608 - own names
    if found:
        return int(found[0])
    added = connection.execute("INSERT INTO lane (agreement, endpoint, probe, thresholds) VALUES (?, ?, ?, ?)", row)
    return int(added.lastrowid or 0)


def read_lanes(connection: sqlite3.Connection) -> dict[int, Lane]:
    """Every lane, by row."""
    query = (
        "SELECT lane.id, agreement.name, endpoint, probe, thresholds FROM lane"
        " JOIN agreement ON agreement.id = agreement"
    )
    return {row[0]: Lane(row[1], row[2], row[3], _thresholds(row[4])) for row in connection.execute(query)}


@lru_cache(64)  # thousands of lanes have the same few
def _thresholds(text: str) -> tuple[int, ...]:
    """None if somebody changed them into what cannot be read: what the chain says of the lane's blocks then differs."""
    try:
        return tuple(int(limit) for limit in json.loads(text))
    except (ValueError, TypeError):
        return ()


def raw(value: bytes | str | int | None) -> bytes:
    """A column that holds bytes, unless somebody wrote something else into it."""
    return value if isinstance(value, bytes) else str(value).encode()
