"""What a wire saw: every ICMP echo request that came over the loopback device of a namespace, with the kernel's time.

A socket bound to one protocol hears what a device receives, and the loopback device receives whatever is sent: each
request is heard once.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
from array import array

import numpy as np

from netsla.model import IntArray
from tests.netlab.wire import enter

_ETH_P_IP = 0x0800
_CLONE_NEWNET = 0x40000000
_SO_ATTACH_FILTER, _SO_TIMESTAMPNS, _SO_RCVBUFFORCE = 26, 35, 33
_SOL_PACKET, _PACKET_STATISTICS = 263, 6
_PROTOCOL, _KIND = 9, 20  # bytes of an IPv4 packet without options: its protocol, and the type of its ICMP message
_ICMP, _ECHO = 1, 8
_LOAD_BYTE, _JUMP_EQUAL, _RETURN = 0x30, 0x15, 0x06
_FILTER = (
    (_LOAD_BYTE, 0, 0, _PROTOCOL), (_JUMP_EQUAL, 0, 3, _ICMP), (_LOAD_BYTE, 0, 0, _KIND), (_JUMP_EQUAL, 0, 1, _ECHO),
    (_RETURN, 0, 0, 64), (_RETURN, 0, 0, 0),
)  # fmt: skip
_BUFFER = 32 << 20  # bytes: some minutes of a few hundred packets a second


class Ear:
    """Listens in a namespace from the moment it is made; `hear` takes in what has passed since."""

    def __init__(self, namespace: str) -> None:
        self._socket = _packet_socket(namespace)
        self._at, self._to = array("q"), array("I")

    def hear(self) -> None:
        """Take in what waits; nothing of it may have been dropped."""
        while True:
            try:
                packet, control, _, _ = self._socket.recvmsg(64, 64)
            except BlockingIOError:
                break
            seconds, nanoseconds = struct.unpack("qq", control[0][2])
            self._at.append(seconds * 1_000_000_000 + nanoseconds)
            self._to.append(int.from_bytes(packet[16:20], "big"))
        _, dropped = struct.unpack("II", self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))
        assert dropped == 0, "the ear was too slow: there is no truth to compare with"

    @property
    def at_ns(self) -> IntArray:
        """When each request left, UTC, ascending."""
        return np.array(self._at, np.int64)

    @property
    def to(self) -> IntArray:
        """The IPv4 address that each request went to, as a number."""
        return np.array(self._to, np.int64)

    def close(self) -> None:
        self._socket.close()


def _packet_socket(namespace: str) -> socket.socket:
    """A packet socket in a namespace, made from outside; this thread is back home afterwards."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        enter(namespace)
        ear = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
    finally:
        if ctypes.CDLL(None, use_errno=True).setns(home, _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
        os.close(home)
    code = b"".join(struct.pack("HBBI", *one) for one in _FILTER)
    memory = ctypes.create_string_buffer(code)
    program = struct.pack("HxxxxxxP", len(_FILTER), ctypes.addressof(memory))
    ear.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
    ear.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    ear.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
    ear.bind(("lo", _ETH_P_IP))
    ear.setblocking(False)
    return ear
