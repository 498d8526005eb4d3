"""Writing `intervals.csv`: columns of numbers become lines of text by array operations, one probe at a time.

Rules: PURE but for `write_intervals`. A month of a probe (43,200 lines) takes about 20 ms. A field is a table of
bytes (width, lines) in which 0 stands for nothing; laid under each other and read line by line they are the text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from netsla.model import ByteArray, IntArray, Reason
from netsla.sla.interval import NO_REASON
from netsla.sla.recorded import ABSENT, Recorded

HEADER = (
    "endpoint", "probe", "start", "seconds", "sent", "received", "unmeasured", "late", "duplicate", "rtt_sum_us",
    "rtt_min_us", "rtt_max_us", "jitter_sum_us", "jitter_pairs", "reason",
)  # fmt: skip
_DAY = 86_400
_ZERO = ord("0")
_NARROW = 10**9  # below, 32 bits divide faster


def write_intervals(path: Path, records: Iterable[Recorded], thresholds: Sequence[int] | None = None) -> int:
    """Write records as they come, and return how many intervals they hold.

    There is a column for each of `thresholds`; None: for every one that any of the records has.
    """
    if thresholds is None:
        records = list(records)
        thresholds = sorted({limit for part in records for limit in part.within})
    intervals = 0
    with path.open("wb") as file:
        file.write((",".join([*HEADER, *(f"le_{limit}" for limit in thresholds)]) + "\n").encode())
        for text in map(partial(text_of, thresholds=thresholds), records):  # holds no record while the next is read
            file.write(text)
            intervals += text.count(b"\n")
    return intervals


def text_of(part: Recorded, thresholds: Sequence[int]) -> bytes:
    """The lines of one probe."""
    count = len(part)
    if not count:
        return b""
    none = np.full(count, ABSENT, np.int64)
    limits = [part.within.get(limit, none) for limit in thresholds]
    fields = [
        _constant(part.endpoint, count),
        _constant(part.probe, count),
        _stamps(part.start_s),
        *(_numbers(getattr(part, name)) for name in HEADER[3:14]),
        _reasons(part.reason),
        *map(_numbers, limits),
    ]
    comma, end = _constant(",", count), _constant("\n", count)
    laid = [table for field in fields for table in (field, comma)]
    flat = np.concatenate([*laid[:-1], end]).T.reshape(-1)
    text: bytes = flat[flat != 0].tobytes()
    return text


def _constant(text: str, count: int) -> ByteArray:
    one = np.frombuffer(text.encode(), np.uint8)
    return np.broadcast_to(one[:, None], (len(one), count))


def _numbers(values: IntArray) -> ByteArray:
    """Whole numbers without leading zeros; nothing for ABSENT."""
    low, high = int(values.min()), int(values.max())
    if low == high:
        return _constant("" if low == ABSENT else str(low), len(values))
    if low < ABSENT:
        return _texts([str(n) for n in values.tolist()])
    width = len(str(high))
    kind = np.uint32 if high < _NARROW else np.uint64
    out = np.empty((width, len(values)), np.uint8)
    rest: npt.NDArray[np.unsignedinteger[npt.NBitBase]] = np.maximum(values, 0).astype(kind)
    for place in range(width - 1, -1, -1):
        shown = rest > 0 if place < width - 1 else values >= 0
        quotient = rest // kind(10)
        out[place] = (rest - quotient * kind(10) + kind(_ZERO)) * shown
        rest = quotient
    return out


def _texts(texts: Sequence[str]) -> ByteArray:
    table = np.array([text.encode() for text in texts])
    return table.view(np.uint8).reshape(len(texts), -1).T


def _stamps(start_s: IntArray) -> ByteArray:
    """ISO 8601, UTC: 2026-04-01T00:00:00Z."""
    day, second = np.divmod(start_s, _DAY)
    known, which = np.unique(day, return_inverse=True)
    dates = _texts(np.datetime_as_string(known.astype("datetime64[D]")).tolist())
    out = np.empty((len(dates) + 10, len(start_s)), np.uint8)
    out[: len(dates)] = dates[:, which]
    clock = out[len(dates) :]
    for place, (value, sign) in enumerate(
        ((second // 3600, "T"), (second // 60 % 60, ":"), (second % 60, ":"))
    ):  # fmt: skip
        clock[3 * place] = ord(sign)
        clock[3 * place + 1], clock[3 * place + 2] = value // 10 + _ZERO, value % 10 + _ZERO
    clock[9] = ord("Z")
    return out


def _reasons(reason: ByteArray) -> ByteArray:
    known, which = np.unique(reason, return_inverse=True)
    words = ["" if code == NO_REASON else Reason(code).label for code in known.tolist()]
    return _constant(words[0], len(reason)) if len(words) == 1 else _texts(words)[:, which]
