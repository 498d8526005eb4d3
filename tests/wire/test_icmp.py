from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsla.wire import icmp


def reference(data: bytes) -> int:
    """RFC 1071, word by word."""
    total = 0
    for (word,) in struct.iter_unpack("!H", data + b"\0" * (len(data) % 2)):
        total += word
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def rows(*packets: bytes, width: int = 0) -> icmp.Bytes:
    wide = max(width, *map(len, packets))
    return np.array([np.frombuffer(packet.ljust(wide, b"\xee"), np.uint8) for packet in packets])


@given(st.lists(st.binary(min_size=24, max_size=24), min_size=1, max_size=5) | st.just([b"\xff" * 24, b"\0" * 24]))
def test_checksum_is_that_of_the_rfc(packets: list[bytes]) -> None:
    batch = rows(*packets)
    icmp.checksum(batch)
    for packet in batch:
        body = packet.tobytes()
        assert int.from_bytes(body[2:4], "big") == reference(body[:2] + b"\0\0" + body[4:])


@pytest.mark.parametrize("size", [25, 57, 1473])
def test_checksum_of_odd_lengths(size: int) -> None:
    batch = icmp.requests(4, size, 3, 77)
    icmp.stamp(batch, np.arange(3, dtype=np.uint64), np.array([1, 1 << 63, 2**64 - 1], np.uint64))
    icmp.checksum(batch)
    for packet in batch:
        assert reference(packet.tobytes()) == 0


@given(
    st.lists(st.tuples(st.integers(0, 10), st.binary(min_size=8, max_size=60), st.booleans()), min_size=1, max_size=6)
)
def test_intact_finds_every_wrong_checksum(parts: list[tuple[int, bytes, bool]]) -> None:
    packets = []
    for words, body, right in parts:
        total = reference(body[:2] + b"\0\0" + body[4:])
        packets.append(bytes(4 * words) + body[:2] + struct.pack("!H", total if right else total ^ 0x0100) + body[4:])
    start = np.array([4 * words for words, _, _ in parts])
    lengths = np.array([len(packet) for packet in packets], np.uint32)
    found = icmp.intact(rows(*packets, width=120), start, lengths)
    assert found.tolist() == [right for _, _, right in parts]


@given(st.lists(st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1)), min_size=1, max_size=8))
def test_tokens_come_back_from_what_was_stamped(pairs: list[tuple[int, int]]) -> None:
    batch = icmp.requests(4, 56, len(pairs))
    numbers, nonces = np.array(pairs, np.uint64).T
    icmp.stamp(batch, numbers, nonces)
    again = icmp.tokens(batch, np.full(len(pairs), batch.shape[1], np.uint32))
    assert list(zip(*(part.tolist() for part in again), strict=True)) == pairs
    assert (batch[:, 6].astype(int) << 8 | batch[:, 7]).tolist() == [number & 0xFFFF for number, _ in pairs]


@given(st.lists(st.binary(max_size=80), min_size=1, max_size=8))
def test_tokens_never_raise_and_read_the_last_sixteen_bytes(packets: list[bytes]) -> None:
    numbers, nonces = icmp.tokens(rows(*packets, width=80), np.array([len(packet) for packet in packets], np.uint32))
    for packet, number, nonce in zip(packets, numbers.tolist(), nonces.tolist(), strict=True):
        expected = struct.unpack("<QQ", packet[-16:]) if len(packet) >= 16 else (0, 0)
        assert (number, nonce) == expected


@pytest.mark.parametrize(("family", "kind"), [(4, 8), (6, 128)])
@pytest.mark.parametrize("size", [16, 24, 56, 65_507])
def test_requests_have_type_identifier_and_room(family: int, kind: int, size: int) -> None:
    batch = icmp.requests(family, size, 2, 0xABCD)
    assert batch.shape == (2, 8 + size)
    assert batch[0, :8].tolist() == [kind, 0, 0, 0, 0xAB, 0xCD, 0, 0]
    assert b"netsla"[: size - 16] == batch[1, 8 : 8 + min(size - 16, 6)].tobytes()
