"""Whose fault is the silence of a handshake? What :mod:`netsla.probes.faults` is for echoes, for sockets of their own.

Rules: the same evidence, but nothing is noted as long as all is well: a socket knows its source address itself, and
which way its packets went is asked only when it is about to be called lost.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from netsla.model import Reason
from netsla.probes.faults import CUT_OFF, REFUSALS
from netsla.probes.links import SETTLE_NS, Links
from netsla.probes.netlink import Ask, is_near, word_of

_SPEAKS_FOR_ITSELF = (errno.EHOSTUNREACH, errno.ENETUNREACH)
"""What our own host tells, too, when it cannot hand a packet on."""


@dataclass(frozen=True, slots=True)
class Departure:
    """A handshake that was not answered: `bound` if its source address is prescribed; times are monotonic ns."""

    row: int
    sock: socket.SocketType
    target: str
    bound: bool
    dscp: int
    begin_ns: int
    end_ns: int


class Departures:
    """Everything of ours that the silence of handshakes may be due to."""

    def __init__(self) -> None:
        self.links = Links()
        self._open = False
        self._refused: dict[int, tuple[int, Reason]] = {}

    def poll(self, mono_ns: int) -> None:
        """What our own links did up to now; begins to watch, in the calling thread's network namespace."""
        if not self._open:
            self._open = True
            self.links.open(mono_ns)
        self.links.poll(mono_ns)

    def refuse(self, row: int, reason: Reason, mono_ns: int) -> None:
        """Our own host refused to connect."""
        if reason in CUT_OFF:
            self._refused[row] = mono_ns, reason

    def keep(self, rows: set[int]) -> None:
        """Forget all other rows."""
        self._refused = {row: refusal for row, refusal in self._refused.items() if row in rows}

    def is_doubtful(self, code: int) -> bool:
        """Whether an error may come from our own host as well as from the network."""
        return code in _SPEAKS_FOR_ITSELF and any(True for _ in self.links.since(0))

    def reasons_for(self, some: Sequence[Departure], mono_ns: int) -> list[Reason | None]:
        """Why each is unmeasured rather than lost; None where nothing speaks for that."""
        sources = [_source_of(one.sock) for one in some]
        ways = self.links.ways([_ask(one, source) for one, source in zip(some, sources, strict=True)])
        found = [REFUSALS.get(way) for way in ways]
        for i, (one, source) in enumerate(zip(some, sources, strict=True)):
            at_ns, reason = self._refused.get(one.row, (-1, None))
            if at_ns >= one.begin_ns:
                found[i] = reason
            elif self.links.is_narrow(word_of(source)) and not is_near(_packed(one.target)):
                found[i] = Reason.SOURCE_GONE
        self.links.look({way for way in ways if way > 0}, mono_ns)
        link = np.maximum(np.array(ways), 0).astype(np.uint32)
        link[link == 0] = 0xFFFFFFFF  # it left, by a link that nobody knows
        words = np.array([word_of(source) for source in sources], np.uint64)
        begin, end = (np.array([getattr(one, name) for one in some]) for name in ("begin_ns", "end_ns"))
        for fault in self.links.since(int(begin.min())):
            if fault.over:
                continue  # a handshake is short
            for i in np.flatnonzero(fault.concerns(link, words) & fault.during(begin, end, SETTLE_NS)).tolist():
                found[i] = fault.reason if found[i] is None else found[i]
        return found

    def close(self) -> None:
        """Stop watching."""
        self.links.close()


def _source_of(sock: socket.SocketType) -> bytes:
    return _packed(sock.getsockname()[0])


def _packed(address: str) -> bytes:
    return ipaddress.ip_address(address.partition("%")[0]).packed


def _ask(one: Departure, source: bytes) -> Ask:
    name = one.sock.getsockname()
    scope = name[3] if len(name) == 4 else 0  # of link-local addresses
    return Ask(_packed(one.target), source if one.bound else b"", one.dscp, scope, socket.IPPROTO_TCP)
