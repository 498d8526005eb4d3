"""A database's file: deleted, replaced, overwritten."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from netsla.store.footing import Footing


@pytest.fixture
def footing(tmp_path: Path) -> Footing:
    path = tmp_path / "a.db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.execute("CREATE TABLE t (x)")
    connection.close()
    found = Footing(path)
    found.take()
    return found


def test_nothing_happened(footing: Footing) -> None:
    assert not footing.is_gone()
    assert not footing.is_overwritten()


def test_deleted_and_replaced(footing: Footing, tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.unlink()
    assert footing.is_gone()
    path.write_bytes(b"another")
    assert footing.is_gone()
    assert not footing.is_overwritten(), "the file that is gone is sound"


def test_overwritten_and_truncated(footing: Footing, tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with path.open("r+b") as file:
        file.write(b"\xff" * 100)
    assert footing.is_overwritten()
    assert not footing.is_gone()
    path.write_bytes(b"")
    assert not footing.is_overwritten(), "all of it may be in the log"


def test_cut_is_what_is_shorter_than_it_was_and_than_the_database(footing: Footing, tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    size = path.stat().st_size
    assert not footing.is_cut(size)
    assert footing.is_cut(size * 10), "nobody has the rest"
    log = tmp_path / "a.db-wal"
    log.write_bytes(bytes(size * 9))
    assert not footing.is_cut(size * 10), "the rest is in the log"
    with path.open("r+b") as file:
        file.truncate(size - 1)
    assert footing.is_cut(size)
    assert not footing.is_cut(size - 1), "another program made it smaller"


def test_the_log_may_be_made_later_but_not_go(footing: Footing, tmp_path: Path) -> None:
    log = tmp_path / "a.db-wal"
    assert not footing.has_lost_log()
    log.write_bytes(b"ours")
    assert not footing.has_lost_log()
    log.unlink()
    assert footing.has_lost_log()


def test_the_log_is_dropped_only_if_it_is_ours(tmp_path: Path) -> None:
    path, log = tmp_path / "a.db", tmp_path / "a.db-wal"
    path.write_bytes(b"SQLite format 3\0")
    log.write_bytes(b"ours")
    footing = Footing(path)
    footing.take()
    footing.drop_log()
    assert not log.exists()
    log.write_bytes(b"ours again")
    footing.take()
    kept = log.rename(tmp_path / "kept")
    log.write_bytes(b"somebody else's")
    assert kept.exists()
    footing.drop_log()
    assert log.exists()
    footing.leave()
