"""Rice codes over rows of whole numbers, a few array operations for all rows at once.

Rules: PURE. A row is stored as zigzag distances from its own centre: quotients in unary, k low bits each plain
(R. F. Rice, JPL 79-22, 1979; k near log2 of the mean). Rows that hardly vary go as bytes through zlib instead, where a
run of equal numbers costs nothing. Distances are below 2^56.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from netsla.model import IntArray

_PLAIN = 63  # k of a row stored as bytes
_DEEP = 9
_STILL = 0.7  # mean distance below which a row hardly varies


def encode(rows: IntArray, present: npt.NDArray[np.bool_]) -> bytes:
    """Rows (R, S); where `present` is false the value does not matter."""
    centre = _centres(rows, present)
    zigzag = _zigzag(np.where(present, rows - centre[:, None], 0))
    mean = zigzag.mean(axis=1)
    plain = (mean < _STILL) & (zigzag.max(axis=1) < 256)
    k = np.clip(np.ceil(np.log2(np.maximum(mean * np.log(2), 1))), 0, 55).astype(np.int64)
    k[plain] = _PLAIN
    places = centre >> _coarse(k)
    zigzag = _zigzag(np.where(present, rows - (places << _coarse(k))[:, None], 0))
    folded = _zigzag(places).astype("<u8")
    planes = np.ascontiguousarray(folded.view(np.uint8).reshape(-1, 8).T)
    depth = int(np.flatnonzero(planes.any(axis=1)).max(initial=-1)) + 1  # one in between may be empty
    still = zigzag[plain].astype(np.uint8).tobytes()
    head = zlib.compress(bytes([depth]) + k.astype(np.uint8).tobytes() + planes[:depth].tobytes() + still, _DEEP)
    quotients, low = _split(zigzag[~plain], k[~plain])
    sizes = np.array([len(head), len(quotients)], "<u4").tobytes()
    return sizes + head + quotients + low


def decode(body: bytes, rows: int, slots: int) -> IntArray:
    """Rows (R, S) again; raises ValueError, IndexError or zlib.error on bytes that are none of ours."""
    one: IntArray = decode_many([body], rows, slots)[0]
    return one


def decode_many(bodies: Sequence[bytes], rows: int, slots: int) -> IntArray:
    """Rows (bodies, R, S) again, a few array operations for all bodies; raises as `decode` does."""
    parts = [_Body.read(body, rows, slots) for body in bodies]
    k = np.frombuffer(b"".join(part.k for part in parts), np.uint8).astype(np.int64)
    planes = np.frombuffer(b"".join(part.planes for part in parts), np.uint8).reshape(len(parts), 8, rows)
    folded = np.frombuffer(planes.transpose(0, 2, 1).tobytes(), "<i8")
    centre = _unfold(folded) << _coarse(k)
    plain = k == _PLAIN
    out = np.empty((len(k), slots), np.int64)
    still = np.frombuffer(b"".join(part.still for part in parts), np.uint8).reshape(-1, slots)
    out[plain] = _UNFOLDED[still] + centre[plain][:, None]
    if not plain.all():
        out[~plain] = _unfold(_join(parts, k, slots)) + centre[~plain][:, None]
    return out.reshape(len(parts), rows, slots)


class _Body(NamedTuple):
    """The sections of an encoded table: a byte of k per row, 8 planes of the centres, still rows, the coded ones."""

    k: bytes
    planes: bytes
    still: bytes
    unary: bytes
    low: bytes
    coded: int  # rows

    @staticmethod
    def read(body: bytes, rows: int, slots: int) -> _Body:
        """Raises ValueError or zlib.error if a section is too short, or of the wrong length."""
        sizes = np.frombuffer(body, "<u4", 2)
        edge = 8 + int(sizes[0])
        end = edge + int(sizes[1])
        head = zlib.decompress(body[8:edge])
        k, at = head[1 : 1 + rows], 1 + rows + head[0] * rows
        plain = k.count(_PLAIN)
        low = body[end:]
        bits = (sum(k) - plain * _PLAIN) * slots
        if len(head) != at + plain * slots or head[0] > 8 or len(body) < end or len(low) * 8 < bits:
            raise ValueError("a section is not as long as it must be")
        return _Body(k, head[1 + rows : at].ljust(8 * rows, b"\0"), head[at:], body[edge:end], low, rows - plain)


def _unfold(zigzag: IntArray) -> IntArray:
    """Unsigned to signed: what `_zigzag` did."""
    return (zigzag >> 1) ^ -(zigzag & 1)


_UNFOLDED: IntArray = _unfold(np.arange(256))


def _centres(rows: IntArray, present: npt.NDArray[np.bool_]) -> IntArray:
    """The lower median of what is present."""
    high = np.iinfo(np.int64).max
    ordered = np.sort(np.where(present, rows, high), axis=1)
    middle = np.maximum(present.sum(axis=1) - 1, 0) // 2
    centre = ordered[np.arange(len(rows)), middle]
    return np.where(present.any(axis=1), centre, 0)


def _coarse(k: IntArray) -> IntArray:
    """Bits of a centre that are not worth their place: those far below the usual distance from it."""
    return np.where(k == _PLAIN, 0, np.maximum(k - 2, 0))


def _zigzag(values: IntArray) -> IntArray:
    """Signed to unsigned: 0, -1, 1, -2 become 0, 1, 2, 3, and so on."""
    return (values << 1) ^ (values >> 63)


def _split(zigzag: IntArray, k: IntArray) -> tuple[bytes, bytes]:
    """Unary quotients and low bits."""
    if not zigzag.size:
        return b"", b""
    quotient = (zigzag >> k[:, None]).reshape(-1)
    ends = np.cumsum(quotient + 1)
    unary = np.zeros(int(ends[-1]), np.uint8)
    unary[ends - 1] = 1
    width = np.repeat(k, zigzag.shape[1])
    stops = np.cumsum(width)
    bit = np.arange(int(stops[-1])) - np.repeat(stops - width, width)
    low = ((np.repeat(zigzag.reshape(-1), width) >> bit) & 1).astype(np.uint8)
    return np.packbits(unary).tobytes(), np.packbits(low, bitorder="little").tobytes()


def _join(parts: Sequence[_Body], k: IntArray, slots: int) -> IntArray:
    """The distances that `_split` took apart, all coded rows."""
    bits = np.unpackbits(np.frombuffer(b"".join(part.unary for part in parts), np.uint8))
    ones = np.flatnonzero(bits.view(bool))  # five times as fast as on bytes
    room = 8 * np.cumsum([0, *(len(part.unary) for part in parts)])
    edges = np.searchsorted(ones, room)
    coded = np.array([part.coded for part in parts])
    if (np.diff(edges) != coded * slots).any():
        raise ValueError("not as many quotients as numbers")
    quotient = np.diff(ones, prepend=-1) - 1
    own = edges[:-1][coded > 0]
    quotient[own] = ones[own] - room[:-1][coded > 0]
    low = b"".join(part.low for part in parts)
    at = 8 * np.cumsum([0, *(len(part.low) for part in parts)])[:-1]
    width = k[k != _PLAIN]
    before = np.cumsum(width) - width  # bits of a slot, in the rows before
    first = np.cumsum(coded) - coded
    start = np.repeat(at - np.append(before, 0)[first] * slots, coded) + before * slots
    begin = start[:, None] + width[:, None] * np.arange(slots)
    # eight bytes from wherever a value begins hold all of it: k + 7 <= 62 bits
    windows: npt.NDArray[np.uint64] = np.ndarray(len(low) + 1, "<u8", low + bytes(8), strides=(1,))
    words = windows[begin >> 3] >> (begin & 7).astype(np.uint64)
    rest = words & ((np.uint64(1) << width.astype(np.uint64)) - np.uint64(1))[:, None]
    joined: IntArray = (quotient.reshape(-1, slots) << width[:, None]) | rest.astype(np.int64)
    return joined


def varint(values: IntArray) -> bytes:
    """Non-negative numbers: one byte below 255, else 255 and eight bytes at the end."""
    small = np.minimum(values, 255).astype(np.uint8)
    large = values[values >= 255].astype("<i8")
    return len(values).to_bytes(4, "little") + small.tobytes() + large.tobytes()


def unvarint(body: bytes) -> IntArray:
    """The numbers again; raises ValueError."""
    count = int.from_bytes(body[:4], "little")
    values = np.frombuffer(body, np.uint8, count, 4).astype(np.int64)
    large = values == 255
    values[large] = np.frombuffer(body, "<i8", int(large.sum()), 4 + count)
    return values
