"""One writer, one file, and everything a disk can do to them."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from pathlib import Path
from typing import Any

import pytest

from netsla.store import hang, rescue
from netsla.store.database import Database, Schema
from tests.store.disks import fill, remount, small_disk, until

TABLE = "CREATE TABLE thing (id INTEGER PRIMARY KEY, body BLOB)"
SCHEMA = Schema((TABLE,))
Open = Callable[..., Database]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    made: list[Database] = []

    def open_(path: Path = tmp_path / "x.db", schema: Schema = SCHEMA, **more: Any) -> Database:
        made.append(Database(path, schema, **more))
        made[-1].start()
        return made[-1]

    yield open_
    for one in made:
        one.close(0.1)


def add(database: Database, body: bytes = b"x", **more: Any) -> Future[Any]:
    return database.submit(
        lambda connection: connection.execute("INSERT INTO thing (body) VALUES (?)", (body,)).lastrowid, **more
    )


def count(path: Path) -> int:
    with sqlite3.connect(path) as connection:
        number = connection.execute("SELECT count(*) FROM thing").fetchone()[0]
    connection.close()
    return int(number)


def test_work_is_done_in_order_and_answers(opened: Open, tmp_path: Path) -> None:
    database = opened()
    futures = [add(database) for _ in range(200)]
    assert [future.result(10) for future in futures] == list(range(1, 201))
    assert database.problems() == ()
    with database.reader() as connection:
        assert connection.execute("SELECT count(*) FROM thing").fetchone() == (200,)
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            connection.execute("DELETE FROM thing")


def test_wrong_work_fails_alone(opened: Open) -> None:
    database = opened()
    hold = threading.Event()
    database.submit(lambda _c: hold.wait(10))  # so that the next three come together
    before, wrong, after = (
        add(database),
        database.submit(lambda c: c.execute("INSERT INTO nowhere VALUES (1)")),
        add(database),
    )
    hold.set()
    assert before.result(10) == 1
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        wrong.result(10)
    assert after.result(10) == 2


def test_a_disk_that_does_not_answer_is_named_until_it_does(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hang, "LONG_S", 0.01)
    database, begun, answers = opened(), threading.Event(), threading.Event()

    def hold(_connection: sqlite3.Connection) -> None:
        begun.set()
        answers.wait(10)

    stuck = database.submit(hold)
    assert begun.wait(10)
    waiting = add(database)
    until(lambda: any("the disk hangs" in problem for problem in database.problems()))
    assert database.problems()[0].endswith("; 1 writes wait in memory")
    answers.set()
    stuck.result(10)
    waiting.result(10)
    until(lambda: database.problems() == ())


def test_close_writes_what_waits(opened: Open, tmp_path: Path) -> None:
    database = opened()
    for _ in range(500):
        add(database)
    assert database.close() == 0
    assert count(tmp_path / "x.db") == 500
    with pytest.raises(CancelledError):
        add(database).result(1)


def test_an_older_file_is_migrated_once_and_for_all(opened: Open, tmp_path: Path) -> None:
    first = opened()
    add(first).result(10)
    first.close()
    newer = Schema((TABLE, "ALTER TABLE thing ADD COLUMN colour TEXT;\nCREATE TABLE other (id INTEGER PRIMARY KEY)"))
    second = opened(schema=newer)
    found = second.submit(lambda c: c.execute("SELECT id, colour FROM thing").fetchall()).result(10)
    assert found == [(1, None)]
    assert second.submit(lambda c: c.execute("PRAGMA user_version").fetchone()).result(10) == (2,)


def test_a_newer_file_is_set_aside_untouched(opened: Open, tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE future (id INTEGER)")
        connection.execute("PRAGMA user_version = 7")
    connection.close()
    before = path.read_bytes()
    database = opened()
    assert add(database).result(10) == 1
    (aside,) = tmp_path.glob("x.db.newer-7-*")
    assert aside.read_bytes() == before
    (problem,) = database.problems()
    assert "newer netsla" in problem
    assert aside.name in problem


@pytest.mark.parametrize("harm", ["header", "truncated", "middle", "empty", "text"])
def test_a_broken_file_is_set_aside_and_its_rows_kept(opened: Open, tmp_path: Path, harm: str) -> None:
    path = tmp_path / "x.db"
    happened: list[rescue.Rescue] = []
    schema = Schema((TABLE,), rescued=lambda _c, what: happened.append(what))
    first = opened(schema=schema)
    for _ in range(400):
        add(first, os.urandom(1000))
    first.close()
    whole = path.read_bytes()
    broken = {
        "header": b"\xff" * 4096 + whole[4096:],
        "truncated": whole[: len(whole) // 2],
        "middle": whole[: len(whole) // 2] + b"\xff" * 8192 + whole[len(whole) // 2 + 8192 :],
        "empty": b"",
        "text": b"this is no database at all\n" * 1000,
    }[harm]
    path.write_bytes(broken)
    second = opened(schema=schema)
    until(lambda: add(second).result(10) is not None and second.when_checked(1) and not second.problems())
    if harm == "empty":  # SQLite's own word: an empty file is an empty database
        assert happened == []
        return
    (aside,) = [p for p in tmp_path.glob("x.db.corrupt-*") if not p.name.endswith(("-wal", "-shm"))]
    assert aside.read_bytes() == broken
    until(lambda: bool(happened))
    assert [one.kind for one in happened] == ["corrupt"]
    kept = happened[0].kept["thing"]
    assert kept >= {"middle": 300, "truncated": 100}.get(harm, 0)
    assert count(path) >= kept + 1


def test_a_file_deleted_while_running_is_written_again(opened: Open, tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    database = opened()
    add(database).result(10)
    path.unlink()
    assert add(database).result(10) == 2
    until(lambda: count(path) == 2)


def test_a_folder_deleted_while_running_is_made_again(opened: Open, tmp_path: Path) -> None:
    path = tmp_path / "state" / "x.db"
    database = opened(path)
    add(database).result(10)
    shutil.rmtree(path.parent)
    assert add(database).result(10) == 2
    until(lambda: path.exists() and count(path) == 2)


def test_a_file_replaced_while_running_is_set_aside(opened: Open, tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    database = opened()
    add(database).result(10)
    other = tmp_path / "other"
    other.write_bytes(b"somebody's backup")
    other.replace(path)
    assert add(database).result(10) == 2
    (aside,) = [p for p in tmp_path.glob("x.db.replaced-*") if not p.name.endswith(("-wal", "-shm"))]
    assert aside.read_bytes() == b"somebody's backup"


@pytest.mark.parametrize(("share", "seen"), [(0, True), (0.5, True), (0, False), (0.5, False)])
def test_a_file_cut_while_running_is_set_aside_and_its_owner_told(
    opened: Open, tmp_path: Path, share: float, seen: bool
) -> None:
    """Nothing has to be written, or read, for it to be found; an outbox may be idle for days."""
    path = tmp_path / "x.db"
    happened: list[rescue.Rescue] = []
    database = opened(schema=Schema((TABLE,), rescued=lambda _c, what: happened.append(what)))
    for _ in range(400):
        add(database, os.urandom(1000))
    assert database.submit(lambda _connection: None).result(10) is None
    checkpoint(path)
    if seen:
        database.submit(lambda _connection: None).result(10)
    os.truncate(path, int(path.stat().st_size * share))
    until(lambda: bool(happened))
    assert [one.kind for one in happened] == ["corrupt"]
    assert len([p for p in tmp_path.glob("x.db.corrupt-*") if not p.name.endswith(("-wal", "-shm"))]) == 1
    assert happened[0].kept["thing"] >= (100 if share else 0)
    assert "corrupt: set aside" in "".join(database.problems())
    add(database).result(10)
    assert count(path) == happened[0].kept["thing"] + 1


def test_another_program_may_write_the_log_into_the_file_and_make_it_smaller(opened: Open, tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    database = opened()
    for _ in range(400):
        add(database, os.urandom(1000))
    database.submit(lambda connection: connection.execute("DELETE FROM thing WHERE id > 1")).result(10)
    checkpoint(path)
    add(database).result(10)
    before = path.stat().st_size
    other = sqlite3.connect(path)
    other.execute("VACUUM")
    other.close()
    checkpoint(path)
    assert path.stat().st_size < before
    assert add(database).result(10)
    assert not list(tmp_path.glob("x.db.*"))
    assert database.problems() == ()


def test_what_a_deleted_log_held_is_there_after_a_kill(opened: Open, tmp_path: Path) -> None:
    database = opened()
    for _ in range(10):
        add(database).result(10)
    (tmp_path / "x.db-wal").unlink()
    until(lambda: "its log was deleted while running" in "".join(database.problems()))
    assert add(database).result(10) == 11
    (tmp_path / "killed").mkdir()
    for file in ("x.db", "x.db-wal"):
        shutil.copy(tmp_path / file, tmp_path / "killed" / file)
    assert count(tmp_path / "killed" / "x.db") == 11


def checkpoint(path: Path) -> None:
    """As a backup does it."""
    other = sqlite3.connect(path)
    other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    other.close()


@pytest.mark.netns
def test_a_full_disk_is_named_and_outlived(opened: Open, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        database = opened(disk / "x.db")
        add(database).result(10)
        ballast = fill(disk)
        waiting = [add(database, bytes(50_000)) for _ in range(5)]
        until(lambda: bool(database.problems()))
        assert "x.db: the disk is full: free some space; " in database.problems()[0]
        assert not any(one.done() for one in waiting)
        ballast.unlink()
        assert [one.result(30) for one in waiting] == [2, 3, 4, 5, 6]
        until(lambda: database.problems() == ())
        database.close()


@pytest.mark.netns
def test_a_read_only_disk_is_named_and_outlived(opened: Open, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        remount(disk, "ro")
        database = opened(disk / "sub" / "x.db")
        waiting = add(database)
        until(lambda: bool(database.problems()))
        assert "read-only" in database.problems()[0]
        remount(disk, "rw")
        assert waiting.result(30) == 1
        database.close()


def test_over_the_bound_the_oldest_is_given_up_and_told(opened: Open, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    database = opened(tmp_path / "file" / "x.db", backlog_bytes=10_000)
    gone: list[int] = []
    futures = [add(database, weight=1000, dropped=lambda n=n: gone.append(n)) for n in range(15)]
    keep = add(database, weight=1000)
    until(lambda: len(gone) == 6 and bool(database.problems()))  # what is being tried just then is counted afterwards
    assert gone == [0, 1, 2, 3, 4, 5]
    assert all(one.cancelled() for one in futures[:6])
    assert ", 6 were given up" in database.problems()[0]
    (tmp_path / "file").unlink()
    assert keep.result(30) == 10
    assert [one.result(1) for one in futures[6:]] == list(range(1, 10))


def test_at_the_quota_the_owner_lets_something_go(opened: Open, tmp_path: Path) -> None:
    def relieve(connection: sqlite3.Connection) -> bool:
        query = "DELETE FROM thing WHERE id IN (SELECT id FROM thing ORDER BY id LIMIT 20)"
        return connection.execute(query).rowcount > 0

    database = opened(schema=Schema((TABLE,), relieve=relieve), quota_bytes=200_000)
    futures = [add(database, bytes(5000)) for _ in range(200)]
    assert futures[-1].result(30) == 200
    assert (tmp_path / "x.db").stat().st_size <= 200_000 + 4096
    with database.reader() as connection:
        assert connection.execute("SELECT min(id) > 100, max(id) FROM thing").fetchone() == (1, 200)


def test_at_the_quota_with_nothing_to_let_go_it_says_so(opened: Open) -> None:
    database = opened(quota_bytes=100_000)
    last = [add(database, bytes(5000)) for _ in range(30)][-1]
    until(lambda: bool(database.problems()))
    assert "size limit" in database.problems()[0]
    assert not last.done()


def test_another_program_that_holds_the_file_is_waited_for(opened: Open, tmp_path: Path) -> None:
    database = opened()
    add(database).result(10)
    other = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    waiting = add(database)
    until(lambda: bool(database.problems()))
    assert "another program holds the file" in database.problems()[0]
    other.execute("ROLLBACK")
    other.close()
    assert waiting.result(30) == 2
