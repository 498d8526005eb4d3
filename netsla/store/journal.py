"""The journal: notes in the order in which things happened, each chained to the one before.

Kinds that the ledger writes itself are named here; the agent's own (start, stop, clock_step, reload, address,
exclusion, …) are whatever it says. A note's detail is canonical JSON.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from netsla.store import chain

SEALED = "sealed"  # an hour: number of blocks, the last one's id, digest of their links
RETIRED = "retired"  # old blocks were let go: before which hour, why, digest of the links that remain
DROPPED = "dropped"  # intervals that could not be written in time
RESCUED = "rescued"  # the file was corrupt, deleted or replaced


def write_note(connection: sqlite3.Connection, at_ns: int, kind: str, agreement: str, detail: dict[str, Any]) -> int:
    """Append a note to its chain; returns its id."""
    text = chain.canonical(detail).decode()
    last = connection.execute("SELECT hash FROM note ORDER BY id DESC LIMIT 1").fetchone()
    link = chain.note_link(bytes(last[0]) if last else chain.GENESIS, at_ns, kind, agreement, text)
    row = (at_ns, kind, agreement, text, link)
    added = connection.execute("INSERT INTO note (at_ns, kind, agreement, detail, hash) VALUES (?, ?, ?, ?, ?)", row)
    return int(added.lastrowid or 0)
