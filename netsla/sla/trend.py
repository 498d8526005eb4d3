"""How a period went, in equal steps of an hour or a day: what the charts of a report show.

Rules: pure; taken from the records as they pass by on their way to the settlement, so that nothing is read twice. Raw
packets of all endpoints and probes, exclusions and all: a chart shows what was measured. Down time comes from the
settled incidents.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from netsla.model import SECOND, IntArray
from netsla.sla.calendar import Period
from netsla.sla.recorded import Recorded
from netsla.sla.report import Read, Report

_HOUR, _DAY = 3600, 86_400
_BY_HOUR = 3 * _DAY  # periods up to this length are shown by the hour
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Trend:
    """Steps of `step_s` seconds from `start_s` (UTC); NaN where nothing was measured.

    `delivery` and `availability` are ratios, `mean_s` and `worst_s` RTT in seconds.
    """

    start_s: IntArray
    step_s: int
    delivery: FloatArray
    availability: FloatArray
    mean_s: FloatArray
    worst_s: FloatArray


class Tap:
    """Stands between a reader of records and the settlement, and adds up what passes."""

    def __init__(self, period: Period, read: Read) -> None:
        length = (period.end_ns - period.start_ns) // SECOND
        self.step_s = _HOUR if length <= _BY_HOUR else _DAY
        self._first = period.start_ns // SECOND
        self._steps = -(-length // self.step_s)
        self._read = read
        self._sums = np.zeros((3, self._steps), np.int64)  # sent, received, RTT in us
        self._timed = np.zeros(self._steps, np.int64)  # received with a known RTT
        self._worst = np.full(self._steps, -1, np.int64)
        self._endpoints = 0

    def read(self, endpoint: str) -> Sequence[Recorded]:
        """What the settlement asks for."""
        parts = self._read(endpoint)
        self._endpoints += 1
        for part in parts:
            self._add(part)
        return parts

    def _add(self, part: Recorded) -> None:
        at = (part.start_s - self._first) // self.step_s
        inside = (at >= 0) & (at < self._steps)
        at = at[inside]
        sent, received, rtt = part.sent[inside], part.received[inside], part.rtt_sum_us[inside]
        known = rtt >= 0
        for row, values in enumerate((sent, received, np.where(known, rtt, 0))):
            self._sums[row] += np.bincount(at, values, self._steps).astype(np.int64)
        self._timed += np.bincount(at, np.where(known, received, 0), self._steps).astype(np.int64)
        np.maximum.at(self._worst, at, part.rtt_max_us[inside])

    def trend(self, report: Report) -> Trend:
        """The steps, once the report is made."""
        sent, received, rtt = self._sums
        start_s = self._first + np.arange(self._steps) * self.step_s
        down = np.zeros(self._steps)
        for one in report.incidents:
            if one.excluded_by is None:
                end_ns = report.until_ns if one.end_ns is None else one.end_ns
                down += _overlap(start_s, self.step_s, one.start_ns / SECOND, end_ns / SECOND)
        whole = float(self.step_s * max(self._endpoints, 1))
        return Trend(
            start_s,
            self.step_s,
            _ratio(received, sent),
            np.where(sent > 0, np.maximum(1 - down / whole, 0), np.nan),
            _ratio(rtt, self._timed) / 1e6,
            np.where(self._worst >= 0, self._worst / 1e6, np.nan),
        )


def _overlap(start_s: IntArray, step_s: int, begin: float, end: float) -> FloatArray:
    """Seconds of [begin, end) in each step."""
    found: FloatArray = np.clip(np.minimum(start_s + step_s, end) - np.maximum(start_s, begin), 0, None)
    return found


def _ratio(part: IntArray, whole: IntArray) -> FloatArray:
    out: FloatArray = np.full(len(part), np.nan)
    np.divide(part, whole, out=out, where=whole > 0)
    return out
