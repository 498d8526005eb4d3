"""Objectives on time held against the live accounts: by the very functions that settle a period (SLA R5, R6, R16).

Rules: figures change only when a cell closes or an exclusion comes or goes, so they are judged then, not every
second; endpoints with the same account under the same terms share one judgement.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from netsla.model import Metric, Standing
from netsla.sla.accounting import Account
from netsla.sla.accounts import Accounts
from netsla.sla.fleet import FleetObjective
from netsla.sla.objective import BREACHED, INSUFFICIENT, MET, NO_DATA, Bench, Verdicts, budget
from netsla.sla.packets import Figure
from netsla.sla.promise import judge_account, judge_repairs
from netsla.sla.repair import repair_ns

_NUMBER = {
    Standing.MET: MET, Standing.BREACHED: BREACHED, Standing.INSUFFICIENT: INSUFFICIENT, Standing.NO_DATA: NO_DATA,
}  # fmt: skip


_Row = tuple[int, float, float, float, float, bool]


def judge_time(bench: Bench, accounts: Accounts, out: Verdicts) -> None:
    """Fill in the verdicts of a bench of metric uptime or time_to_repair."""
    time = accounts.view(bench.window)
    at = bench.place[:, 0]
    columns = (time.excluded[at], time.unknown[at], time.down[at], time.up[at])
    each = zip(*(column.tolist() for column in columns), strict=True)
    seen: dict[tuple[int, int, tuple[int, ...]], _Row] = {}
    rows = []
    for one, figures in zip(bench.members, each, strict=True):
        measurement = one.endpoint.measurement
        key = (id(one.objective), id(measurement), figures)
        if bench.metric is Metric.TIME_TO_REPAIR:
            rows.append(_row(_judge_repairs(one, Account(*figures), accounts)))
            continue
        if key not in seen:
            seen[key] = _row(judge_account(one.objective, Account(*figures), measurement))
        rows.append(seen[key])
    columns_out = zip(*rows, strict=True)
    for column in (out.standing, out.value, out.low, out.high, out.coverage, out.conclusive):
        column[bench.number] = next(columns_out)
    if bench.metric is Metric.UPTIME:
        everything = time.up[at] + time.down[at] + time.unknown[at]
        out.budget[bench.number] = budget(time.down[at], np.maximum(time.period[at], everything), *bench.target)


def _judge_repairs(one: FleetObjective, account: Account, accounts: Accounts) -> Figure:
    place, measurement = one.endpoint.place, one.endpoint.measurement
    begin_ns = int(accounts.begin_k(one.objective.window.name)[place]) * accounts.duty.cell_ns
    outages = [some for some in accounts.outages(place) if some.within_ns and some.start_ns >= begin_ns]
    repairs = [
        repair_ns(some.start_ns, some.end_ns, accounts.duty.stopped(place, some.start_ns, some.end_ns))
        for some in outages
    ]
    return judge_repairs(one.objective, account, measurement, repairs, any_open=any(some.open for some in outages))


def _row(figure: Figure) -> _Row:
    standing = _NUMBER[figure.standing]
    numbers = (_float(one) for one in (figure.value, figure.low, figure.high, figure.coverage))
    value, low, high, coverage = numbers
    return standing, value, low, high, coverage, figure.conclusive


def _float(value: Fraction | float | None) -> float:
    return np.nan if value is None else float(value)
