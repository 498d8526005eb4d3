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
    """Append a note to its chain; returns its id.

    It stands on the note that was written last, not on the last one that is there: if those differ, a gap remains.
    """
    text = chain.canonical(detail).decode()
    last, link = connection.execute("SELECT note, hash FROM ending").fetchone() or (0, chain.GENESIS)
    number, link = int(last) + 1, chain.note_link(bytes(link), at_ns, kind, agreement, text)
    row = (number, at_ns, kind, agreement, text, link)
    connection.execute("INSERT INTO note (id, at_ns, kind, agreement, detail, hash) VALUES (?, ?, ?, ?, ?, ?)", row)
    connection.execute("INSERT OR REPLACE INTO ending (id, note, hash) VALUES (1, ?, ?)", (number, link))
    return number
