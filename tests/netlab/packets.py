"""Echo packets as a wire sees them: IPv4 and IPv6, taken apart and changed."""

from __future__ import annotations

import struct
from dataclasses import dataclass

TOKEN = 16


@dataclass(frozen=True)
class Echo:
    """An echo request or reply inside an IP packet."""

    family: int
    request: bool
    source: bytes
    destination: bytes
    start: int  # of the ICMP header
    packet: bytes

    @property
    def key(self) -> bytes:
        """Identifier, sequence and token: the same in a request and its reply."""
        return self.packet[self.start + 4 : self.start + 8] + self.packet[-TOKEN:]


def parse(packet: bytes) -> Echo | None:
    """The echo in a packet; None for anything else."""
    if len(packet) >= 28 + TOKEN and packet[0] >> 4 == 4 and packet[9] == 1:
        start = (packet[0] & 15) * 4
        kinds = {8: True, 0: False}
        source, destination = packet[12:16], packet[16:20]
    elif len(packet) >= 48 + TOKEN and packet[0] >> 4 == 6 and packet[6] == 58:
        start, kinds = 40, {128: True, 129: False}
        source, destination = packet[8:24], packet[24:40]
    else:
        return None
    kind = packet[start]
    return Echo(packet[0] >> 4, kinds[kind], source, destination, start, packet) if kind in kinds else None


def _checksum(data: bytes) -> int:
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def seal(packet: bytes) -> bytes:
    """The packet with its checksums right."""
    some = bytearray(packet)
    if some[0] >> 4 == 4:
        start = (some[0] & 15) * 4
        some[10:12] = b"\0\0"
        some[10:12] = struct.pack(">H", _checksum(bytes(some[:start])))
        some[start + 2 : start + 4] = b"\0\0"
        some[start + 2 : start + 4] = struct.pack(">H", _checksum(bytes(some[start:])))
    else:
        some[42:44] = b"\0\0"
        pseudo = bytes(some[8:40]) + struct.pack(">IxxxB", len(some) - 40, 58)
        some[42:44] = struct.pack(">H", _checksum(pseudo + bytes(some[40:])))
    return bytes(some)


def corrupted(echo: Echo) -> bytes:
    """The same with a bit of its token turned, checksums right: only the token can tell."""
    some = bytearray(echo.packet)
    some[-1] ^= 0x40
    return seal(bytes(some))


def from_elsewhere(echo: Echo, number: int) -> bytes:
    """The same from a source that nobody asked."""
    some = bytearray(echo.packet)
    end = 16 if echo.family == 4 else 24
    some[end - 1] = 200 + number
    return seal(bytes(some))


def unreachable(request: Echo) -> bytes:
    """An ICMP error about a request, from a router in between: host unreachable, or address unreachable."""
    quoted = request.packet[: request.start + 8] if request.family == 4 else request.packet[:64]
    if request.family == 4:
        router = request.destination[:3] + b"\xfe"
        body = b"\x03\x01\0\0\0\0\0\0" + quoted
        head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 1, 0, 64, 1, 0, router, request.source)
    else:
        router = request.destination[:15] + b"\xfe"
        body = b"\x01\x03\0\0\0\0\0\0" + quoted
        head = struct.pack(">IHBB16s16s", 6 << 28, len(body), 58, 64, router, request.source)
    return seal(head + body)
