"""Reading the ledger for the whole fleet at once: single cells, sums of long times, standings in order.

Rules: reads only; rows come out by the layout that the caller names. Sums are taken from the coarsest total that fits
(day, hour), else from cells; all of them give the same integers.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from netsla.model import ByteArray, IntArray
from netsla.sla.histogram import BUCKETS
from netsla.sla.interval import NO_REASON, Cell, usable
from netsla.sla.tally import Column, Spectrum
from netsla.store.archive import Look, decoded
from netsla.store.block import Hour
from netsla.store.layout import Lane, Layout, relocate, spread, spread_spectrum, union
from netsla.store.press import BrokenError, unpack_counts
from netsla.store.sealing import ABSENT, AT_ONCE, Total, join_totals, sum_hour, sum_usable
from netsla.store.stored import StoredBlock
from netsla.store.tables import DAY, HOUR


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """What windows may count of [start, end) UTC seconds, by the rows asked for."""

    start: int
    end: int
    matrix: IntArray
    spectrum: Spectrum


@dataclass(frozen=True, slots=True, eq=False)
class Standings:
    """Standings of intervals of `seconds` from `start` (UTC seconds) on, by the rows asked for.

    `codes` (rows, slots): 1 good, 0 bad, -1 unknown; `present` says which intervals there are at all.
    """

    start: int
    seconds: int
    codes: npt.NDArray[np.int8]
    present: npt.NDArray[np.bool_]


# --- sealed hours -------------------------------------------------------------------------------------


def sealed_parts(look: Look, hour: int) -> Iterator[tuple[int, Layout, Hour, Spectrum]]:
    """An hour of all agreements, some lanes at a time, in order of name: (seconds, layout, figures, histogram)."""
    stored = list(look.blocks(hour, hour + 1))
    for seconds in sorted({block.seconds for block in stored}):
        for blocks in _alike([block for block in stored if block.seconds == seconds]):
            yield seconds, *_side_by_side(blocks, HOUR // seconds)


def _alike(blocks: list[StoredBlock]) -> Iterator[list[StoredBlock]]:
    """Groups of blocks that share no lane with another group, each in order of writing."""
    group: list[StoredBlock] = []
    size = 0
    for block in sorted(blocks, key=lambda block: block.lanes[0]):
        if size + len(block.lanes) > AT_ONCE and group and block.lanes[0] > max(one.lanes[-1] for one in group):
            yield sorted(group, key=lambda block: block.id)
            group, size = [], 0
        group.append(block)
        size += len(block.lanes)
    if group:
        yield sorted(group, key=lambda block: block.id)


def _side_by_side(blocks: list[StoredBlock], slots: int) -> tuple[Layout, Hour, Spectrum]:
    layout = union([Layout(block.lanes) for block in blocks])
    whole = _blank(layout, slots)
    spectra: list[Spectrum] = []
    for block in blocks:
        figures = block.hours()
        rows = np.array([layout.rows[lane] for lane in block.lanes])
        spectra = _without(spectra, whole.present, rows, figures.present)
        _place(whole, rows, figures)
        spectra.append(_moved(block.histogram(figures), rows, slots))
    keys = np.concatenate([part.keys for part in spectra])
    counts = np.concatenate([part.counts for part in spectra])
    order = np.argsort(keys, kind="stable")
    return layout, whole, Spectrum(keys[order], counts[order])


def _blank(layout: Layout, slots: int) -> Hour:
    shape = (len(layout.lanes), slots)
    columns = [np.zeros(shape, np.int64) for _ in range(4)]
    return Hour(np.zeros(shape, bool), np.zeros((Column.LE + layout.depth, *shape), np.int64), *columns)


def _place(whole: Hour, rows: IntArray, part: Hour) -> None:
    """Put a block in; where it has an interval, it takes the place of what was there."""
    lane, slot = np.nonzero(part.present)
    row = rows[lane]
    whole.present[row, slot] = True
    whole.matrix[:, row, slot] = 0
    whole.matrix[: len(part.matrix), row, slot] = part.matrix[:, lane, slot]
    for name in ("rtt_min_us", "rtt_max_us", "standing", "reason"):
        getattr(whole, name)[row, slot] = getattr(part, name)[lane, slot]


def _without(
    spectra: list[Spectrum], taken: npt.NDArray[np.bool_], rows: IntArray, present: npt.NDArray[np.bool_]
) -> list[Spectrum]:
    """What an earlier block said of intervals that a later one tells again is left out."""
    again = np.zeros(taken.shape, bool)
    again[rows] = present
    again &= taken
    if not again.any():
        return spectra
    flat = again.reshape(-1)
    keep = [~flat[part.keys // BUCKETS] for part in spectra]
    return [Spectrum(p.keys[k], p.counts[k]) for p, k in zip(spectra, keep, strict=True)]


def _moved(spectrum: Spectrum, rows: IntArray, slots: int) -> Spectrum:
    """Keys of a block's rows as keys of the whole's rows."""
    cell, bucket = np.divmod(spectrum.keys, BUCKETS)
    lane, slot = np.divmod(cell, slots)
    return Spectrum((rows[lane] * slots + slot) * BUCKETS + bucket, spectrum.counts)


def cells_of_hour(look: Look, hour: int) -> Iterator[tuple[Cell, Layout]]:
    """Every cell of an hour, sealed or not: parts of cells, each of other lanes. The later record counts."""
    return cells_between(look, hour * HOUR, (hour + 1) * HOUR)


def cells_between(look: Look, start: int, end: int) -> Iterator[tuple[Cell, Layout]]:
    """The same, of cells that begin in [start, end) UTC seconds, all in one hour."""
    hour = start // HOUR
    loose = {cell.k * cell.seconds: (cell, layout) for cell, layout in look.cells(start, end)}
    for seconds, layout, figures, spectrum in sealed_parts(look, hour):
        for cell in _cut_cells(hour, seconds, figures, spectrum):
            if not start <= cell.k * cell.seconds < end:
                continue
            again = loose.get(cell.k * cell.seconds)
            yield _less(cell, layout, again[1]) if again else (cell, layout)
    yield from loose.values()


def _less(cell: Cell, layout: Layout, other: Layout) -> tuple[Cell, Layout]:
    """Only the lanes that `other` does not know."""
    rest = Layout(tuple(lane for lane in layout.lanes if lane and lane not in other.rows))
    return relocate(cell.k, cell.seconds, [(cell, layout)], rest), rest


def _cut_cells(hour: int, seconds: int, figures: Hour, spectrum: Spectrum) -> Iterator[Cell]:
    slots = HOUR // seconds
    cell, bucket = np.divmod(spectrum.keys, BUCKETS)
    row, slot = np.divmod(cell, slots)
    order = np.argsort(slot, kind="stable")
    bounds = np.searchsorted(slot[order], np.arange(slots + 1))
    for number in np.flatnonzero(figures.present.any(axis=0)):
        mine = order[bounds[number] : bounds[number + 1]]
        yield Cell(
            hour * slots + int(number),
            seconds,
            figures.matrix[:, :, number],
            Spectrum(row[mine] * BUCKETS + bucket[mine], spectrum.counts[mine]),
            figures.rtt_min_us[:, number],
            figures.rtt_max_us[:, number],
            np.where(figures.present[:, number], figures.standing[:, number], -1).astype(np.int8),
            np.where(figures.present[:, number], figures.reason[:, number], NO_REASON).astype(np.uint8),
        )


def figures(look: Look, layout: Layout, seconds: int, k: IntArray, rows: IntArray) -> IntArray:
    """What windows may count of cells `k` of `rows`, in pairs, all of one hour: (columns, pairs), 0 without a record.

    Reads only blocks that hold something of it, without their histograms.
    """
    hour = int(k[0]) * seconds // HOUR
    found = np.zeros((Column.LE + layout.depth, len(k)), np.int64)
    pairs: dict[Lane, list[int]] = defaultdict(list)
    for number, row in enumerate(rows.tolist()):
        lane = layout.lanes[row]
        if lane:
            pairs[lane].append(number)
    for block in look.blocks_of(hour, pairs.keys()):
        if block.seconds != seconds:
            continue
        part = block.hours()
        here = [(at, number) for at, lane in enumerate(block.lanes) for number in pairs.get(lane, ())]
        lane, into = np.array(here, np.int64).reshape(-1, 2).T
        slot = k[into] - hour * HOUR // seconds
        known = part.present[lane, slot]
        lane, slot, into = lane[known], slot[known], into[known]
        found[:, into] = 0
        found[: len(part.matrix), into] = usable(part.matrix[:, lane, slot], part.reason[lane, slot] != NO_REASON)
    for cell, own in look.cells(int(k[0]) * seconds, int(k[-1]) * seconds + 1):
        into = np.flatnonzero(k == cell.k) if cell.seconds == seconds else k[:0]
        again = into[[layout.lanes[row] in own.rows for row in rows[into].tolist()]]
        found[:, again] = spread(own, layout, cell.usable()[0])[: len(found), rows[again]]
    return found


# --- totals -------------------------------------------------------------------------------------------


def read_totals(look: Look, start: int, span: int) -> list[Total]:
    """The totals kept for exactly this time, one per grid."""
    query = "SELECT seconds, layout, body, standings FROM total WHERE start = ? AND span = ?"
    found = []
    for seconds, number, body, standings in look.connection.execute(query, (start, span)).fetchall():
        layout = look.layout(number)
        matrix, spectrum, _ = unpack_counts(body)
        found.append(Total(start, span, seconds, layout, matrix, spectrum, _read_standings(standings, seconds, layout)))
    return found


def _read_standings(body: bytes, seconds: int, layout: Layout) -> ByteArray:
    try:
        codes = np.frombuffer(zlib.decompress(body), np.uint8)
        return codes.reshape(len(layout.lanes) if seconds else 0, -1 if len(codes) else 0)
    except (zlib.error, ValueError) as error:
        raise BrokenError(f"standings cannot be read: {error}") from error


def hour_totals(look: Look, hour: int) -> list[Total]:
    """The totals of a sealed hour: as kept, else made from its blocks."""
    kept = read_totals(look, hour * HOUR, HOUR)
    if kept:
        return kept
    by_grid: dict[int, list[Total]] = {}
    for seconds, layout, figures, spectrum in sealed_parts(look, hour):
        by_grid.setdefault(seconds, []).append(sum_hour(hour, seconds, layout, figures, spectrum))
    return [join_totals(parts) for parts in by_grid.values()]


def hour_layouts(look: Look, hour: int) -> list[Layout]:
    """Whose figures `hour_totals` has."""
    query = "SELECT layout FROM total WHERE start = ? AND span = ?"
    kept = [look.layout(row[0]) for row in look.connection.execute(query, (hour * HOUR, HOUR)).fetchall()]
    return kept or [Layout(block.lanes) for block in look.blocks(hour, hour + 1)]


def pieces(look: Look, layout: Layout, start: int, end: int, cuts: Sequence[int] = ()) -> Iterator[Piece]:
    """What windows may count of [start, end) UTC seconds, oldest first; no piece goes over one of `cuts`."""
    edges = sorted({start, end, *(cut for cut in cuts if start < cut < end)})
    at = start
    while at < end:
        until = next(edge for edge in edges if edge > at)
        if at % DAY == 0 and at + DAY <= until and (days := read_totals(look, at, DAY)):
            yield from (_piece(total, layout) for total in days)
            at += DAY
        elif at % HOUR == 0 and at + HOUR <= until:
            yield from _hour_pieces(look, layout, at // HOUR)
            at += HOUR
        else:
            stop = min(until, at // HOUR * HOUR + HOUR)
            yield from _part_pieces(look, layout, at, stop)
            at = stop


def _hour_pieces(look: Look, layout: Layout, hour: int) -> Iterator[Piece]:
    if _has_loose(look, hour * HOUR, (hour + 1) * HOUR):
        yield from _cell_pieces(look, layout, hour * HOUR, (hour + 1) * HOUR)
    else:
        yield from (_piece(total, layout) for total in hour_totals(look, hour))


def _has_loose(look: Look, start: int, end: int) -> bool:
    query = "SELECT 1 FROM cell WHERE start >= ? AND start < ? LIMIT 1"
    return look.connection.execute(query, (start, end)).fetchone() is not None


def _part_pieces(look: Look, layout: Layout, start: int, end: int) -> Iterator[Piece]:
    """A part of an hour: at once where blocks alone tell of it, each lane once, else cell by cell."""
    stored = [] if _has_loose(look, start, end) else list(look.blocks(start // HOUR, start // HOUR + 1))
    if stored and len({lane for block in stored for lane in block.lanes}) == sum(len(one.lanes) for one in stored):
        yield from (_piece(total, layout) for total in _part_totals(stored, start, end))
    else:
        yield from _cell_pieces(look, layout, start, end)


def _part_totals(stored: list[StoredBlock], start: int, end: int) -> Iterator[Total]:
    for seconds in sorted({block.seconds for block in stored}):
        alike = (block for block in stored if block.seconds == seconds)
        yield join_totals([_part(block, figures, start, end) for block, figures in decoded(alike)])


def _part(block: StoredBlock, figures: Hour, start: int, end: int) -> Total:
    """What windows may count of those intervals of a block that begin in [start, end) UTC seconds; no standings."""
    starts = block.hour * HOUR + np.arange(figures.present.shape[1]) * block.seconds
    first, last = np.searchsorted(starts, (start, end)).tolist()
    suspect = (figures.reason != NO_REASON) & figures.present
    matrix = sum_usable(figures.matrix[:, :, first:last], suspect[:, first:last])
    wanted = ~suspect
    wanted[:, :first] = wanted[:, last:] = False
    sums = block.latencies(figures, wanted).reshape(-1)
    keys = np.flatnonzero(sums)
    spectrum = Spectrum(keys, sums[keys].astype(np.uint32))
    none = np.empty((len(block.lanes), 0), np.uint8)
    return Total(start, end - start, block.seconds, Layout(block.lanes), matrix, spectrum, none)


def _cell_pieces(look: Look, layout: Layout, start: int, end: int) -> Iterator[Piece]:
    for cell, own in cells_between(look, start, end):
        begin = cell.k * cell.seconds
        matrix, spectrum = cell.usable()
        moved = spread(own, layout, matrix)
        yield Piece(begin, begin + cell.seconds, moved, spread_spectrum(own, layout, spectrum))


def _piece(total: Total, layout: Layout) -> Piece:
    matrix = spread(total.layout, layout, total.matrix)
    spectrum = spread_spectrum(total.layout, layout, total.spectrum)
    return Piece(total.start, total.start + total.span, matrix, spectrum)


def is_sealed(look: Look, start: int) -> bool:
    """Whether an interval that begins then is in a sealed block already."""
    hour = start // HOUR
    if look.connection.execute("SELECT 1 FROM block WHERE hour = ? LIMIT 1", (hour,)).fetchone() is None:
        return False
    found = _standing_totals(look, hour)
    return any((codes[:, start % HOUR // seconds] != ABSENT).any() for _, seconds, _, codes in found)


# --- standings ----------------------------------------------------------------------------------------


def standings(look: Look, layout: Layout, start: int, end: int) -> Iterator[Standings]:
    """Standings of every interval of the hours that touch [start, end), hour by hour; nothing where nothing was."""
    for hour in range(start // HOUR, -(-end // HOUR)):
        bounds = (hour * HOUR, (hour + 1) * HOUR)
        if _has_loose(look, *bounds):
            yield from _loose_standings(look, layout, hour)
        else:
            for total in _standing_totals(look, hour):
                yield _standings(total, layout)


def _standing_totals(look: Look, hour: int) -> list[tuple[int, int, Layout, ByteArray]]:
    """(start, seconds, layout, codes) without unpressing the sums."""
    query = "SELECT seconds, layout, standings FROM total WHERE start = ? AND span = ?"
    rows = look.connection.execute(query, (hour * HOUR, HOUR)).fetchall()
    if not rows:
        return [(t.start, t.seconds, t.layout, t.standings) for t in hour_totals(look, hour)]
    found = [(seconds, look.layout(number), body) for seconds, number, body in rows]
    return [(hour * HOUR, seconds, own, _read_standings(body, seconds, own)) for seconds, own, body in found]


def _standings(found: tuple[int, int, Layout, ByteArray], layout: Layout) -> Standings:
    start, seconds, own, kept = found
    codes = np.full((len(layout.lanes), HOUR // seconds), ABSENT, np.uint8)
    here = own.onto(layout)
    codes[here[here >= 0]] = kept[here >= 0]
    present = codes != ABSENT
    return Standings(start, seconds, np.where(present, codes, 0).astype(np.int8) - np.int8(1), present)


def _loose_standings(look: Look, layout: Layout, hour: int) -> Iterator[Standings]:
    by_grid: dict[int, list[tuple[Cell, Layout]]] = {}
    for cell, own in cells_of_hour(look, hour):
        by_grid.setdefault(cell.seconds, []).append((cell, own))
    for seconds, cells in by_grid.items():
        shape = (len(layout.lanes), HOUR // seconds)
        codes, present = np.full(shape, -1, np.int8), np.zeros(shape, bool)
        for cell, own in cells:
            here = own.onto(layout)[: len(cell.standing)]
            slot = cell.k - hour * shape[1]
            codes[here[here >= 0], slot] = cell.standing[here >= 0]
            present[here[here >= 0], slot] = True
        yield Standings(hour * HOUR, seconds, codes, present)
