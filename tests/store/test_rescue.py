"""A crash between the steps of a rescue."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from netsla.store import rescue


def database(path: Path, rows: int) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("CREATE TABLE thing (id INTEGER PRIMARY KEY)")
        connection.executemany("INSERT INTO thing VALUES (?)", [(n,) for n in range(rows)])
    connection.close()


def test_killed_after_the_old_file_went_the_new_one_is_taken(tmp_path: Path) -> None:
    database(tmp_path / "x.db.new", 3)
    rescue.finish(tmp_path / "x.db")
    assert (tmp_path / "x.db").exists()
    assert not (tmp_path / "x.db.new").exists()


def test_killed_before_that_the_unfinished_copy_goes(tmp_path: Path) -> None:
    database(tmp_path / "x.db", 3)
    database(tmp_path / "x.db.new", 1)
    before = (tmp_path / "x.db").read_bytes()
    rescue.finish(tmp_path / "x.db")
    assert (tmp_path / "x.db").read_bytes() == before
    assert not (tmp_path / "x.db.new").exists()


def test_two_in_one_second_get_two_names(tmp_path: Path) -> None:
    names = set()
    for _ in range(3):
        (tmp_path / "x.db").write_text("x")
        names.add(rescue.set_aside(tmp_path / "x.db", "corrupt").name)
    assert len(names) == 3
    assert all((tmp_path / name).exists() for name in names)


@pytest.mark.parametrize(("version", "found"), [(0, 0), (3, 0), (4, 4)])
def test_a_newer_version_is_told(tmp_path: Path, version: int, found: int) -> None:
    path = tmp_path / "x.db"
    assert rescue.newer_version(path, 3) == 0
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {version}")
    connection.execute("CREATE TABLE thing (id INTEGER)")
    connection.close()
    assert rescue.newer_version(path, 3) == found
