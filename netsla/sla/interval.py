"""Intervals: the cells of the UTC-aligned grid, open while samples come in, then closed for good.

Rules: a probe belongs to the cell of its send time. A cell closes once every probe sent in it must be
decided (SLA R1). A closed cell keeps what was counted; whether it may be *used* is said beside it
(`reason`): an interval that we cannot vouch for keeps its raw counts as evidence, but enters windows only
as unmeasured.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from netsla.model import ByteArray, IntArray
from netsla.sla.tally import Column, Counted, Spectrum

NO_REASON = 255  # `Cell.reason` of an interval that can be vouched for
_NEVER_MIN = np.iinfo(np.int64).max
_FAST = 1  # zlib level: these blobs live for an hour


@dataclass(slots=True)
class OpenCell:
    """A cell that samples still come in for."""

    matrix: IntArray
    rtt_min_us: IntArray
    rtt_max_us: IntArray
    spectra: list[Spectrum] = field(default_factory=list)

    @staticmethod
    def of(columns: int, rows: int) -> OpenCell:
        """An empty cell."""
        return OpenCell(
            np.zeros((columns, rows), np.int64), np.full(rows, _NEVER_MIN, np.int64), np.full(rows, -1, np.int64)
        )

    @staticmethod
    def again(cell: Cell, columns: int, rows: int) -> OpenCell:
        """A cell that was put away while it lay open."""
        opened = OpenCell.of(columns, rows)
        opened.matrix[: len(cell.matrix)] += cell.matrix[:columns]
        opened.spectra.append(cell.spectrum)
        answered = cell.rtt_max_us >= 0
        opened.rtt_min_us[answered] = cell.rtt_min_us[answered]
        opened.rtt_max_us[:] = cell.rtt_max_us
        return opened

    def add(self, counted: Counted) -> None:
        """Count a batch in."""
        self.matrix += counted.matrix
        self.spectra.append(counted.spectrum)
        np.minimum.at(self.rtt_min_us, counted.row, counted.rtt_us)
        np.maximum.at(self.rtt_max_us, counted.row, counted.rtt_us)

    def grow(self, columns: int, rows: int) -> None:
        """Make room for more probes or thresholds."""
        more = ((0, columns - self.matrix.shape[0]), (0, rows - self.matrix.shape[1]))
        self.matrix = np.pad(self.matrix, more)
        self.rtt_min_us = np.pad(self.rtt_min_us, more[1], constant_values=_NEVER_MIN)
        self.rtt_max_us = np.pad(self.rtt_max_us, more[1], constant_values=-1)

    def so_far(self, k: int, seconds: int) -> Cell:
        """What came in until now, as a cell that nothing is judged of."""
        self.spectra = [Spectrum.merge(self.spectra)]  # also makes the next time cheaper
        rows = self.matrix.shape[1]
        return close(k, seconds, self, np.full(rows, -1, np.int8), np.full(rows, NO_REASON, np.uint8))

    def forget(self, rows: npt.NDArray[np.bool_]) -> None:
        """Drop what was counted for these probes."""
        self.matrix[:, rows] = 0
        self.spectra = [part.where(~rows) for part in self.spectra]
        self.rtt_min_us[rows], self.rtt_max_us[rows] = _NEVER_MIN, -1


@dataclass(frozen=True, slots=True)
class Cell:
    """A closed interval of the whole fleet: `k` is its number on the grid of `seconds`.

    `matrix` (columns, rows) and `spectrum` are as counted; `rtt_min_us`/`rtt_max_us` are -1 without a reply;
    `standing` is 1 good, 0 bad, -1 unknown per row; `reason` a Reason or NO_REASON per row.
    """

    k: int
    seconds: int
    matrix: IntArray
    spectrum: Spectrum
    rtt_min_us: IntArray
    rtt_max_us: IntArray
    standing: npt.NDArray[np.int8]
    reason: ByteArray

    @property
    def start_ns(self) -> int:
        """UTC start."""
        return self.k * self.seconds * 1_000_000_000

    def usable(self) -> tuple[IntArray, Spectrum]:
        """What windows may count: where a reason stands, everything sent becomes unmeasured."""
        suspect = self.reason != NO_REASON
        if not suspect.any():
            return self.matrix, self.spectrum
        return usable(self.matrix, suspect), self.spectrum.where(~suspect)


def usable(matrix: IntArray, suspect: npt.NDArray[np.bool_]) -> IntArray:
    """A matrix (columns, …) in which what was sent in `suspect` places counts as unmeasured, and nothing else does."""
    out: IntArray = np.where(suspect, 0, matrix)
    withdrawn = matrix[Column.UNMEASURED] + matrix[Column.SENT]
    out[Column.UNMEASURED] = np.where(suspect, withdrawn, out[Column.UNMEASURED])
    return out


def close(k: int, seconds: int, cell: OpenCell, standing: npt.NDArray[np.int8], reason: ByteArray) -> Cell:
    """Make an open cell final."""
    silent = cell.rtt_max_us < 0
    return Cell(
        k,
        seconds,
        cell.matrix,
        Spectrum.merge(cell.spectra),
        np.where(silent, -1, cell.rtt_min_us),
        cell.rtt_max_us,
        standing,
        reason,
    )


@dataclass(frozen=True, slots=True)
class PackedCell:
    """A usable cell pressed for the hour that short windows need it back: about 60 bytes a probe."""

    k: int
    columns: int
    rows: int
    _matrix: bytes
    _keys: bytes
    _counts: bytes

    @staticmethod
    def of(cell: Cell) -> PackedCell:
        """Press what `usable` says."""
        matrix, spectrum = cell.usable()
        steps = np.diff(spectrum.keys, prepend=0).astype(np.int32)
        return PackedCell(
            cell.k,
            len(matrix),
            matrix.shape[1],
            zlib.compress(matrix.tobytes(), _FAST),
            zlib.compress(steps.tobytes(), _FAST),
            zlib.compress(spectrum.counts.tobytes(), _FAST),
        )

    def open(self) -> tuple[IntArray, Spectrum]:
        """The matrix and the spectrum again."""
        matrix = np.frombuffer(zlib.decompress(self._matrix), np.int64).reshape(self.columns, self.rows)
        keys = np.cumsum(np.frombuffer(zlib.decompress(self._keys), np.int32), dtype=np.int64)
        return matrix, Spectrum(keys, np.frombuffer(zlib.decompress(self._counts), np.uint32))
