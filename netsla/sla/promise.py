"""Objectives on time over a period: uptime and time to repair, from a settled timeline (SLA R5, R6, R16)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from netsla.model import SECOND, IntArray, Measurement, Metric, Objective, Standing
from netsla.sla.accounting import Account, availability, verdict
from netsla.sla.calendar import Period
from netsla.sla.packets import Figure
from netsla.sla.repair import figure_ns, repair_ns, repair_verdict
from netsla.sla.rolled import rolled_standing, window_sums
from netsla.sla.standing import EXCLUDED, UNKNOWN
from netsla.sla.timeline import Balance, Outage, Timeline
from netsla.sla.uptime import DOWN, UP


def judge_time(objective: Objective, line: Timeline, measurement: Measurement, period: Period) -> Figure:
    """An objective of metric uptime or time_to_repair over the period."""
    if objective.metric is Metric.TIME_TO_REPAIR:
        return _repair(objective, line, measurement, period)
    if objective.window.calendar:
        return judge_account(objective, line.balance.account, measurement)
    return _rolling(objective, line, measurement)


def judge_account(objective: Objective, account: Account, measurement: Measurement) -> Figure:
    """Uptime over an account of time."""
    figure = availability(account, denominated(objective, measurement))
    found = verdict(figure, objective.target, measurement.min_coverage)
    return Figure(found.standing, figure.value, figure.low, figure.high, figure.coverage, found.conclusive)


def denominated(objective: Objective, measurement: Measurement) -> Measurement:
    """A fixed denominator is that of a calendar period: a rolling window of five minutes never has 43,200 minutes."""
    if objective.window.calendar or measurement.fixed_denominator_ns is None:
        return measurement
    return replace(measurement, fixed_denominator_ns=None)


# --- time to repair -----------------------------------------------------------------------------------


def counted(time: Balance, period: Period) -> list[Outage]:
    """The outages that belong to the period: begun in it, not excused, scheduled time among them (SLA R12)."""
    begun = (o for o in time.outages if period.start_ns <= o.start_ns < period.end_ns)
    return [o for o in begun if o.excluded_by is None and o.counts]


def repaired_in(outage: Outage, time: Balance) -> int:
    """Time to repair, of an open outage so far."""
    return repair_ns(outage.start_ns, outage.end_ns, time.stopped)


def _repair(objective: Objective, line: Timeline, measurement: Measurement, period: Period) -> Figure:
    outages = counted(line.balance, period)
    repairs = [repaired_in(outage, line.balance) for outage in outages]
    return judge_repairs(
        objective, line.balance.account, measurement, repairs, any_open=any(outage.open for outage in outages)
    )


def judge_repairs(
    objective: Objective, account: Account, measurement: Measurement, repairs: Sequence[int], *, any_open: bool
) -> Figure:
    """Time to repair, from the repairs (ns) of a period's outages and its account."""
    figure = availability(account, measurement)
    if figure.value is None:
        return Figure(Standing.NO_DATA, coverage=figure.coverage)
    complete = not account.unknown_ns and not any_open
    found = repair_verdict(repairs, objective.statistic, objective.target, complete=complete)
    standing = found.standing
    if standing is Standing.MET and figure.coverage is not None and figure.coverage < measurement.min_coverage:
        standing = Standing.INSUFFICIENT
    longest = figure_ns(repairs, objective.statistic)
    value = None if longest is None else longest / SECOND
    return Figure(standing, value, coverage=figure.coverage, conclusive=found.conclusive)


# --- rolling windows ----------------------------------------------------------------------------------


def rolling_account(line: Timeline, size: int) -> tuple[IntArray, IntArray, IntArray, IntArray, int]:
    """Excluded, unknown, down and up of the `size` intervals up to each one, in units (ns) that divide all."""
    unit = int(np.gcd.reduce(line.around_ns)) or 1
    share = line.around_ns // unit
    classes = (EXCLUDED, UNKNOWN, DOWN, UP)
    excluded, unknown, down, up = (window_sums(np.where(line.code == one, share, 0), size) for one in classes)
    return excluded, unknown, down, up, unit


def _rolling(objective: Objective, line: Timeline, measurement: Measurement) -> Figure:
    """Judged at the end of every scheduled interval, over the window that ends there."""
    measurement = denominated(objective, measurement)
    size = max(objective.window.seconds // line.step_s, 1)
    excluded, unknown, down, up, unit = rolling_account(line, size)
    if measurement.exclusions == "count_as_up":
        up = up + excluded
    goal, least = objective.target.value, measurement.min_coverage
    everything = up + down + unknown
    good = up + (unknown if measurement.unknown == "up" else 0)
    total = good + down + (unknown if measurement.unknown == "down" else 0)
    met = good * goal.denominator >= goal.numerator * total
    covered = (up + down) * least.denominator >= least.numerator * everything
    covered |= (up + unknown) * goal.denominator < goal.numerator * everything
    use = (line.scheduled_ns > 0) & (line.code != EXCLUDED) & (up + down > 0) & covered
    whole = availability(line.balance.account, measurement)
    if not use.any():
        standing = Standing.NO_DATA if whole.value is None else Standing.INSUFFICIENT
        return Figure(standing, coverage=whole.coverage)
    at = np.flatnonzero(use)
    worst = int(at[np.argmin(good[at] / total[at])])
    here = Account(0, int(unknown[worst]) * unit, int(down[worst]) * unit, int(up[worst]) * unit)
    figure = availability(here, measurement)
    share = Fraction(int(met[use].sum()), int(use.sum()))
    standing = rolled_standing(share, whole.coverage, least)
    sure = verdict(figure, objective.target, measurement.min_coverage).conclusive
    value = Fraction(int(good[worst]), int(total[worst]))
    return Figure(standing, value, figure.low, figure.high, whole.coverage, sure, share)
