"""One endpoint's time, settled: every interval of its grid with its class, and the outages in it.

Rules: the uptime method runs over everything recorded (context before and after the period included), so that an
outage over the edge is judged on its whole length (SLA R12); only scheduled time is accounted: period ∩ term ∩
active time ∩ service hours. A missing interval is UNKNOWN(agent_down) (SLA R14). The undecided end of a
sliding method is accounted as unknown: nobody knows yet. While more is to come, that is what stands against the state
and all after it; of records that nothing follows (`until_ns` FOR_EVER) it is all of the newest n - 1 (SLA R4). An end
that agrees with the state all through is decided: no run can begin in it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from zoneinfo import ZoneInfo

import numpy as np

from netsla.model import SECOND, Agreement, ByteArray, Endpoint, IntArray, Reason, UptimeRule
from netsla.sla.accounting import Account, account
from netsla.sla.burn import WEEK_SECONDS
from netsla.sla.calendar import Period, instant_ns, service_spans
from netsla.sla.exclusion import Ruled, excluded, stopped
from netsla.sla.interval import NO_REASON
from netsla.sla.period import midnight_ns, period_around
from netsla.sla.recorded import Gridded, Recorded, gridded
from netsla.sla.spans import Spans, covered_grid, intersect, spans, total_ns
from netsla.sla.standing import BAD, EXCLUDED, UNKNOWN, BoolArray, Standings, combine_probes, interval_standing
from netsla.sla.uptime import DOWN, UP, Settled, method_of, settle

TOO_FEW, UNDECIDED = 253, 254  # reasons beside those of `Reason`
_WORDS = {TOO_FEW: "too_few_samples", UNDECIDED: "provisional"}
FOR_EVER = 2**62  # ns; `until_ns` of records that are all there will ever be
_REACH_NS = 400 * 86_400 * SECOND  # records further from the period than this are not looked at


def reason_word(code: int) -> str:
    """A reason as reports spell it."""
    return _WORDS.get(code) or Reason(code).label


@dataclass(frozen=True, slots=True, eq=False)
class Outage:
    """Down time from the onset to the end of the last interval down; `excluded_by` if all of it is excluded.

    `down_ns` is its whole length, `within_ns` what of it is scheduled in the period; it `counts` if any of it is
    scheduled at all, be it after the period: an outage of the night that lasts into the next month's service hours.
    """

    start_ns: int
    end_ns: int
    down_ns: int
    within_ns: int
    open: bool = False
    provisional: bool = False
    excluded_by: str | None = None
    counts: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Balance:
    """What one endpoint's time comes to: small, kept for the whole report.

    `scheduled` is the time that counts so far, `due_ns` that of the whole period; `stopped` stops repair clocks.
    """

    account: Account
    unknown_ns: dict[str, int]  # by reason
    outages: tuple[Outage, ...]
    micro_outages: int
    settled_for_good: bool
    scheduled: Spans
    due_ns: int
    stopped: Spans
    down_last_week_ns: int  # before the end of what is known


@dataclass(frozen=True, slots=True, eq=False)
class Timeline:
    """Arrays are over consecutive intervals from `first_k` on, each `step_ns` long; and what they come to.

    `scheduled_ns` is what of each interval counts in the period, `around_ns` also what counts before the period, as far
    back as windows that end in the period reach.
    """

    first_k: int
    step_ns: int
    code: Standings
    scheduled_ns: IntArray
    around_ns: IntArray
    balance: Balance

    @property
    def step_s(self) -> int:
        """Seconds of an interval."""
        return self.step_ns // SECOND


def scheduled_spans(agreement: Agreement, endpoint: Endpoint, period: Period, until_ns: int) -> Spans:
    """The time that counts: period, term, active time and service hours, up to `until_ns`."""
    zone = ZoneInfo(agreement.timezone)
    bounds = [(period.start_ns, min(period.end_ns, until_ns)), (_day_ns(agreement.term_from, zone, 0),
              _day_ns(agreement.term_to, zone, period.end_ns))]  # fmt: skip
    bounds.append((
        instant_ns(endpoint.active_from) if endpoint.active_from else 0,
        instant_ns(endpoint.active_to) if endpoint.active_to else period.end_ns,
    ))  # fmt: skip
    start, end = max(begin for begin, _ in bounds), min(end for _, end in bounds)
    return service_spans(agreement.hours, zone, start, end) if start < end else spans([])


def _day_ns(day: date | None, zone: ZoneInfo, otherwise: int) -> int:
    return otherwise if day is None else midnight_ns(day, zone)


def timeline(
    agreement: Agreement, endpoint: Endpoint, period: Period, parts: list[Recorded], ruled: tuple[Ruled, ...],
    until_ns: int,
) -> Timeline:  # fmt: skip
    """Settle one endpoint; `parts` are its deciding probes' records, `until_ns` is as far as is known."""
    rule = endpoint.uptime
    step_ns = rule.interval_ns
    back = replace(period, start_ns=_reach_back(agreement, endpoint, period))
    first_k, count = _range(period, parts, until_ns, rule, back.start_ns)
    start_ns = (first_k + np.arange(count)) * step_ns
    grids = [gridded(part, step_ns // SECOND, first_k, count) for part in parts]
    marks = [interval_standing(g.sent, g.received, rule, g.reason != NO_REASON) for g in grids]
    standing = combine_probes(np.array(marks), rule.feed) if marks else np.full(count, UNKNOWN, np.int8)
    out = excluded(ruled)
    inside = covered_grid(out, first_k, step_ns, count) == step_ns if len(out) else np.zeros(count, bool)
    settled = settle(np.where(inside, EXCLUDED, standing).astype(np.int8), rule)
    sliding = rule.method == "sliding"
    undecided = _undecided(settled, standing, until_ns) if sliding else np.zeros(count, bool)
    code = np.where(undecided, UNKNOWN, settled.code).astype(np.int8)
    reason = _reasons(grids, count)
    reason[undecided] = UNDECIDED
    scheduled = scheduled_spans(agreement, endpoint, period, until_ns // step_ns * step_ns)
    scheduled_ns = around_ns = covered_grid(scheduled, first_k, step_ns, count)
    if back.start_ns < period.start_ns:
        around = scheduled_spans(agreement, endpoint, back, until_ns // step_ns * step_ns)
        around_ns = covered_grid(around, first_k, step_ns, count)
    after_ns = covered_grid(_scheduled_after(agreement, endpoint, period, settled, start_ns), first_k, step_ns, count)
    counts_ns = np.where(code == DOWN, around_ns + after_ns, 0)
    outages = _outages(settled, start_ns, step_ns, np.where(code == DOWN, scheduled_ns, 0), counts_ns)
    if inside.any():
        outages += _excused(settle(standing, rule), inside, start_ns, step_ns, scheduled_ns, ruled)
    over = rule.method == "outage" and until_ns >= period.end_ns
    tail = _open_short_run(settled, standing) if over else np.empty(0, np.int64)
    micro = np.concatenate([settled.micro, tail]).astype(np.int64)
    balance = Balance(
        account(code, start_ns, step_ns, scheduled),
        _unknown_by(code, reason, scheduled_ns),
        tuple(sorted(outages, key=lambda o: o.start_ns)),
        int((scheduled_ns[micro] > 0).sum()),
        not bool((undecided & (scheduled_ns > 0)).any()),
        scheduled,
        total_ns(scheduled_spans(agreement, endpoint, period, period.end_ns)),
        stopped(ruled),
        _down_last_week(code, first_k, step_ns, min(until_ns, period.end_ns)),
    )
    return Timeline(first_k, step_ns, code, scheduled_ns, around_ns, balance)


def _reach_back(agreement: Agreement, endpoint: Endpoint, period: Period) -> int:
    """Where the windows of objectives and chronic rules begin that end in the period, UTC ns."""
    zone, starts = ZoneInfo(agreement.timezone), [period.start_ns]
    chronic = agreement.credits.chronic if agreement.credits else ()
    starts += [period.start_ns - o.window.seconds * SECOND for o in endpoint.objectives if not o.window.calendar]
    for rule in chronic:
        within = rule.within
        begin = period_around(within.calendar, zone, period.start_ns)[0] if within.calendar else None
        starts.append(period.start_ns - within.seconds * SECOND if begin is None else begin)
    return min(starts)


def _down_last_week(code: Standings, first_k: int, step_ns: int, until_ns: int) -> int:
    week = spans([(until_ns - WEEK_SECONDS * SECOND, until_ns)])
    return int(covered_grid(week, first_k, step_ns, len(code))[code == DOWN].sum())


def _range(
    period: Period, parts: list[Recorded], until_ns: int, rule: UptimeRule, back_ns: int
) -> tuple[int, int]:  # fmt: skip
    """First interval and number of them: the period from `back_ns` on, and whatever is recorded around it.

    Where records end and what is known goes on, as many more as close a run: else an agent that ended in the last
    minutes of a month would leave them provisional for ever, and a part of the month would be settled otherwise.
    """
    step_ns = rule.interval_ns
    low, high = back_ns, max(min(until_ns, period.end_ns), period.start_ns)
    for part in parts:
        if len(part):
            low = min(low, max(int(part.start_s[0]) * SECOND, period.start_ns - _REACH_NS))
            end = int(part.start_s[-1] + part.seconds[-1]) * SECOND
            high = max(high, min(end, period.end_ns + _REACH_NS))
    if until_ns < FOR_EVER:
        method = method_of(rule)
        closed_ns = high + (method.gap + method.newest + 1) * step_ns
        high = max(high, min(until_ns // step_ns * step_ns, closed_ns))
    first_k = low // step_ns
    return first_k, -(-high // step_ns) - first_k


def _undecided(settled: Settled, standing: Standings, until_ns: int) -> BoolArray:
    """From the first provisional interval that contradicts the present state on; all of them if none will follow."""
    contrary = settled.provisional & (standing != settled.code)
    if until_ns == FOR_EVER:
        return settled.provisional if contrary.any() else contrary
    undecided: BoolArray = settled.provisional & np.maximum.accumulate(contrary) if len(contrary) else contrary
    return undecided


def _open_short_run(settled: Settled, standing: Standings) -> IntArray:
    """When nothing more is to come, a short BAD run at the very end is a micro-outage like any other."""
    run = np.flatnonzero(settled.provisional & (standing == BAD) & (settled.code == UP))
    return run[:1]


def _reasons(grids: list[Gridded], count: int) -> ByteArray:
    """Why an interval would be unknown: a probe's own reason, too few samples, or nothing recorded at all."""
    reason = np.full(count, Reason.AGENT_DOWN, np.uint8)
    for grid in grids:
        reason[(grid.seconds > 0) & (reason == Reason.AGENT_DOWN)] = TOO_FEW
    for grid in reversed(grids):
        given = grid.reason != NO_REASON
        reason[given] = grid.reason[given]
    return reason


def _unknown_by(code: Standings, reason: ByteArray, scheduled_ns: IntArray) -> dict[str, int]:
    unknown = (code == UNKNOWN) & (scheduled_ns > 0)
    sums = np.bincount(reason[unknown], scheduled_ns[unknown] // 1000, 256)
    return {reason_word(int(n)): int(sums[n]) * 1000 for n in np.flatnonzero(sums)}


def _scheduled_after(
    agreement: Agreement, endpoint: Endpoint, period: Period, settled: Settled, start_ns: IntArray
) -> Spans:
    """What counts after the period, as far as the outage that goes on at its end reaches; nothing if none does."""
    over = [
        int(last)
        for first, last in zip(settled.first, settled.last, strict=True)
        if start_ns[first] < period.end_ns <= start_ns[last]
    ]
    if not over:
        return spans([])
    end_ns = int(start_ns[over[0]]) + endpoint.uptime.interval_ns
    return scheduled_spans(agreement, endpoint, replace(period, start_ns=period.end_ns, end_ns=end_ns), end_ns)


def _outages(
    settled: Settled, start_ns: IntArray, step_ns: int, down_ns: IntArray, counts_ns: IntArray
) -> list[Outage]:
    before, counts = (np.concatenate([[0], np.cumsum(each)]) for each in (down_ns, counts_ns))
    out = []
    for number, (first, last, length) in enumerate(
        zip(settled.first.tolist(), settled.last.tolist(), settled.length.tolist(), strict=True)
    ):
        is_open = settled.open and number == len(settled.first) - 1
        maybe = is_open or bool(settled.provisional[first : last + 2].any())
        within = int(before[last + 1] - before[first])
        start, end = int(start_ns[first]), int(start_ns[last]) + step_ns
        some = bool(counts[last + 1] > counts[first])
        out.append(Outage(start, end, length * step_ns, within, is_open, maybe, counts=some))
    return out


def _excused(
    raw: Settled, inside: BoolArray, start_ns: IntArray, step_ns: int, scheduled_ns: IntArray, ruled: tuple[Ruled, ...]
) -> list[Outage]:
    """What would have been outages and lies wholly in excluded time: listed, never counted."""
    out = []
    for first, last, length in zip(raw.first.tolist(), raw.last.tolist(), raw.length.tolist(), strict=True):
        members = slice(first, last + 1)
        down = raw.code[members] == DOWN
        if inside[members][down].all():
            start, end = int(start_ns[first]), int(start_ns[last]) + step_ns
            within = int(scheduled_ns[members][down].sum())
            out.append(Outage(start, end, length * step_ns, within, excluded_by=_cause(ruled, start, end)))
    return out


def _cause(ruled: tuple[Ruled, ...], start_ns: int, end_ns: int) -> str | None:
    """The first exclusion that counts there."""
    here = spans([(start_ns, end_ns)])
    return next((one.exclusion.id for one in ruled if len(intersect(one.spans, here))), None)
