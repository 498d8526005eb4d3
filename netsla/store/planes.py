"""Columns of whole numbers kept in memory: byte by byte, and pressed only where that pays.

    fold(values) -> Folded        unfold(folded) -> the same values

Rules: PURE and exact. The least value is taken away, and what is left is laid out in planes of one byte of each
number: the high ones are nearly always alike and press to nothing, the low ones of measured times are noise, which to
press would cost much and save little.
"""

from __future__ import annotations

import zlib
from typing import NamedTuple

import numpy as np

from netsla.model import IntArray

_FAST = 1  # zlib level
_SAMPLE = 2048  # bytes that tell whether a plane can be pressed
_PAYS = 0.8  # of its size


class Folded(NamedTuple):
    """So many numbers from `least` on; a plane is pressed if it is shorter than that. No planes: all are the least."""

    size: int
    least: int
    planes: tuple[bytes, ...]


def fold(values: IntArray) -> Folded:
    """Take a column."""
    least, most = (int(values.min()), int(values.max())) if len(values) else (0, 0)
    width = -(-(most - least).bit_length() // 8)
    if not width:
        return Folded(len(values), least, ())
    kind = _kind(width)
    table = (values - least).astype(kind).view(np.uint8).reshape(len(values), kind.itemsize)
    return Folded(len(values), least, tuple(_pressed(table[:, place].tobytes()) for place in range(width)))


def unfold(folded: Folded) -> IntArray:
    """Give it back."""
    if not folded.planes:
        return np.full(folded.size, folded.least, np.int64)
    kind = _kind(len(folded.planes))
    table = np.zeros((folded.size, kind.itemsize), np.uint8)
    for place, plane in enumerate(folded.planes):
        whole = zlib.decompress(plane) if len(plane) < folded.size else plane
        table[:, place] = np.frombuffer(whole, np.uint8)
    return table.view(kind)[:, 0].astype(np.int64) + folded.least


def _kind(width: int) -> np.dtype[np.unsignedinteger]:
    return np.dtype("<u1" if width == 1 else "<u2" if width == 2 else "<u4" if width <= 4 else "<u8")


def _pressed(plane: bytes) -> bytes:
    sample = plane[:_SAMPLE]
    if len(zlib.compress(sample, _FAST)) > _PAYS * len(sample):
        return plane
    pressed = zlib.compress(plane, _FAST)
    return pressed if len(pressed) < len(plane) else plane
