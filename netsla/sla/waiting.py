"""What is counted while the engine is busy at length: a kill in that time costs no more than at any other.

Rules: pure. Samples wait here for the engine, which counts them once it is done (the past read back, a plan taken in).
Until then they are also counted into cells of their own, to be kept as open cells are, and let go of with the samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from netsla.model import SECOND, Samples
from netsla.sla.fleet import Fleet
from netsla.sla.interval import Cell, OpenCell
from netsla.sla.tally import Column, Pairs, count


class Waiting:
    """Samples in the order in which they came, and their cells by the rows of one fleet."""

    def __init__(self, fleet: Fleet, opened: Iterable[Cell], batches: Sequence[Samples] = ()) -> None:
        """`opened`: the cells that lie open, with what is in `batches`, which wait already."""
        self._seconds, self._thresholds_us = fleet.seconds, fleet.thresholds_us
        self._columns, self._rows = Column.LE + len(fleet.thresholds_us), fleet.rows
        self._pairs = Pairs(fleet.rows, fleet.slots_in_flight)
        self._open = {cell.k: OpenCell.again(cell, self._columns, self._rows) for cell in opened}
        self._batches = list(batches)

    def count(self, batches: list[Samples]) -> None:
        """Count these, and keep them for the engine."""
        if not batches:
            return
        self._batches += batches
        samples = Samples.join(batches)
        cell = samples.sent_ns // (self._seconds * SECOND)
        for k in np.unique(cell).tolist():
            if k not in self._open:
                self._open[k] = OpenCell.of(self._columns, self._rows)
            self._open[k].add(count(samples.take(cell == k), self._pairs, self._thresholds_us))

    def cells(self) -> list[Cell]:
        """All that would be lost otherwise, oldest first."""
        return [self._open[k].so_far(k, self._seconds) for k in sorted(self._open)]

    def batches(self) -> list[Samples]:
        """The samples as they came."""
        return self._batches
