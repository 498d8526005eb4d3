"""Reading the ledger of one agreement: intervals, notes, links. Any thread, any process, while it is written.

Rules: reads only. Within one `with archive.open() as look:` everything is one consistent picture. A later record
of an interval (a correction, see ledger.py) takes the place of an earlier one. Broken bytes raise BrokenError
with their place; a file that cannot be opened raises sqlite3.Error.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from netsla.model import SECOND
from netsla.sla.interval import Cell
from netsla.store import chain
from netsla.store.block import Hour, decode_alike
from netsla.store.layout import Lane, Layout
from netsla.store.press import BrokenError, unpack_cell
from netsla.store.readonly import connect_readonly
from netsla.store.sealing import cut_rows
from netsla.store.series import Part, Series, Table, join, loose_parts
from netsla.store.stored import StoredBlock, hour_text
from netsla.store.tables import HOUR, raw, read_lanes, read_layout

_AT_ONCE = 16  # blocks decoded together: 5 MB, which stays in the cache
_BLOCK = "id, hour, seconds, lanes, figures, spectrum, links"


@dataclass(frozen=True, slots=True)
class Note:
    """One entry of the journal; `agreement` is "" for what concerns the whole agent."""

    id: int
    at_ns: int
    kind: str
    agreement: str
    detail: dict[str, Any]


See = Callable[[StoredBlock, Hour], None]


class Look:
    """One consistent picture of a ledger."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._lanes: dict[int, Lane] | None = None
        self._lane_sets: dict[bytes, tuple[Lane, ...]] = {}
        self._layouts: dict[int, Layout] = {}

    # --- one agreement ------------------------------------------------------------------------------

    def agreements(self) -> list[str]:
        """Every agreement that has sealed hours."""
        return [row[0] for row in self.connection.execute("SELECT name FROM agreement WHERE name != '' ORDER BY name")]

    def intervals(self, agreement: str, start_ns: int, end_ns: int) -> list[Series]:
        """Every interval that begins in [start, end), by lane in order of name."""
        return list(self.each(agreement, start_ns, end_ns))

    def each(
        self, agreement: str, start_ns: int, end_ns: int, at_once: int = 24, see: See | None = None,
        endpoints: Collection[str] | None = None,
    ) -> Iterator[Series]:  # fmt: skip
        """The same, one lane after the other: a month of a large agreement does not fit into memory.

        Blocks are read for so many lanes `at_once`; `see` is called with every block that is decoded on the way, some
        of them perhaps more than once. With `endpoints` nothing is read for others.
        """
        first, last = -(-start_ns // SECOND), -(-end_ns // SECOND)
        index = list(self._index(first // HOUR, -(-last // HOUR), agreement))
        loose: dict[Lane, list[Part]] = defaultdict(list)
        for cell, layout in self.cells(first, last):
            for part in loose_parts(cell, layout, agreement, endpoints):
                loose[part.series.lane].append(part)
        sealed = {lane for entry in index for lane in entry.lanes if lane.agreement == agreement}
        lanes = sorted(lane for lane in sealed | loose.keys() if endpoints is None or lane.endpoint in endpoints)
        for begin in range(0, len(lanes), at_once):
            yield from self._some(lanes[begin : begin + at_once], index, loose, first, last, see)

    def _some(
        self, lanes: list[Lane], index: list[_Entry], loose: dict[Lane, list[Part]], first: int, last: int,
        see: See | None,
    ) -> Iterator[Series]:  # fmt: skip
        wanted = set(lanes)
        tables = []
        for (owned, seconds), entries in _alike(index, wanted).items():
            blocks = [self.block(entry.id) for entry in entries]
            tables.append(_read_table(owned, seconds, blocks, wanted, see))
        for lane in lanes:
            sealed = [table.part(lane) for table in tables if lane in table.rows]
            series = join(sealed + loose.get(lane, []), first, last)
            if len(series.start):
                yield series

    def all_lanes(self, agreement: str, start_ns: int, end_ns: int) -> set[Lane]:
        """Whatever lanes an agreement has in [start, end), without reading any figures."""
        first, last = -(-start_ns // SECOND), -(-end_ns // SECOND)
        sealed = {entry.lanes for entry in self._index(first // HOUR, -(-last // HOUR), agreement)}
        query = "SELECT DISTINCT layout FROM cell WHERE start >= ? AND start < ?"
        loose = [self.layout(row[0]) for row in self.connection.execute(query, (first, last)).fetchall()]
        every = (lane for lanes in (*sealed, *(layout.lanes for layout in loose)) for lane in lanes if lane)
        return {lane for lane in every if lane.agreement == agreement}

    def chained(self, agreement: str, hours: range) -> list[int]:
        """The blocks of these hours that hold an agreement, in the order of its chain."""
        index = self._index(hours.start, hours.stop, agreement)
        return sorted(one.id for one in index if any(lane.agreement == agreement for lane in one.lanes))

    def has_between(self, before: int, number: int, agreement: str) -> bool:
        """Whether a block that may hold an agreement lies between two others."""
        if number == before + 1:
            return False
        query = "SELECT 1 FROM block WHERE id > ? AND id < ? AND first <= ? AND last >= ? LIMIT 1"
        return self.connection.execute(query, (before, number, agreement, agreement)).fetchone() is not None

    def previous(self, number: int, agreement: str) -> bytes:
        """The link that a block of an agreement stands on."""
        query = f"SELECT {_BLOCK} FROM block WHERE id < ? AND first <= ? AND last >= ? ORDER BY id DESC"  # noqa: S608 - own names
        for row in self.connection.execute(query, (number, agreement, agreement)):
            before = self.stored(row)
            if any(lane.agreement == agreement for lane in before.lanes):
                return before.link_of(agreement)
        found = self.connection.execute("SELECT base FROM agreement WHERE name = ?", (agreement,)).fetchone()
        return bytes(found[0]) if found else chain.GENESIS

    # --- journal ------------------------------------------------------------------------------------

    def notes(
        self, kinds: tuple[str, ...] = (), agreement: str | None = None, start_ns: int = 0, end_ns: int = 2**62
    ) -> list[Note]:
        """Notes with `at_ns` in [start, end), in the order in which they were written."""
        query = "SELECT id, at_ns, kind, agreement, detail FROM note WHERE at_ns >= ? AND at_ns < ? ORDER BY id"
        rows = self.connection.execute(query, (start_ns, end_ns))
        return [
            Note(number, at_ns, kind, owner, json.loads(detail))
            for number, at_ns, kind, owner, detail in rows
            if (not kinds or kind in kinds) and (agreement is None or owner == agreement)
        ]

    def pulse(self) -> tuple[int, int] | None:
        """(start, last heartbeat) of the agent that wrote last, in ns."""
        found = self.connection.execute("SELECT started_ns, last_ns FROM pulse").fetchone()
        return (int(found[0]), int(found[1])) if found else None

    def last_interval(self) -> tuple[int, int] | None:
        """(start, length) of the newest recorded interval, in UTC seconds."""
        query = "SELECT start, seconds FROM cell ORDER BY start DESC LIMIT 1"
        found: list[tuple[int, int]] = [(row[0], row[1]) for row in self.connection.execute(query)]
        (hour,) = self.connection.execute("SELECT max(hour) FROM block").fetchone()
        if hour is not None and (not found or found[0][0] < (hour + 1) * HOUR):
            for block in self.blocks(hour, hour + 1):
                slot = int(np.flatnonzero(block.present().any(axis=0))[-1])
                found.append((hour * HOUR + slot * block.seconds, block.seconds))
        return max(found, default=None)

    # --- raw ----------------------------------------------------------------------------------------

    def layout(self, number: int) -> Layout:
        """A layout by its row."""
        if number not in self._layouts:
            self._layouts[number] = read_layout(self.connection, number)
        return self._layouts[number]

    def cells(self, start: int, end: int) -> Iterator[tuple[Cell, Layout]]:
        """Cells not sealed yet that begin in [start, end) UTC seconds, in order."""
        query = "SELECT start, seconds, layout, body FROM cell WHERE start >= ? AND start < ? ORDER BY start"
        for begin, seconds, layout, body in self.connection.execute(query, (start, end)):
            yield unpack_cell(begin // seconds, seconds, body), self.layout(layout)

    def open_cells(self) -> list[tuple[Cell, Layout]]:
        """Cells that were still open when they were last kept."""
        query = "SELECT start, seconds, layout, body FROM open ORDER BY start"
        rows = self.connection.execute(query).fetchall()
        return [(unpack_cell(at // seconds, seconds, body), self.layout(layout)) for at, seconds, layout, body in rows]

    def blocks(self, first: int, last: int, agreement: str | None = None) -> Iterator[StoredBlock]:
        """Sealed blocks of hours [first, last), by hour and then as written."""
        query = f"SELECT {_BLOCK} FROM block WHERE hour = ?"  # noqa: S608 - own names
        more: tuple[str, ...] = ()
        if agreement is not None:
            query, more = query + " AND first <= ? AND last >= ?", (agreement, agreement)
        first, last = self._sealed_range(first, last)
        for hour in range(first, last):
            for row in self.connection.execute(query + " ORDER BY id", (hour, *more)):
                yield self.stored(row)

    def blocks_of(self, hour: int, lanes: Collection[Lane]) -> Iterator[StoredBlock]:
        """Sealed blocks of an hour that hold any of these lanes, as written, without their histograms."""
        query = "SELECT id, seconds, lanes FROM block WHERE hour = ? ORDER BY id"
        for number, seconds, ids in self.connection.execute(query, (hour,)).fetchall():
            if any(lane in lanes for lane in self.lanes(ids, number, hour)):
                (figures,) = self.connection.execute("SELECT figures FROM block WHERE id = ?", (number,)).fetchone()
                yield self.stored((number, hour, seconds, ids, figures, b"", b""))

    def _index(self, first: int, last: int, agreement: str) -> Iterator[_Entry]:
        """What blocks of an agreement there are, without reading them."""
        query = "SELECT id, seconds, lanes FROM block WHERE hour = ? AND first <= ? AND last >= ? ORDER BY id"
        first, last = self._sealed_range(first, last)
        for hour in range(first, last):
            for number, seconds, lanes in self.connection.execute(query, (hour, agreement, agreement)):
                yield _Entry(number, seconds, self.lanes(lanes, number, hour))

    def lanes(self, ids: bytes, block: int, hour: int) -> tuple[Lane, ...]:
        """The lanes of a block by name; raises BrokenError."""
        if ids not in self._lane_sets:
            if self._lanes is None:
                self._lanes = read_lanes(self.connection)
            try:
                self._lane_sets[ids] = tuple(self._lanes[int(lane)] for lane in np.frombuffer(ids, "<u4"))
            except (KeyError, ValueError) as error:
                text = f"block {block} (hour {hour_text(hour)}): its lanes are not known: {error}"
                raise BrokenError(text) from error
        return self._lane_sets[ids]

    def block(self, number: int) -> StoredBlock:
        """One block by its id; raises BrokenError."""
        query = f"SELECT first, last, {_BLOCK} FROM block WHERE id = ?"  # noqa: S608 - own names
        found = self.connection.execute(query, (number,)).fetchone()
        if found is None:
            raise BrokenError(f"block {number} cannot be found under its number")
        first, last, *row = found
        block = self.stored(tuple(row))
        if not block.lanes or (first, last) != (block.lanes[0].agreement, block.lanes[-1].agreement):
            raise BrokenError(f"block {number} (hour {hour_text(block.hour)}): it is filed under wrong names")
        return block

    def hour_of(self, number: int) -> int:
        """The hour that a block is filed under; -1 if it cannot be found."""
        found = self.connection.execute("SELECT hour FROM block WHERE id = ?", (number,)).fetchone()
        return int(found[0]) if found else -1

    def stored(self, row: tuple[Any, ...]) -> StoredBlock:
        """A row of `block` with its lanes by name."""
        number, hour, seconds, *bodies = row
        lane_ids, figures, spectrum, links = map(raw, bodies)
        lanes = self.lanes(lane_ids, number, hour)
        return StoredBlock(number, hour, seconds, lanes, lane_ids, figures, spectrum, links)

    def is_sealed(self, hour: int) -> bool:
        """Whether there is a block of an hour."""
        return self.connection.execute("SELECT 1 FROM block WHERE hour = ? LIMIT 1", (hour,)).fetchone() is not None

    def _sealed_range(self, first: int, last: int) -> tuple[int, int]:
        low, high = self.connection.execute(
            "SELECT (SELECT min(hour) FROM block), (SELECT max(hour) FROM block)"
        ).fetchone()
        return (0, 0) if low is None else (max(first, low), min(last, high + 1))


class Archive:
    """A ledger file to read from."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextlib.contextmanager
    def open(self) -> Iterator[Look]:
        """One consistent picture; raises sqlite3.Error when the file cannot be read."""
        connection = connect_readonly(self.path)
        try:
            connection.execute("BEGIN")
            yield Look(connection)
        finally:
            connection.close()


# --- series -------------------------------------------------------------------------------------------


class _Entry(NamedTuple):
    """A block that is not read yet."""

    id: int
    seconds: int
    lanes: tuple[Lane, ...]


def _alike(index: list[_Entry], wanted: set[Lane]) -> dict[tuple[tuple[Lane, ...], int], list[_Entry]]:
    """Blocks that hold wanted lanes, those with the same lanes together."""
    found: dict[tuple[tuple[Lane, ...], int], list[_Entry]] = {}
    for entry in index:
        found.setdefault((entry.lanes, entry.seconds), []).append(entry)
    return {key: entries for key, entries in found.items() if not wanted.isdisjoint(key[0])}


def _read_table(
    lanes: tuple[Lane, ...], seconds: int, blocks: list[StoredBlock], wanted: set[Lane], see: See | None
) -> Table:
    """The wanted lanes of blocks with the same lanes."""
    rows = [row for row, lane in enumerate(lanes) if lane in wanted]
    first, last = rows[0], rows[-1] + 1
    table = Table(lanes[first:last], seconds, [block.hour for block in blocks], [block.id for block in blocks])
    for at, (block, hour) in enumerate(decoded(blocks)):
        if see is not None:
            see(block, hour)
        table.put(at, cut_rows(hour, first, last))
    return table


def decoded(blocks: Iterable[StoredBlock]) -> Iterator[tuple[StoredBlock, Hour]]:
    """Blocks and their figures; raises BrokenError with the place. Fastest where neighbours are of one shape."""
    rest = iter(blocks)
    while some := list(islice(rest, _AT_ONCE)):
        try:
            hours = decode_alike([block.figures for block in some])
        except BrokenError:
            hours = [block.hours() for block in some]  # one after the other, the broken one is named
        yield from zip(some, hours, strict=True)
