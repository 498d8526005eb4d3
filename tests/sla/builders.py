"""Short ways to say what tests of the pure core need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from netsla.model import (
    MILLISECOND,
    SECOND,
    AgentSettings,
    Agreement,
    Bound,
    Endpoint,
    Metric,
    Objective,
    Outcome,
    Plan,
    ProbeSpec,
    ProbeType,
    Reference,
    Samples,
    Span,
    UptimeRule,
    WebSettings,
)
from netsla.sla.objective import Availability

MINUTE = 60 * SECOND
START = 1_790_000_040 * SECOND // MINUTE * MINUTE  # any whole minute
PING = ProbeSpec("ping", ProbeType.ICMP)
MONTH, HOUR, FIVE = Span("month", calendar="month"), Span("1h", seconds=3600), Span("5m", seconds=300)


def samples(
    row: Sequence[int] | int,
    outcome: Sequence[int] | int = Outcome.ANSWERED,
    rtt_ms: Sequence[float] | float = 10.0,
    sent_ns: Sequence[int] | int = START,
    slot: Sequence[int] | int = 0,
    detail: Sequence[int] | int = 0,
) -> Samples:
    """A batch; scalars are repeated to the longest column."""
    columns = np.broadcast_arrays(row, outcome, rtt_ms, sent_ns, slot, detail)
    row_, outcome_, rtt_, sent_, slot_, detail_ = (np.atleast_1d(column) for column in columns)
    rtt_ns = np.where(np.isin(outcome_, (Outcome.ANSWERED, Outcome.LATE)), rtt_ * MILLISECOND, -1)
    return Samples(
        row_.astype(np.int32),
        slot_.astype(np.int64),
        sent_.astype(np.int64),
        rtt_ns.astype(np.int64),
        outcome_.astype(np.uint8),
        detail_.astype(np.uint16),
        np.zeros(len(row_), np.uint8),
    )


def ratio_objective(metric: Metric = Metric.PACKET_DELIVERY, percent: str = "99", window: Span = FIVE) -> Objective:
    """`>= percent %` of uptime or packet delivery."""
    scope = "available" if window.calendar else "all"
    bound = Bound(at_least=True, value=Fraction(percent) / 100, text=f">= {percent}%")
    return Objective(f"{metric}-{window.name}", metric, bound, window, scope=scope)


def latency_objective(statistic: str = "p95", limit_ms: int = 50, window: Span = FIVE) -> Objective:
    """`<= limit_ms` of a latency statistic."""
    percent = Fraction(statistic[1:]) / 100 if statistic[0] == "p" else None
    bound = Bound(at_least=False, value=Fraction(limit_ms * MILLISECOND), text=f"<= {limit_ms}ms")
    name = f"latency-{statistic}-{window.name}"
    return Objective(name, Metric.LATENCY, bound, window, statistic=statistic, percent=percent)


def plan(
    endpoints: int = 1,
    objectives: tuple[Objective, ...] = (),
    rule: UptimeRule | None = None,
    probes: tuple[ProbeSpec, ...] = (PING,),
    references: int = 0,
    **agreement: object,
) -> Plan:
    """One agreement `a` over endpoints e0, e1, …"""
    members = tuple(
        Endpoint(f"e{i}", f"127.0.1.{i + 1}", probes=probes, objectives=objectives, uptime=rule or UptimeRule())
        for i in range(endpoints)
    )
    return Plan(
        AgentSettings("test"),
        WebSettings(),
        (replace(Agreement("a", members), **agreement),),  # type: ignore[arg-type]  # keys are Agreement's own
        tuple(Reference(f"r{i}", f"127.0.2.{i + 1}", PING) for i in range(references)),
    )


def seconds(time: Availability) -> Availability:
    """An account of time in whole seconds."""
    columns = (time.up, time.down, time.unknown, time.excluded, time.period)
    assert not any((column % SECOND).any() for column in columns)
    return Availability(*(column // SECOND for column in columns))
