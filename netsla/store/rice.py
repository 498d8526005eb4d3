"""Rice codes over rows of whole numbers, a few array operations for all rows at once.

Rules: PURE. A row is stored as zigzag distances from its own centre: quotients in unary, k low bits each plain
(R. F. Rice, JPL 79-22, 1979; k near log2 of the mean). Rows that hardly vary go as bytes through zlib instead, where a
run of equal numbers costs nothing. Distances are below 2^56.
"""

from __future__ import annotations

import zlib

import numpy as np
import numpy.typing as npt

from netsla.model import IntArray

_PLAIN = 63  # k of a row stored as bytes
_DEEP = 9
_STILL = 0.7  # mean distance below which a row hardly varies
_LOW = np.uint64(7)


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
    depth = int(planes.any(axis=1).sum()) if len(folded) else 0
    still = zigzag[plain].astype(np.uint8).tobytes()
    head = zlib.compress(bytes([depth]) + k.astype(np.uint8).tobytes() + planes[:depth].tobytes() + still, _DEEP)
    quotients, low = _split(zigzag[~plain], k[~plain])
    sizes = np.array([len(head), len(quotients)], "<u4").tobytes()
    return sizes + head + quotients + low


def decode(body: bytes, rows: int, slots: int) -> IntArray:
    """Rows (R, S) again; raises ValueError or IndexError on bytes that are none of ours."""
    head_size, unary_size = (int(n) for n in np.frombuffer(body, "<u4", 2))
    head = zlib.decompress(body[8 : 8 + head_size])
    depth = head[0]
    k = np.frombuffer(head, np.uint8, rows, 1).astype(np.int64)
    plain = k == _PLAIN
    still = int(plain.sum()) * slots
    planes = np.zeros((8, rows), np.uint8)
    planes[:depth] = np.frombuffer(head, np.uint8, depth * rows, 1 + rows).reshape(depth, rows)
    folded = np.frombuffer(np.ascontiguousarray(planes.T).tobytes(), "<i8")
    centre = ((folded >> 1) ^ -(folded & 1)) << _coarse(k)
    zigzag = np.empty((rows, slots), np.int64)
    zigzag[plain] = np.frombuffer(head, np.uint8, still, len(head) - still).reshape(-1, slots)
    at = 8 + head_size
    zigzag[~plain] = _join(body[at : at + unary_size], body[at + unary_size :], k[~plain], slots)
    return ((zigzag >> 1) ^ -(zigzag & 1)) + centre[:, None]


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


def _join(unary: bytes, low: bytes, k: IntArray, slots: int) -> IntArray:
    """The distances that `_split` took apart."""
    if not len(k):
        return np.empty((0, slots), np.int64)
    ones = np.flatnonzero(np.unpackbits(np.frombuffer(unary, np.uint8)))
    quotient = np.diff(ones, prepend=-1) - 1
    width = np.repeat(k, slots)
    begin = np.cumsum(width) - width
    # eight bytes from wherever a value begins hold all of it: k + 7 <= 62 bits
    room = np.frombuffer(low + bytes(8), np.uint8)
    windows = np.lib.stride_tricks.sliding_window_view(room, 8)[begin >> 3]
    words = np.frombuffer(windows.tobytes(), "<u8") >> (begin.astype(np.uint64) & _LOW)
    rest = words & ((np.uint64(1) << width.astype(np.uint64)) - np.uint64(1))
    joined: IntArray = (quotient << width) | rest.astype(np.int64)
    return joined.reshape(-1, slots)


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
