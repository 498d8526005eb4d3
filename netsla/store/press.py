"""Arrays of whole numbers pressed for the disk: fast, for what the whole fleet writes and reads at once.

Rules: every array is stored in the narrowest type that holds it; names, types and shapes stand in front as
JSON; all of it goes through zlib. Exact: what comes out equals what went in (as int64).
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from netsla.model import IntArray
from netsla.sla.interval import Cell
from netsla.sla.tally import Spectrum

Numbers = npt.NDArray[np.integer[Any]]
_TYPES = tuple(np.dtype(code) for code in ("|u1", "|i1", "<u2", "<i2", "<u4", "<i4", "<i8"))
_FAST = 1  # zlib level: a minute's cell lives for an hour, and 10,000 of its rows must cost ~10 ms


class BrokenError(ValueError):
    """These bytes are not what was written."""


def narrow(values: Numbers) -> Numbers:
    """The same values in the narrowest type."""
    if not values.size:
        return values.astype(np.uint8)
    low, high = int(values.min()), int(values.max())
    for kind in _TYPES:
        limits = np.iinfo(kind)
        if limits.min <= low and high <= limits.max:
            return values.astype(kind)
    return values.astype(np.int64)


def pack(arrays: Mapping[str, Numbers], level: int = _FAST) -> bytes:
    """One-dimensional arrays, by name."""
    small = {name: narrow(values) for name, values in arrays.items()}
    head = json.dumps([[name, a.dtype.str, len(a)] for name, a in small.items()], separators=(",", ":")).encode()
    return zlib.compress(len(head).to_bytes(4, "little") + head + b"".join(a.tobytes() for a in small.values()), level)


def unpack(body: bytes) -> dict[str, IntArray]:
    """The arrays again; raises BrokenError."""
    try:
        plain = zlib.decompress(body)
        at = 4 + int.from_bytes(plain[:4], "little")
        out = {}
        for name, kind, length in json.loads(plain[4:at]):
            out[name] = np.frombuffer(plain, np.dtype(kind), length, at).astype(np.int64)
            at += np.dtype(kind).itemsize * length
    except (zlib.error, ValueError, TypeError) as error:
        raise BrokenError(str(error)) from error
    return out


def pack_counts(matrix: IntArray, spectrum: Spectrum, level: int = _FAST, **more: Numbers) -> bytes:
    """A tally: matrix (columns, rows), spectrum, and further arrays by row."""
    arrays: dict[str, Numbers] = {str(number): column for number, column in enumerate(matrix)}
    arrays |= {"steps": np.diff(spectrum.keys, prepend=0), "counts": spectrum.counts, **more}
    return pack(arrays, level)


def unpack_counts(body: bytes) -> tuple[IntArray, Spectrum, dict[str, IntArray]]:
    """Matrix, spectrum and the rest again; raises BrokenError."""
    arrays = unpack(body)
    try:
        columns = [arrays.pop(str(number)) for number in range(sum(map(str.isdigit, arrays)))]
        spectrum = Spectrum(np.cumsum(arrays.pop("steps")), arrays.pop("counts").astype(np.uint32))
        return np.array(columns), spectrum, arrays
    except (KeyError, ValueError) as error:
        raise BrokenError(str(error)) from error


def pack_cell(cell: Cell) -> bytes:
    """A whole cell, all rows."""
    return pack_counts(
        cell.matrix,
        cell.spectrum,
        min=cell.rtt_min_us,
        max=cell.rtt_max_us,
        standing=cell.standing,
        reason=cell.reason,
    )


def unpack_cell(k: int, seconds: int, body: bytes) -> Cell:
    """The cell again; raises BrokenError."""
    matrix, spectrum, rest = unpack_counts(body)
    try:
        standing, reason = rest["standing"].astype(np.int8), rest["reason"].astype(np.uint8)
        return Cell(k, seconds, matrix, spectrum, rest["min"], rest["max"], standing, reason)
    except KeyError as error:
        raise BrokenError(f"no {error}") from error
