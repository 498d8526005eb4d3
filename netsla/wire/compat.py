"""Other exporters' families, so that the dashboards made for them show what netsla measures.

Rules: pure. Names, labels and buckets are theirs; a value that does not exist is absent here, too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from netsla.model import SECOND, IntArray, Outcome, ProbeType
from netsla.sla.snapshot import NEVER, FloatArray, Roll, Snapshot
from netsla.sla.totals import LADDER_US
from netsla.wire.families import Column, Family, Series, labels, rtt_sum, where_known


@dataclass(frozen=True, slots=True)
class Foreign:
    """Another exporter's families, for the probe types it knows, with the labels that are theirs."""

    types: frozenset[str]
    labels: frozenset[str]
    families: tuple[Family, ...]


def _last_success(snapshot: Snapshot) -> FloatArray:
    outcome = snapshot.last_outcome
    known = (outcome != NEVER) & (outcome != Outcome.UNMEASURED)
    return where_known(known, outcome == Outcome.ANSWERED)


def _last_rtt(snapshot: Snapshot) -> FloatArray:
    return where_known(snapshot.last_rtt_ns >= 0, snapshot.last_rtt_ns / SECOND)


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


def _rungs(name: str) -> Iterator[Series]:
    """The buckets of a histogram of round-trip times, bounds in seconds as Go writes them."""
    for number, bound_us in enumerate(LADDER_US.tolist()):
        yield Series(name, _up_to(number), f',le="{bound_us / 1e6!r}"', _pinged)
    yield Series(name, lambda s: s.received, ',le="+Inf"', _pinged)


def _up_to(number: int) -> Column:
    def received(snapshot: Snapshot) -> IntArray:
        counts: IntArray = snapshot.ladder[: number + 1].sum(axis=0)
        return counts

    return received


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
                "Round-trip times of the replies received.",
                (
                    *_rungs("smokeping_response_duration_seconds_bucket"),
                    Series("smokeping_response_duration_seconds_sum", rtt_sum, further=_pinged),
                    Series("smokeping_response_duration_seconds_count", lambda s: s.received, further=_pinged),
                ),
            ),
        ),
    ),
)

COMPAT = {"blackbox": _BLACKBOX, "smokeping": _SMOKEPING}
