"""Going on after a restart: windows, accounts and tracks as they stood, from what was recorded.

Rules: pure; what was recorded comes in as values, oldest first. Time away is neither up nor down: the cells between the
last record and now are closed by the engine like any other, and nobody tells anything of them (SLA R14). State goes
on where the record ends, never from "assume up". Rolling windows begin W before the record's end.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from netsla.model import IntArray
from netsla.sla.accounts import LEAD_SECONDS
from netsla.sla.engine import Engine
from netsla.sla.fleet import Fleet
from netsla.sla.interval import Cell
from netsla.sla.standing import UNKNOWN
from netsla.sla.tally import Spectrum


@dataclass(frozen=True, slots=True)
class Sum:
    """What windows may count of cells [k, k + cells), by the rows in force."""

    k: int
    cells: int
    matrix: IntArray
    spectrum: Spectrum


@dataclass(frozen=True, slots=True)
class Stood:
    """Standings of cell `k`, by the rows in force; `present` says who was recorded at all."""

    k: int
    codes: npt.NDArray[np.int8]
    present: npt.NDArray[np.bool_]


CONTEXT = ""  # the entry of `horizon` that belongs to no window


def horizon(engine: Engine, fleet: Fleet, now_k: int) -> dict[str, IntArray]:
    """The first cell that each window (by place of its rows) wants to have back, if cell `now_k` closes next.

    Under CONTEXT: the cell from which standings are wanted, since what lies before a window may decide how it
    begins; and those at which sums should be cut, since packets begin or cease to count there.
    """
    wanted = {}
    for name, window in engine.windows.items():
        if window.span.calendar:
            period = engine.accounts.period_cells(name, window.rows)
            wanted[name] = np.maximum(window.until_k - period, 0)
        else:
            first = now_k - -(-window.span.seconds // fleet.seconds)
            wanted[name] = np.full(len(window.rows), max(first, 0), np.int64)
    first = min((int(w[engine.windows[n].rows >= 0].min(initial=now_k)) for n, w in wanted.items()), default=now_k)
    begin = engine.accounts.grid(max(first - LEAD_SECONDS // fleet.seconds, 0))
    wanted[CONTEXT] = np.array([begin, *engine.duty.edges(first, now_k)], np.int64)
    return wanted


def resume(
    engine: Engine, fleet: Fleet, last_k: int, sums: Iterable[Sum], stood: Iterable[Stood], tail: Iterable[Cell] = (),
    now_k: int = 0,
) -> None:  # fmt: skip
    """Bring a freshly loaded engine to where the record ends, with its last cell `last_k`.

    `tail` are the recorded cells from `engine.grader.gathers_from(last_k + 1)` on, whole: contracts with intervals of
    several cells need the counts of those that are not over. Cells before `now_k` will be closed at once: rolling
    windows hold nothing that would leave them then.
    """
    wanted = horizon(engine, fleet, max(last_k + 1, now_k))
    for name, window in engine.windows.items():
        window.since_k = np.where(window.rows >= 0, wanted[name], window.since_k)
        window.first_k = int(wanted[name].min(initial=max(last_k + 1, now_k)))
    for part in sums:
        _add(engine, part)
    engine.accounts.rewind(engine.windows, fleet, int(wanted[CONTEXT][0]))
    with engine.windows.telling(3600 // fleet.seconds):
        known = _tell(engine, fleet, stood)
        engine.book_silence(last_k + 1)
    for cell in tail:
        engine.grader.gather(cell)
    engine.blanks.first_k[~known] = last_k + 1
    engine.windows.count_missing()
    engine.go_on_from(last_k, known)


def _add(engine: Engine, part: Sum) -> None:
    """Add a sum, and say what of it does not count: of all of it at once, or else cell by cell."""
    cells = range(part.k, part.k + part.cells)
    each = [engine.windows.away(k) for k in cells]
    rows = part.matrix.shape[1]
    times = np.zeros(rows, np.int64)
    for away in each:
        if away is not None:
            times[away[away < rows]] += 1
    throughout = np.flatnonzero(times == part.cells).astype(np.int32)
    for window in engine.windows.values():
        if part.k >= window.first_k:
            window.add(part.k, part.matrix, part.spectrum, away=throughout)
    mixed = (times > 0) & (times < part.cells)
    for k, away in zip(cells, each, strict=True):
        some = away[mixed[away]] if away is not None else throughout[:0]
        cell = engine.windows.cell_at(k) if len(some) else None
        if cell is not None:
            engine.windows.leave_out(k, cell[0], some)


def _tell(engine: Engine, fleet: Fleet, stood: Iterable[Stood]) -> npt.NDArray[np.bool_]:
    """Book what stood; returns the rows that were recorded at all."""
    known = np.zeros(fleet.rows, bool)
    watched = np.zeros(fleet.rows, bool)
    watched[[probe.row for probe in fleet.probes]] = True
    for one in stood:
        if one.k < engine.accounts.next_k:
            continue  # of a time that no window asks for
        engine.book_silence(one.k)
        new = one.present & ~known
        if new.any():
            engine.blanks.first_k[new] = one.k
            known |= new
        gone = watched & known & ~one.present
        if gone.any():
            engine.blanks.add(one.k, one.k + 1, np.flatnonzero(gone).astype(np.int32))
        codes = np.where(one.present, one.codes, UNKNOWN).astype(np.int8)
        engine.book(one.k, engine.grader.recall(one.k, codes, known))
    return known
