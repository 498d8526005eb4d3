"""When what objectives speak of began to fail, and was well again: an alert's onset and end, right to the probe.

Rules: pure and columnar. An objective is fed by the probes of its endpoint, of which one failing is enough, or all
must fail (uptime fed by any probe). Numbers are those of objectives; times are send times, UTC ns, 0: unknown.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from netsla.model import IntArray, Metric
from netsla.sla.fleet import Fleet, FleetObjective, threshold_us
from netsla.sla.runs import Runs

_NEVER = np.iinfo(np.int64).max
BoolArray = npt.NDArray[np.bool_]


class Onsets:
    """Asks the runs of the probes that feed each objective."""

    def __init__(self) -> None:
        self._place: dict[int, int] = {}  # number -> position in the fleet's order
        self._row = np.zeros((0, 1), np.int64)  # (objectives, rows), -1 where there is none
        self._plane = np.zeros((0, 1), np.int64)
        self._together: BoolArray = np.zeros(0, bool)  # fails only if every probe does

    def load(self, fleet: Fleet) -> None:
        """Take a new layout."""
        width = max((len(one.rows) for one in fleet.objectives), default=1) or 1
        count = len(fleet.objectives)
        self._place = {one.number: place for place, one in enumerate(fleet.objectives)}
        self._row, self._plane = np.full((count, width), -1, np.int64), np.zeros((count, width), np.int64)
        limits = {probe.row: probe.thresholds_us for probe in fleet.probes}
        for place, one in enumerate(fleet.objectives):
            rows = one.endpoint.deciding if one.objective.metric is Metric.UPTIME else one.rows
            limit = threshold_us(one.objective)
            self._row[place, : len(rows)] = rows[:width]
            if limit is not None:
                self._plane[place, : len(rows)] = [limits[row].index(limit) + 1 for row in rows]
        self._together = np.array([_fails_together(one) for one in fleet.objectives], bool)

    def begun(self, numbers: Sequence[int], runs: Runs) -> list[int]:
        """Since when each fails; where the failures are scattered, the newest of them."""
        row, plane, mine, together = self._feed(numbers)
        since = np.where(mine, runs.failing_since(plane, row), 0)
        every, some = ((since > 0) | ~mine).all(axis=1), (since > 0).any(axis=1)
        first = np.where(since > 0, since, _NEVER).min(axis=1, initial=_NEVER)
        newest = np.where(mine, runs.last_bad(plane, row), 0).max(axis=1, initial=0)
        lasting = np.where(together & every, since.max(axis=1, initial=0), first)
        onset: list[int] = np.where(np.where(together, every, some), lasting, newest).tolist()
        return onset

    def ended(self, numbers: Sequence[int], runs: Runs) -> list[int]:
        """Since when each is well again."""
        row, plane, mine, together = self._feed(numbers)
        well = np.where(mine, runs.well_since(plane, row), 0)
        first = np.where(well > 0, well, _NEVER).min(axis=1, initial=_NEVER)
        end: list[int] = np.where(together & (first < _NEVER), first, well.max(axis=1, initial=0)).tolist()
        return end

    def answering(self, numbers: Sequence[int], runs: Runs) -> set[int]:
        """Those of `numbers` that do not fail now."""
        row, plane, mine, together = self._feed(numbers)
        fails = runs.failing_since(plane, row) > 0
        fails = np.where(together, (fails | ~mine).all(axis=1), (fails & mine).any(axis=1))
        return {number for number, failing in zip(numbers, fails.tolist(), strict=True) if not failing}

    def last_known(self, places: IntArray, runs: Runs) -> IntArray:
        """The newest sample that was decided of any probe that feeds the objectives at these places."""
        row = self._row[places]
        known: IntArray = np.where(row >= 0, runs.last_known(row), 0).max(axis=1, initial=0)
        return known

    def _feed(self, numbers: Sequence[int]) -> tuple[IntArray, IntArray, BoolArray, BoolArray]:
        """(rows, planes, whether there is such a row), each of shape (numbers, rows); whether all must fail."""
        place = np.array([self._place[number] for number in numbers], np.int64)
        row = self._row[place]
        return row, self._plane[place], row >= 0, self._together[place]


def _fails_together(one: FleetObjective) -> bool:
    """Uptime fed by any probe: the endpoint is down only when all of them fail."""
    return one.objective.metric is Metric.UPTIME and one.endpoint.endpoint.uptime.feed == "any"
