"""What the kernel tells of links, addresses and routes: rtnetlink messages <-> values, and the two sockets for them.

Rules: nothing here decides. Layouts are those of rtnetlink(7) and linux/if_link.h; integers are in the host's order.
No privilege is needed, and no lock of the kernel's is taken by a lookup of a route.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

_ERROR, _DONE, _NEWLINK, _DELLINK, _GETLINK, _NEWADDR, _DELADDR, _GETADDR = 2, 3, 16, 17, 18, 20, 21, 22
_NEWROUTE, _GETROUTE, _NEWNEIGH, _GETNEIGH, _NEWTABLE, _GETTABLE = 24, 26, 28, 30, 64, 66
_REQUEST, _DUMP = 1, 0x300
_GROUPS = 1 | 0x10 | 0x100  # RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR
_HEAD, _LINK, _ADDRESS, _ROUTE = struct.Struct("=IHHII"), struct.Struct("=BxHiII"), struct.Struct("=BBBBi"), 12
_ATTRIBUTE, _NEIGHBOUR = struct.Struct("=HH"), struct.Struct("=BxxxiHBB")
_IFLA_NAME, _IFLA_MTU, _IFLA_CARRIER_DOWN_COUNT, _IFA_ADDRESS, _IFA_LOCAL = 3, 4, 48, 1, 2
_RTA_DST, _RTA_SRC, _RTA_OIF, _RTA_GATEWAY, _RTA_VIA, _RTA_IP_PROTO, _NDA_DST, _NDA_CACHEINFO = 1, 2, 4, 5, 18, 27, 1, 3
_CLOCK_TICK_NS = 10_000_000  # USER_HZ
_NDTA_STATS, _TABLE, _FULL_AT = 7, 4, 80  # of a neighbour table: bytes of its head, where ndts_table_fulls is
_INCOMPLETE, _FAILED = 0x01, 0x20  # NUD_*, of a neighbour that does not tell its hardware address
_SCOPE_LINK, _SCOPE_HOST = 253, 254
_UP, _LOWER_UP, _DORMANT = 1, 0x10000, 0x20000  # IFF_RUNNING would be told a second late
_PLAIN = 0x8 | 0x10 | 0x80  # IFF_LOOPBACK, IFF_POINTOPOINT, IFF_NOARP: nobody is asked for an address there
_READ = 1 << 16
_ROOM = 4 << 20  # bytes of receive buffer asked for
_AT_ONCE = 32  # lookups a call: their answers fit the smallest receive buffer


@dataclass(frozen=True, slots=True)
class LinkNews:
    """A link as it is now; `losses` counts how often its carrier was lost."""

    index: int
    name: str
    usable: bool
    losses: int
    there: bool = True
    mtu: int = 0
    resolves: bool = False  # neighbours there are asked for their hardware addresses


@dataclass(frozen=True, slots=True)
class AddressNews:
    """An address of the host (see `word_of`) on a link, there or gone; `narrow`: of no use beyond the link or host."""

    index: int
    word: int
    there: bool = True
    narrow: bool = False


News = LinkNews | AddressNews


class Neighbour(Enum):
    """How the host stands to whom it hands a packet: by name of what becomes of the packet."""

    TAKES = 0  # its hardware address is known, or it needs none
    SILENT = 1  # it is being asked for its address, or did not tell it
    UNKNOWN = 2  # no place was left to ask for it
    UNTOLD = 3


@dataclass(frozen=True, slots=True)
class Ask:
    """Which way would a packet go? Addresses are packed; `scope` is the link of a link-local one, or 0."""

    target: bytes
    source: bytes = b""
    dscp: int = 0
    scope: int = 0
    protocol: int = 0


def word_of(packed: bytes) -> int:
    """An address as one machine word: IPv4 little-endian, of IPv6 the two halves over each other."""
    if len(packed) == 4:
        return int.from_bytes(packed, "little")
    return int.from_bytes(packed[:8], "little") ^ int.from_bytes(packed[8:], "little")


def is_near(packed: bytes) -> bool:
    """Whether an address is of this host or of a link of ours, so that a narrow source is right for it."""
    if len(packed) == 4:
        return packed[0] == 127 or packed[:2] == bytes([169, 254])
    return packed == bytes(15) + b"\1" or (packed[0] == 0xFE and packed[1] & 0xC0 == 0x80)


def _messages(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(type, sequence number, body) of each message."""
    at = 0
    while at + _HEAD.size <= len(data):
        length, kind, _, sequence, _ = _HEAD.unpack_from(data, at)
        yield kind, sequence, data[at + _HEAD.size : at + length]
        at += max(length + 3 & ~3, _HEAD.size)


def _attributes(data: bytes) -> dict[int, bytes]:
    found, at = {}, 0
    while at + 4 <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        found[kind & 0x3FFF] = data[at + 4 : at + length]
        at += max(length + 3 & ~3, 4)
    return found


def news_of(kind: int, body: bytes) -> News | None:
    """What a message tells, or None."""
    if kind in (_NEWLINK, _DELLINK):
        family, _, index, flags, _ = _LINK.unpack_from(body)
        if family:
            return None  # of a bridge: a port that leaves it is still a link
        more = _attributes(body[_LINK.size :])
        losses = int.from_bytes(more.get(_IFLA_CARRIER_DOWN_COUNT, b""), "little")
        name = more.get(_IFLA_NAME, b"").rstrip(b"\0").decode(errors="replace")
        there = kind == _NEWLINK
        usable = there and flags & (_UP | _LOWER_UP | _DORMANT) == _UP | _LOWER_UP
        mtu = int.from_bytes(more.get(_IFLA_MTU, b""), "little")
        return LinkNews(index, name, usable, losses, there, mtu, there and not flags & _PLAIN)
    if kind in (_NEWADDR, _DELADDR):
        family, _, _, scope, index = _ADDRESS.unpack_from(body)
        more = _attributes(body[_ADDRESS.size :])
        packed = more.get(_IFA_LOCAL) or more.get(_IFA_ADDRESS)
        narrow = scope >= (_SCOPE_LINK if family == socket.AF_INET6 else _SCOPE_HOST)
        return AddressNews(index, word_of(packed), kind == _NEWADDR, narrow) if packed else None
    return None


class Monitor:
    """Tells what happens to links and addresses. Opening raises OSError where the host forbids it."""

    def __init__(self) -> None:
        self._socket = _open()
        try:
            self._socket.bind((0, _GROUPS))
        except OSError:
            self._socket.close()
            raise

    def read(self) -> list[News] | None:
        """What happened since the last call; None: more than we were told of."""
        found: list[News] = []
        while True:
            try:
                data = self._socket.recv(_READ)
            except BlockingIOError:
                return found
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                return None
            found += [news for kind, _, body in _messages(data) if (news := news_of(kind, body)) is not None]

    def survey(self) -> list[News]:
        """Everything as it is now."""
        found: list[News] = []
        with _open() as sock:
            sock.setblocking(True)  # the kernel answers in the call itself
            for kind in (_GETLINK, _GETADDR):
                sock.send(_HEAD.pack(_HEAD.size + 16, kind, _REQUEST | _DUMP, 1, 0) + bytes(16))
                found += self._dumped(sock)
        return found

    def _dumped(self, sock: socket.socket) -> Iterator[News]:
        while True:
            for kind, _, body in _messages(sock.recv(_READ)):
                if kind in (_DONE, _ERROR):
                    return
                news = news_of(kind, body)
                if news is not None:
                    yield news

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


class Inquiry:
    """Asks the kernel which way packets would go, and how a link is. Opening may raise OSError, too."""

    def __init__(self) -> None:
        self._socket = _open()

    def link(self, index: int) -> LinkNews | None:
        """How a link is at this moment: news of a carrier that was lost can come a second late."""
        body = struct.pack("=BxHiII", 0, 0, index, 0, 0)
        self._socket.send(_HEAD.pack(_HEAD.size + len(body), _GETLINK, _REQUEST, index, 0) + body)
        try:
            answers = list(_messages(self._socket.recv(_READ)))
        except BlockingIOError:
            return None
        for kind, number, found in answers:
            if number == index and kind == _ERROR:
                return LinkNews(index, "", False, 0, False)
            news = news_of(kind, found) if number == index else None
            if isinstance(news, LinkNews):
                return news
        return None

    def neighbour(self, ask: Ask) -> Neighbour:
        """Who takes a packet on its way: the next router, or the target itself."""
        kind, body = self._entry(ask)
        if kind == _NEWNEIGH:
            state = _NEIGHBOUR.unpack_from(body)[2]
            return Neighbour.SILENT if state & (_INCOMPLETE | _FAILED) else Neighbour.TAKES
        unknown = kind == _ERROR and int.from_bytes(body[:4], "little", signed=True) == -errno.ENOENT
        return Neighbour.UNKNOWN if unknown else Neighbour.UNTOLD

    def takes_since(self, ask: Ask) -> int:
        """For how many ns that one has been taking packets, at least; 0 if it does not, or nobody knows."""
        kind, body = self._entry(ask)
        if kind != _NEWNEIGH or _NEIGHBOUR.unpack_from(body)[2] & (_INCOMPLETE | _FAILED):
            return 0
        found = _attributes(body[_NEIGHBOUR.size :]).get(_NDA_CACHEINFO, b"")
        return int.from_bytes(found[8:12], "little") * _CLOCK_TICK_NS  # struct nda_cacheinfo: ndm_updated

    def _entry(self, ask: Ask) -> tuple[int, bytes]:
        """The entry of the table of neighbours for who takes a packet on its way: (type, body) of the answer."""
        kind, body = self._answer(_request(0, ask))
        if kind != _NEWROUTE:
            return 0, b""
        way = _attributes(body[_ROUTE:])
        link = int.from_bytes(way.get(_RTA_OIF, b""), "little", signed=True)
        hop = way.get(_RTA_GATEWAY) or way.get(_RTA_VIA, b"")[2:] or ask.target
        family = socket.AF_INET if len(hop) == 4 else socket.AF_INET6
        wanted = _NEIGHBOUR.pack(family, link, 0, 0, 0) + _attribute(_NDA_DST, hop)
        return self._answer(_HEAD.pack(_HEAD.size + len(wanted), _GETNEIGH, _REQUEST, 0, 0) + wanted)

    def overflows(self, family: int) -> int | None:
        """How often the host's table of neighbours had no place for one more; some 40 us."""
        self._socket.send(_HEAD.pack(_HEAD.size + _TABLE, _GETTABLE, _REQUEST | _DUMP, 0, 0) + bytes([family, 0, 0, 0]))
        found = None
        try:
            while True:
                for kind, _, body in _messages(self._socket.recv(_READ)):
                    if kind in (_DONE, _ERROR):
                        return found
                    stats = _attributes(body[_TABLE:]).get(_NDTA_STATS) if kind == _NEWTABLE else None
                    if stats is not None:
                        found = int.from_bytes(stats[_FULL_AT : _FULL_AT + 8], "little")
        except BlockingIOError:
            return found

    def _answer(self, request: bytes) -> tuple[int, bytes]:
        """(type, body) of the first message that the kernel answers with; type 0 if it does not."""
        self._socket.send(request)
        try:
            return next(((kind, body) for kind, _, body in _messages(self._socket.recv(_READ))), (0, b""))
        except BlockingIOError:
            return 0, b""

    def ways(self, asks: Sequence[Ask]) -> list[int]:
        """By ask: the index of the link out, -errno where our own host would refuse, 0 where that cannot be told."""
        found = [0] * len(asks)
        for begin in range(0, len(asks), _AT_ONCE):
            some = asks[begin : begin + _AT_ONCE]
            self._socket.send(b"".join(_request(begin + i, ask) for i, ask in enumerate(some)))
            for _ in some:
                try:
                    data = self._socket.recv(_READ)
                except BlockingIOError:
                    break  # no room for an answer: cannot be told
                for kind, number, body in _messages(data):
                    if number < len(found):
                        found[number] = _way(kind, body)
        return found

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def _open() -> socket.socket:
    kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    sock = socket.socket(socket.AF_NETLINK, kind, socket.NETLINK_ROUTE)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _ROOM)
    return sock


def _request(number: int, ask: Ask) -> bytes:
    bits = 8 * len(ask.target)
    family = socket.AF_INET if bits == 32 else socket.AF_INET6
    route = struct.pack("=8BI", family, bits, bits if ask.source else 0, ask.dscp << 2, 0, 0, 0, 0, 0)
    body = route + _attribute(_RTA_DST, ask.target)
    if ask.source:
        body += _attribute(_RTA_SRC, ask.source)
    if ask.scope:
        body += _attribute(_RTA_OIF, ask.scope.to_bytes(4, "little"))
    if ask.protocol:
        body += _attribute(_RTA_IP_PROTO, bytes([ask.protocol]))
    return _HEAD.pack(_HEAD.size + len(body), _GETROUTE, _REQUEST, number, 0) + body


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(4 + len(value), kind) + value + bytes(-len(value) % 4)


def _way(kind: int, body: bytes) -> int:
    if kind == _ERROR:
        return int.from_bytes(body[:4], "little", signed=True)
    if kind != _NEWROUTE:
        return 0
    return int.from_bytes(_attributes(body[_ROUTE:]).get(_RTA_OIF, b""), "little")
