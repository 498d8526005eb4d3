"""One agent per state folder: two would write the same ledger and tell the same breaches.

Rules: an flock on a file of its own, held as long as the agent lives; the kernel lets it go with the process, however
that ends. The file stays: removing it would let two agents lock two files of one name.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from netsla.errors import HostError

LOCK = "lock"
_LOOKS = 20  # at the list of all locks, 0.1 ms each


class FolderLock:
    """The right to write to a state folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor = -1

    def take(self) -> None:
        """Take it now; HostError if another agent holds it. A folder that cannot be written to is not locked."""
        try:
            self._descriptor = os.open(self._folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        except OSError:
            return  # read-only or full: the ledger says so, and cannot be written to by another either
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as held:
            whose = _holder(os.fstat(self._descriptor).st_ino)
            self.leave()
            remedy = "end it, or give this agent an agent.state_dir of its own"
            raise HostError(f"another agent{whose} uses the state folder {self._folder}", remedy) from held

    def leave(self) -> None:
        """Let it go."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1


def _holder(inode: int) -> str:
    """Who holds a lock, for people; "" where the kernel does not say (proc(5): type, kind, mode, pid, place).

    The kernel counts rows from one piece of the list to the next: while others let locks go, one that stays may be
    passed over (2 of 100 looks, with three busy neighbours).
    """
    for _ in range(_LOOKS):
        try:
            rows = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
        except OSError:
            return ""
        for row in rows:
            if row[1] == "FLOCK" and row[5].endswith(f":{inode}"):
                return f" (pid {row[4]})"
    return ""
