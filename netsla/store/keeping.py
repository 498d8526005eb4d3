"""What happens to a ledger as it ages: hours are sealed, days are summed, the oldest is let go.

Rules: `prepare` reads and computes beside the writer; `commit`, `write_total`, `retire` and `relieve` run in one
transaction of the writer each. What is let go is said in a note of the journal, with the last link before it,
so that `verify` can tell retention from tampering.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from netsla.model import SECOND
from netsla.sla.interval import Cell
from netsla.store import chain
from netsla.store.archive import Look
from netsla.store.fleetview import hour_layouts, hour_totals
from netsla.store.journal import RETIRED, SEALED, write_note
from netsla.store.layout import Layout, union
from netsla.store.sealing import Block, Total, seal_hour, sum_day
from netsla.store.stored import LINK
from netsla.store.tables import DAY, HOUR, agreement_id, lane_id, layout_id, read_lanes

KEPT_DAYS = 40  # at the quota: the running month and the one to be settled stay in any case


@dataclass(frozen=True, slots=True)
class Retention:
    """Days that things are kept. Notes are kept for ever: they are few, and the chain needs them."""

    blocks: int = 1100  # three years of contract and the time to claim
    hour_totals: int = 100  # the longest rolling window is 90 days
    day_totals: int = 1100
    pace_s: float = 6 * 3600.0  # between two lettings-go, of two days at most: a wrong clock must not empty the ledger


@dataclass(frozen=True, slots=True)
class Sealed:
    """A whole hour, ready to be written."""

    hour: int
    blocks: list[Block]
    totals: list[Total]
    cells: list[int]  # rows of `cell` that it replaces


def prepare(look: Look, hour: int, pause: Callable[[], object]) -> Sealed:
    """Compute the blocks and totals of an hour from its loose cells."""
    query = "SELECT id, seconds, layout FROM cell WHERE start >= ? AND start < ?"
    rows = look.connection.execute(query, (hour * HOUR, (hour + 1) * HOUR)).fetchall()
    sealed = Sealed(hour, [], [], [row[0] for row in rows])
    for seconds in sorted({row[1] for row in rows}):
        layout = union([look.layout(number) for number in {row[2] for row in rows if row[1] == seconds}])
        if layout.lanes:
            blocks, total = seal_hour(hour, seconds, layout, _Loader(look, hour, seconds), pause)
            sealed.blocks.extend(blocks)
            sealed.totals.append(total)
    return sealed


@dataclass(frozen=True, slots=True)
class _Loader:
    """Reads the loose cells of one hour and grid, again at each call."""

    look: Look
    hour: int
    seconds: int

    def __call__(self) -> Iterator[tuple[Cell, Layout]]:
        every = self.look.cells(self.hour * HOUR, (self.hour + 1) * HOUR)
        return (one for one in every if one[0].seconds == self.seconds)


def commit(connection: sqlite3.Connection, sealed: Sealed, at_ns: int) -> bool:
    """Write a prepared hour; whether it corrects one that was sealed before (its totals are then to be made again)."""
    hour = sealed.hour
    corrects = connection.execute("SELECT 1 FROM block WHERE hour = ? LIMIT 1", (hour,)).fetchone() is not None
    links = hashlib.sha256(b"".join(append_block(connection, block) for block in sealed.blocks)).hexdigest()
    connection.executemany("DELETE FROM cell WHERE id = ?", [(number,) for number in sealed.cells])
    connection.execute("DELETE FROM total WHERE start = ? AND span = ?", (hour * HOUR // DAY * DAY, DAY))
    if corrects:
        connection.execute("DELETE FROM total WHERE start = ? AND span = ?", (hour * HOUR, HOUR))
    else:
        for total in sealed.totals:
            write_total(connection, total)
    last = connection.execute("SELECT max(id) FROM block").fetchone()[0] or 0
    detail = {"hour": hour, "blocks": len(sealed.blocks), "last": last, "links": links}
    write_note(connection, at_ns, SEALED, "", detail)
    return corrects


def append_block(connection: sqlite3.Connection, block: Block) -> bytes:
    """Chain and write one block; returns its links, one after the other."""
    owner = {name: agreement_id(connection, name, chain.GENESIS) for name in block.digests}
    lanes = np.array([lane_id(connection, owner[lane.agreement], lane) for lane in block.lanes], "<u4").tobytes()
    stored = chain.stored_digest(lanes, block.figures, block.spectrum)
    links = {}
    for name, digest in block.digests.items():
        (head,) = connection.execute("SELECT head FROM agreement WHERE id = ?", (owner[name],)).fetchone()
        links[name] = chain.link(bytes(head), digest, stored)
        connection.execute("UPDATE agreement SET head = ? WHERE id = ?", (links[name], owner[name]))
    joined = b"".join(links.values())
    names = list(links)
    row = (block.hour, block.seconds, names[0], names[-1], lanes, block.figures, block.spectrum, joined)
    columns = "hour, seconds, first, last, lanes, figures, spectrum, links"
    connection.execute(f"INSERT INTO block ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)  # noqa: S608 - own names
    return joined


# --- totals -------------------------------------------------------------------------------------------


def write_total(connection: sqlite3.Connection, total: Total) -> None:
    """Keep a total, in the place of an earlier one."""
    number = layout_id(connection, total.layout)
    row = (total.start, total.span, total.seconds, number, total.body(), total.standing_body())
    connection.execute(
        "INSERT OR REPLACE INTO total (start, span, seconds, layout, body, standings) VALUES (?, ?, ?, ?, ?, ?)", row
    )


def days_to_sum(connection: sqlite3.Connection, before: int) -> list[int]:
    """Days (since the epoch, below `before`) that have hours and no total yet."""
    query = (
        "SELECT DISTINCT start / ? FROM total AS one WHERE span = ? AND start < ? AND NOT EXISTS"
        " (SELECT 1 FROM total WHERE span = ? AND start = one.start / ? * ?) ORDER BY 1"
    )
    return [int(row[0]) for row in connection.execute(query, (DAY, HOUR, before * DAY, DAY, DAY, DAY))]


def total_of_day(look: Look, day: int) -> Total:
    """The hours of a day as one."""
    hours = range(day * 24, day * 24 + 24)
    layout = union([layout for hour in hours for layout in hour_layouts(look, hour)])
    return sum_day(day, layout, (total for hour in hours for total in hour_totals(look, hour)))


# --- letting go ---------------------------------------------------------------------------------------


def retire(connection: sqlite3.Connection, keep: Retention, now_ns: int) -> int:
    """Let go days that are older than they need be, two days of blocks at most; returns the blocks let go."""
    today = now_ns // SECOND // DAY
    for span, days in ((HOUR, keep.hour_totals), (DAY, keep.day_totals)):
        connection.execute("DELETE FROM total WHERE span = ? AND start < ?", (span, (today - days) * DAY))
    (first,) = connection.execute("SELECT min(hour) FROM block").fetchone()
    if first is None:
        return 0
    return _let_go(connection, min(today - keep.blocks, first // 24 + 2) * 24, now_ns, "retention")


def relieve(connection: sqlite3.Connection, now_ns: int) -> bool:
    """At the quota: let go the oldest day of blocks, though never of the last KEPT_DAYS; whether there was one."""
    (first,) = connection.execute("SELECT min(hour) FROM block").fetchone()
    if first is None or first // 24 >= now_ns // SECOND // DAY - KEPT_DAYS:
        return False
    connection.execute("DELETE FROM total WHERE span = ? AND start < ?", (HOUR, (first // 24 + 1) * DAY))
    return _let_go(connection, (first // 24 + 1) * 24, now_ns, "quota") > 0


def _let_go(connection: sqlite3.Connection, before: int, now_ns: int, why: str) -> int:
    """Delete every block of hours below `before`, and remember the links that the rest stands on."""
    if connection.execute("SELECT 1 FROM block WHERE hour < ? LIMIT 1", (before,)).fetchone() is None:
        return 0
    bases = dict(_links_before(connection, before))
    connection.executemany(
        "UPDATE agreement SET base = ? WHERE name = ?", [(link, name) for name, link in bases.items()]
    )
    gone = connection.execute("DELETE FROM block WHERE hour < ?", (before,)).rowcount
    detail = {"before_hour": before, "blocks": gone, "why": why, "bases": bases_digest(connection)}
    write_note(connection, now_ns, RETIRED, "", detail)
    return gone


def _links_before(connection: sqlite3.Connection, hour: int) -> Iterator[tuple[str, bytes]]:
    """Agreement and link of every block before an hour, in the order of the chains."""
    lanes = read_lanes(connection)
    for ids, links in connection.execute("SELECT lanes, links FROM block WHERE hour < ? ORDER BY id", (hour,)):
        names = dict.fromkeys(lanes[int(number)].agreement for number in np.frombuffer(ids, "<u4"))
        for place, name in enumerate(names):
            yield name, links[place * LINK : place * LINK + LINK]


def bases_digest(connection: sqlite3.Connection, *, none: bool = False) -> str:
    """Digest of the links that the oldest blocks stand on, by agreement; of none at all if `none`."""
    query = "SELECT name, base FROM agreement WHERE base != ? ORDER BY name"
    rows = [] if none else connection.execute(query, (chain.GENESIS,)).fetchall()
    return hashlib.sha256(chain.canonical([[name, bytes(base).hex()] for name, base in rows])).hexdigest()
