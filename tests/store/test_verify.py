"""One byte changed anywhere in what is evidence is found, and its place is named."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from netsla.model import SECOND
from netsla.store.archive import Archive
from netsla.store.keeping import Retention
from netsla.store.ledger import Ledger
from netsla.store.verify import Verified, heads, verify
from tests.store.cells import HOUR_K, START_S, cells, layout

HOUR_NS = 3600 * SECOND


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Three sealed hours of twenty agreements, and some notes."""
    ledger = Ledger(tmp_path / "ledger.db", now_ns=lambda: START_S * SECOND)
    ledger.start()
    fleet = layout(40)
    ledger.note("start", {"version": "1"})
    for one in cells(40, 180, probes=10):
        ledger.append(one, fleet)
    ledger.note("exclusion", {"who": "ann", "why": "fibre cut"}, agreement="acme-0003")
    ledger.flush()
    assert ledger.seal_due(START_S * SECOND + 3 * HOUR_NS + 301 * SECOND) == 3
    ledger.close()
    return tmp_path / "ledger.db"


def look_at(path: Path, agreement: str | None = None) -> Verified:
    with Archive(path).open() as look:
        return verify(look, agreement)


def change(path: Path, query: str, *values: object) -> None:
    connection = sqlite3.connect(path)
    with connection:
        assert connection.execute(query, values).rowcount == 1
    connection.close()


def test_untouched_is_intact(path: Path) -> None:
    seen: list[tuple[int, int]] = []
    with Archive(path).open() as look:
        verified = verify(look, progress=lambda done, total: seen.append((done, total)))
        assert len(heads(look)) == 20
    assert verified.intact
    assert (verified.blocks, verified.notes) == (9, 5)
    assert seen[-1] == (9, 9)


def flip(at: float) -> Callable[[bytes], bytes]:
    def flipped(body: bytes) -> bytes:
        place = int(at * (len(body) - 1))
        return body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]

    return flipped


@pytest.mark.parametrize("column", ["lanes", "figures", "spectrum", "links"])
@pytest.mark.parametrize("at", [0.0, 0.3, 0.999, 1.0])
def test_one_byte_of_a_block_is_found_with_its_place(path: Path, column: str, at: float) -> None:
    connection = sqlite3.connect(path)
    (body,) = connection.execute(f"SELECT {column} FROM block WHERE id = 5").fetchone()
    connection.close()
    change(path, f"UPDATE block SET {column} = ? WHERE id = 5", flip(at)(body))
    verified = look_at(path)
    first = verified.breaks[0]
    assert (first.block, first.hour) == (5, HOUR_K // 60 + 1)
    assert "block 5 (" in first.place
    assert "T03:00Z" in first.place


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ("UPDATE block SET hour = hour + 1 WHERE id = 5", "block 5 ("),
        ("UPDATE block SET first = 'acme-0000x' WHERE id = 5", "filed under wrong names"),
        ("UPDATE lane SET endpoint = 'other' WHERE id = 3", "block 1 ("),
        ("DELETE FROM block WHERE id = 4", "is not as it was written"),
        ("DELETE FROM block WHERE id = 9", "not those that were sealed"),
        ("DELETE FROM block WHERE id = 1", "is not as it was written"),
        ("UPDATE note SET detail = '{\"who\":\"bob\"}' WHERE kind = 'exclusion'", "note 2 (exclusion)"),
        ("UPDATE note SET agreement = '' WHERE kind = 'exclusion'", "note 2 (exclusion)"),
        ("DELETE FROM note WHERE id = 1", "notes 1 to 1 are missing"),
        ("UPDATE agreement SET base = head WHERE id = 1", "block 1 ("),
    ],
)  # fmt: skip
def test_what_is_moved_or_missing_is_found(path: Path, query: str, place: str) -> None:
    change(path, query)
    breaks = look_at(path).breaks
    assert any(place in one.place for one in breaks), breaks


def test_one_agreement_is_looked_at_alone(path: Path) -> None:
    change(path, "UPDATE block SET figures = zeroblob(10) WHERE id = 3")  # holds acme-0016 to acme-0019
    assert look_at(path, "acme-0001").intact
    assert not look_at(path, "acme-0017").intact


def test_what_retention_let_go_is_no_break_but_more_is(path: Path) -> None:
    ledger = Ledger(path, retention=Retention(blocks=10, pace_s=0), now_ns=lambda: START_S * SECOND)
    ledger.start()
    two_days = cells(40, 60, k=HOUR_K + 2 * 24 * 60, probes=10)
    for one in two_days:
        ledger.append(one, layout(40))
    ledger.flush()
    ledger.seal_due((START_S + 11 * 86400) * SECOND)
    ledger.close()
    verified = look_at(path)
    assert verified.intact, verified.breaks
    assert verified.blocks == 3
    change(path, "DELETE FROM block WHERE id = 10")
    assert not look_at(path).intact
