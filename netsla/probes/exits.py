"""Did a SYN leave our own host? The kernel's count of IP packets tells what connect() hides.

A firewall of ours (netfilter, a cgroup's program, a security module) that drops a SYN makes the send fail, but
connect() goes on as if it had left (net/ipv4/tcp_output.c, tcp_connect), and nothing of the socket differs from that of
a SYN that was lost afar: TCP_INFO, error queue and timers are alike. But what is dropped never comes to be counted as
sent, and that count is made in the call itself.

Rules: a count is of all packets of the host, never of one. It proves only that *nobody's* packet left between two
readings: then, and if the kernel keeps no copy anywhere (a queue to user space, encryption), the SYN was dropped. No
loss afar is ever excused. Where others' packets left meanwhile, but fewer than were to leave, there is doubt, and the
handshake is tried again at once. Linux before 6.7 counts IPv4 behind the OUTPUT chain only, and IPv6 before it: there
only so much is proved.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from netsla.model import SECOND
from netsla.probes.handshake import is_waiting, keeps_nothing

_PLACE = "/proc/thread-self/net/"  # of the prober's own network namespace
_FILES = {socket.AF_INET: "snmp", socket.AF_INET6: "snmp6"}
_BYTES = 1 << 14
_READINGS = 5  # until a packet that another thread is just sending is counted, too
_GUARD_NS = 10 * SECOND  # after a proof
_MISTRUST_NS = 600 * SECOND
_V6_ASKED, _V6_GONE = (re.compile(rb"Ip6%s\s+(\d+)" % name) for name in (b"OutRequests", b"OutTransmits"))


@dataclass(frozen=True, slots=True)
class Toll:
    """A reading: packets that were to leave (-1: not counted by this kernel), and that left."""

    asked: int
    gone: int


def toll_of(data: bytes, family: int) -> Toll:
    """What /proc/net/snmp, or snmp6, says; raises ValueError where it is not what we know."""
    if family == socket.AF_INET6:
        asked, gone = _V6_ASKED.search(data), _V6_GONE.search(data)
        if asked is None:
            raise ValueError("no Ip6OutRequests")
        return Toll(int(asked[1]), int(gone[1])) if gone else Toll(-1, int(asked[1]))
    names, values = (line.split() for line in data.split(b"\n", 2)[:2])
    asked_at = names.index(b"OutRequests")
    if names[-1] != b"OutTransmits":
        return Toll(-1, int(values[asked_at]))
    return Toll(int(values[asked_at]), int(values[-1]))


class Exits:
    """Judges SYNs by the counts around them. Where they cannot be read nothing is told."""

    def __init__(self) -> None:
        self._files: dict[int, int] = {}
        self._guard_ns = self._mistrust_ns = -1

    def open(self) -> None:
        """In the network namespace of the calling thread."""
        for family, name in _FILES.items():
            try:
                self._files[family] = os.open(_PLACE + name, os.O_RDONLY | os.O_CLOEXEC)
                self._read(family)
            except (OSError, ValueError):
                self._forget(family)

    def is_on_guard(self, mono_ns: int) -> bool:
        """Whether SYNs were dropped a short while ago, so that each is to be judged by itself."""
        return mono_ns < self._guard_ns

    def mistrust(self, mono_ns: int) -> None:
        """What was in doubt was answered: this host asks for more than leaves (IPsec does), or others' are dropped."""
        self._mistrust_ns = mono_ns + _MISTRUST_NS

    def before(self, families: set[int], mono_ns: int) -> dict[int, Toll]:
        """A reading for each family that can be judged."""
        settle = self.is_on_guard(mono_ns)
        return {
            family: self._settled(family) if settle else self._read(family) for family in families & self._files.keys()
        }

    def judge(
        self, before: Toll, family: int, socks: Sequence[socket.SocketType], mono_ns: int
    ) -> tuple[list[int], bool]:
        """(which of these SYNs, all sent since, may have been dropped, whether that is proved)."""
        trusted = before.asked >= 0 and mono_ns >= self._mistrust_ns
        for _ in range(_READINGS):
            after = self._read(family)
            asked = max(after.asked - before.asked, len(socks)) if trusted else len(socks)
            if after.gone - before.gone >= asked:
                return [], False
        silent = [i for i, sock in enumerate(socks) if is_waiting(sock) and keeps_nothing(sock)]
        gone = self._read(family).gone  # again: what left before the kernel let go of it is counted by now
        proved = bool(silent) and gone == before.gone > 0  # where it stands at zero it may not count at all
        if proved:
            self._guard_ns = mono_ns + _GUARD_NS
        return silent, proved

    def _read(self, family: int) -> Toll:
        return toll_of(os.pread(self._files[family], _BYTES, 0), family)

    def _settled(self, family: int) -> Toll:
        """Of some readings that with the least between what was to leave and what left: nothing was on its way."""
        return min((self._read(family) for _ in range(_READINGS)), key=lambda toll: toll.asked - toll.gone)

    def _forget(self, family: int) -> None:
        if family in self._files:
            os.close(self._files.pop(family))

    def close(self) -> None:
        """Close the files."""
        for family in list(self._files):
            self._forget(family)
