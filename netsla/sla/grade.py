"""Grading: what was counted in an interval becomes GOOD, BAD or UNKNOWN; and our own references.

Rules: an interval is BAD iff its loss exceeds the contract's limit, compared in integers; UNKNOWN iff too
few probes left or it cannot be vouched for (SLA section 1). Contracts may have intervals of several cells:
their counts gather until the last cell closes. References judge us (SLA R2), never a customer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from netsla.model import SECOND, IntArray, Outcome, RowArray, UptimeRule
from netsla.sla.fleet import Fleet
from netsla.sla.interval import NO_REASON, Cell
from netsla.sla.standing import BAD, GOOD, UNKNOWN, BoolArray, Standings, combine_probes
from netsla.sla.tally import Column

_FRESH_NS = 10 * SECOND  # a reference not heard of for longer says nothing about now


@dataclass(frozen=True, slots=True)
class Graded:
    """Standings after a cell: `probes` by row (the last closed interval), `endpoints` by place where `due`.

    `begun`: places of which anything was ever sent.
    """

    probes: Standings
    endpoints: Standings
    due: BoolArray
    begun: BoolArray


class Grader:
    """Interval standings of all probes and endpoints."""

    def __init__(self) -> None:
        self.probes: Standings = np.empty(0, np.int8)
        self._gathered = np.zeros((2, 0), np.int64)  # sent and received in the intervals that are not over
        self._doubt: BoolArray = np.empty(0, bool)
        self._references: RowArray = np.empty(0, np.int32)
        self._begun: BoolArray = np.empty(0, bool)  # places of which anything was ever sent

    def load(self, fleet: Fleet) -> None:
        """Take a new layout; fresh rows begin UNKNOWN."""
        self.probes = np.pad(self.probes, (0, fleet.rows - len(self.probes)), constant_values=UNKNOWN)
        self.probes[fleet.fresh_rows] = UNKNOWN
        rules = [UptimeRule()] * fleet.rows
        for one in fleet.endpoints:
            for probe in one.probes:
                rules[probe.row] = one.endpoint.uptime
        self._over = np.array([rule.loss_over.numerator for rule in rules], np.int64)
        self._under = np.array([rule.loss_over.denominator for rule in rules], np.int64)
        self._all_lost = np.array([rule.all_lost for rule in rules], bool)
        self._least = np.array([max(rule.min_samples, 1) for rule in rules], np.int64)
        self._cells = np.array([rule.interval_ns // (fleet.seconds * SECOND) or 1 for rule in rules], np.int64)
        more = fleet.rows - len(self._doubt)
        self._gathered = np.pad(self._gathered, ((0, 0), (0, more)))
        self._doubt = np.pad(self._doubt, (0, more))
        self._gathered[:, fleet.fresh_rows], self._doubt[fleet.fresh_rows] = 0, False
        self._deciding, self._needs_all = _deciding_table(fleet)
        self._begun = np.pad(self._begun, (0, fleet.places - len(self._begun)))
        self._begun[fleet.fresh_places] = False
        self._endpoint_cells = np.ones(fleet.places, np.int64)
        for one in fleet.endpoints:
            self._endpoint_cells[one.place] = one.endpoint.uptime.interval_ns // (fleet.seconds * SECOND) or 1
        self._references = np.array([probe.row for probe in fleet.references], np.int32)

    def close(self, k: int, matrix: IntArray, doubt: BoolArray) -> Graded:
        """Cell `k` closed with these counts; `doubt` says for which rows it cannot be vouched."""
        self._gathered += matrix[[Column.SENT, Column.RECEIVED], : self._gathered.shape[1]]
        self._doubt |= doubt
        due = (k + 1) % self._cells == 0
        self.probes = np.where(due, self._grade(self._gathered[0], self._gathered[1], self._doubt), self.probes)
        self._gathered[:, due] = 0
        self._doubt[due] = False
        endpoints = combine(self.probes, self._deciding, self._needs_all)
        begun = self._begun | (matrix[Column.SENT][self._deciding] * (self._deciding >= 0)).any(axis=1)
        self._begun = begun
        return Graded(self.probes, endpoints, (k + 1) % self._endpoint_cells == 0, begun)

    def recall(self, k: int, probes: Standings, known: BoolArray) -> Graded:
        """Cell `k` stood like this, as recorded; `known` rows have been recorded by then."""
        self.probes = np.where(known, probes, self.probes)
        decided = np.logical_and(known[self._deciding], self._deciding >= 0)
        self._begun = decided.astype(bool).max(axis=1, initial=False)
        endpoints = combine(self.probes, self._deciding, self._needs_all)
        return Graded(self.probes, endpoints, (k + 1) % self._endpoint_cells == 0, self._begun)

    def blank(self, k: int) -> Graded:
        """Nobody was recorded in cell `k`."""
        self.probes = np.full(len(self.probes), UNKNOWN)
        endpoints = np.full(len(self._begun), UNKNOWN)
        return Graded(self.probes, endpoints, (k + 1) % self._endpoint_cells == 0, self._begun)

    def gathers_from(self, k: int) -> int:
        """The first cell of the intervals that are not over when cell `k` closes next; `k`, if there is none."""
        return k - int((k % self._cells).max(initial=0))

    def gather(self, cell: Cell) -> None:
        """A recorded cell, possibly of intervals that are not over yet; to be told in order."""
        self._gathered += cell.matrix[[Column.SENT, Column.RECEIVED], : self._gathered.shape[1]]
        self._doubt |= cell.reason != NO_REASON
        due = (cell.k + 1) % self._cells == 0
        self._gathered[:, due] = 0
        self._doubt[due] = False

    def _grade(self, sent: IntArray, received: IntArray, doubt: BoolArray) -> Standings:
        lost = sent - received
        bad = np.where(self._all_lost, received == 0, lost * self._under > self._over * sent)
        return np.where((sent < self._least) | doubt, UNKNOWN, np.where(bad, BAD, GOOD)).astype(np.int8)

    def references_failed(self, matrix: IntArray) -> bool:
        """Whether at least half of our references were BAD in this cell."""
        at = self._references
        if not len(at):
            return False
        sent, received = matrix[Column.SENT, at], matrix[Column.RECEIVED, at]
        standing = self._grade_at(at, sent, received)
        known = standing != UNKNOWN
        return bool(known.any()) and 2 * int((standing == BAD).sum()) >= len(at)

    def _grade_at(self, at: RowArray, sent: IntArray, received: IntArray) -> Standings:
        bad = (sent - received) * self._under[at] > self._over[at] * sent
        return np.where(sent < self._least[at], UNKNOWN, np.where(bad, BAD, GOOD)).astype(np.int8)

    def references_silent(self, outcome: npt.NDArray[np.int8], at_ns: IntArray, now_ns: int) -> bool:
        """Whether at least half of our references did not answer their newest probe: right now."""
        at = self._references
        if not len(at):
            return False
        fresh = now_ns - at_ns[at] < _FRESH_NS
        return 2 * int((fresh & (outcome[at] != Outcome.ANSWERED)).sum()) >= len(at)


def _deciding_table(fleet: Fleet) -> tuple[RowArray, BoolArray]:
    width = max((len(one.deciding) for one in fleet.endpoints), default=1) or 1
    table = np.full((fleet.places, width), -1, np.int32)
    needs_all = np.zeros(fleet.places, bool)
    for one in fleet.endpoints:
        table[one.place, : len(one.deciding)] = one.deciding
        needs_all[one.place] = one.endpoint.uptime.feed == "all"
    return table, needs_all


def combine(probes: Standings, deciding: RowArray, needs_all: BoolArray) -> Standings:
    """Endpoint standings from their deciding probes (places, probes; -1 padded), each by its own feed."""
    if not len(deciding):
        return np.empty(0, np.int8)
    standing = np.where(deciding >= 0, probes[deciding], UNKNOWN).T
    return np.where(needs_all, combine_probes(standing, "all"), combine_probes(standing, "any")).astype(np.int8)
