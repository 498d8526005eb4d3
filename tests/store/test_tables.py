from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest

from netsla.store import chain
from netsla.store.layout import Lane
from netsla.store.tables import LEDGER, agreement_id, lane_id, layout_id, read_lanes, read_layout
from tests.store.cells import layout


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    one = sqlite3.connect(":memory:")
    for script in LEDGER:
        one.executescript(script)
    yield one
    one.close()


def test_equal_layouts_share_a_row(connection: sqlite3.Connection) -> None:
    first = layout_id(connection, layout(3))
    assert layout_id(connection, layout(3)) == first
    assert layout_id(connection, layout(4)) != first
    assert read_layout(connection, first).lanes == layout(3).lanes
    with pytest.raises(KeyError, match="layout 9"):
        read_layout(connection, 9)


def test_names_keep_their_numbers(connection: sqlite3.Connection) -> None:
    acme = agreement_id(connection, "acme", chain.GENESIS)
    assert agreement_id(connection, "acme", chain.GENESIS) == acme
    lanes = [Lane("acme", "hq", "ping", (1, 2)), Lane("acme", "hq", "ping", (1,))]
    numbers = [lane_id(connection, acme, lane) for lane in lanes]
    assert [lane_id(connection, acme, lane) for lane in lanes] == numbers
    assert read_lanes(connection) == dict(zip(numbers, lanes, strict=True))
