"""Made-up Snapshots of any size, for the tests of what tells: deterministic, with gaps and breaches."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from netsla.model import SECOND, Bound, Metric, Objective, Outcome, Reason, Span
from netsla.sla.snapshot import AgentView, ObjectiveView, Roll, Snapshot, WindowView
from netsla.sla.totals import LADDER_US

AT_NS = 1_780_000_000 * SECOND  # 2026-05-28T20:26:40Z
DELIVERY = Objective(
    "delivery-5m", Metric.PACKET_DELIVERY, Bound(at_least=True, value=Fraction(99, 100), text=">= 99%"), Span("5m", 300)
)
LATENCY = Objective(
    "latency-p95-5m",
    Metric.LATENCY,
    Bound(at_least=False, value=Fraction(SECOND, 20), text="<= 50ms"),
    Span("5m", 300),
    severity="P1",
    statistic="p95",
)


def roll(probes: int, agreements: int = 10) -> Roll:
    """Endpoints spread over agreements, one ping each, two objectives each."""
    agreement = tuple(f"acme-dia-{at * agreements // probes}" for at in range(probes))
    endpoint = tuple(f"site-{at:05d}" for at in range(probes))
    twice = [at for at in range(probes) for _ in (0, 1)]
    return Roll(
        agreement=agreement,
        endpoint=endpoint,
        probe=("ping",) * probes,
        type=("icmp",) * probes,
        address=tuple(f"203.0.{at // 256 % 256}.{at % 256}" for at in range(probes)),
        customer=('ACME "Nord" GmbH',) * probes,
        plan=("gold",) * probes,
        objective_agreement=tuple(agreement[at] for at in twice),
        objective_endpoint=tuple(endpoint[at] for at in twice),
        objective=(DELIVERY, LATENCY) * probes,
    )


def window(name: str, probes: int, rng: np.random.Generator) -> WindowView:
    """A window that every probe has; every 97th one is empty."""
    sent = np.full(probes, 300, np.int64)
    sent[::97] = 0
    received = sent - (rng.integers(0, 4, probes) if probes else 0)
    received = np.maximum(received, 0)
    some = np.where(sent > 0, 1.0, np.nan)
    p50 = rng.uniform(0.001, 0.05, probes) * some
    with np.errstate(invalid="ignore", divide="ignore"):
        delivery = received / sent
    return WindowView(
        name=name,
        member=np.arange(probes, dtype=np.int32),
        sent=sent,
        received=received,
        unmeasured=np.zeros(probes, np.int64),
        delivery=delivery,
        uptime=some.copy(),
        coverage=some.copy(),
        mean=p50 * 1.1,
        min=p50 * 0.5,
        p50=p50,
        p95=p50 * 2,
        p99=p50 * 3,
        max=p50 * 4,
        jitter=p50 * 0.1,
        variation=p50 * 3.5,
    )


def objectives(count: int) -> ObjectiveView:
    """All met, except every 50th: breached; every 51st: without data."""
    standing = np.zeros(count, np.uint8)
    standing[::50] = 1
    standing[1::51] = 3
    some = np.where(standing == 3, np.nan, 1.0)
    value = np.where(standing == 1, 0.98, 0.999) * some
    return ObjectiveView(
        standing=standing,
        value=value,
        low=value - 0.01,
        high=value + 0.0005,
        target=np.full(count, 0.99),
        coverage=some.copy(),
        conclusive=standing == 0,
        budget=np.where(standing == 1, -1.5, 0.75) * some,
        breach_since_ns=np.where(standing == 1, AT_NS - 60 * SECOND, -1).astype(np.int64),
        breaches=(standing == 1).astype(np.int64),
    )


def snapshot(
    probes: int = 10, windows: tuple[str, ...] = ("5m", "1h"), *, seed: int = 1, of: Roll | None = None
) -> Snapshot:
    """A fleet in full swing; the last probe has not been decided yet."""
    rng = np.random.default_rng(seed)
    sent = rng.integers(10_000, 10_000_000, probes)
    unmeasured_by = np.zeros((len(Reason), probes), np.int64)
    unmeasured_by[Reason.NO_ROUTE, ::10] = 7
    outcome = np.full(probes, Outcome.ANSWERED, np.int8)
    outcome[-1:] = -1
    decided = outcome >= 0
    received = sent - rng.integers(0, 100, probes)
    ladder = np.zeros((len(LADDER_US) + 1, probes), np.int64)
    ladder[np.searchsorted(LADDER_US, 12_345)] = received
    return Snapshot(
        at_ns=AT_NS,
        roll=of or roll(probes),
        agent=AgentView(
            name="probe-fra1",
            version="0.1.0",
            started_ns=AT_NS - 3600 * SECOND,
            config_digest="abc123",
            problems=(),
            lateness_counts=(5, 4, 3, 2, 1, 0, 0, 0, 0, 0, 0, 1),
            lateness_sum_seconds=1.25,
            receive_drops=3,
            clock_steps=1,
        ),
        standing=np.where(decided, 1, -1).astype(np.int8),
        sent=sent,
        received=received,
        unmeasured=unmeasured_by.sum(axis=0),
        unmeasured_by=unmeasured_by,
        late=rng.integers(0, 3, probes),
        duplicate=rng.integers(0, 3, probes),
        stale=np.zeros(probes, np.int64),
        rtt_sum_us=sent * 12_345,
        ladder=ladder,
        last_at_ns=np.where(decided, AT_NS - SECOND, 0).astype(np.int64),
        last_outcome=outcome,
        last_detail=np.zeros(probes, np.uint16),
        last_rtt_ns=np.where(decided, 12_345_678, -1).astype(np.int64),
        windows=tuple(window(name, probes, rng) for name in windows),
        objectives=objectives(2 * probes),
    )


def changed(base: Snapshot, **columns: Any) -> Snapshot:
    """The same Snapshot with some columns replaced."""
    return replace(base, **columns)
