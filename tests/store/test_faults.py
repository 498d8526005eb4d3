from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

import pytest

from netsla.store import faults


def raised(query: str, path: str = ":memory:", setup: str = "") -> sqlite3.Error:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        if setup:
            connection.executescript(setup)
        connection.execute(query)
    except sqlite3.Error as error:
        return error
    finally:
        connection.close()
    raise AssertionError(query)


def test_a_full_database_is_a_fault_of_room() -> None:
    full = raised("INSERT INTO t VALUES (zeroblob(100000))", setup="CREATE TABLE t (b); PRAGMA max_page_count = 3")
    assert faults.is_fault(full)
    assert faults.is_full(full)
    assert faults.words(full) == ("the disk is full", "free some space")


def test_a_foreign_file_is_corrupt(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x" * 5000)
    assert faults.is_corrupt(raised("SELECT * FROM sqlite_master", str(tmp_path / "x")))


@pytest.mark.parametrize("query", ["SELECT nonsense", "SELECT * FROM nowhere"])
def test_wrong_sql_is_no_fault(query: str) -> None:
    assert not faults.is_fault(raised(query))


@pytest.mark.parametrize(
    ("number", "problem"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "the disk is full"),
        (errno.EROFS, "the folder or the file is read-only"),
        (errno.EACCES, "access is denied"),
        (errno.ENOTDIR, "[Errno 20] it"),
    ],
)
def test_the_kernel_s_words_are_put_plainly(number: int, problem: str) -> None:
    assert faults.words(OSError(number, "it"))[0] == problem
