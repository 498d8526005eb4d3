from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from netsla.store.readonly import connect_readonly
from tests.store.disks import remount, small_disk


def make(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE thing (id INTEGER)")
    return connection


def test_it_reads_what_another_writes_and_writes_nothing(tmp_path: Path) -> None:
    writer = make(tmp_path / "x ?#%.db")
    reader = connect_readonly(tmp_path / "x ?#%.db")
    writer.execute("INSERT INTO thing VALUES (1)")
    assert reader.execute("SELECT count(*) FROM thing").fetchone() == (1,)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.execute("INSERT INTO thing VALUES (2)")
    reader.close()
    writer.close()


def test_what_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        connect_readonly(tmp_path / "nothing.db")
    assert list(tmp_path.iterdir()) == []


def test_a_file_whose_writer_was_killed_before_its_first_table_is_not_damaged(tmp_path: Path) -> None:
    for statement in ("PRAGMA journal_mode = WAL", "PRAGMA user_version = 1"):
        connection = sqlite3.connect(tmp_path / "x.db")
        connection.execute(statement)
        connection.close()
        if statement.endswith("WAL"):
            with pytest.raises(sqlite3.OperationalError, match="nothing is written in it yet") as caught:
                connect_readonly(tmp_path / "x.db")
            assert caught.value.sqlite_errorcode == sqlite3.SQLITE_CANTOPEN
    connect_readonly(tmp_path / "x.db").close()  # somebody took the tables away: that is for its reader to find


@pytest.mark.netns
def test_a_copy_on_a_read_only_disk_can_be_read(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        make(disk / "x.db").close()
        remount(disk, "ro")
        reader = connect_readonly(disk / "x.db")
        assert reader.execute("SELECT count(*) FROM thing").fetchone() == (0,)
        reader.close()
