"""One ICMP socket shared by all probes of the same family and options.

Rules: a ping socket first (no privilege where net.ipv4.ping_group_range admits us), a raw one where that is
refused. A raw socket hears every ICMP packet of the host, so it filters by our own random id before the
first packet can reach it. Opening raises HostError with the remedy; nothing else here does.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
from dataclasses import dataclass

from netsla.errors import HostError
from netsla.probes.batch import SO_TIMESTAMPING, STAMPS, Buffers, enlarge, pressure
from netsla.wire.icmp import ECHO_REPLY

_BUFFER = 16 << 20  # bytes asked for: at 50,000 probes/s the replies of a second
_KEPT_BYTES = 1024  # that the kernel charges for a small packet that waits (measured: 832)
_IP_RECVERR, _IPV6_RECVERR = 11, 25
_IP_PKTINFO, _IPV6_RECVPKTINFO = 8, 49  # with OPT_CMSG: the transmit stamp tells the link by which a packet left
_IP_MTU_DISCOVER, _IPV6_MTU_DISCOVER, _PMTUDISC_PROBE, _PMTUDISC_DONT = 10, 23, 3, 0
_SOL_RAW, _ICMP_FILTER = 255, 1
_IPV6_UNICAST_HOPS, _IPV6_TCLASS, _ICMP6_FILTER = 16, 67, 1
_SO_ATTACH_FILTER = 26
_PROTOCOL = {4: socket.IPPROTO_ICMP, 6: socket.IPPROTO_ICMPV6}
_FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
_REMEDY = (
    "let this group open ping sockets (sysctl -w net.ipv4.ping_group_range='0 2147483647'), "
    "or grant CAP_NET_RAW (deploy/systemd/raw.conf)"
)


@dataclass(frozen=True, slots=True)
class Options:
    """What a socket is set to; probes that agree on it share one."""

    family: int  # 4 or 6
    dscp: int = 0
    ttl: int = 64
    df: bool = False
    source: str | None = None
    generation: int = 0  # grows when a poisoned id was left behind
    zone: str | None = None  # the interface, of link-local targets


class Channel:
    """An open ICMP socket."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.scope = scope_of(options.zone)
        self.raw = False
        self.identifier = 0
        self.socket = self._open()
        self.fd = self.socket.fileno()
        try:
            self.buffers: Buffers = enlarge(self.socket, _BUFFER)
            self._configure()
        except OSError:
            self.socket.close()
            raise
        self._drops, _ = pressure(self.socket)
        self._was_full = False
        self.unread = 0  # probes that left since it was read

    def _open(self) -> socket.socket:
        family, protocol = _FAMILY[self.options.family], _PROTOCOL[self.options.family]
        kind = socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        try:
            return socket.socket(family, socket.SOCK_DGRAM | kind, protocol)
        except PermissionError:
            pass
        except OSError as error:
            if error.errno not in (errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT):
                raise
            raise HostError(
                f"no IPv{self.options.family} on this host: {error.strerror}", "see netsla doctor"
            ) from error
        try:
            sock = socket.socket(family, socket.SOCK_RAW | kind, protocol)
        except PermissionError as error:
            raise HostError(f"neither ping nor raw ICMPv{self.options.family} sockets are allowed", _REMEDY) from error
        self.raw = True
        self.identifier = int.from_bytes(os.urandom(2), "big")
        try:
            self._filter(sock)
        except OSError:
            sock.close()
            raise
        return sock

    def _filter(self, sock: socket.socket) -> None:
        """Only echo replies with our id; what came before the filter is drained."""
        reply = ECHO_REPLY[self.options.family]
        if self.options.family == 4:
            sock.setsockopt(_SOL_RAW, _ICMP_FILTER, struct.pack("I", ~(1 << reply) & 0xFFFFFFFF))
        else:
            mask = [0xFFFFFFFF] * 8
            mask[reply >> 5] &= ~(1 << (reply & 31)) & 0xFFFFFFFF
            sock.setsockopt(socket.IPPROTO_ICMPV6, _ICMP6_FILTER, struct.pack("8I", *mask))
        # A = half word at the id; v4 packets carry an IP header whose length the X register takes (BPF_MSH)
        head = [(0xB1, 0, 0, 0), (0x48, 0, 0, 4)] if self.options.family == 4 else [(0x28, 0, 0, 4)]
        code = [*head, (0x15, 0, 1, self.identifier), (0x06, 0, 0, 0xFFFFFFFF), (0x06, 0, 0, 0)]
        program = b"".join(struct.pack("HBBI", *line) for line in code)
        memory = ctypes.create_string_buffer(program, len(program))
        sock.setsockopt(
            socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HxxxxxxP", len(code), ctypes.addressof(memory))
        )
        while True:
            try:
                sock.recv(1)
            except BlockingIOError:
                return

    def _configure(self) -> None:
        sock, options = self.socket, self.options
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, STAMPS)
        if options.family == 4:
            sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
            sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, options.ttl)
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, options.dscp << 2)
            want = _PMTUDISC_PROBE if options.df else _PMTUDISC_DONT
            sock.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, want)
        else:
            sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
            sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVPKTINFO, 1)
            sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_UNICAST_HOPS, options.ttl)
            sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_TCLASS, options.dscp << 2)
            if options.df:
                sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _PMTUDISC_PROBE)
        if options.source is not None:
            sock.bind(self.name_of(options.source))

    def name_of(self, address: str) -> tuple[str, int] | tuple[str, int, int, int]:
        """An address as the socket module takes it: a link-local one with the number of its interface."""
        if self.options.family == 4:
            return address, 0
        number, _, zone = address.partition("%")
        return number, 0, 0, scope_of(zone) if zone else self.scope

    def room(self, size: int) -> int:
        """How many more probes with so many bytes of payload may leave before it is to be read.

        The stamps and replies of what left since then fill at most half of the receive buffer.
        """
        return max(self.buffers.receive // (4 * (_KEPT_BYTES + 2 * size)), 1) - self.unread

    def new_drops(self) -> int:
        """Packets lost to a full receive buffer since the last call; to be asked before reading.

        A raw ICMPv6 socket counts packets with a wrong checksum as drops too: there, only what was dropped
        while the buffer was at least half full counts.
        """
        now, held = pressure(self.socket)
        fresh, self._drops = (now - self._drops) & 0xFFFFFFFF, now
        full, self._was_full = self._was_full, 2 * held >= self.buffers.receive
        return fresh if not self.raw or self.options.family == 4 or full or self._was_full else 0

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()

    def __str__(self) -> str:
        kind = "raw socket" if self.raw else "ping socket"
        return f"ipv{self.options.family} {kind}, receive buffer {self.buffers.receive >> 10} KiB, kernel tx+rx stamps"


def source_present(options: Options) -> bool:
    """Whether the host (still) has the source address, and the interface, that these options name."""
    try:
        scope = scope_of(options.zone)
        if options.source is None:
            return True
        number, _, zone = options.source.partition("%")
        with socket.socket(_FAMILY[options.family], socket.SOCK_DGRAM) as sock:
            sock.bind((number, 0) if options.family == 4 else (number, 0, 0, scope_of(zone) if zone else scope))
    except OSError:
        return False
    return True


def scope_of(zone: str | None) -> int:
    """The number of an interface, by name or as text; 0 for none. Raises OSError ENODEV where there is none such."""
    if not zone:
        return 0
    if zone.isdecimal():
        return int(zone)
    try:
        return socket.if_nametoindex(zone)
    except OSError as error:
        raise OSError(errno.ENODEV, f"no interface {zone}") from error
