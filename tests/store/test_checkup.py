from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from netsla.store.checkup import Checkup, is_broken


@pytest.fixture
def path(tmp_path: Path) -> Path:
    connection = sqlite3.connect(tmp_path / "x.db")
    with connection:
        connection.execute("CREATE TABLE thing (id INTEGER PRIMARY KEY, body BLOB)")
        connection.executemany("INSERT INTO thing (body) VALUES (?)", [(bytes(900),)] * 500)
    connection.close()
    return tmp_path / "x.db"


def spoil(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2 : len(whole) // 2 + 4096] = b"\xff" * 4096
    path.write_bytes(whole)


def test_sound_and_broken_files_are_told_apart(path: Path) -> None:
    assert not is_broken(path)
    spoil(path)
    assert is_broken(path)
    path.write_bytes(b"no database at all, but long enough to be one" * 100)
    assert is_broken(path)


def test_a_sound_file_passes(path: Path) -> None:
    checkup = Checkup(path, lambda: pytest.fail("it is sound"))
    checkup.begin()
    assert checkup.passed(10)
    checkup.end()


def test_a_broken_file_is_told(path: Path) -> None:
    spoil(path)
    told = threading.Event()
    checkup = Checkup(path, told.set)
    checkup.begin()
    assert told.wait(10)
    checkup.end()
    assert not checkup.passed(0)
