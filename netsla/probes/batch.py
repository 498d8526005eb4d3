"""Packets in batches: sendmmsg and recvmmsg over numpy buffers, with the kernel's time stamps.

Rules: memory is laid out once; a call touches only numbers in it. Kernel structures are those of 64-bit
Linux (recvmmsg(2), cmsg(3), timestamping.rst). Knows nothing of ICMP.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_libc = ctypes.CDLL(None, use_errno=True)
_libc.sendmmsg.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int]
_libc.recvmmsg.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_void_p]

SO_TIMESTAMPING = 37
TX_SOFTWARE, RX_SOFTWARE, SOFTWARE, OPT_ID, OPT_CMSG = 1 << 1, 1 << 3, 1 << 4, 1 << 7, 1 << 10
STAMPS = TX_SOFTWARE | RX_SOFTWARE | SOFTWARE | OPT_ID | OPT_CMSG
SO_MEMINFO = 55
_STAMP_HEAD = SO_TIMESTAMPING << 32 | socket.SOL_SOCKET  # level and type of a control message, as one number
_HELD, _DROPS = 0, 8  # indices in SO_MEMINFO: bytes that wait, and packets that the receive buffer had no room for
SO_RCVBUFFORCE, SO_SNDBUFFORCE = 33, 32
EE_ORIGIN_LOCAL, EE_ORIGIN_ICMP, EE_ORIGIN_ICMP6, EE_ORIGIN_TIMESTAMPING = 1, 2, 3, 4

MMSGHDR = np.dtype(
    {
        "names": ["name", "namelen", "iov", "iovlen", "control", "controllen", "flags", "len"],
        "formats": ["u8", "u4", "u8", "u8", "u8", "u8", "i4", "u4"],
        "offsets": [0, 8, 16, 24, 32, 40, 48, 56],
        "itemsize": 64,
    }
)
IOVEC = np.dtype([("base", "u8"), ("len", "u8")])
NAME_BYTES = 28  # struct sockaddr_in6, the longer one
CONTROL_BYTES = 192
"""Room for the stamps (64 bytes), the link (at most 40) and an extended error with its offender (at most 64)."""


_NO_WAIT = int(socket.MSG_DONTWAIT)
_ERRORS_ONLY = _NO_WAIT | socket.MSG_ERRQUEUE
_PENDING = 100  # errors that may come in one after the other while we read


def every(mask: npt.NDArray[np.generic]) -> bool:
    """Whether all are true, or not 0: as `mask.all()`, which takes some ten times as long to begin."""
    return int(np.count_nonzero(mask)) == mask.size


def addresses_of(array: npt.NDArray[np.generic]) -> npt.NDArray[np.uint64]:
    """Memory address of each row of a two-dimensional array."""
    base, step = array.ctypes.data, array.strides[0]
    return base + step * np.arange(len(array), dtype=np.uint64)


class Outbox:
    """Packets laid out for sending: row i goes to `names[i]`; a contiguous slice goes in one call."""

    def __init__(self, names: npt.NDArray[np.uint8], packets: npt.NDArray[np.uint8]) -> None:
        self.names, self.packets = np.ascontiguousarray(names), np.ascontiguousarray(packets)
        self._iovec = np.zeros(len(packets), IOVEC)
        self._iovec["base"], self._iovec["len"] = addresses_of(self.packets), packets.shape[1]
        self._headers = np.zeros(len(packets), MMSGHDR)
        self._headers["name"], self._headers["namelen"] = addresses_of(self.names), names.shape[1]
        self._headers["iov"], self._headers["iovlen"] = addresses_of(self._iovec.reshape(-1, 1)), 1
        self._base = self._headers.ctypes.data

    def send(self, fd: int, begin: int, end: int) -> int:
        """Send packets [begin, end); returns how many left, or -errno if the first did not."""
        sent = int(_libc.sendmmsg(fd, self._base + 64 * begin, end - begin, 0))
        return sent if sent >= 0 else -ctypes.get_errno()


class Inbox:
    """Room for a batch of incoming packets, or of entries of the error queue."""

    def __init__(self, size: int, packet_bytes: int) -> None:
        self.size = size
        packet_bytes += packet_bytes % 2
        self.packets = np.zeros((size, packet_bytes), np.uint8)
        self.names = np.zeros((size, NAME_BYTES), np.uint8)
        self.control = np.zeros((size, CONTROL_BYTES), np.uint8)
        self._iovec = np.zeros(size, IOVEC)
        self._iovec["base"], self._iovec["len"] = addresses_of(self.packets), packet_bytes
        self._headers = np.zeros(size, MMSGHDR)
        self._headers["name"], self._headers["iov"] = addresses_of(self.names), addresses_of(self._iovec.reshape(-1, 1))
        self._headers["iovlen"], self._headers["control"] = 1, addresses_of(self.control)
        self._base = self._headers.ctypes.data
        self.lengths = self._headers["len"]
        self._dirty = size
        # views that make a whole batch's control messages columns
        self.control_u64 = self.control.view(np.uint64)
        self.control_i64 = self.control.view(np.int64)
        self.control_u32 = self.control.view(np.uint32)
        self.names_u32 = self.names.view(np.uint32)

    def receive(self, fd: int, *, errors: bool = False) -> int:
        """Fill with what waits, from the error queue if `errors`; returns how many.

        A pending ICMP error makes one call fail, or end early, and is gone then: only 0 means that nothing waits.
        """
        self._headers["namelen"][: self._dirty] = NAME_BYTES
        self._headers["controllen"][: self._dirty] = CONTROL_BYTES
        flags = _ERRORS_ONLY if errors else _NO_WAIT
        for _ in range(_PENDING):
            got = int(_libc.recvmmsg(fd, self._base, self.size, flags, None))
            if got >= 0 or ctypes.get_errno() == errno.EAGAIN:
                break
        self._dirty = max(got, 0)
        return self._dirty

    @property
    def control_lengths(self) -> npt.NDArray[np.uint64]:
        """Bytes of control messages that the kernel wrote, per packet."""
        return self._headers["controllen"]

    def stamps(self, count: int) -> npt.NDArray[np.int64]:
        """The software stamp of each of the first `count` packets, UTC ns; 0 where there is none."""
        control = self.control_i64[:count]  # level and type, seconds, nanoseconds from the second word on
        stamps: npt.NDArray[np.int64] = control[:, 2] * 1_000_000_000
        stamps += control[:, 3]
        is_stamp = (control[:, 1] == _STAMP_HEAD) & (self.control_lengths[:count] >= 64)
        if not every(is_stamp):
            stamps[~is_stamp] = 0
        return stamps


@dataclass(frozen=True, slots=True)
class Buffers:
    """What the kernel granted, in bytes."""

    receive: int
    send: int


def enlarge(sock: socket.socket, want: int) -> Buffers:
    """Large buffers: by force where we may, else up to the host's limit."""
    for force, plain in ((SO_RCVBUFFORCE, socket.SO_RCVBUF), (SO_SNDBUFFORCE, socket.SO_SNDBUF)):
        try:
            sock.setsockopt(socket.SOL_SOCKET, force, want)
        except PermissionError:
            sock.setsockopt(socket.SOL_SOCKET, plain, want)
    return Buffers(
        sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF), sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
    )


def pressure(sock: socket.socket) -> tuple[int, int]:
    """(packets, bytes): how many the receive buffer had no room for so far (modulo 2^32), and what waits in it now."""
    memory = struct.unpack("9I", sock.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 36))
    return memory[_DROPS], memory[_HELD]


def random_words(count: int) -> npt.NDArray[np.uint64]:
    """Unpredictable 64-bit numbers from the kernel."""
    return np.frombuffer(os.urandom(8 * count), np.uint64)
