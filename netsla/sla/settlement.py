"""What a settled period is worth: the lines of the credit table, and the rules on chronic outages (SLA R12, R17).

Rules: `measurement.combine` says how endpoints become one figure: with `all` every endpoint has to keep the
promise, so the one that earns most decides (its credit is paid once, not once per endpoint); with `any` the one
that earns least; with `average` the table is read with the mean of the figures. Outages are credited one by one,
in the period in which they began. Nothing is credited on insufficient data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from zoneinfo import ZoneInfo

import numpy as np

from netsla.model import SECOND, Agreement, Bound, Chronic, CreditRule, Metric, Objective, Standing
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
from netsla.sla.spans import spans
from netsla.sla.timeline import Balance, Outage, Timeline
from netsla.sla.uptime import DOWN


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One objective of one endpoint, judged."""

    endpoint: str
    objective: Objective
    figure: Figure
    time: Balance


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
            out += [line for case in mine for line in outage_lines(rule, case, period.start_ns)]
        elif mine:
            out += _over_endpoints(rule, mine, agreement.measurement.combine)
    return [line for line in out if line.share > 0]


def own_share(rule: CreditRule, case: Case, period: Period) -> Fraction:
    """What one endpoint's figure earns by one rule, before anything is combined."""
    if case.figure.standing not in _PAYS:
        return Fraction(0)
    if rule.basis == "per_outage":
        return sum((line.share for line in outage_lines(rule, case, period.start_ns)), Fraction(0))
    return _share(rule, case.objective.target, case.figure.value, Fraction(case.time.account.down_ns))


def _over_endpoints(rule: CreditRule, cases: list[Case], combine: str) -> list[Line]:
    down = [Fraction(case.time.account.down_ns) for case in cases]
    shares = [_share(rule, c.objective.target, c.figure.value, d) for c, d in zip(cases, down, strict=True)]
    if combine == "average":
        values = [Fraction(c.figure.value) for c in cases if c.figure.value is not None]
        value = sum(values, Fraction(0)) / len(values) if values else None
        share = _share(rule, cases[0].objective.target, value, sum(down, Fraction(0)) / len(down))
        return [Line(rule.objective, "", rule.basis, share, frozenset().union(*map(_incidents, cases)))]
    pick = max if combine == "all" else min
    chosen = pick(range(len(cases)), key=lambda n: shares[n])
    return [Line(rule.objective, cases[chosen].endpoint, rule.basis, shares[chosen], _incidents(cases[chosen]))]


def _share(rule: CreditRule, target: Bound, value: Fraction | float | None, down_ns: Fraction) -> Fraction:
    if rule.basis == "cumulative_downtime":
        return time_share(rule.tiers, int(down_ns))
    if rule.basis == "days_per_started_hour":
        return days_share(rule.days, int(down_ns))
    if value is None:
        return Fraction(0)
    if rule.basis == "per_step":
        return step_share(rule.step, rule.credit, target.value, Fraction(value))
    return availability_share(rule.tiers, Fraction(value))


def _incidents(case: Case) -> frozenset[str]:
    """The outages behind a figure of time; a figure of packets stems from none in particular."""
    if case.objective.metric not in (Metric.UPTIME, Metric.TIME_TO_REPAIR):
        return frozenset()
    outages = (o for o in case.time.outages if o.excluded_by is None and o.within_ns)
    return frozenset(incident_id(case.endpoint, outage) for outage in outages)


def outage_lines(rule: CreditRule, case: Case, start_ns: int) -> list[Line]:
    """One line per outage that began in the period, by its whole length, or by the time its repair took."""
    out = []
    for outage in counted(case.time, start_ns):
        repair = case.objective.metric is Metric.TIME_TO_REPAIR
        share = time_share(rule.tiers, repaired_in(outage, case.time) if repair else outage.down_ns)
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
    found = [(o.start_ns, o.down_ns) for o in line.balance.outages if o.excluded_by is None]
    if rule.within.calendar:
        parts = _calendar_spans(rule.within.calendar, period, zone)
        return any(chronic_outages(rule, [o for o in found if a <= o[0] < b], b - a) for a, b in parts)
    within_ns = rule.within.seconds * SECOND
    near = [o for o in found if period.start_ns - within_ns <= o[0] < period.end_ns]
    return any(period.start_ns <= o[0] for o in near) and chronic_outages(rule, near, within_ns)


def _long(rule: Chronic, line: Timeline, period: Period, zone: ZoneInfo) -> bool:
    down_ns = np.where(line.code == DOWN, line.around_ns, 0)
    total = np.concatenate([[0], np.cumsum(down_ns)])
    if rule.within.calendar:
        parts = _calendar_spans(rule.within.calendar, period, zone)
        edges = np.array(spans(parts)).reshape(-1) // line.step_ns - line.first_k
        at = np.clip(edges, 0, len(line.code))
        sums = total[at[1::2]] - total[at[::2]]
        return any(chronic_downtime(rule, int(one)) for one in sums)
    size = max(rule.within.seconds // line.step_s, 1)
    first, last = (period.start_ns // line.step_ns - line.first_k, -(-period.end_ns // line.step_ns) - line.first_k)
    end = np.arange(first + 1, min(last + 1, len(total)))
    return chronic_downtime(rule, int((total[end] - total[np.maximum(end - size, 0)]).max(initial=0)))


def _calendar_spans(calendar: str, period: Period, zone: ZoneInfo) -> list[tuple[int, int]]:
    out, at = [], period.start_ns
    while at < period.end_ns:
        begin, end = period_around(calendar, zone, at)
        out.append((begin, end))
        at = end
    return out
