"""How a period went, by the day, the hour or the minute: what the charts of a report show.

    steps = Steps(agreement, period);  settle_agreement(..., watch=steps.add);  steps.trend() -> Trend

Rules: pure; added up from each endpoint's settled time as it passes by, so that nothing is read twice and days add
up to the period. Days are those of the agreement's zone. Packets are all that were counted in intervals that can be
vouched for, exclusions and down time included: a chart shows what was measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from netsla.model import SECOND, Agreement, Endpoint, IntArray, ProbeType
from netsla.sla.calendar import Period
from netsla.sla.interval import NO_REASON
from netsla.sla.period import midnight_ns
from netsla.sla.recorded import ABSENT, Recorded
from netsla.sla.standing import EXCLUDED, UNKNOWN
from netsla.sla.timeline import Timeline
from netsla.sla.uptime import DOWN, UP

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_LONGEST = ((_MINUTE, 3 * _HOUR), (_HOUR, 3 * _DAY))  # seconds: periods up to the second are shown by the first
_NAMES = {_MINUTE: "the minute", _HOUR: "the hour", _DAY: "the day"}
_CLASSES = (EXCLUDED, UNKNOWN, DOWN, UP)
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Trend:
    """n steps between n + 1 `edges_s` (UTC); NaN where there is nothing to tell.

    `availability` and `delivery` are ratios, `mean_s` RTT in seconds; `*_s` of time are seconds over all endpoints.
    """

    edges_s: IntArray
    step_s: int  # of all but the first and the last; days may be longer or shorter
    availability: FloatArray
    delivery: FloatArray
    mean_s: FloatArray
    excluded_s: FloatArray
    unknown_s: FloatArray
    down_s: FloatArray
    up_s: FloatArray

    @property
    def step(self) -> str:
        """As in `by the hour`."""
        return _NAMES.get(self.step_s, f"{self.step_s} s")


class Steps:
    """Adds up endpoints as they are settled."""

    def __init__(self, agreement: Agreement, period: Period) -> None:
        seconds = (period.end_ns - period.start_ns) // SECOND
        finest = max((one.uptime.interval_ns // SECOND for one in agreement.endpoints), default=_MINUTE)
        step_s = next((step for step, longest in _LONGEST if seconds <= longest), _DAY)
        self._step_s = max(step_s, finest)
        self._edges_s = _days(period, ZoneInfo(agreement.timezone)) if step_s == _DAY else _even(period, self._step_s)
        self._time = np.zeros((len(_CLASSES), len(self._edges_s) - 1), np.int64)  # us
        self._packets = np.zeros((4, len(self._edges_s) - 1), np.int64)  # sent, received, RTT in us, timed

    def add(self, endpoint: Endpoint, line: Timeline, parts: Sequence[Recorded]) -> None:
        """What `settle_agreement` is to call."""
        at = np.clip(-(-self._edges_s // line.step_s) - line.first_k, 0, len(line.code))
        for row, one in enumerate(_CLASSES):
            self._time[row] += _between(np.where(line.code == one, line.scheduled_ns // 1000, 0), at)
        for part in _speaking(endpoint, parts):
            self._add_packets(part)

    def _add_packets(self, part: Recorded) -> None:
        at = np.searchsorted(part.start_s, self._edges_s)
        sound = part.reason == NO_REASON
        timed = sound & (part.rtt_sum_us != ABSENT)
        columns = ((sound, part.sent), (sound, part.received), (timed, part.rtt_sum_us), (timed, part.received))
        for row, (use, values) in enumerate(columns):
            self._packets[row] += _between(np.where(use, values, 0), at)

    def trend(self) -> Trend:
        """The steps, once everything is settled."""
        excluded, unknown, down, up = self._time / 1e6
        sent, received, rtt_us, timed = self._packets
        return Trend(
            self._edges_s, self._step_s, _ratio(up, up + down), _ratio(received, sent), _ratio(rtt_us, timed) / 1e6,
            excluded, unknown, down, up,
        )  # fmt: skip


def _speaking(endpoint: Endpoint, parts: Sequence[Recorded]) -> list[Recorded]:
    """Echo probes if there are any: TCP hides loss (SLA §1)."""
    icmp = {spec.name for spec in endpoint.probes if spec.type is ProbeType.ICMP}
    names = icmp or {spec.name for spec in endpoint.probes}
    return [part for part in parts if part.probe in names]


def _between(values: IntArray, at: IntArray) -> IntArray:
    """Sums of `values` from each place in `at` to the next."""
    total = np.concatenate([[0], np.cumsum(values)])[at]
    sums: IntArray = np.diff(total)
    return sums


def _even(period: Period, step_s: int) -> IntArray:
    first, last = period.start_ns // SECOND, -(-period.end_ns // SECOND)
    inner = np.arange((first // step_s + 1) * step_s, last, step_s)
    return np.concatenate([[first], inner, [last]]).astype(np.int64)


def _days(period: Period, zone: ZoneInfo) -> IntArray:
    edges = [period.start_ns]
    day = datetime.fromtimestamp(period.start_ns // SECOND, UTC).astimezone(zone).date()
    while (at := midnight_ns(day := day + timedelta(days=1), zone)) < period.end_ns:
        edges.append(at)
    return np.array([*edges, period.end_ns], np.int64) // SECOND


def _ratio(part: IntArray | FloatArray, whole: IntArray | FloatArray) -> FloatArray:
    out: FloatArray = np.full(len(part), np.nan)
    np.divide(part, whole, out=out, where=whole > 0)
    return out
