"""Every metric of probes, windows and objectives, as one visible table: name, type, help, values.

Rules: pure. Names and labels are promises (SemVer). A new family is one entry. Values are columns
over probes, over a window's members, or over objectives; NaN means that the line is absent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from netsla.model import MILLISECOND, SECOND, IntArray
from netsla.sla.snapshot import STANDINGS, FloatArray, Roll, Snapshot

Column = Callable[[Any], IntArray | FloatArray]  # of a Snapshot; for windows, of a WindowView
_MICROSECONDS = SECOND // (MILLISECOND // 1000)  # in a second


@dataclass(frozen=True, slots=True)
class Series:
    """Lines of one name: `suffix` are constant further labels, `further` further labels by roll position."""

    name: str
    values: Column
    suffix: str = ""
    further: Callable[[Roll, int], str] | None = None
    constant: bool = False  # written once per Roll


@dataclass(frozen=True, slots=True)
class Family:
    """A metric family: its header, and its series in order."""

    name: str
    type: str
    help: str
    series: tuple[Series, ...]


def escape(value: str) -> str:
    """A label value as the text format wants it."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def labels(**pairs: str) -> str:
    """Labels in the order given, without braces."""
    return ",".join(f'{name}="{escape(value)}"' for name, value in pairs.items())


def _counter(name: str, text: str, values: Column) -> Family:
    return Family(name, "counter", text, (Series(name, values),))


def _gauge(name: str, text: str, values: Column, *, constant: bool = False) -> Family:
    return Family(name, "gauge", text, (Series(name, values, constant=constant),))


def _ones(snapshot: Snapshot) -> IntArray:
    return np.ones(len(snapshot.roll.agreement), np.int64)


def where_known(known: Any, values: Any) -> FloatArray:
    """`values`, NaN where they are not `known`."""
    return np.where(known, values, np.nan).astype(np.float64)


def _up(snapshot: Snapshot) -> FloatArray:
    return where_known(snapshot.standing >= 0, snapshot.standing)


def _met(snapshot: Snapshot) -> FloatArray:
    standing = snapshot.objectives.standing
    return where_known(standing <= STANDINGS.index("breached"), standing == STANDINGS.index("met"))


def _info(roll: Roll, at: int) -> str:
    return "," + labels(address=roll.address[at], type=roll.type[at], customer=roll.customer[at], plan=roll.plan[at])


def _severity(roll: Roll, at: int) -> str:
    return "," + labels(severity=roll.objective[at].severity)


def rtt_sum(snapshot: Snapshot) -> FloatArray:
    """Seconds, of the probes received."""
    return snapshot.rtt_sum_us / _MICROSECONDS


PROBE = (
    Family(
        "netsla_probe_info",
        "gauge",
        "What is probed; always 1.",
        (Series("netsla_probe_info", _ones, further=_info, constant=True),),
    ),
    _counter("netsla_probe_sent_total", "Probes that left this host and are decided.", lambda s: s.sent),
    _counter("netsla_probe_received_total", "Probes answered within the time limit.", lambda s: s.received),
    _counter(
        "netsla_probe_lost_total", "Probes sent and not answered in time, or refused.", lambda s: s.sent - s.received
    ),
    _counter(
        "netsla_probe_late_total", "Replies that came after the time limit; their probes stay lost.", lambda s: s.late
    ),
    _counter("netsla_probe_duplicate_total", "Further copies of replies.", lambda s: s.duplicate),
    _counter(
        "netsla_probe_stale_session_total",
        "Times the endpoint answered a fresh ICMP id while the old one was silent.",
        lambda s: s.stale,
    ),
    Family(
        "netsla_probe_rtt_seconds",
        "summary",
        "Round-trip times of the probes received.",
        (
            Series("netsla_probe_rtt_seconds_sum", rtt_sum),
            Series("netsla_probe_rtt_seconds_count", lambda s: s.received),
        ),
    ),
    _gauge("netsla_probe_up", "Last closed interval: 1 good, 0 bad, absent when unknown.", _up),
)

WINDOW = (
    _gauge("netsla_window_packet_delivery_ratio", "Received over sent, of the window.", lambda w: w.delivery),
    _gauge("netsla_window_uptime_ratio", "Share of the accountable time not down, of the window.", lambda w: w.uptime),
    Family(
        "netsla_window_latency_seconds",
        "summary",
        "Quantiles of the round-trip time over the window (relative error at most 1.1 %).",
        tuple(
            Series("netsla_window_latency_seconds", values, f',quantile="{quantile}"')
            for quantile, values in (("0.5", lambda w: w.p50), ("0.95", lambda w: w.p95), ("0.99", lambda w: w.p99))
        ),
    ),
    _gauge(
        "netsla_window_jitter_seconds",
        "Mean absolute difference of consecutive round-trip times, of the window.",
        lambda w: w.jitter,
    ),
    _gauge("netsla_window_coverage_ratio", "Share of the window that is known.", lambda w: w.coverage),
)

OBJECTIVE = (
    _gauge("netsla_objective_value", "The figure judged: a ratio, or seconds.", lambda s: s.objectives.value),
    _gauge(
        "netsla_objective_target",
        "The figure promised: a ratio, or seconds.",
        lambda s: s.objectives.target,
        constant=True,
    ),
    _gauge("netsla_objective_met", "1 met, 0 breached, absent without (sufficient) data.", _met),
    _gauge(
        "netsla_error_budget_remaining_ratio",
        "Error budget left: 1 untouched, 0 used up, below 0 overdrawn.",
        lambda s: s.objectives.budget,
    ),
    _gauge(
        "netsla_breach_open",
        "1 while a breach is open.",
        lambda s: (s.objectives.breach_since_ns >= 0).astype(np.int64),
    ),
    Family(
        "netsla_breaches_total",
        "counter",
        "Breaches opened since the agent started.",
        (Series("netsla_breaches_total", lambda s: s.objectives.breaches, further=_severity),),
    ),
)
