"""Is the ledger what it was when it was written? Every link made again, from the bytes that lie there.

Rules: reads only. The first broken place ends the search for its chain; others are still looked at. A ledger whose
end was cut off is told by its `sealed` notes and by its `ending`; a ledger cut off in all of them alike cannot be
told from a younger one: for that, the other party keeps a link (`heads`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from netsla.store import chain
from netsla.store.archive import Look
from netsla.store.journal import RETIRED, SEALED
from netsla.store.keeping import bases_digest
from netsla.store.press import BrokenError
from netsla.store.stored import hour_text, links_of
from netsla.store.tables import raw

Progress = Callable[[int, int], None]  # (blocks done, blocks in all)


@dataclass(frozen=True, slots=True)
class Break:
    """A place that is not as it was written; `block` and `hour` are -1 for notes, `agreement` "" for all."""

    place: str
    agreement: str
    block: int = -1
    hour: int = -1

    def __str__(self) -> str:
        return self.place


@dataclass(frozen=True, slots=True)
class Verified:
    """What was looked at, and the breaks: those of blocks first, in order; none: intact."""

    blocks: int
    notes: int
    breaks: tuple[Break, ...]

    @property
    def intact(self) -> bool:
        """Nothing is broken."""
        return not self.breaks


def verify(look: Look, agreement: str | None = None, progress: Progress | None = None) -> Verified:
    """Make every link again, of one agreement or of all; notes in any case."""
    notes, breaks = _verify_notes(look)
    if not breaks:
        breaks = _verify_bases(look) + _verify_seals(look)
    blocks, more = _verify_blocks(look, agreement, progress)
    return Verified(blocks, notes, tuple(more + breaks + _verify_file(look)))


def heads(look: Look) -> dict[str, str]:
    """The newest link of each agreement, hexadecimal: what the other party may keep."""
    rows = look.connection.execute("SELECT name, head FROM agreement ORDER BY name")
    return {name: bytes(head).hex() for name, head in rows}


def _verify_notes(look: Look) -> tuple[int, list[Break]]:
    previous, last, count = chain.GENESIS, 0, 0
    rows = look.connection.execute("SELECT id, at_ns, kind, agreement, detail, hash FROM note ORDER BY id")
    for number, at_ns, kind, agreement, detail, link in rows:
        if number != last + 1:
            return count, [Break(f"notes {last + 1} to {number - 1} are missing", "")]
        if chain.note_link(previous, at_ns, kind, agreement, detail) != raw(link):
            return count, [Break(f"note {number} ({kind}) is not as it was written", agreement)]
        previous, last, count = raw(link), number, count + 1
    return count, _verify_ending(look, last, previous)


def _verify_ending(look: Look, last: int, link: bytes) -> list[Break]:
    """The last note is the one that was written last; ledgers of old do not say which that was."""
    if look.connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'ending'").fetchone() is None:
        return []
    note, written = look.connection.execute("SELECT note, hash FROM ending").fetchone() or (0, chain.GENESIS)
    if note > last:
        return [Break(f"notes {last + 1} to {note} are missing", "")]
    if (note, raw(written)) != (last, link):
        return [Break(f"notes up to {last} are there, the ledger says that it ends with note {note}", "")]
    return []


def _verify_file(look: Look) -> list[Break]:
    """What lies there is found by its indices as well: reports look it up there."""
    (said,) = look.connection.execute("PRAGMA integrity_check(1)").fetchone()
    return [] if said == "ok" else [Break(f"the file is damaged: {' '.join(str(said).split())}", "")]


def _verify_blocks(look: Look, agreement: str | None, progress: Progress | None) -> tuple[int, list[Break]]:
    query = "SELECT name, base, head FROM agreement"
    known = {name: (raw(base), raw(head)) for name, base, head in look.connection.execute(query)}
    walk = _Walk({name: base for name, (base, _) in known.items()}, agreement)
    ids = [row[0] for row in look.connection.execute("SELECT id FROM block ORDER BY id")]
    breaks: list[Break] = []
    for done, number in enumerate(ids):
        breaks += walk.step(look, number)
        if progress:
            progress(done + 1, len(ids))
    for name, (_, head) in sorted(known.items()):
        if walk.links[name] != head and name not in walk.broken and agreement in (None, name):
            breaks.append(Break(f"the last blocks of {name or 'the references'} are missing", name))
    return len(ids), breaks


@dataclass(slots=True)
class _Walk:
    """Goes along the blocks with the link that each agreement has come to; `only` None: all of them."""

    links: dict[str, bytes]
    only: str | None
    broken: set[str] = field(default_factory=set)

    def step(self, look: Look, number: int) -> list[Break]:
        """Look at one block; what is broken goes on from what is stored."""
        try:
            block = look.block(number)
            if self.only is not None and all(lane.agreement != self.only for lane in block.lanes):
                return []
            found = links_of(block, {lane.agreement: self.links[lane.agreement] for lane in block.lanes})
        except BrokenError as error:
            return self._break(str(error), number, look.hour_of(number))
        breaks = []
        for name, link in found.items():
            made = chain.link(link.previous, link.figures, link.stored)
            if made != link.hash and self.only in (None, name) and name not in self.broken:
                breaks += self._break(f"{block.place} is not as it was written", number, block.hour, name)
            self.links[name] = link.hash
        return breaks

    def _break(self, text: str, number: int, hour: int, agreement: str = "") -> list[Break]:
        self.broken |= {agreement} if agreement else set(self.links)
        return [Break(text, agreement, number, hour)]


def _verify_bases(look: Look) -> list[Break]:
    """The oldest blocks stand on what retention left, and on nothing else."""
    retired = look.notes((RETIRED,))
    said = retired[-1].detail["bases"] if retired else bases_digest(look.connection, none=True)
    if said == bases_digest(look.connection):
        return []
    return [Break("the oldest blocks are missing, and no note says that they were let go", "")]


def _verify_seals(look: Look) -> list[Break]:
    """Every block that a `sealed` note names is there, unless it was let go; and no other."""
    before = max((note.detail["before_hour"] for note in look.notes((RETIRED,))), default=-1)
    links = dict(look.connection.execute("SELECT id, links FROM block"))
    strange = set(links)
    for note in look.notes((SEALED,)):
        hour, last, count = note.detail["hour"], note.detail["last"], note.detail["blocks"]
        strange -= set(range(last - count + 1, last + 1))
        if hour < before:
            continue
        there = b"".join(raw(links.get(number, b"")) for number in range(last - count + 1, last + 1))
        if hashlib.sha256(there).hexdigest() != note.detail["links"]:
            text = f"the blocks of hour {hour_text(hour)} are not those that were sealed"
            return [Break(text, "", last, hour)]
    if not strange:
        return []
    first = min(strange)
    text = f"block {first} (hour {hour_text(look.hour_of(first))}) is there, and no note says that it was sealed"
    return [Break(text, "", first, look.hour_of(first))]
