"""Objectives held against windows: exact verdicts for the whole fleet in a few array operations.

Rules: verdicts compare integers (SLA section 2); floats are made for display only, after the verdict, and
never contradict it. Objectives of one window and one way of judging form a `Bench`; its arrays are over
its objectives, and `place` (objectives, probes) names the window's places that feed each, -1 padded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from netsla.model import ByteArray, IntArray, Metric, RowArray
from netsla.sla.fleet import Fleet, FleetObjective, threshold_us
from netsla.sla.histogram import GREATEST, LEAST
from netsla.sla.statistic import wilson
from netsla.sla.tally import Column
from netsla.sla.window import Window

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

MET, BREACHED, INSUFFICIENT, NO_DATA = range(4)  # as netsla.sla.snapshot.STANDINGS
OF_TIME = (Metric.UPTIME, Metric.TIME_TO_REPAIR)  # judged by timely.py, from accounts of time


@dataclass(frozen=True, slots=True)
class Availability:
    """Accounted time of one window, in ns, by endpoint place (SLA R5)."""

    up: IntArray
    down: IntArray
    unknown: IntArray
    excluded: IntArray
    period: IntArray  # of the whole window or calendar period


@dataclass(slots=True)
class Verdicts:
    """Every objective's verdict, by objective number; see :class:`netsla.sla.snapshot.ObjectiveView`."""

    standing: ByteArray
    value: FloatArray
    low: FloatArray
    high: FloatArray
    coverage: FloatArray
    conclusive: BoolArray
    budget: FloatArray

    @staticmethod
    def blank(numbers: int) -> Verdicts:
        """No data anywhere."""
        value, low, high, coverage, budget = (np.full(numbers, np.nan) for _ in range(5))
        standing, conclusive = np.full(numbers, NO_DATA, np.uint8), np.zeros(numbers, bool)
        return Verdicts(standing, value, low, high, coverage, conclusive, budget)


@dataclass(frozen=True, slots=True)
class Bench:
    """Objectives judged alike, in one window."""

    window: str
    metric: Metric
    statistic: str  # "mean", "percentile" or ""
    number: IntArray
    place: RowArray  # (objectives, probes) in the window; (objectives, 1) of endpoints for uptime
    threshold: IntArray  # (objectives, probes): LE column of the counter; latency percentiles only
    target: tuple[IntArray, IntArray]  # numerator, denominator; seconds as nanoseconds
    share: tuple[IntArray, IntArray]  # of a percentile
    available: BoolArray  # scope
    infinite: BoolArray  # lost probes count as infinitely late
    coverage: tuple[IntArray, IntArray]  # the least that a verdict needs
    percents: dict[Fraction, IntArray]  # positions by percentile
    members: tuple[FleetObjective, ...]


def ratio(part: IntArray, whole: IntArray) -> FloatArray:
    """Quotient of two columns, NaN where there is nothing to divide by."""
    out: FloatArray = np.full(len(part), np.nan)
    np.divide(part, whole, out=out, where=whole > 0)
    return out


def arrange(fleet: Fleet, windows: Mapping[str, Window]) -> tuple[Bench, ...]:
    """Group the fleet's objectives; call again whenever fleet or places changed."""
    groups: dict[tuple[str, Metric, str], list[FleetObjective]] = {}
    for one in fleet.objectives:
        how = "mean" if one.objective.statistic == "mean" else "percentile"
        kind = how if one.objective.metric is Metric.LATENCY else ""
        groups.setdefault((one.objective.window.name, one.objective.metric, kind), []).append(one)
    return tuple(_bench(fleet, windows, key, members) for key, members in groups.items())


def _percent(one: FleetObjective) -> Fraction:
    if one.objective.percent is not None:
        return one.objective.percent
    return LEAST if one.objective.statistic == "min" else GREATEST


def _bench(
    fleet: Fleet, windows: Mapping[str, Window], key: tuple[str, Metric, str], members: list[FleetObjective]
) -> Bench:
    name, metric, kind = key
    width = max((len(one.rows) for one in members), default=1) or 1
    place = np.full((len(members), width), -1, np.int32)
    threshold = np.zeros((len(members), width), np.int64)
    by_row = {probe.row: probe.thresholds_us for probe in fleet.probes}
    for number, one in enumerate(members):
        if metric in OF_TIME:
            place[number, 0] = one.endpoint.place
            continue
        place[number, : len(one.rows)] = windows[name].place[list(one.rows)]
        if kind == "percentile":
            limit = threshold_us(one.objective)
            threshold[number, : len(one.rows)] = [Column.LE + by_row[row].index(limit or 0) for row in one.rows]
    measurement = [one.endpoint.measurement for one in members]
    return Bench(
        name,
        metric,
        kind,
        np.array([one.number for one in members]),
        place,
        threshold,
        _columns([one.objective.target.value for one in members]),
        _columns([_percent(one) for one in members]),
        np.array([one.objective.scope == "available" for one in members]),
        np.array([how.percentile_lost == "infinite" for how in measurement]),
        _columns([how.min_coverage for how in measurement]),
        _positions([_percent(one) for one in members]),
        tuple(members),
    )


def _positions(values: list[Fraction]) -> dict[Fraction, IntArray]:
    found: dict[Fraction, list[int]] = {}
    for position, value in enumerate(values):
        found.setdefault(value, []).append(position)
    return {value: np.array(positions) for value, positions in found.items()}


def _columns(values: list[Fraction]) -> tuple[IntArray, IntArray]:
    return np.array([v.numerator for v in values], np.int64), np.array([v.denominator for v in values], np.int64)


def judge(bench: Bench, window: Window, out: Verdicts) -> None:
    """Fill in the verdicts of one bench on packets (but for percentile values: see :func:`read_percentiles`)."""
    pool = _Pool(bench, window)
    if bench.metric is Metric.PACKET_DELIVERY:
        _judge_share(bench, pool, pool.get(Column.RECEIVED), pool.sent, bench.target, out)
        out.value[bench.number] = ratio(pool.get(Column.RECEIVED), pool.sent)
    elif bench.statistic == "percentile":
        total = np.where(bench.infinite, pool.sent, pool.get(Column.RECEIVED))
        _judge_share(bench, pool, pool.get_le(), total, bench.share, out)
        out.low[bench.number] = out.high[bench.number] = np.nan  # they were of the share, not of the latency
    elif bench.metric is Metric.LATENCY:
        _judge_mean(bench, pool, pool.get(Column.RTT_SUM), pool.get(Column.RECEIVED), out)
    else:
        _judge_mean(bench, pool, pool.get(Column.JITTER_SUM), pool.get(Column.JITTER_PAIRS), out)


class _Pool:
    """Sums over the probes that feed each objective of a bench, in the objective's scope."""

    def __init__(self, bench: Bench, window: Window) -> None:
        self._bench, self._window = bench, window
        self._any_available = bool(bench.available.any())
        self._padded = bool((bench.place < 0).any())
        self.sent = self.get(Column.SENT)
        self.unmeasured = self.get(Column.UNMEASURED)
        if window.missing.any():
            self.unmeasured += np.where(bench.place >= 0, window.missing[bench.place], 0).sum(axis=1)

    def get(self, column: int) -> IntArray:
        return self._sum(lambda table: table[column].take(self._bench.place))

    def get_le(self) -> IntArray:
        return self._sum(lambda table: table[self._bench.threshold, self._bench.place])

    def _sum(self, of: Callable[[IntArray], IntArray]) -> IntArray:
        values = of(self._window.matrix)
        if self._window.any_away:
            values = values - of(self._window.away)
        if self._any_available:
            values = values - np.where(self._bench.available[:, None], of(self._window.down), 0)
        if self._padded:
            values = np.where(self._bench.place >= 0, values, 0)
        total: IntArray = values[:, 0] if values.shape[1] == 1 else values.sum(axis=1)
        return total


def _settle(bench: Bench, met: BoolArray, hopeless: BoolArray, known: IntArray, all_: IntArray, out: Verdicts) -> None:
    """SLA R6: too little coverage speaks for nobody, unless even the best case is a breach."""
    num, den = bench.coverage
    covered = known * den >= num * all_
    standing = np.where(met, MET, BREACHED)
    standing = np.where(covered | hopeless, standing, INSUFFICIENT)
    out.standing[bench.number] = np.where(known > 0, standing, NO_DATA)
    out.coverage[bench.number] = ratio(known, all_)


def _judge_share(
    bench: Bench, pool: _Pool, hits: IntArray, total: IntArray, goal: tuple[IntArray, IntArray], out: Verdicts
) -> None:
    """Whether hits / total >= goal, in integers; the Wilson interval grades the evidence."""
    num, den = goal
    missing = pool.unmeasured
    met = hits * den >= num * total
    hopeless = (hits + missing) * den < num * (total + missing)
    _settle(bench, met, hopeless, pool.sent, pool.sent + missing, out)
    out.standing[bench.number[total == 0]] = NO_DATA
    low, high = wilson(hits, total)
    out.low[bench.number], out.high[bench.number] = low, high
    out.conclusive[bench.number] = (low >= num / den) | (high < num / den)
    out.budget[bench.number] = budget(total - hits, total, num, den)


def budget(bad: IntArray, total: IntArray, num: IntArray, den: IntArray) -> FloatArray:
    """Share of an error budget that is left: 1 untouched, below 0 overdrawn, NaN if there is none."""
    allowed = total * ((den - num) / den)
    spent: FloatArray = np.full(len(bad), np.nan)
    np.divide(bad, allowed, out=spent, where=allowed > 0)
    return 1 - spent


def _judge_mean(bench: Bench, pool: _Pool, sum_us: IntArray, count: IntArray, out: Verdicts) -> None:
    """Whether sum / count <= target, both in microseconds."""
    num, den = bench.target  # nanoseconds
    met = sum_us * 1000 * den <= num * count
    _settle(bench, met, np.zeros(len(met), bool), pool.sent, pool.sent + pool.unmeasured, out)
    out.standing[bench.number[count == 0]] = NO_DATA
    out.value[bench.number] = ratio(sum_us, count * 1_000_000)
    out.conclusive[bench.number] = (pool.unmeasured == 0) & (count > 0)


def read_percentiles(bench: Bench, window: Window, out: Verdicts) -> None:
    """Percentile values from the histogram, for display; held on the verdict's side of the target."""
    if bench.statistic != "percentile":
        return
    target = bench.target[0] / bench.target[1] / 1e9
    for share, chosen in bench.percents.items():
        out.value[bench.number[chosen]] = window.quantiles((share,), bench.place[chosen])[0]
    value, standing = out.value[bench.number], out.standing[bench.number]
    value = np.where(standing == MET, np.minimum(value, target), value)
    value = np.where(standing == BREACHED, np.maximum(value, np.nextafter(target, np.inf)), value)
    out.value[bench.number] = np.where(standing == NO_DATA, np.nan, value)
