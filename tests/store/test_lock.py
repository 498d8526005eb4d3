"""One agent per state folder."""

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


def test_a_folder_that_cannot_be_written_to_stops_no_agent(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        remount(disk, "ro")
        lock = FolderLock(disk)
        lock.take()
        lock.leave()
