"""What does not count, and whether it may: exclusions after the rules of the contract (SLA R10).

    planned(maintenance, zone, start_ns, end_ns, anchor) -> list[Exclusion]       what the agreement itself plans
    rule(exclusions, maintenance, zone, endpoint) -> tuple[Ruled, ...]          what of it counts for an endpoint
    excluded(ruled) -> Spans       united: what is taken out of the account
    stopped(ruled) -> Spans        united: what stops the clock of a repair

Rules: planned maintenance counts only if announced in time, wholly inside the allowed hours, and wholly inside the
month's cap (earliest first, overlaps once); otherwise all of it is ordinary time, kept and flagged `invalid_notice`,
with the reason. Other causes count as they were accepted. Only intervals wholly inside
the union are excluded, and nothing is earned by ending early: that is the business of whoever asks (accounting).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from netsla.model import SECOND, Maintenance
from netsla.sla.calendar import daily_spans, instant_ns, month_spans, occurrences
from netsla.sla.spans import Spans, intersect, spans, subtract, total_ns, union

PLANNED = frozenset({"maintenance", "planned_maintenance"})  # causes that need notice, hours and cap
STOP_CLOCK = frozenset({"waiting_for_customer"})  # stops the clock of a repair, excuses no downtime (SLA R16)
CAUSES = (
    "maintenance", "force_majeure", "customer_equipment", "no_access", "measurement_failure", "waiting_for_customer",
)  # fmt: skip
INVALID = "invalid_notice"


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A span of time that somebody says does not count; `endpoint` None means all of the agreement."""

    id: str
    endpoint: str | None
    start_ns: int
    end_ns: int
    cause: str
    reason: str = ""
    reference: str = ""
    announced_ns: int | None = None
    accepted_by: str = ""
    agreed: bool = False  # it stands in the agreement itself, which announced it


@dataclass(frozen=True, slots=True, eq=False)
class Ruled:
    """An exclusion and what counts of it: `flag` is "" or `invalid_notice`, `why` says notice, hours or cap."""

    exclusion: Exclusion
    spans: Spans
    flag: str = ""
    why: str = ""


def planned(
    maintenance: Maintenance, zone: ZoneInfo, start_ns: int, end_ns: int, signed: date | None = None
) -> list[Exclusion]:
    """The windows that the agreement plans, wherever they touch [start, end).

    A repeating window without an announcement of its own was announced with the agreement: it is in the contract.
    `signed` is the day the contract began.
    """
    found = []
    for number, window in enumerate(maintenance.windows, 1):
        anchor = signed or date(2000, 1, 3)
        for begin, end in occurrences(window, zone, start_ns, end_ns, anchor):
            announced = instant_ns(window.announced) if window.announced else None
            name = f"maintenance-{number}@{datetime.fromtimestamp(begin // SECOND, UTC):%Y-%m-%dT%H:%MZ}"
            reason = window.reason or "planned maintenance"
            found.append(
                Exclusion(name, window.endpoint, begin, end, "maintenance", reason, window.reference, announced,
                          agreed=window.rrule is not None)
            )  # fmt: skip
    return sorted(found, key=lambda one: (one.start_ns, one.id))


def rule(
    exclusions: Iterable[Exclusion], maintenance: Maintenance, zone: ZoneInfo, endpoint: str | None = None
) -> tuple[Ruled, ...]:
    """What counts for one endpoint, in order of start."""
    mine = sorted((one for one in exclusions if one.endpoint in (None, endpoint)), key=lambda o: (o.start_ns, o.id))
    judged = [_judge(one, maintenance, zone) for one in mine]
    return tuple(_cap(judged, maintenance, zone)) if maintenance.max_per_month_ns is not None else tuple(judged)


def _judge(one: Exclusion, maintenance: Maintenance, zone: ZoneInfo) -> Ruled:
    whole, nothing = spans([(one.start_ns, one.end_ns)]), spans([])
    if one.cause in STOP_CLOCK:
        return Ruled(one, nothing)
    if one.cause not in PLANNED:
        return Ruled(one, whole)
    if not _in_time(one, maintenance):
        return Ruled(one, nothing, INVALID, "notice")
    if maintenance.allowed is not None:
        allowed = daily_spans(maintenance.allowed, zone, one.start_ns, one.end_ns)
        if len(subtract(whole, allowed)):
            return Ruled(one, nothing, INVALID, "hours")
    return Ruled(one, whole)


def _in_time(one: Exclusion, maintenance: Maintenance) -> bool:
    notice_ns = _notice_ns(maintenance)
    if one.announced_ns is None:
        return one.agreed or notice_ns <= 0
    return one.announced_ns <= one.start_ns - notice_ns


def _notice_ns(maintenance: Maintenance) -> int:
    notice = maintenance.notice
    return ((notice.days * 86_400 + notice.seconds) * 1_000_000 + notice.microseconds) * 1000


def _cap(judged: Sequence[Ruled], maintenance: Maintenance, zone: ZoneInfo) -> list[Ruled]:
    """Earliest first, whole windows that fit into what is left of their months; time is never counted twice."""
    allowance = maintenance.max_per_month_ns or 0
    counted: Spans = spans([])
    out = []
    for one in judged:
        if one.exclusion.cause not in PLANNED or not len(one.spans):
            out.append(one)
            continue
        united = union(counted, one.spans)
        months = month_spans(zone, one.exclusion.start_ns, one.exclusion.end_ns)
        if all(total_ns(intersect(united, spans([month]))) <= allowance for month in months):
            counted = united
            out.append(one)
        else:
            out.append(replace(one, spans=spans([]), flag=INVALID, why="cap"))
    return out


def excluded(ruled: Iterable[Ruled]) -> Spans:
    """Everything that does not count, united."""
    return union(*(one.spans for one in ruled))


def stopped(ruled: Sequence[Ruled]) -> Spans:
    """Everything that stops the clock of a repair: what is excluded, and waiting for the customer."""
    pairs = ((o.exclusion.start_ns, o.exclusion.end_ns) for o in ruled if o.exclusion.cause in STOP_CLOCK)
    return union(excluded(ruled), spans(pairs))
