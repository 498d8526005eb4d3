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
from netsla.sla.engine import Engine
from netsla.sla.fleet import Fleet
from netsla.sla.grade import UNKNOWN
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


def horizon(engine: Engine, fleet: Fleet, now_k: int) -> dict[str, IntArray]:
    """The first cell that each window (by place of its rows) wants to have back, if the record ends now."""
    wanted = {}
    for name, window in engine.windows.items():
        if window.span.calendar:
            period = engine.accounts.period_cells(name, window.rows)
            wanted[name] = np.maximum(window.until_k - period, 0)
        else:
            first = now_k - -(-window.span.seconds // fleet.seconds)
            wanted[name] = np.full(len(window.rows), max(first, 0), np.int64)
    return wanted


def resume(engine: Engine, fleet: Fleet, last_k: int, sums: Iterable[Sum], stood: Iterable[Stood]) -> None:
    """Bring a freshly loaded engine to where the record ends, with its last cell `last_k`."""
    wanted = horizon(engine, fleet, last_k + 1)
    for name, window in engine.windows.items():
        window.since_k = np.where(window.rows >= 0, wanted[name], window.since_k)
        window.first_k = int(wanted[name].min(initial=last_k + 1))
    for part in sums:
        for window in engine.windows.values():
            if part.k >= window.first_k:
                window.add(part.k, part.matrix, part.spectrum)
    engine.accounts.rewind(engine.windows, fleet, last_k)
    known = np.zeros(fleet.rows, bool)
    for one in stood:
        known |= one.present
        codes = np.where(one.present, one.codes, UNKNOWN).astype(np.int8)
        graded = engine.grader.recall(one.k, codes, known)
        engine.book(one.k, graded)
    engine.go_on_from(last_k, known)
