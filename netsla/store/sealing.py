"""From loose cells of a whole fleet to sealed hours per agreement, and to the totals that restarts need.

Rules: PURE (arrays in, values out). A later cell for an interval takes the place of an earlier one. Totals hold what
windows may count (`Cell.usable`), blocks what was counted. No block is made that does not read back as it was.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from netsla.model import ByteArray, IntArray
from netsla.sla.histogram import BUCKETS
from netsla.sla.interval import NO_REASON, Cell
from netsla.sla.tally import Column, Spectrum
from netsla.store import chain
from netsla.store.block import Hour, Mask, decode_figures, encode_figures, encode_spectrum
from netsla.store.layout import Lane, Layout, spread, spread_row, spread_spectrum
from netsla.store.press import BrokenError, pack_counts
from netsla.store.tables import HOUR

AT_ONCE = 1000  # lanes in memory as plain arrays: 60 slots of them, with histogram, take about 30 MB
_MOST = 24  # lanes of a block, so that some can be read without the rest of a large agreement
_WORTH = 16  # lanes: 11 kB; smaller blocks lose to headers and to the pages of the file, larger ones read slower
ABSENT = 3  # a standing code: no such interval; else standing + 1

Load = Callable[[], Iterable[tuple[Cell, Layout]]]


@dataclass(frozen=True, slots=True)
class Block:
    """One hour of one agreement or of several small ones, ready to be chained."""

    hour: int
    seconds: int
    lanes: tuple[Lane, ...]
    figures: bytes
    spectrum: bytes
    digests: dict[str, bytes]  # of the figures, by agreement in order of name; see chain.py


@dataclass(frozen=True, slots=True, eq=False)
class Total:
    """Sums over an hour or a day, by the rows of `layout`; `standings` (rows, slots) codes, empty for a day."""

    start: int  # UTC seconds
    span: int
    seconds: int
    layout: Layout
    matrix: IntArray
    spectrum: Spectrum
    standings: ByteArray

    def body(self) -> bytes:
        """The counts, pressed."""
        return pack_counts(self.matrix, self.spectrum, 9)

    def standing_body(self) -> bytes:
        """The standings, pressed."""
        return zlib.compress(self.standings.tobytes(), 6)


def seal_hour(
    hour: int, seconds: int, layout: Layout, load: Load, pause: Callable[[], object]
) -> tuple[list[Block], Total]:
    """Seal what `load` gives (again at each call) for the lanes of `layout` (a union, in order of name).

    `pause` is called between blocks: it lets other threads have the processor.
    """
    blocks, parts = [], []
    lanes = [lane for lane in layout.lanes if lane]
    for begin, end in _shares(lanes):
        share = Layout(tuple(lanes[begin:end]))
        figures, spectrum = gather(hour, seconds, share, load())
        for first, last in _blocks(lanes[begin:end]):
            part, histogram = cut(figures, spectrum, first, last)
            blocks += list(_block(hour, seconds, tuple(lanes[begin + first : begin + last]), part, histogram))
            pause()
        parts.append(sum_hour(hour, seconds, share, figures, spectrum))
    return blocks, join_totals(parts)


def _shares(lanes: list[Lane]) -> Iterator[tuple[int, int]]:
    """Some whole blocks at a time."""
    begin = end = 0
    for first, last in _blocks(lanes):
        if last - begin > AT_ONCE:
            yield begin, end
            begin = first
        end = last
    if end > begin:
        yield begin, end


def owners(lanes: Sequence[Lane]) -> Iterator[tuple[str, int, int]]:
    """(agreement, first lane, one after the last) of lanes in order of name."""
    at = 0
    for agreement, members in groupby(lanes, lambda lane: lane.agreement):
        count = sum(1 for _ in members)
        yield agreement, at, at + count
        at += count


def _blocks(lanes: Sequence[Lane]) -> Iterator[tuple[int, int]]:
    """Whole agreements, as many together as make a block worth its overhead; a large one in parts."""
    begin = 0
    for _, _, end in owners(lanes):
        while end - begin > _MOST:
            yield begin, begin + _MOST
            begin += _MOST
        if end - begin >= _WORTH or (end == len(lanes) and end > begin):
            yield begin, end
            begin = end


def gather(hour: int, seconds: int, layout: Layout, cells: Iterable[tuple[Cell, Layout]]) -> tuple[Hour, Spectrum]:
    """The cells of one hour as columns over (rows of `layout`, slots)."""
    lanes, slots = len(layout.lanes), HOUR // seconds
    present = np.zeros((lanes, slots), bool)
    matrix = np.zeros((Column.LE + layout.depth, lanes, slots), np.int64)
    extra = [np.zeros((lanes, slots), np.int64) for _ in range(4)]
    spectra = []
    for cell, own in cells:
        slot = cell.k - hour * slots
        here = own.onto(layout)[: cell.matrix.shape[1]]
        mine = here[here >= 0]
        present[mine, slot] = True
        matrix[:, mine, slot] = spread(own, layout, cell.matrix)[: len(matrix), mine]
        for column, name in zip(extra, ("rtt_min_us", "rtt_max_us", "standing", "reason"), strict=True):
            column[mine, slot] = spread_row(own, layout, getattr(cell, name).astype(np.int64), 0)[mine]
        part = spread_spectrum(own, layout, cell.spectrum)
        row, bucket = np.divmod(part.keys, BUCKETS)
        spectra.append(Spectrum((row * slots + slot) * BUCKETS + bucket, part.counts))
    return Hour(present, matrix, *extra), Spectrum.merge(spectra)


def cut(hour: Hour, spectrum: Spectrum, first: int, last: int) -> tuple[Hour, Spectrum]:
    """Only the lanes from `first` to `last`."""
    slots = hour.present.shape[1]
    begin, end = np.searchsorted(spectrum.keys, [first * slots * BUCKETS, last * slots * BUCKETS])
    keys = spectrum.keys[begin:end] - first * slots * BUCKETS
    return cut_rows(hour, first, last), Spectrum(keys, spectrum.counts[begin:end])


def cut_rows(hour: Hour, first: int, last: int) -> Hour:
    """Only the lanes from `first` to `last`, without the histogram."""
    return Hour(
        hour.present[first:last],
        hour.matrix[:, first:last],
        hour.rtt_min_us[first:last],
        hour.rtt_max_us[first:last],
        hour.standing[first:last],
        hour.reason[first:last],
    )


def _block(hour: int, seconds: int, lanes: tuple[Lane, ...], figures: Hour, spectrum: Spectrum) -> Iterator[Block]:
    if figures.present.any():
        digests = digest_hour(hour, seconds, lanes, figures)
        body = encode_figures(figures)
        if digest_hour(hour, seconds, lanes, decode_figures(body)) != digests:
            raise BrokenError(f"hour {hour} cannot be sealed: what was pressed does not read back")  # cells stay
        yield Block(hour, seconds, lanes, body, encode_spectrum(figures, spectrum), digests)


def digest_hour(hour: int, seconds: int, lanes: tuple[Lane, ...], figures: Hour) -> dict[str, bytes]:
    """The figures' digests by agreement, see chain.py."""
    tables = figures_tables(figures, hour, seconds)
    whole: list[bool] = np.logical_and.reduce(figures.present, axis=1).tolist()
    told = []
    for row, lane in enumerate(lanes):
        table = tables[row] if whole[row] else tables[row][figures.present[row]]
        thresholds = lane.thresholds_us
        told.append((lane.endpoint, lane.probe, thresholds, table[:, : len(chain.COLUMNS) + len(thresholds)]))
    return {
        agreement: chain.figures_digest(agreement, hour, seconds, told[first:last])
        for agreement, first, last in owners(lanes)
    }


def figures_tables(figures: Hour, hour: int, seconds: int) -> IntArray:
    """Every lane's hour as chain.COLUMNS have it, and all thresholds: (lanes, slots, columns)."""
    m = figures.matrix
    lanes, slots = figures.present.shape
    tables = np.empty((lanes, slots, len(chain.COLUMNS) + len(m) - Column.LE), np.int64)
    columns = [
        (hour * HOUR + np.arange(slots) * seconds)[None, :],
        m[Column.SENT], m[Column.RECEIVED], m[Column.UNMEASURED], m[Column.LATE], m[Column.DUPLICATE],
        m[Column.RTT_SUM], figures.rtt_min_us, figures.rtt_max_us,
        m[Column.JITTER_SUM], m[Column.JITTER_PAIRS], figures.reason, *m[Column.LE :],
    ]  # fmt: skip
    for number, column in enumerate(columns):
        tables[:, :, number] = column
    return tables


# --- totals -------------------------------------------------------------------------------------------


def sum_hour(hour: int, seconds: int, layout: Layout, figures: Hour, spectrum: Spectrum) -> Total:
    """What windows may count of an hour."""
    suspect = (figures.reason != NO_REASON) & figures.present
    matrix = sum_usable(figures.matrix, suspect)
    cell, bucket = np.divmod(spectrum.keys, BUCKETS)
    keep = ~suspect.reshape(-1)[cell]
    keys = cell[keep] // figures.present.shape[1] * BUCKETS + bucket[keep]
    codes = np.where(figures.present, figures.standing + 1, ABSENT).astype(np.uint8)
    return Total(hour * HOUR, HOUR, seconds, layout, matrix, add_up(keys, spectrum.counts[keep]), codes)


def sum_usable(matrix: IntArray, suspect: Mask) -> IntArray:
    """Sums over slots, (columns, lanes), of what may be used."""
    sums: IntArray = np.where(suspect, 0, matrix).sum(axis=2)
    withdrawn = matrix[Column.SENT] + matrix[Column.UNMEASURED]
    sums[Column.UNMEASURED] += (withdrawn * suspect).sum(axis=1)
    return sums


def add_up(keys: IntArray, counts: np.ndarray[tuple[int], np.dtype[np.uint32]]) -> Spectrum:
    """A histogram from keys that repeat."""
    order = np.argsort(keys, kind="stable")
    keys, counts = keys[order], counts[order]
    first = np.flatnonzero(np.diff(keys, prepend=-1))
    sums = np.add.reduceat(counts, first) if len(first) else counts
    return Spectrum(keys[first], sums.astype(np.uint32))


def join_totals(parts: list[Total]) -> Total:
    """Shares of one hour side by side."""
    layout = Layout(tuple(lane for part in parts for lane in part.layout.lanes))
    depth = max(len(part.matrix) for part in parts)
    matrix = np.concatenate([np.pad(p.matrix, ((0, depth - len(p.matrix)), (0, 0))) for p in parts], axis=1)
    rows = np.cumsum([0, *(part.matrix.shape[1] for part in parts)])
    keys = np.concatenate([part.spectrum.keys + row * BUCKETS for part, row in zip(parts, rows, strict=False)])
    counts = np.concatenate([part.spectrum.counts for part in parts])
    standings = np.concatenate([part.standings for part in parts])
    return Total(parts[0].start, parts[0].span, parts[0].seconds, layout, matrix, Spectrum(keys, counts), standings)


def sum_day(day: int, layout: Layout, hours: Iterable[Total]) -> Total:
    """The hours of one day (`day` counts from the epoch) as one; no standings."""
    matrix = np.zeros((Column.LE + layout.depth, len(layout.lanes)), np.int64)
    spectrum = Spectrum.merge([])
    for hour in hours:
        matrix += spread(hour.layout, layout, hour.matrix)[: len(matrix)]
        part = spread_spectrum(hour.layout, layout, hour.spectrum)
        spectrum = add_up(np.concatenate([spectrum.keys, part.keys]), np.concatenate([spectrum.counts, part.counts]))
    return Total(day * 24 * HOUR, 24 * HOUR, 0, layout, matrix, spectrum, np.empty((0, 0), np.uint8))
