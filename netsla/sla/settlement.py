"""What a settled period is worth: the lines of the credit table, and the rules on chronic outages (SLA R12, R17).

Rules: `measurement.combine` says how endpoints become one figure: with `all` every endpoint has to keep the
promise, so the one that earns most decides (its credit is paid once, not once per endpoint); with `any` the one
that earns least; with `average` the table is read with the mean of the figures. Outages are credited one by one,
in the period in which they began. Down time that is added up (`cumulative_downtime`, `days_per_started_hour`) is what
availability counts as down, so with `unknown: down` the unknown time as well; an outage never is (SLA R4).
Nothing is credited on insufficient data. Shares are of the period's charge; what an
outage or an hour earns is a share of one month's, however many months are settled together. A chronic rule is fulfilled
in the period in which its last outage, or its last down time, fell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from zoneinfo import ZoneInfo

import numpy as np

from netsla.model import SECOND, Agreement, Bound, Chronic, CreditRule, Measurement, Metric, Objective, Standing
from netsla.sla.accounting import lost_ns
from netsla.sla.calendar import Period
from netsla.sla.credit import (
    Line,
    availability_share,
    chronic_downtime,
    chronic_outages,
    days_share,
    step_share,
    time_share,
)
from netsla.sla.packets import Figure
from netsla.sla.period import period_around
from netsla.sla.promise import counted, repaired_in
from netsla.sla.timeline import Balance, Outage, Timeline
from netsla.sla.uptime import DOWN


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One objective of one endpoint, judged."""

    endpoint: str
    objective: Objective
    figure: Figure
    time: Balance
    measurement: Measurement

    @property
    def lost_ns(self) -> Fraction:
        """Down time as the contract counts it."""
        return Fraction(lost_ns(self.time.account, self.measurement))


_PAYS = (Standing.MET, Standing.BREACHED)


def incident_id(endpoint: str, outage: Outage) -> str:
    """What an incident is called inside one report."""
    return f"{endpoint}@{outage.start_ns // SECOND}"


def lines(agreement: Agreement, cases: Sequence[Case], period: Period) -> list[Line]:
    """Every line that pays something, in the order of the table."""
    if agreement.credits is None:
        return []
    out: list[Line] = []
    for rule in agreement.credits.rules:
        mine = [c for c in cases if c.objective.id == rule.objective and c.figure.standing in _PAYS]
        if rule.basis == "per_outage":
            out += [line for case in mine for line in outage_lines(rule, case, period)]
        elif mine:
            out += _over_endpoints(rule, mine, agreement.measurement.combine, period)
    return [line for line in out if line.share > 0]


def own_share(rule: CreditRule, case: Case, period: Period) -> Fraction:
    """What one endpoint's figure earns by one rule, before anything is combined."""
    if case.figure.standing not in _PAYS:
        return Fraction(0)
    if rule.basis == "per_outage":
        return sum((line.share for line in outage_lines(rule, case, period)), Fraction(0))
    return _share(rule, case.objective.target, case.figure.value, case.lost_ns, period)


def _over_endpoints(rule: CreditRule, cases: list[Case], combine: str, period: Period) -> list[Line]:
    down = [case.lost_ns for case in cases]
    shares = [_share(rule, c.objective.target, c.figure.value, d, period) for c, d in zip(cases, down, strict=True)]
    if combine == "average":
        values = [Fraction(c.figure.value) for c in cases if c.figure.value is not None]
        value = sum(values, Fraction(0)) / len(values) if values else None
        share = _share(rule, cases[0].objective.target, value, sum(down, Fraction(0)) / len(down), period)
        return [Line(rule.objective, "", rule.basis, share, frozenset().union(*map(_incidents, cases)))]
    pick = max if combine == "all" else min
    chosen = pick(range(len(cases)), key=lambda n: shares[n])
    return [Line(rule.objective, cases[chosen].endpoint, rule.basis, shares[chosen], _incidents(cases[chosen]))]


def _share(
    rule: CreditRule, target: Bound, value: Fraction | float | None, down_ns: Fraction, period: Period
) -> Fraction:
    if rule.basis == "cumulative_downtime":
        return time_share(rule.tiers, int(down_ns))
    if rule.basis == "days_per_started_hour":
        return _of_a_month(days_share(rule.days, int(down_ns)), period)
    if value is None:
        return Fraction(0)
    if rule.basis == "per_step":
        return step_share(rule.step, rule.credit, target.value, Fraction(value))
    return availability_share(rule.tiers, Fraction(value))


def _of_a_month(share: Fraction, period: Period) -> Fraction:
    """A share of the monthly charge as one of the period's."""
    return share / max(period.months, 1)


def _incidents(case: Case) -> frozenset[str]:
    """The outages behind a figure of time; a figure of packets stems from none in particular."""
    if case.objective.metric not in (Metric.UPTIME, Metric.TIME_TO_REPAIR):
        return frozenset()
    outages = (o for o in case.time.outages if o.excluded_by is None and o.within_ns)
    return frozenset(incident_id(case.endpoint, outage) for outage in outages)


def outage_lines(rule: CreditRule, case: Case, period: Period) -> list[Line]:
    """One line per outage that began in the period, by its whole length, or by the time its repair took."""
    out = []
    for outage in counted(case.time, period):
        repair = case.objective.metric is Metric.TIME_TO_REPAIR
        share = time_share(rule.tiers, repaired_in(outage, case.time) if repair else outage.down_ns)
        share = _of_a_month(share, period)
        out.append(
            Line(rule.objective, case.endpoint, rule.basis, share, frozenset([incident_id(case.endpoint, outage)]))
        )
    return [line for line in out if line.share > 0]


# --- chronic outages ----------------------------------------------------------------------------------


def chronic(agreement: Agreement, line: Timeline, period: Period) -> list[Chronic]:
    """The chronic-outage rules that an endpoint's time fulfils in the period."""
    rules = agreement.credits.chronic if agreement.credits else ()
    zone = ZoneInfo(agreement.timezone)
    return [r for r in rules if (_often if r.outages else _long)(r, line, period, zone)]


def _often(rule: Chronic, line: Timeline, period: Period, zone: ZoneInfo) -> bool:
    found = [
        (o.start_ns, o.down_ns)
        for o in line.balance.outages
        if o.excluded_by is None and o.counts and o.start_ns < period.end_ns
    ]
    if not rule.within.calendar:
        return chronic_outages(rule, found, rule.within.seconds * SECOND, period.start_ns)
    parts = _calendar_spans(rule.within.calendar, period, zone)
    return any(chronic_outages(rule, [o for o in found if a <= o[0] < b], b - a, period.start_ns) for a, b in parts)


def _long(rule: Chronic, line: Timeline, period: Period, zone: ZoneInfo) -> bool:
    down_ns = np.where(line.code == DOWN, line.around_ns, 0)
    total = np.concatenate([[0], np.cumsum(down_ns)])
    here = np.flatnonzero((line.code == DOWN) & (line.scheduled_ns > 0))
    if rule.within.calendar:
        parts = _calendar_spans(rule.within.calendar, period, zone)
        edges = [tuple(min(max(ns // line.step_ns - line.first_k, 0), len(down_ns)) for ns in part) for part in parts]
        fresh = [(begin, end) for begin, end in edges if ((begin <= here) & (here < end)).any()]
        return any(chronic_downtime(rule, int(total[end] - total[begin])) for begin, end in fresh)
    size = max(rule.within.seconds // line.step_s, 1)
    sums = total[here + 1] - total[np.maximum(here + 1 - size, 0)]
    return chronic_downtime(rule, int(sums.max(initial=0)))


def _calendar_spans(calendar: str, period: Period, zone: ZoneInfo) -> list[tuple[int, int]]:
    out, at = [], period.start_ns
    while at < period.end_ns:
        begin, end = period_around(calendar, zone, at)
        out.append((begin, end))
        at = end
    return out
