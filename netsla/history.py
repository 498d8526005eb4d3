"""What the agent remembers beyond its own end: the ledger, and the way back from it.

Rules: called from the engine's thread, except `start`, `close` and `put_aside`. Nothing here waits for the disk but
`restore`, which runs once, while the probers already probe. What cannot be read back is unknown, never assumed.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from netsla.errors import AgentError
from netsla.model import SECOND, IntArray, Samples
from netsla.sla.engine import Engine
from netsla.sla.fleet import Fleet
from netsla.sla.interval import Cell
from netsla.sla.resume import CONTEXT, Stood, Sum, horizon, resume
from netsla.sla.snapshot import AgentView, Snapshot
from netsla.sla.standin import StandIn
from netsla.sla.tally import Spectrum
from netsla.sla.waiting import Waiting
from netsla.store import fleetview
from netsla.store.archive import Look
from netsla.store.layout import Layout, relocate
from netsla.store.ledger import Ledger
from netsla.store.press import BrokenError
from netsla.store.recall import Recall

log = logging.getLogger("netsla")
Some = TypeVar("Some")

LEDGER = "ledger.db"  # in the state folder
_BEAT_NS = 5 * SECOND  # how often the ledger is told that we are alive
_KEEP_NS = 5 * SECOND  # how often open cells are kept: with a late turn, a kill loses less than 10 s


_OPEN_S = 10.0  # to open the ledger and to mend it, before it is read
_AWAY_S = 2.5  # that one waits for a disk that says no


class _GivenUpError(Exception):
    """Nobody waits for it any more."""


class History:
    """The record of one agent: written as it measures, read as it begins and as windows slide."""

    def __init__(self, state_dir: Path) -> None:
        self.ledger = Ledger(state_dir / LEDGER)
        self._layout = Layout(())
        self._recall = Recall(self.ledger, self._layout)
        self._seconds = 60
        self._started_ns = time.time_ns()
        self._beat_ns = self._kept_ns = 0
        self._is_open = False
        self._given_up = False
        self._engine: Engine | None = None  # whose open cells are kept at the end
        self._waiting: Waiting | None = None  # what is counted while the engine is busy at length
        self._waiting_layout = self._layout
        self._stand_in: StandIn | None = None  # who shows the last hour meanwhile
        self._standing = threading.Lock()  # it is looked at by one thread at a time, and counts only then
        self._look: Look | None = None  # while the past is read back
        self._aside_ns = 0  # when samples were put aside last
        self._left: list[tuple[Cell, Layout]] = []  # what the last agent left open, until it is read back

    def start(self, detail: dict[str, Any], at_ns: int | None = None) -> None:
        """Open the ledger and note the start, which was just now unless said."""
        self.ledger.start()
        self._is_open = True
        self.ledger.note("start", detail, at_ns=at_ns)

    def close(self) -> None:
        """Keep what is open, note the end and write what waits; takes up to ten seconds if the disk is away.

        Nobody may use the engine any more.
        """
        self._recall.close()
        if self._is_open:
            if self._waiting is not None:
                self.ledger.keep_open(self._waiting.cells(), self._waiting_layout)
            elif self._engine is not None:
                self.ledger.keep_open(self._engine.open_cells(), self._layout)
            self.ledger.note("stop", {})
            self.ledger.close()

    def adopt(self, fleet: Fleet) -> None:
        """Record by this fleet's rows from now on."""
        self._layout = self._recall.layout = Layout.of_fleet(fleet)
        self._seconds = fleet.seconds

    def read_cell(self, k: int) -> tuple[IntArray, Spectrum] | None:
        """What a cell that left memory held, for the windows that it leaves now."""
        cell = self._recall.cell(k, self._seconds)
        return cell.usable() if cell is not None else None

    def read_rows(self, k: IntArray, rows: IntArray) -> IntArray | None:
        """What windows may count of single cells of single rows, in pairs, of one hour; None if it cannot be known."""
        try:
            with nullcontext(self._look) if self._look else self.ledger.archive.open() as look:
                return fleetview.figures(look, self._layout, self._seconds, k, rows)
        except (sqlite3.Error, BrokenError) as error:
            log.warning("%s: down time cannot be read back: %s", self.ledger.database.path.name, error)
            return None

    def keep(self, closed: list[Cell], engine: Engine, now_ns: int) -> None:
        """Record what was closed; now and then also what is open, and that we are alive."""
        for cell in closed:
            self.ledger.append(cell, self._layout)
        self._engine = engine
        if now_ns - self._kept_ns >= _KEEP_NS or now_ns < self._kept_ns:
            opened = engine.open_cells()
            self.ledger.keep_open(opened, self._layout)
            self._kept_ns = now_ns if opened else 0  # soon after a start, even if the next one comes soon
        if now_ns - self._beat_ns >= _BEAT_NS or now_ns < self._beat_ns:
            self._beat_ns = now_ns
            self.ledger.beat(self._started_ns, now_ns)

    # --- while the engine is busy -------------------------------------------------------------------

    def busy(self, engine: Engine, work: Callable[[], Some]) -> Some:
        """Do what may keep the engine, which is up to date, busy at length: samples may be put aside meanwhile."""
        self._pause(engine)
        return work()

    def _pause(self, engine: Engine) -> None:
        if engine.fleet is None or (self._engine is None and self._waiting is None):
            return  # nothing is known yet of what lies open
        if self._waiting is None:
            self._waiting = Waiting(engine.fleet, engine.open_cells())
        else:  # put aside before, by another layout, and not put back yet
            opened = [(cell, self._waiting_layout) for cell in self._waiting.cells()]
            self._waiting = Waiting(engine.fleet, self._relocated(opened), self._waiting.batches())
        self._waiting_layout = self._layout

    def put_aside(self, drain: Callable[[], list[Samples]], now_ns: int) -> None:
        """Keep what has been counted so far; `put_back` gives the samples to the engine. From one thread at a time."""
        if self._waiting is None:
            return
        self._waiting.count(drain())
        self._aside_ns = now_ns
        if now_ns - self._kept_ns >= _KEEP_NS or now_ns < self._kept_ns:
            cells = self._waiting.cells()
            self.ledger.keep_open(cells, self._waiting_layout)
            self._kept_ns = now_ns if cells else 0

    def put_back(self) -> list[Samples]:
        """What was put aside, in order: the engine keeps it from now on."""
        if self._waiting is None:
            return []
        with self._standing:
            self._stand_in = None
        waiting, self._waiting, self._kept_ns = self._waiting, None, 0
        return waiting.batches()

    # --- the way back -------------------------------------------------------------------------------

    def wait(self, fleet: Fleet) -> None:
        """Samples may be put aside: the past is about to be read back."""
        self._await_ledger()
        try:
            with self.ledger.archive.open() as look:
                self._left = _opened(look, fleet)
        except (sqlite3.Error, BrokenError):
            return  # nothing may take the place of what cannot be read just now
        self._waiting, self._waiting_layout = Waiting(fleet, self._relocated(self._left)), self._layout

    def stand_in(self, make: Callable[[], StandIn]) -> bool:
        """Let the last hour be shown until what waits is put back; whether there is a past to be read back."""
        try:
            with self.ledger.archive.open() as look:
                last = look.last_interval()
                if last is None:
                    return False
                made = make()
                self._resume(look, last, made.engine, made.fleet, made.made_ns)
        except (_GivenUpError, sqlite3.Error, BrokenError):
            return False  # `restore` says what there is to say
        with self._standing:
            self._stand_in = made
        return True

    def view(self, now_ns: int, agent: AgentView, addresses: dict[int, str]) -> Snapshot:
        """What is known while the past is read back. From any thread."""
        with self._standing:
            if self._stand_in is None:
                raise AgentError("what was recorded has just been read back", "ask again")
            self._stand_in.turn(self._waiting.batches() if self._waiting else [], self._aside_ns or now_ns)
            return self._stand_in.view(now_ns, agent, addresses)

    def give_up(self) -> None:
        """The agent ends: what is still being read back is not needed any more. From any thread."""
        self._given_up = True

    def _await_ledger(self) -> None:
        """Wait until the ledger is open and whole; not long where the disk is away, since nobody is shown anything."""
        begun = time.monotonic()
        while not self.ledger.flush(_AWAY_S / 10):
            passed = time.monotonic() - begun
            if passed > _OPEN_S or (passed > _AWAY_S and self.ledger.problems()):
                return

    def restore(self, engine: Engine, fleet: Fleet) -> str:
        """Bring a freshly loaded engine to where the record ends; returns what was found, in words."""
        self._await_ledger()
        try:
            with self.ledger.archive.open() as look:
                self._look = look  # hundreds of hours are asked for: the names in it are read once
                return self._resume(look, look.last_interval(), engine, fleet)
        except _GivenUpError:
            return "the record was not read back to its end"
        except (sqlite3.Error, BrokenError) as error:
            log.warning("the record cannot be read back, windows begin anew: %s", error)
            return "no readable record"
        finally:
            self._look = None

    def _resume(
        self, look: Look, last: tuple[int, int] | None, engine: Engine, fleet: Fleet, shown_ns: int | None = None
    ) -> str:
        """`last` is the record's last interval; `shown_ns`: to be shown at once, at that time, and without uptime.

        Then nothing is read of what lies before windows.
        """
        opened = self._left if self._waiting else _opened(look, fleet)  # what waits is counted when it is put back
        if last is None and not opened:
            return "no record yet"
        last_k = last[0] // fleet.seconds if last is not None else opened[0][0].k - 1
        self._go_back(look, engine, fleet, last_k, shown_ns)
        for cell in self._relocated(opened):
            engine.take_over(cell)
        return f"the record ends at {datetime.fromtimestamp((last_k + 1) * fleet.seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"

    def _relocated(self, opened: list[tuple[Cell, Layout]]) -> list[Cell]:
        return [relocate(cell.k, cell.seconds, [(cell, own)], self._layout) for cell, own in opened]

    def _go_back(self, look: Look, engine: Engine, fleet: Fleet, last_k: int, shown_ns: int | None) -> None:
        now_k = last_k + 1
        if shown_ns is not None:  # what leaves the windows until then is not read
            now_k = max(now_k, engine.due(fleet, self._aside_ns or shown_ns - SECOND))
        wanted = horizon(engine, fleet, now_k)
        if shown_ns is not None:
            wanted[CONTEXT] = wanted[CONTEXT][1:]
        cuts = sorted({int(k) * fleet.seconds for firsts in wanted.values() for k in set(firsts.tolist())})
        end = (last_k + 1) * fleet.seconds
        begin = min(cuts, default=end)
        pieces = self._while_wanted(fleetview.pieces(look, self._layout, begin, end, cuts))
        stands = self._while_wanted(fleetview.standings(look, self._layout, begin, end))
        sums, stood = (_sum(piece, fleet.seconds) for piece in pieces), _stood(stands, fleet.seconds, last_k)
        begin_k = engine.grader.gathers_from(last_k + 1)
        tail = (self._recall.cell(k, fleet.seconds) for k in range(begin_k, last_k + 1))
        resume(engine, fleet, last_k, sums, stood, [cell for cell in tail if cell is not None], now_k)

    def _while_wanted(self, found: Iterable[Some]) -> Iterator[Some]:
        for one in found:
            if self._given_up:
                raise _GivenUpError
            yield one


def _opened(look: Look, fleet: Fleet) -> list[tuple[Cell, Layout]]:
    return [(cell, own) for cell, own in look.open_cells() if cell.seconds == fleet.seconds]


def _sum(piece: fleetview.Piece, seconds: int) -> Sum:
    return Sum(piece.start // seconds, max((piece.end - piece.start) // seconds, 1), piece.matrix, piece.spectrum)


def _stood(found: Iterator[fleetview.Standings], seconds: int, last_k: int) -> Iterator[Stood]:
    """Standings cell by cell; those of another grid cannot be told on ours and stay unknown."""
    for some in found:
        if some.seconds != seconds:
            continue
        for slot in range(some.codes.shape[1]):
            k = some.start // seconds + slot
            if k <= last_k and some.present[:, slot].any():
                yield Stood(k, some.codes[:, slot], some.present[:, slot])
