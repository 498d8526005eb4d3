"""Objectives on packets over a period: delivery, latency and jitter, exactly from the recorded counters (R7, R8).

Rules: counted is what was sent in scheduled, not excluded time, in intervals that can be vouched for; with scope
`available` the endpoint's down time is left out. What should have been sent and was not counted is *missing*, and
lowers coverage: unmeasured probes, suspect intervals, and time without any record. An objective over a
rolling window is judged at the end of every interval of the period.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from netsla.model import SECOND, Endpoint, IntArray, Measurement, Metric, Objective, Standing
from netsla.sla.fleet import feeds, threshold_us
from netsla.sla.histogram import quantiles
from netsla.sla.interval import NO_REASON
from netsla.sla.recorded import ABSENT, Recorded, add_columns, place
from netsla.sla.rolled import rolled_standing, window_greatest, window_means, window_sums
from netsla.sla.standing import EXCLUDED, BoolArray
from netsla.sla.statistic import mean_of_intervals, wilson
from netsla.sla.timeline import Timeline
from netsla.sla.uptime import DOWN

_US = 1_000_000
_NEVER = np.iinfo(np.int64).min  # less than any latency, whatever its sign


@dataclass(frozen=True, slots=True)
class Figure:
    """What became of an objective: ratios, or seconds. None where a value does not exist.

    `met_share` and `worst` (the value) only for rolling windows: the share of judged instants that were met.
    """

    standing: Standing
    value: Fraction | float | None = None
    low: float | Fraction | None = None
    high: float | Fraction | None = None
    coverage: Fraction | None = None
    conclusive: bool = False
    met_share: Fraction | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Columns:
    """Per interval of the grid, over all probes that feed the objective: a numerator, its total, and missing."""

    hits: IntArray
    total: IntArray
    sent: IntArray
    missing: IntArray


def feeding(objective: Objective, endpoint: Endpoint, parts: Sequence[Recorded]) -> list[Recorded]:
    """The records that an objective reads; records of probes that the agreement does not name feed nothing."""
    names = {spec.name for spec in endpoint.probes if feeds(objective, spec)}
    return [part for part in parts if part.probe in names]


def judge(
    objective: Objective, endpoint: Endpoint, line: Timeline, parts: Sequence[Recorded], measurement: Measurement,
    histogram: IntArray | None = None,
) -> Figure:  # fmt: skip
    """One objective over the period; `histogram` (BUCKETS counts over the period) gives percentiles a value."""
    mine = feeding(objective, endpoint, parts)
    columns = _columns(objective, endpoint, line, mine, measurement)
    if objective.window.calendar:
        if objective.statistic in ("min", "max"):
            return _extreme(objective, line, mine, columns, measurement)
        return _whole(objective, line, mine, columns, measurement, histogram)
    return _rolling(objective, line, mine, columns, measurement)


# --- gathering ----------------------------------------------------------------------------------------


def _counted_ns(objective: Objective, line: Timeline) -> IntArray:
    """Of each interval, what counts: a rolling window reaches back before the period."""
    return line.scheduled_ns if objective.window.calendar else line.around_ns


def _wanted(objective: Objective, line: Timeline) -> BoolArray:
    """Intervals whose packets count."""
    wanted: BoolArray = (_counted_ns(objective, line) > 0) & (line.code != EXCLUDED)
    return wanted & (line.code != DOWN) if objective.scope == "available" else wanted


def _columns(
    objective: Objective, endpoint: Endpoint, line: Timeline, parts: list[Recorded], measurement: Measurement
) -> _Columns:
    count = len(line.code)
    wanted, counted_ns = _wanted(objective, line), _counted_ns(objective, line)
    sums = np.zeros((4, count), np.int64)
    agreed_ns = {spec.name: spec.interval_ns for spec in endpoint.probes}
    for part in parts:
        at = place(part, line.step_s, line.first_k)
        hits, total = _numbers(objective, part, measurement)
        sound = part.reason == NO_REASON
        known = sound & (total != ABSENT)
        *added, seconds = add_columns(at, (
            np.where(known, hits, 0),
            np.where(known, total, 0),
            np.where(known, part.sent, 0),
            part.unmeasured + np.where(known, 0, part.sent),
            part.seconds,
        ), count)  # fmt: skip
        for row, values in enumerate(added):
            sums[row] += values
        silent_ns = np.maximum(counted_ns - seconds * SECOND, 0)
        if silent_ns.any():
            sums[3] += silent_ns // _pace_ns(part, agreed_ns[part.probe])
    if not parts:
        shortest = min((spec.interval_ns for spec in endpoint.probes if feeds(objective, spec)), default=SECOND)
        sums[3] = counted_ns // shortest
    sums[:, ~wanted] = 0
    return _Columns(*sums)


def _pace_ns(part: Recorded, agreed_ns: int) -> int:
    """How often a probe was due, in ns: what is missing in time without a record is told by it.

    As agreed; but if even the fullest record holds less than half of that, or more than one and a half times, then
    another system probed at its own pace, and its records tell it.
    """
    due = part.sent + part.unmeasured
    if not due.any():
        return agreed_ns
    fullest = int(np.argmax(due / part.seconds))
    paced_ns = int(part.seconds[fullest]) * SECOND // int(due[fullest])
    return agreed_ns if 2 * agreed_ns <= 3 * paced_ns and paced_ns <= 2 * agreed_ns else max(paced_ns, 1)


def _numbers(objective: Objective, part: Recorded, measurement: Measurement) -> tuple[IntArray, IntArray]:
    """Numerator and total of each record; a total of ABSENT where the record does not tell.

    Without a reply there is nothing to tell, so that an empty figure is nought.
    """
    if objective.metric is Metric.PACKET_DELIVERY:
        return part.received, part.sent
    if objective.metric is Metric.JITTER:
        return _told(part.jitter_sum_us, part.jitter_pairs, part.received < 2)
    if objective.percent is None:
        return _told(part.rtt_sum_us, part.received, part.received == 0)
    hits = part.within.get(threshold_us(objective) or 0, np.full(len(part), ABSENT, np.int64))
    total = part.sent if measurement.percentile_lost == "infinite" else part.received
    return _told(hits, total, part.received == 0)


def _told(hits: IntArray, total: IntArray, idle: BoolArray) -> tuple[IntArray, IntArray]:
    silent = hits == ABSENT
    return np.where(silent, 0, hits), np.where(silent & ~idle, ABSENT, total)


# --- over the period ----------------------------------------------------------------------------------


def _whole(
    objective: Objective, line: Timeline, parts: list[Recorded], columns: _Columns, measurement: Measurement,
    histogram: IntArray | None,
) -> Figure:  # fmt: skip
    hits, total = int(columns.hits.sum()), int(columns.total.sum())
    missing, coverage = _missing(columns)
    if not total:
        return Figure(Standing.NO_DATA, coverage=coverage)
    goal = objective.target.value
    if objective.metric is Metric.PACKET_DELIVERY:
        value = _delivery(columns) if objective.aggregate == "mean_of_intervals" else Fraction(hits, total)
        met = value is not None and value >= goal
        return _share_figure(met, value, hits, total, missing, goal, coverage, measurement, bounds=True)
    if objective.percent is not None:
        met = hits >= objective.percent * total
        seconds = _percentile(objective, histogram, met=met)
        return _share_figure(met, seconds, hits, total, missing, objective.percent, coverage, measurement, bounds=False)
    mean = Fraction(hits, total)  # us
    standing = _covered(mean * 1000 <= goal, coverage, measurement, hopeless=False)
    return Figure(standing, mean / _US, coverage=coverage, conclusive=missing == 0)


def _missing(columns: _Columns) -> tuple[int, Fraction | None]:
    sent, missing = int(columns.sent.sum()), int(columns.missing.sum())
    return missing, Fraction(sent, sent + missing) if sent + missing else None


def _covered(met: bool, coverage: Fraction | None, measurement: Measurement, *, hopeless: bool) -> Standing:
    if coverage is not None and coverage < measurement.min_coverage and not hopeless:
        return Standing.INSUFFICIENT
    return Standing.MET if met else Standing.BREACHED


def _share_figure(
    met: bool, value: Fraction | float | None, hits: int, total: int, missing: int, goal: Fraction,
    coverage: Fraction | None, measurement: Measurement, *, bounds: bool,
) -> Figure:  # fmt: skip
    """A verdict on hits/total, graded by Wilson's interval; its bounds are shown if they are of the value."""
    low, high = (float(bound) for bound in wilson(hits, total))
    hopeless = hits + missing < goal * (total + missing)
    standing = _covered(met, coverage, measurement, hopeless=hopeless)
    conclusive = low >= goal or high < goal
    return Figure(standing, value, low if bounds else None, high if bounds else None, coverage, conclusive)


def _delivery(columns: _Columns) -> Fraction | None:
    """The mean over the intervals of the contract's grid in which anything was sent (SLA §1, R7)."""
    return mean_of_intervals(columns.hits, columns.total)


def _percentile(objective: Objective, histogram: IntArray | None, *, met: bool) -> float | None:
    """For display, from the histogram; held on the verdict's side of the target."""
    if histogram is None or objective.percent is None or not histogram.any():
        return None
    table = histogram.astype(np.uint32)[None, :]
    value = float(quantiles(table, (objective.percent,), np.zeros(1, np.int64))[0, 0])
    goal = float(objective.target.value / SECOND)
    return min(value, goal) if met else max(value, float(np.nextafter(goal, np.inf)))


def _extremes_of(
    objective: Objective, line: Timeline, part: Recorded, wanted: BoolArray
) -> tuple[IntArray, BoolArray, IntArray]:
    """Place of each record, whether it counts and tells, and its least or greatest latency in us."""
    at = place(part, line.step_s, line.first_k)
    column = part.rtt_min_us if objective.statistic == "min" else part.rtt_max_us
    inside = (at >= 0) & (at < len(wanted)) & (part.reason == NO_REASON) & (column != ABSENT)
    inside[inside] &= wanted[at[inside]]
    return at, inside, column


def _extreme(
    objective: Objective, line: Timeline, parts: list[Recorded], columns: _Columns, measurement: Measurement
) -> Figure:
    """Latency by its minimum or maximum."""
    wanted, found = _wanted(objective, line), []
    for part in parts:
        _, inside, column = _extremes_of(objective, line, part, wanted)
        found += [int(pick) for pick in ([column[inside].min(), column[inside].max()] if inside.any() else [])]
    missing, coverage = _missing(columns)
    if not found:
        return Figure(Standing.NO_DATA, coverage=coverage)
    value = min(found) if objective.statistic == "min" else max(found)
    met = value * 1000 <= objective.target.value
    standing = _covered(met, coverage, measurement, hopeless=objective.statistic == "max" and not met)
    return Figure(standing, Fraction(value, _US), coverage=coverage, conclusive=missing == 0)


# --- rolling ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Windows:
    """Verdicts by interval, on the window that ends with it: where one is `met`, where one can be `used`."""

    met: BoolArray
    used: BoolArray
    coverage: Fraction | None  # of the period
    missing: int
    empty: bool  # nothing was sent at all

    def figure(self, value: Fraction | None, least: Fraction) -> Figure:
        """The share of the period in which the promise was kept, with the worst value."""
        share = Fraction(int(self.met[self.used].sum()), int(self.used.sum()))
        standing = rolled_standing(share, self.coverage, least)
        return Figure(standing, value, coverage=self.coverage, conclusive=self.missing == 0, met_share=share)

    def nothing(self) -> Figure:
        """No window could be judged."""
        return Figure(Standing.NO_DATA if self.empty else Standing.INSUFFICIENT, coverage=self.coverage)


def _rolling(
    objective: Objective, line: Timeline, parts: list[Recorded], columns: _Columns, measurement: Measurement
) -> Figure:
    """Judged at the end of every scheduled interval of the period, over the window that ends there."""
    size = max(objective.window.seconds // line.step_s, 1)
    hits, total, sent, missing = (
        window_sums(c, size) for c in (columns.hits, columns.total, columns.sent, columns.missing)
    )
    least, here = measurement.min_coverage, line.scheduled_ns > 0
    covered = sent * least.denominator >= least.numerator * (sent + missing)
    goal = objective.percent if objective.percent is not None else objective.target.value
    if objective.metric is Metric.PACKET_DELIVERY or objective.percent is not None:
        met = hits * goal.denominator >= goal.numerator * total
        covered |= (hits + missing) * goal.denominator < goal.numerator * (total + missing)
    else:
        met = hits * 1000 * goal.denominator <= goal.numerator * total
    used = here & (line.code != EXCLUDED) & (total > 0) & covered
    lacking, coverage = _missing(
        _Columns(*(c[here] for c in (columns.hits, columns.total, columns.sent, columns.missing)))
    )
    windows = _Windows(met, used, coverage, lacking, not int(columns.total[here].sum()))
    if objective.aggregate == "mean_of_intervals":
        return _rolled_means(objective, columns, size, windows, least)
    if objective.statistic in ("min", "max"):
        return _rolled_extremes(objective, line, parts, size, windows, least)
    if not used.any():
        return windows.nothing()
    at = np.flatnonzero(used)
    ratio = hits[at] / total[at]
    worst = at[int(np.argmin(ratio) if objective.metric is Metric.PACKET_DELIVERY else np.argmax(ratio))]
    value = Fraction(int(hits[worst]), int(total[worst]))
    if objective.percent is not None:
        return windows.figure(None, least)
    return windows.figure(value if objective.metric is Metric.PACKET_DELIVERY else value / _US, least)


def _rolled_means(
    objective: Objective, columns: _Columns, size: int, windows: _Windows, least: Fraction
) -> Figure:  # fmt: skip
    """Delivery as the mean over the intervals of each window, exactly (SLA R7)."""
    at = np.flatnonzero(windows.used)
    if not len(at):
        return windows.nothing()
    means = window_means(columns.hits, columns.total, size, at)
    met = np.zeros(len(windows.used), bool)
    goal = objective.target.value
    met[at] = [part * goal.denominator >= goal.numerator * whole for part, whole in means]
    return replace(windows, met=met).figure(min(Fraction(*one) for one in set(means)), least)


def _rolled_extremes(
    objective: Objective, line: Timeline, parts: list[Recorded], size: int, windows: _Windows, least: Fraction
) -> Figure:
    """The least or greatest latency of each window."""
    sign = -1 if objective.statistic == "min" else 1
    each = np.full(len(line.code), _NEVER, np.int64)
    wanted = _wanted(objective, line)
    for part in parts:
        at, inside, column = _extremes_of(objective, line, part, wanted)
        np.maximum.at(each, at[inside], sign * column[inside])
    found = window_greatest(each, size)
    used = windows.used & (found != _NEVER)
    found = np.where(used, found, 0)
    if not used.any():
        return windows.nothing()
    goal = objective.target.value
    met = sign * found * 1000 * goal.denominator <= goal.numerator
    worst = int((sign * found[used]).max())
    return replace(windows, met=met, used=used).figure(Fraction(worst, _US), least)
