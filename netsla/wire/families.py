"""Every metric of probes, windows and objectives, as one visible table: name, type, help, values.

Rules: pure. Names and labels are promises (SemVer). A new family is one entry. Values are columns
over probes, over a window's members, or over objectives; NaN means that the line is absent.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from netsla.model import MILLISECOND, SECOND, IntArray, Outcome, ProbeType
from netsla.sla.snapshot import NEVER, STANDINGS, FloatArray, Roll, Snapshot

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


@dataclass(frozen=True, slots=True)
class Foreign:
    """Another exporter's families, for the probe types it knows, with the labels that are theirs."""

    types: frozenset[str]
    labels: frozenset[str]
    families: tuple[Family, ...]


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


def _where_known(known: Any, values: Any) -> FloatArray:
    return np.where(known, values, np.nan).astype(np.float64)


def _up(snapshot: Snapshot) -> FloatArray:
    return _where_known(snapshot.standing >= 0, snapshot.standing)


def _met(snapshot: Snapshot) -> FloatArray:
    standing = snapshot.objectives.standing
    return _where_known(standing <= STANDINGS.index("breached"), standing == STANDINGS.index("met"))


def _last_success(snapshot: Snapshot) -> FloatArray:
    outcome = snapshot.last_outcome
    known = (outcome != NEVER) & (outcome != Outcome.UNMEASURED)
    return _where_known(known, outcome == Outcome.ANSWERED)


def _last_rtt(snapshot: Snapshot) -> FloatArray:
    return _where_known(snapshot.last_rtt_ns >= 0, snapshot.last_rtt_ns / SECOND)


def _info(roll: Roll, at: int) -> str:
    return "," + labels(address=roll.address[at], type=roll.type[at], customer=roll.customer[at], plan=roll.plan[at])


def _severity(roll: Roll, at: int) -> str:
    return "," + labels(severity=roll.objective[at].severity)


def _instance(roll: Roll, at: int) -> str:
    return "," + labels(instance=roll.address[at])


def _round_trip(roll: Roll, at: int) -> str:
    return _instance(roll, at) + ',phase="rtt"'


def _protocol(snapshot: Snapshot) -> FloatArray:
    """4 or 6; NaN for a name that is not resolved."""
    return np.asarray([_version(address) for address in snapshot.roll.address], np.float64)


def _version(address: str) -> float:
    if ":" in address:
        return 6
    return 4 if address.replace(".", "").isdecimal() else math.nan


def _pinged(roll: Roll, at: int) -> str:
    return "," + labels(host=roll.endpoint[at], ip=roll.address[at], source="")


def _pinged_all(roll: Roll, at: int) -> str:
    return _pinged(roll, at) + ',le="+Inf"'


def _rtt_sum(snapshot: Snapshot) -> FloatArray:
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
            Series("netsla_probe_rtt_seconds_sum", _rtt_sum),
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

_BLACKBOX = (
    Foreign(
        frozenset(ProbeType),
        frozenset({"instance"}),
        (
            Family(
                "probe_success",
                "gauge",
                "Whether the last decided probe was answered; absent when it was not measured.",
                (Series("probe_success", _last_success, further=_instance),),
            ),
            Family(
                "probe_duration_seconds",
                "gauge",
                "Round-trip time of the last decided probe; absent without an answer.",
                (Series("probe_duration_seconds", _last_rtt, further=_instance),),
            ),
            Family(
                "probe_ip_protocol",
                "gauge",
                "4 or 6; absent for a name that does not resolve.",
                (Series("probe_ip_protocol", _protocol, further=_instance, constant=True),),
            ),
        ),
    ),
    Foreign(
        frozenset({ProbeType.ICMP}),
        frozenset({"instance", "phase"}),
        (
            Family(
                "probe_icmp_duration_seconds",
                "gauge",
                "Round-trip time of the last decided probe; absent without an answer.",
                (Series("probe_icmp_duration_seconds", _last_rtt, further=_round_trip),),
            ),
        ),
    ),
)

_SMOKEPING = (
    Foreign(
        frozenset({ProbeType.ICMP}),
        frozenset({"host", "ip", "source"}),
        (
            Family(
                "smokeping_requests_total",
                "counter",
                "Echo requests that left this host and are decided.",
                (Series("smokeping_requests_total", lambda s: s.sent, further=_pinged),),
            ),
            Family(
                "smokeping_response_duplicates_total",
                "counter",
                "Further copies of replies.",
                (Series("smokeping_response_duplicates_total", lambda s: s.duplicate, further=_pinged),),
            ),
            Family(
                "smokeping_response_duration_seconds",
                "histogram",
                "Round-trip times of the replies received; one bucket only.",
                (
                    Series("smokeping_response_duration_seconds_bucket", lambda s: s.received, further=_pinged_all),
                    Series("smokeping_response_duration_seconds_sum", _rtt_sum, further=_pinged),
                    Series("smokeping_response_duration_seconds_count", lambda s: s.received, further=_pinged),
                ),
            ),
        ),
    ),
)

COMPAT = {"blackbox": _BLACKBOX, "smokeping": _SMOKEPING}
