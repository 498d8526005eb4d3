"""Objectives on time held against the live accounts: by the very functions that settle a period (SLA R5, R6, R16).

Rules: figures change only when a cell closes or an exclusion comes or goes, so they are judged then, not every
second; endpoints with the same account under the same terms share one judgement.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from netsla.model import IntArray, Measurement, Metric, Objective, Standing
from netsla.sla.accounting import Account, answerable_ns, lost_ns
from netsla.sla.accounts import Accounts
from netsla.sla.burn import budget_spent
from netsla.sla.fleet import FleetObjective
from netsla.sla.objective import BREACHED, INSUFFICIENT, MET, NO_DATA, Bench, Verdicts
from netsla.sla.packets import Figure
from netsla.sla.promise import denominated, judge_account, judge_repairs
from netsla.sla.repair import repair_ns

_NUMBER = {
    Standing.MET: MET, Standing.BREACHED: BREACHED, Standing.INSUFFICIENT: INSUFFICIENT, Standing.NO_DATA: NO_DATA,
}  # fmt: skip


_Row = tuple[int, float, float, float, float, bool, float]


def judge_time(bench: Bench, accounts: Accounts, out: Verdicts) -> None:
    """Fill in the verdicts of a bench of metric uptime or time_to_repair."""
    time = accounts.view(bench.window)
    at = bench.place[:, 0]
    columns = (time.excluded[at], time.unknown[at], time.down[at], time.up[at])
    each = zip(*(column.tolist() for column in columns), strict=True)
    seen: dict[tuple[int, int, int, tuple[int, ...]], _Row] = {}
    rows = []
    for one, due_ns, figures in zip(bench.members, _due(bench, accounts).tolist(), each, strict=True):
        measurement = one.endpoint.measurement
        key = (id(one.objective), id(measurement), due_ns, figures)
        if bench.metric is Metric.TIME_TO_REPAIR:
            rows.append((*_row(_judge_repairs(one, Account(*figures), accounts)), np.nan))
            continue
        if key not in seen:
            account = Account(*figures)
            figure = judge_account(one.objective, account, measurement)
            seen[key] = *_row(figure), _budget(one.objective, account, due_ns, measurement)
        rows.append(seen[key])
    columns_out = zip(*rows, strict=True)
    for column in (out.standing, out.value, out.low, out.high, out.coverage, out.conclusive, out.budget):
        column[bench.number] = next(columns_out)


def _due(bench: Bench, accounts: Accounts) -> IntArray:
    """What contracts schedule of each objective's period, in ns: the whole of it, also what is still to come."""
    time, at = accounts.view(bench.window), bench.place[:, 0]
    if bench.members[0].objective.window.calendar:
        begin_ns = accounts.begin_k(bench.window)[at] * accounts.duty.cell_ns
        due = np.zeros(len(at), np.int64)
        for first_ns, last_ns in set(zip(begin_ns.tolist(), (begin_ns + time.period[at]).tolist(), strict=True)):
            mine = (begin_ns == first_ns) & (begin_ns + time.period[at] == last_ns)
            due[mine] = accounts.duty.scheduled(first_ns, last_ns)[at[mine]]
        return due
    booked = time.up[at] + time.down[at] + time.unknown[at] + time.excluded[at]
    hours = np.array([bool(one.endpoint.agreement.hours.weekly) for one in bench.members])
    return np.where(hours, booked, np.maximum(time.period[at], booked))


def _budget(objective: Objective, time: Account, due_ns: int, measurement: Measurement) -> float:
    """Share of the error budget that is left, as a report has it; below 0 overdrawn, NaN if there is none."""
    terms = denominated(objective, measurement)
    spent = budget_spent(lost_ns(time, terms), answerable_ns(time, due_ns, terms), objective.target.value)
    return np.nan if spent is None else float(1 - spent)


def _judge_repairs(one: FleetObjective, account: Account, accounts: Accounts) -> Figure:
    place, measurement = one.endpoint.place, one.endpoint.measurement
    begin_ns = int(accounts.begin_k(one.objective.window.name)[place]) * accounts.duty.cell_ns
    outages = [some for some in accounts.outages(place) if some.within_ns and some.start_ns >= begin_ns]
    repairs = [
        repair_ns(some.start_ns, some.end_ns, accounts.duty.stopped(place, some.start_ns, some.end_ns))
        for some in outages
    ]
    return judge_repairs(one.objective, account, measurement, repairs, any_open=any(some.open for some in outages))


def _row(figure: Figure) -> tuple[int, float, float, float, float, bool]:
    standing = _NUMBER[figure.standing]
    numbers = (_float(one) for one in (figure.value, figure.low, figure.high, figure.coverage))
    value, low, high, coverage = numbers
    return standing, value, low, high, coverage, figure.conclusive


def _float(value: Fraction | float | None) -> float:
    return np.nan if value is None else float(value)
