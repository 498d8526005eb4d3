"""Totals: what each probe met since its row began, and the newest thing it met."""

from __future__ import annotations

import numpy as np

from netsla.model import IntArray, Outcome, Reason, RowArray, Samples
from netsla.sla.tally import Column, Counted

LADDER_US: IntArray = 50 * 2 ** np.arange(20)  # upper bounds of `Totals.ladder`: those that smokeping_prober has


class Totals:
    """What each probe met since its row began."""

    def __init__(self) -> None:
        self.matrix = np.zeros((Column.LE, 0), np.int64)
        self.unmeasured_by = np.zeros((len(Reason), 0), np.int64)
        self.ladder = np.zeros((len(LADDER_US) + 1, 0), np.int64)  # received by RTT: up to each bound, and beyond
        self.stale = np.zeros(0, np.int64)
        self.at_ns = np.zeros(0, np.int64)
        self.outcome = np.full(0, -1, np.int8)
        self.detail = np.zeros(0, np.uint16)
        self.rtt_ns = np.full(0, -1, np.int64)

    def cover(self, rows: int, fresh: RowArray) -> None:
        """Make room; begin the fresh rows."""
        more = rows - len(self.stale)
        self.matrix = np.pad(self.matrix, ((0, 0), (0, more)))
        self.unmeasured_by = np.pad(self.unmeasured_by, ((0, 0), (0, more)))
        self.ladder = np.pad(self.ladder, ((0, 0), (0, more)))
        self.stale, self.at_ns = np.pad(self.stale, (0, more)), np.pad(self.at_ns, (0, more))
        self.outcome = np.pad(self.outcome, (0, more), constant_values=-1)
        self.detail = np.pad(self.detail, (0, more))
        self.rtt_ns = np.pad(self.rtt_ns, (0, more), constant_values=-1)
        self.matrix[:, fresh] = self.unmeasured_by[:, fresh] = self.ladder[:, fresh] = 0
        self.stale[fresh] = self.at_ns[fresh] = self.detail[fresh] = 0
        self.outcome[fresh] = self.rtt_ns[fresh] = -1

    def add(self, samples: Samples, counted: Counted) -> None:
        """Count a batch in, and remember the newest decided probe of each row."""
        self.matrix += counted.matrix[: Column.LE]
        step = np.searchsorted(LADDER_US, counted.rtt_us)
        np.add.at(self.ladder.reshape(-1), step * self.ladder.shape[1] + counted.row, 1)
        unmeasured = samples.outcome == Outcome.UNMEASURED
        if unmeasured.any():
            np.add.at(self.unmeasured_by, (samples.detail[unmeasured], samples.row[unmeasured]), 1)
        stale = samples.outcome == Outcome.STALE
        if stale.any():
            np.add.at(self.stale, samples.row[stale], 1)
        decided = np.flatnonzero(samples.outcome <= Outcome.UNMEASURED)
        row, at = samples.row[decided], samples.sent_ns[decided]
        np.maximum.at(self.at_ns, row, at)
        newest = decided[at == self.at_ns[row]]
        row = samples.row[newest]
        self.outcome[row] = samples.outcome[newest]
        self.detail[row] = samples.detail[newest]
        self.rtt_ns[row] = samples.rtt_ns[newest]
