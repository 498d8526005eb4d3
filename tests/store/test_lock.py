"""One agent per state folder."""

import itertools
import os
from pathlib import Path

import pytest

from netsla.errors import HostError
from netsla.store.lock import FolderLock
from tests.store.disks import remount, small_disk


def test_the_second_one_is_told_whose_folder_it_is(tmp_path: Path) -> None:
    first, second = FolderLock(tmp_path), FolderLock(tmp_path)
    first.take()
    with pytest.raises(HostError, match=rf"another agent \(pid {os.getpid()}\) uses the state folder .*: end it"):
        second.take()
    first.leave()
    second.take()
    second.leave()
    second.leave()


def test_a_row_that_was_passed_over_is_looked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = FolderLock(tmp_path), FolderLock(tmp_path)
    first.take()
    read, looks = Path.read_text, itertools.count()
    monkeypatch.setattr(
        Path, "read_text", lambda path: read(path) if next(looks) == 2 else "1: POSIX  ADVISORY  READ 1 00:01:2 0 EOF\n"
    )
    with pytest.raises(HostError, match=rf"another agent \(pid {os.getpid()}\) uses"):
        second.take()
    first.leave()


def test_a_folder_that_cannot_be_written_to_stops_no_agent(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        remount(disk, "ro")
        lock = FolderLock(disk)
        lock.take()
        lock.leave()
