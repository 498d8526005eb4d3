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

from netsla.model import MILLISECOND, SECOND, Reason
from netsla.probes.faults import CUT_OFF, REFUSALS
from netsla.probes.handshake import keeps_first
from netsla.probes.links import SETTLE_NS, Links
from netsla.probes.netlink import Ask, Neighbour, is_near, word_of

_COUNT_NS = SECOND  # between two looks at the tables of neighbours, 80 us, at most
_COUNTED_NS = 10 * MILLISECOND  # and at least: where many are to be judged singly
_FAMILIES = (socket.AF_INET, socket.AF_INET6)
_SPEAKS_FOR_ITSELF = (errno.EHOSTUNREACH, errno.ENETUNREACH)
"""What our own host tells, too, when it cannot hand a packet on."""


@dataclass(frozen=True, slots=True)
class Departure:
    """A handshake that was not answered: `bound` if its source address is prescribed; times are monotonic ns.

    `silent`: no error ended it.
    """

    row: int
    sock: socket.SocketType
    target: str
    bound: bool
    dscp: int
    begin_ns: int
    end_ns: int
    silent: bool


class Departures:
    """Everything of ours that the silence of handshakes may be due to."""

    def __init__(self) -> None:
        self.links = Links()
        self._open = False
        self._refused: dict[int, tuple[int, Reason]] = {}
        self._overflows: dict[int, int] = {}  # of the table of neighbours, by family
        self._overflowed_ns: dict[int, int] = {}  # when we last learnt of one
        self._counted_ns = -SECOND

    def poll(self, mono_ns: int) -> None:
        """What our own links did up to now; begins to watch, in the calling thread's network namespace."""
        if not self._open:
            self._open = True
            self.links.open(mono_ns)
        self.links.poll(mono_ns)
        if mono_ns >= self._counted_ns + _COUNT_NS:
            self._count_overflows(mono_ns)

    def _count_overflows(self, mono_ns: int) -> None:
        self._counted_ns = mono_ns
        for family in _FAMILIES:
            count = self.links.overflows(family)
            if count is not None:
                if count > self._overflows.get(family, count):
                    self._overflowed_ns[family] = mono_ns
                self._overflows[family] = count

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
        asks = [_ask(one, source) for one, source in zip(some, sources, strict=True)]
        ways = self.links.ways(asks)
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
            concerned = fault.concerns(link, words) & fault.during(begin, end, SETTLE_NS)
            meanwhile = fault.during(begin, end)
            for i in np.flatnonzero(concerned).tolist():
                if found[i] is None and (meanwhile[i] or not self._surely_left(some[i], asks[i], mono_ns)):
                    found[i] = fault.reason
        if mono_ns >= self._counted_ns + _COUNTED_NS and None in found:
            self._count_overflows(mono_ns)
        for i, one in enumerate(some):
            if found[i] is None and (self._had_no_place(one, asks[i], ways[i]) or self._is_here_yet(one, asks[i])):
                found[i] = Reason.BUFFER_FULL
        return found

    def _surely_left(self, one: Departure, ask: Ask, mono_ns: int) -> bool:
        """Whether a SYN that was sent when a link was back did not have to wait for a neighbour's address.

        What waited in vain ends with an error, or was put out of a full queue without a word.
        """
        return one.silent and self.links.takes_since(ask) > mono_ns - one.begin_ns

    def _is_here_yet(self, one: Departure, ask: Ask) -> bool:
        """Whether the SYN still waits in a queue of ours, and not for a silent neighbour: that one is dead."""
        return one.silent and keeps_first(one.sock) and self.links.neighbour(ask) is Neighbour.TAKES

    def _had_no_place(self, one: Departure, ask: Ask, way: int) -> bool:
        """Whether the SYN was dropped since the table of neighbours was full: who takes it is still not in there.

        connect() hides that. A neighbour that is asked for its address is in the table, silent or not.
        """
        overflowed = self._overflowed_ns.get(one.sock.family, -1) >= one.begin_ns
        return overflowed and self.links.resolves(way) and self.links.neighbour(ask) is Neighbour.UNKNOWN

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
