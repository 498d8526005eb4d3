"""One byte changed anywhere in what is evidence is found, and its place is named."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from netsla.model import SECOND
from netsla.store.archive import Archive
from netsla.store.keeping import Retention, append_block
from netsla.store.layout import union
from netsla.store.ledger import Ledger
from netsla.store.sealing import seal_hour
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
        ("DELETE FROM note WHERE id = 5", "notes 5 to 5 are missing"),
        ("UPDATE ending SET hash = zeroblob(32)", "notes up to 5 are there"),
        ("UPDATE ending SET note = 4", "notes up to 5 are there"),
        ("UPDATE note SET hash = 'text' WHERE id = 5", "note 5 (sealed)"),
        ("UPDATE lane SET thresholds = '[30000' WHERE id = 3", "block 1 ("),
        ("UPDATE agreement SET head = 'text' WHERE id = 3", "the last blocks of acme-0002 are missing"),
        ("UPDATE block SET figures = 'text' WHERE id = 5", "block 5 ("),
        ("UPDATE agreement SET base = head WHERE id = 1", "block 1 ("),
    ],
)  # fmt: skip
def test_what_is_moved_or_missing_is_found(path: Path, query: str, place: str) -> None:
    change(path, query)
    breaks = look_at(path).breaks
    assert any(place in one.place for one in breaks), breaks


def test_a_block_that_stands_on_the_chain_but_that_nobody_sealed_is_found(path: Path) -> None:
    connection = sqlite3.connect(path)
    with connection:
        hour = HOUR_K // 60 + 3
        some = list(cells(40, 60, k=HOUR_K + 180, probes=10))
        made, _ = seal_hour(hour, 60, union([layout(40)]), lambda: ((one, layout(40)) for one in some), lambda: None)
        append_block(connection, made[0])
    connection.close()
    (found,) = look_at(path).breaks
    assert (found.block, found.hour) == (10, hour)
    assert "no note says that it was sealed" in found.place


def test_blocks_that_their_index_does_not_know_are_found(path: Path) -> None:
    connection = sqlite3.connect(path)
    (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'block_place'").fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    connection.close()
    body = bytearray(path.read_bytes())
    at = body.index(b"acme-0016acme-0019", (page - 1) * size, page * size)
    body[at + 8] += 1
    path.write_bytes(body)
    (found,) = look_at(path).breaks
    assert "block_place" in found.place


def test_what_lost_its_last_notes_shows_the_gap_for_ever(path: Path) -> None:
    change(path, "DELETE FROM note WHERE id = 5")
    ledger = Ledger(path, now_ns=lambda: START_S * SECOND)
    ledger.start()
    ledger.note("start", {"version": "2"})
    ledger.close()
    assert [one.place for one in look_at(path).breaks] == ["notes 5 to 5 are missing"]


def test_a_ledger_of_old_does_not_say_which_note_is_its_last(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.executescript("DROP TABLE ending; PRAGMA user_version = 1")
    connection.close()
    assert look_at(path).intact
    ledger = Ledger(path, now_ns=lambda: START_S * SECOND)
    ledger.start()
    ledger.note("start", {"version": "2"})
    ledger.close()
    assert look_at(path).intact
    change(path, "DELETE FROM note WHERE id = 6")
    assert [one.place for one in look_at(path).breaks] == ["notes 6 to 6 are missing"]


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
