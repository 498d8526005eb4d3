"""The sealed form of one agreement's hour: exact, small, quick to read.

Rules: PURE bytes <-> arrays. A block has two parts, read apart: *figures* (all counters) and *spectrum* (the
latency histogram). A row is one column of one lane over the hour's slots; each is stored as its distance from a
centre, by Rice code (rice.py) where it varies, as bytes through zlib where it hardly does. Measured on 60
probes a minute with mixed noise: docs/ledger.md. What the figures imply about the histogram (first and last
bucket, total) is not stored again.
"""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from netsla.model import IntArray
from netsla.sla.histogram import BUCKETS, bucket_of
from netsla.sla.tally import Column, Spectrum
from netsla.store import rice
from netsla.store.press import BrokenError

Mask = npt.NDArray[np.bool_]
_FIXED = 12  # rows per lane before its thresholds
_HOUR = 3600  # seconds, and so the most slots
_DEEP = 9  # zlib level: a block is written once
_LZMA = [{"id": lzma.FILTER_LZMA2, "preset": 6, "lc": 0, "lp": 0, "pb": 0}]  # bytes without alignment or text


@dataclass(frozen=True, slots=True, eq=False)
class Hour:
    """One hour of some lanes; L lanes, S slots (3600 / seconds).

    `matrix` (Column.LE + thresholds, L, S) as `Tally`, the others (L, S); where `present` is false all are 0.
    """

    present: Mask
    matrix: IntArray
    rtt_min_us: IntArray
    rtt_max_us: IntArray
    standing: IntArray
    reason: IntArray


def encode_figures(hour: Hour) -> bytes:
    """The figures part."""
    lanes, slots = hour.present.shape
    rows = _to_rows(hour)
    present = np.tile(hour.present, (len(rows) // lanes, 1))
    body = rice.encode(rows, present)
    mask = b"" if hour.present.all() else np.packbits(hour.present).tobytes()
    head = np.array([lanes, slots, len(hour.matrix) - Column.LE, len(mask)], "<u2").tobytes()
    return head + mask + body


def decode_figures(body: bytes) -> Hour:
    """The figures again; raises BrokenError."""
    return decode_alike([body])[0]


def decode_alike(bodies: Sequence[bytes]) -> list[Hour]:
    """The figures of several hours of the same lanes, as views of one table; raises BrokenError."""
    try:
        shapes = {_shape(body)[:3] for body in bodies}
        if len(shapes) > 1:
            return [decode_figures(body) for body in bodies]
        lanes, slots, depth = next(iter(shapes))
        masks = [_shape(body)[3] for body in bodies]
        coded = [body[8 + masked :] for body, masked in zip(bodies, masks, strict=True)]
        rows = rice.decode_many(coded, (_FIXED + depth) * lanes, slots)
        present = np.ones((len(bodies), lanes, slots), bool)
        for one, body, masked in zip(present, bodies, masks, strict=True):
            if masked:
                one[:] = _mask(body, lanes, slots)
    except (ValueError, IndexError, zlib.error) as error:
        raise BrokenError(f"figures cannot be read: {error}") from error
    return _from_rows(rows.reshape(len(bodies), _FIXED + depth, lanes, slots), present)


def decode_present(body: bytes) -> Mask:
    """Only which intervals there are, (lanes, slots); raises BrokenError. Takes next to no time."""
    try:
        lanes, slots, _, masked = _shape(body)
        return _mask(body, lanes, slots) if masked else np.ones((lanes, slots), bool)
    except (ValueError, IndexError) as error:
        raise BrokenError(f"figures cannot be read: {error}") from error


def _mask(body: bytes, lanes: int, slots: int) -> Mask:
    masked = int(np.frombuffer(body, "<u2", 1, 6)[0])
    bits = np.unpackbits(np.frombuffer(body, np.uint8, masked, 8), count=lanes * slots)
    return bits.reshape(lanes, slots).astype(bool)


def _shape(body: bytes) -> tuple[int, int, int, int]:
    """Lanes, slots, thresholds, bytes of the mask; raises ValueError."""
    lanes, slots, depth, masked = (int(n) for n in np.frombuffer(body, "<u2", 4))
    if not slots or _HOUR % slots:
        raise ValueError(f"{slots} slots in an hour")
    return lanes, slots, depth, masked


def _to_rows(hour: Hour) -> IntArray:
    """What is stored: losses rather than receipts, so that good rows hold the same number everywhere."""
    m = hour.matrix
    sent, received = m[Column.SENT], m[Column.RECEIVED]
    fixed = [
        sent, sent - received, m[Column.UNMEASURED], m[Column.LATE], m[Column.DUPLICATE], m[Column.RTT_SUM],
        hour.rtt_min_us, hour.rtt_max_us, m[Column.JITTER_SUM], received - m[Column.JITTER_PAIRS],
        hour.standing, hour.reason,
    ]  # fmt: skip
    rows = np.array([*fixed, *(received - limit for limit in m[Column.LE :])])
    return rows.reshape(-1, hour.present.shape[1])


def _from_rows(rows: IntArray, present: Mask) -> list[Hour]:
    """Hours from (hours, rows per lane, lanes, slots); takes `rows` for its own."""
    if not present.all():
        rows *= present[:, None]
    table = rows.swapaxes(0, 1)
    sent, lost = table[:2]
    received = sent - lost
    matrix = np.empty((Column.LE + len(table) - _FIXED, *sent.shape), np.int64)
    matrix[Column.SENT], matrix[Column.RECEIVED] = sent, received
    matrix[Column.UNMEASURED : Column.RTT_SUM + 1] = table[2:6]
    matrix[Column.JITTER_SUM] = table[8]
    matrix[Column.JITTER_PAIRS] = received - table[9]
    matrix[Column.LE :] = received - table[_FIXED:]
    low, high, standing, reason = table[6], table[7], table[10], table[11]
    return [
        Hour(present[n], matrix[:, n], low[n], high[n], standing[n], reason[n]) for n in range(len(rows))
    ]  # fmt: skip


# --- histogram ----------------------------------------------------------------------------------------


def encode_spectrum(hour: Hour, spectrum: Spectrum) -> bytes:
    """The histogram part; keys are (lane * slots + slot) * BUCKETS + bucket.

    Per interval: which buckets between the first and the last hold something, then their counts but for the
    last one's.
    """
    cell, bucket = np.divmod(spectrum.keys, BUCKETS)
    first = np.diff(cell, prepend=-1) != 0
    last = np.append(first[1:], True)[: len(first)]
    gap = np.diff(bucket, prepend=0)
    inner = ~first
    used = np.zeros(int(gap[inner].sum()), bool)  # one bit per bucket after an interval's first, up to its last
    used[np.cumsum(gap[inner]) - 1] = True
    order = _by_bucket(cell, bucket, hour.present.shape[1])
    counts = (spectrum.counts[order].astype(np.int64) - 1)[~last[order]]
    packed = zlib.compress(np.packbits(used).tobytes(), _DEEP)
    body = lzma.compress(rice.varint(counts), lzma.FORMAT_RAW, filters=_LZMA)
    return len(packed).to_bytes(4, "little") + packed + body


def _by_bucket(cell: IntArray, bucket: IntArray, slots: int) -> IntArray:
    """Neighbours in time beside each other: they resemble one another most."""
    low = int(cell[0]) if len(cell) else 0
    span = int(cell[-1]) - low + 1 if len(cell) else 1
    order: IntArray = np.argsort((cell // slots * BUCKETS + bucket) * span + (cell - low))  # no two are equal
    return order


def decode_spectrum(hour: Hour, body: bytes) -> Spectrum:
    """The histogram again; raises BrokenError."""
    try:
        return _decode_spectrum(hour, body)
    except (ValueError, IndexError, zlib.error, lzma.LZMAError) as error:
        raise BrokenError(f"histogram cannot be read: {error}") from error


def _decode_spectrum(hour: Hour, body: bytes) -> Spectrum:
    received = hour.matrix[Column.RECEIVED].reshape(-1)
    cells = np.flatnonzero(received)
    low = bucket_of(hour.rtt_min_us.reshape(-1)[cells])
    high = bucket_of(hour.rtt_max_us.reshape(-1)[cells])
    length = int.from_bytes(body[:4], "little")
    packed = zlib.decompress(body[4 : 4 + length])
    width = high - low
    bits = np.unpackbits(np.frombuffer(packed, np.uint8), count=int(width.sum()))
    ends = np.cumsum(width + 1)
    used = np.ones(int(ends[-1]) if len(ends) else 0, bool)  # with the first bucket of each interval
    starts = ends - width - 1
    rest = np.ones(len(used), bool)
    rest[starts] = False
    used[rest] = bits.astype(bool)
    owner = np.repeat(np.arange(len(cells)), width + 1)
    bucket = (np.arange(len(used)) - starts[owner] + low[owner])[used]
    owner = owner[used]
    last = np.append(owner[1:] != owner[:-1], True)[: len(owner)]
    order = _by_bucket(cells[owner], bucket, hour.present.shape[1])
    plain = lzma.decompress(body[4 + length :], lzma.FORMAT_RAW, filters=_LZMA)
    counts = np.zeros(len(owner), np.int64)
    counts[order[~last[order]]] = rice.unvarint(plain) + 1
    counts[last] = received[cells] - np.bincount(owner, counts, len(cells)).astype(np.int64)
    return Spectrum(cells[owner] * BUCKETS + bucket, counts.astype(np.uint32))


def sum_spectrum(hour: Hour, body: bytes, wanted: Mask | None = None) -> IntArray:
    """The histogram summed over the hour, (lanes, BUCKETS); raises BrokenError. Takes a third of decoding all of it.

    `wanted` (lanes, slots): only of these intervals.
    """
    try:
        return _sum_spectrum(hour, body, wanted)
    except (ValueError, IndexError, zlib.error, lzma.LZMAError) as error:
        raise BrokenError(f"histogram cannot be read: {error}") from error


def _sum_spectrum(hour: Hour, body: bytes, wanted: Mask | None) -> IntArray:
    lanes, slots = hour.present.shape
    received = hour.matrix[Column.RECEIVED].reshape(-1)
    cells = np.flatnonzero(received)
    received = received[cells]
    low = bucket_of(hour.rtt_min_us.reshape(-1)[cells])
    high = bucket_of(hour.rtt_max_us.reshape(-1)[cells])
    length = int.from_bytes(body[:4], "little")
    packed = zlib.decompress(body[4 : 4 + length])
    ends = np.cumsum(high - low)
    bits = np.unpackbits(np.frombuffer(packed, np.uint8), count=int(ends[-1]) if len(ends) else 0)
    used = np.flatnonzero(bits.view(bool))  # five times as fast as on bytes
    # as many counts are stored as buckets follow the first; the bucket that each belongs to is the one before
    edges = np.searchsorted(used, ends)
    stored = np.diff(edges, prepend=0)
    owner = np.repeat(np.arange(len(cells)), stored)
    lane = cells // slots * BUCKETS
    key = np.empty(len(used), np.int64)
    key[1:] = used[:-1] + (lane + low - ends + (high - low) + 1)[owner[1:]]
    begins = (edges - stored)[stored > 0]
    key[begins] = (lane + low)[stored > 0]
    order = np.argsort(_short(key, lanes * BUCKETS), kind="stable")
    counts = rice.unvarint(lzma.decompress(body[4 + length :], lzma.FORMAT_RAW, filters=_LZMA)) + 1
    if len(counts) != len(order):
        raise ValueError(f"{len(counts)} counts for {len(order)} buckets")
    ordered = np.empty(len(counts))  # float64, in which np.bincount adds: exact below 2^53
    ordered[order] = counts
    last = received - np.bincount(owner, ordered, len(cells))
    if wanted is not None:
        keep = wanted.reshape(-1)[cells]
        ordered *= keep[owner]
        last *= keep
    sums = np.bincount(key, ordered, lanes * BUCKETS) + np.bincount(lane + high, last, lanes * BUCKETS)
    return sums.astype(np.int64).reshape(lanes, BUCKETS)


def _short(keys: IntArray, limit: int) -> npt.NDArray[np.integer[Any]]:
    """Keys below a limit in a type that sorts fast: two bytes are sorted by digits."""
    return keys.astype(np.uint16) if limit <= 1 << 16 else keys
