"""The hash chain: what makes a ledger evidence.

Rules: PURE. Every agreement has a chain of its sealed hours, the agent one of its notes; a link is
`SHA-256(previous link + digests of what it seals)`, the first `previous` is 32 zero bytes. The figures' digest
is taken over bytes that anybody can make again from `intervals.csv` (docs/ledger.md): so a party that holds
only its own evidence pack can check its own chain.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np

from netsla.model import IntArray

GENESIS = bytes(32)
COLUMNS = (
    "start", "sent", "received", "unmeasured", "late", "duplicate", "rtt_sum_us", "rtt_min_us", "rtt_max_us",
    "jitter_sum_us", "jitter_pairs", "reason",
)  # fmt: skip
"""Columns of a figures matrix, before one per threshold: start in UTC seconds, min and max -1 without a
reply, reason 255 for none."""


def canonical(value: Any) -> bytes:
    """JSON that is the same for equal values (RFC 8785 for the plain values we use)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def figures_digest(
    agreement: str, hour: int, seconds: int, lanes: Iterable[tuple[str, str, tuple[int, ...], IntArray]]
) -> bytes:
    """Digest of one hour: lanes are (endpoint, probe, thresholds_us, matrix (intervals, columns)), in order of name.

    `hour` counts from the epoch; a matrix has COLUMNS and then one column per threshold, rows by start.
    """
    made = FiguresDigest(agreement, hour, seconds)
    for lane in lanes:
        made.add(*lane)
    return made.digest()


class FiguresDigest:
    """The same, lane by lane."""

    def __init__(self, agreement: str, hour: int, seconds: int) -> None:
        self._made = hashlib.sha256(canonical([agreement, hour, seconds]))

    def add(self, endpoint: str, probe: str, thresholds_us: tuple[int, ...], matrix: IntArray) -> None:
        """The next lane in order of name."""
        self._made.update(_lane_head(endpoint, probe, thresholds_us, len(matrix)))
        self._made.update(np.ascontiguousarray(matrix, "<i8").tobytes())

    def digest(self) -> bytes:
        """Of all lanes so far."""
        return self._made.digest()


@lru_cache(maxsize=4096)
def _lane_head(endpoint: str, probe: str, thresholds_us: tuple[int, ...], intervals: int) -> bytes:
    return canonical([endpoint, probe, list(thresholds_us), intervals])


def stored_digest(*bodies: bytes) -> bytes:
    """Digest of the bytes as they lie on the disk."""
    digest = hashlib.sha256()
    for body in bodies:
        digest.update(len(body).to_bytes(8, "little") + body)
    return digest.digest()


def link(previous: bytes, *digests: bytes) -> bytes:
    """The next link."""
    return hashlib.sha256(previous + b"".join(digests)).digest()


def note_link(previous: bytes, at_ns: int, kind: str, agreement: str, detail: str) -> bytes:
    """The link of a note."""
    return link(previous, canonical([at_ns, kind, agreement, detail]))
