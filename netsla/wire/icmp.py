"""ICMP echo packets as rows of bytes, for IPv4 (RFC 792) and IPv6 (RFC 4443).

Rules: pure. Every function works on a whole batch, one packet a row. The last 16 bytes of the payload are
the token: the running number of the probe and a random nonce, both little-endian 64 bit. At the end, so
that it is found in echoes, in packets looped back with a time stamp, and in full quotations alike.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint64]

HEADER = 8
TOKEN = 16
ECHO_REQUEST = {4: 8, 6: 128}
ECHO_REPLY = {4: 0, 6: 129}
_FILLER = b"netsla probe; see the reverse DNS of the sender or ask its operator. "


def requests(family: int, size: int, count: int, identifier: int = 0) -> Bytes:
    """Echo requests with a payload of `size` bytes, shape (count, 8 + size): sequence and token still 0."""
    packet = np.zeros(HEADER + size, np.uint8)
    packet[0] = ECHO_REQUEST[family]
    packet[4:6] = divmod(identifier, 256)
    filler = np.frombuffer(_FILLER, np.uint8)
    packet[HEADER : HEADER + size - TOKEN] = np.resize(filler, size - TOKEN)
    return np.tile(packet, (count, 1))


def stamp(packets: Bytes, numbers: Words, nonces: Words) -> None:
    """Write sequence and token into packets, in place."""
    fill(fields(packets), numbers, nonces)


def fill(fields: npt.NDArray[np.void], numbers: Words, nonces: Words) -> None:
    """The same, into the :func:`fields` of packets."""
    fields["sequence"], fields["number"], fields["nonce"] = numbers & np.uint64(0xFFFF), numbers, nonces


def fields(packets: Bytes) -> npt.NDArray[np.void]:
    """What each send decides of packets, one record a packet in the same memory."""
    width = packets.shape[1]
    form = np.dtype(
        {
            "names": ["sequence", "number", "nonce"],
            "formats": [">u2", "<u8", "<u8"],
            "offsets": [6, width - 16, width - 8],
            "itemsize": width,
        }
    )
    record: npt.NDArray[np.void] = packets.view(form)[:, 0]
    return record


def checksum(packets: Bytes) -> None:
    """Write the internet checksum (RFC 1071) into ICMPv4 packets, in place; only raw sockets need it."""
    packets[:, 2:4] = 0
    even = packets if packets.shape[1] % 2 == 0 else np.pad(packets, ((0, 0), (0, 1)))
    total = np.ascontiguousarray(even).view(">u2").astype(np.uint32).sum(axis=1, dtype=np.uint32)
    total = (total & 0xFFFF) + (total >> 16)
    total = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
    packets[:, 2], packets[:, 3] = total >> 8, total & 0xFF


def intact(packets: Bytes, start: npt.NDArray[np.int64], lengths: npt.NDArray[np.integer]) -> npt.NDArray[np.bool_]:
    """Whether the checksum over bytes [start, length) of each packet is right; `start` must be even, as IHL is."""
    width = int(lengths.max(initial=0)) + 1 & ~1
    column = np.arange(width)
    inside = (column >= start[:, None]) & (column < lengths.astype(np.int64)[:, None])
    part = np.zeros((len(packets), width), np.uint8)
    have = min(width, packets.shape[1])
    part[:, :have] = np.where(inside[:, :have], packets[:, :have], 0)
    total = part.view(">u2").sum(axis=1, dtype=np.uint32)
    total = (total & 0xFFFF) + (total >> 16)
    return np.asarray((total & 0xFFFF) + (total >> 16) == 0xFFFF)


def tokens(packets: Bytes, lengths: npt.NDArray[np.integer]) -> tuple[Words, Words]:
    """(numbers, nonces) from the last 16 of each packet's `lengths` bytes; a shorter packet gives zeros."""
    if len(lengths) and (lengths == lengths[0]).all():
        end = int(lengths[0])
        if end < TOKEN:
            return np.zeros(len(lengths), np.uint64), np.zeros(len(lengths), np.uint64)
        token = np.ascontiguousarray(packets[:, end - TOKEN : end])
    else:
        at = np.maximum(lengths.astype(np.int64), TOKEN)[:, None] + np.arange(-TOKEN, 0)
        token = packets[np.arange(len(packets))[:, None], at]
        token[lengths < TOKEN] = 0
    pair = token.view("<u8")
    return pair[:, 0], pair[:, 1]
