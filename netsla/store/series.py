"""All of one lane's intervals as columns, put together from hours.

Rules: PURE. Of two records of one interval the later one counts: that of the later block, or the one not sealed yet.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from netsla.model import ByteArray, IntArray
from netsla.sla.interval import Cell
from netsla.sla.tally import Column
from netsla.store.block import Hour
from netsla.store.layout import Lane, Layout
from netsla.store.tables import HOUR

_UNSEALED = 2**62  # later than any block


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """All recorded intervals of one lane in a span of time, in order of start; n intervals.

    `matrix` is (Column.LE + thresholds, n) as a tally; `start` in UTC seconds; `seconds` per interval; `rtt_min_us`
    and `rtt_max_us` -1 without a reply; `standing` 1 good, 0 bad, -1 unknown; `reason` a Reason or NO_REASON.
    """

    lane: Lane
    start: IntArray
    seconds: IntArray
    matrix: IntArray
    rtt_min_us: IntArray
    rtt_max_us: IntArray
    standing: npt.NDArray[np.int8]
    reason: ByteArray


class Part(NamedTuple):
    """Some intervals of a lane, and the block that tells each of them."""

    series: Series
    block: IntArray


class Table:
    """The figures of several hours of the same lanes: columns (…, lanes, hours, slots).

    `hours` since the epoch; `numbers` of the blocks that tell them.
    """

    def __init__(self, lanes: tuple[Lane, ...], seconds: int, hours: list[int], numbers: list[int]) -> None:
        slots = HOUR // seconds
        columns = Column.LE + max(len(lane.thresholds_us) for lane in lanes)
        shape = (len(lanes), len(hours), slots)
        self.rows = {lane: row for row, lane in enumerate(lanes)}
        self._seconds = seconds
        self._start = (np.array(hours)[:, None] * HOUR + np.arange(slots) * seconds).reshape(-1)
        self._number = np.repeat(numbers, slots)
        self._present = np.zeros(shape, bool)
        self._matrix = np.zeros((columns, *shape), np.int64)
        self._low, self._high = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        self._standing, self._reason = np.zeros(shape, np.int8), np.zeros(shape, np.uint8)

    def put(self, at: int, hour: Hour) -> None:
        """Take an hour."""
        self._present[:, at] = hour.present
        self._matrix[:, :, at] = hour.matrix[: len(self._matrix)]
        self._low[:, at], self._high[:, at] = hour.rtt_min_us, hour.rtt_max_us
        self._standing[:, at], self._reason[:, at] = hour.standing, hour.reason

    def part(self, lane: Lane) -> Part:
        """One lane, only what is present of it."""
        row, start, number = self.rows[lane], self._start, self._number
        columns = self._matrix[: Column.LE + len(lane.thresholds_us), row].reshape(-1, len(start))
        low, high, standing, reason = (
            table[row].reshape(-1) for table in (self._low, self._high, self._standing, self._reason)
        )
        here = self._present[row].reshape(-1)
        if not here.all():
            at = np.flatnonzero(here)
            start, number, columns = start[at], number[at], columns.take(at, axis=1)
            low, high, standing, reason = low[at], high[at], standing[at], reason[at]
        length = np.full(len(start), self._seconds)
        return Part(Series(lane, start, length, columns, low, high, standing, reason), number)


def loose_parts(cell: Cell, layout: Layout, agreement: str, endpoints: Collection[str] | None = None) -> Iterator[Part]:
    """An agreement's rows of a cell that is not sealed yet; with `endpoints` only theirs."""
    for lane, row in layout.rows.items():
        mine = lane.agreement == agreement and (endpoints is None or lane.endpoint in endpoints)
        if mine and row < cell.matrix.shape[1]:
            here = slice(row, row + 1)
            series = Series(
                lane, np.array([cell.k * cell.seconds]), np.array([cell.seconds]),
                cell.matrix[: Column.LE + len(lane.thresholds_us), here], cell.rtt_min_us[here], cell.rtt_max_us[here],
                cell.standing[here], cell.reason[here],
            )  # fmt: skip
            yield Part(series, np.array([_UNSEALED]))


def join(parts: list[Part], first: int, last: int) -> Series:
    """One lane's parts in order of start; of two records of one interval the later one counts."""
    if len(parts) == 1 and _in_order(parts[0].series.start, first, last):
        return parts[0].series
    start = np.concatenate([part.series.start for part in parts])
    order = np.lexsort((np.concatenate([part.block for part in parts]), start))
    ordered = start[order]
    keep = np.append(ordered[1:] != ordered[:-1], True)[: len(ordered)] & (ordered >= first) & (ordered < last)
    chosen = order[keep]
    columns = ("seconds", "rtt_min_us", "rtt_max_us", "standing", "reason")
    seconds, low, high, standing, reason = (
        np.concatenate([getattr(part.series, name) for part in parts])[chosen] for name in columns
    )
    matrix = np.concatenate([part.series.matrix for part in parts], axis=1)[:, chosen]
    return Series(parts[0].series.lane, start[chosen], seconds, matrix, low, high, standing, reason)


def _in_order(start: IntArray, first: int, last: int) -> bool:
    """Whether there is nothing to sort, and nothing to leave out."""
    return not len(start) or bool(start[0] >= first and start[-1] < last and (start[1:] > start[:-1]).all())
