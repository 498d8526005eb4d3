"""A firewall of the host itself: a program at the exit of a control group, which drops packets with EPERM.

It stands where the OUTPUT chain of netfilter does for whoever sends: connect() hides what it does, sendto() tells.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

_BPF, _PROG_LOAD, _PROG_ATTACH, _PROG_DETACH = 321, 5, 8, 9  # bpf(2), x86-64
_CGROUP_SKB, _EGRESS = 8, 1
_DROP = ((0xB7, 0, 0), (0x95, 0, 0))  # r0 = 0; exit


class Firewall:
    """A control group whose packets can be kept from leaving."""

    def __init__(self, folder: Path) -> None:
        """`folder`: where the hierarchy is mounted."""
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._group = folder / f"netsla-test-{os.getpid()}"
        self._group.mkdir()
        self._members = self._group / "cgroup.procs"
        code = ctypes.create_string_buffer(b"".join(struct.pack("=Bxhi", *one) for one in _DROP))
        license_ = ctypes.create_string_buffer(b"GPL")
        head = struct.pack("=IIQQ", _CGROUP_SKB, len(_DROP), ctypes.addressof(code), ctypes.addressof(license_))
        self._program = self._call(_PROG_LOAD, head + bytes(44) + struct.pack("=I", _EGRESS))
        self._fd = os.open(self._group, os.O_RDONLY | os.O_DIRECTORY)

    @property
    def inside(self) -> tuple[str, ...]:
        """Words before a command that is to run in the group."""
        return "sh", "-c", f'echo $$ > {self._members}; exec "$@"', "sh"

    def close_up(self) -> None:
        """From now on nothing leaves."""
        self._call(_PROG_ATTACH, struct.pack("=IIII", self._fd, self._program, _EGRESS, 0))

    def open_up(self) -> None:
        """Everything leaves again."""
        self._call(_PROG_DETACH, struct.pack("=IIII", self._fd, self._program, _EGRESS, 0))

    def remove(self) -> None:
        """Nobody may be in the group any more."""
        os.close(self._fd)
        os.close(self._program)
        self._group.rmdir()

    def _call(self, command: int, attributes: bytes) -> int:
        room = ctypes.create_string_buffer(attributes.ljust(144, b"\0"), 144)
        found = int(self._libc.syscall(_BPF, command, room, len(room)))
        if found < 0:
            raise OSError(ctypes.get_errno(), "bpf")
        return found


@contextlib.contextmanager
def firewall(folder: Path) -> Iterator[Firewall]:
    """One for the length of a test, open at first; leave only after who is inside has ended."""
    hierarchy = folder / "cgroup2"
    hierarchy.mkdir()
    subprocess.run(["mount", "-t", "cgroup2", "none", str(hierarchy)], check=True)
    try:
        one = Firewall(hierarchy)
        try:
            yield one
        finally:
            one.remove()
    finally:
        subprocess.run(["umount", str(hierarchy)], check=True)
