from __future__ import annotations

import sqlite3

from netsla.store import chain
from netsla.store.journal import write_note
from netsla.store.tables import LEDGER


def test_each_note_hangs_on_the_one_before() -> None:
    connection = sqlite3.connect(":memory:")
    connection.executescript("".join(LEDGER))
    assert write_note(connection, 1, "start", "", {"b": 1, "a": 2}) == 1
    assert write_note(connection, 2, "exclusion", "acme", {"who": "ann"}) == 2
    rows = connection.execute("SELECT at_ns, kind, agreement, detail, hash FROM note ORDER BY id").fetchall()
    assert rows[0][3] == '{"a":2,"b":1}'
    previous = chain.GENESIS
    for *told, link in rows:
        previous = chain.note_link(previous, *told)
        assert previous == link
    connection.close()
