"""Agreements and records in a few words, for tests of settlement."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from netsla.model import (
    SECOND,
    Agreement,
    Bound,
    CreditRule,
    Credits,
    Endpoint,
    Metric,
    Objective,
    ProbeSpec,
    ProbeType,
    Span,
    Tier,
    UptimeRule,
)
from netsla.sla.calendar import Period, instant_ns, parse_period
from netsla.sla.interval import NO_REASON
from netsla.sla.recorded import Recorded
from netsla.sla.report import Report, settle_agreement

MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86_400 * SECOND
MONTH = Span("month", calendar="month")
PING = ProbeSpec("ping", ProbeType.ICMP)
PER_MINUTE = 12  # probes


def percent(text: str) -> Fraction:
    return Fraction(text) / 100


def uptime(target: str = "99.9", window: Span = MONTH) -> Objective:
    return Objective("uptime-month", Metric.UPTIME, Bound(True, percent(target), f">= {target}%"), window)


def delivery(target: str = "99", window: Span = MONTH, **more: Any) -> Objective:
    return Objective("delivery", Metric.PACKET_DELIVERY, Bound(True, percent(target), f">= {target}%"), window, **more)


def latency(target_ms: int, window: Span = MONTH, **more: Any) -> Objective:
    target = Bound(False, Fraction(target_ms * SECOND, 1000), f"<= {target_ms}ms")
    return Objective("latency", Metric.LATENCY, target, window, **more)


def repair(hours: int = 4, statistic: str = "") -> Objective:
    target = Bound(False, Fraction(hours * HOUR), f"<= {hours}h")
    return Objective("repair", Metric.TIME_TO_REPAIR, target, MONTH, statistic=statistic)


def tiers(*steps: tuple[str, str]) -> tuple[Tier, ...]:
    """(below or over, credit), both in per cent."""
    return tuple(Tier(percent(limit), percent(credit)) for limit, credit in steps)


def credits_of(*rules: CreditRule, **more: Any) -> Credits:
    return Credits(rules=rules, **more)


def contract(
    *objectives: Objective,
    zone: str = "UTC",
    rule: UptimeRule | None = None,
    endpoints: Sequence[str] = ("hq",),
    probes: tuple[ProbeSpec, ...] = (PING,),
    active_from: datetime | None = None,
    **more: Any,
) -> Agreement:
    made = tuple(
        Endpoint(
            name, "192.0.2.1", probes=probes, uptime=rule or UptimeRule(), objectives=objectives or (uptime(),),
            active_from=active_from,
        )
        for name in endpoints
    )  # fmt: skip
    return Agreement("acme", made, timezone=zone, monthly_charge=Decimal("900.00"), **more)


def at(text: str) -> int:
    """ns of an ISO time, UTC unless it says otherwise."""
    moment = datetime.fromisoformat(text)
    return instant_ns(moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo("UTC")))


def records(
    start_ns: int, received: Sequence[int] | np.ndarray[Any, Any], *, endpoint: str = "hq", probe: str = "ping",
    seconds: int = 60, sent: int = PER_MINUTE,
) -> Recorded:  # fmt: skip
    """One record after the other; -1 received: no record of that interval."""
    got = np.asarray(received, np.int64)
    here = got >= 0
    got = got[here]
    n = len(got)
    zero = np.zeros(n, np.int64)
    none = np.full(n, -1, np.int64)
    start = (start_ns // SECOND + np.arange(len(here)) * seconds)[here]
    return Recorded(
        endpoint, probe, start, np.full(n, seconds), np.full(n, sent), got, zero, zero, zero, got * 10_000,
        np.where(got > 0, 9_000, -1), np.where(got > 0, 11_000, -1), none, zero, np.full(n, NO_REASON, np.uint8),
    )  # fmt: skip


def period_of(agreement: Agreement, name: str) -> Period:
    return parse_period(name, ZoneInfo(agreement.timezone))


def month_of(agreement: Agreement, name: str, *down: tuple[str, int], **more: Any) -> Recorded:
    """A whole period of good minutes but for (start, minutes) down; negative minutes: without records."""
    period = period_of(agreement, name)
    got = np.full((period.end_ns - period.start_ns) // MINUTE, PER_MINUTE)
    for begin, minutes in down:
        first = (at(begin) - period.start_ns) // MINUTE
        got[first : first + abs(minutes)] = 0 if minutes > 0 else -1
    return records(period.start_ns, got, **more)


def settled(agreement: Agreement, name: str, *parts: Recorded, **more: Any) -> Report:
    """The report over these records."""
    return settle_agreement(
        agreement, period_of(agreement, name), lambda endpoint: [p for p in parts if p.endpoint == endpoint], **more
    )
