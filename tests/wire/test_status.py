from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
import orjson
import pytest

from netsla.model import SECOND, Outcome, Reason
from netsla.sla.snapshot import Roll, Snapshot
from netsla.wire.status import CHUNK, Only, pieces, render
from tests.synthetic import changed, snapshot

PROBE = {"agreement", "endpoint", "probe", "type", "address", "standing", "totals", "last", "windows"}
TOTALS = {"sent", "received", "lost", "unmeasured", "late", "duplicate"}
WINDOW = {"sent", "received", "lost", "unmeasured", "packet_delivery_ratio", "coverage_ratio"}
OBJECTIVE = {"agreement", "endpoint", "objective", "metric", "window", "target", "standing", "value", "low", "high"}
AGENT = {"name", "version", "started", "config_digest", "probes", "healthy", "problems"}


def read(shown: Snapshot, only: Only | None = None) -> dict[str, Any]:
    document: dict[str, Any] = orjson.loads(render(shown, only or Only()))
    return document


def test_the_shape_is_as_promised() -> None:
    document = read(snapshot(10))
    assert document.keys() == {"schema", "agent", "probes", "objectives"}
    assert document["schema"] == "netsla.status/1"
    assert document["agent"].keys() == AGENT
    probe = document["probes"][1]
    assert probe.keys() == PROBE
    assert probe["totals"].keys() == TOTALS
    assert probe["last"].keys() == {"at", "outcome", "rtt_seconds"}
    assert probe["windows"].keys() == {"5m", "1h"}
    assert probe["windows"]["5m"].keys() == WINDOW | {"latency_seconds", "jitter_seconds", "pdv_seconds"}
    assert probe["windows"]["5m"]["latency_seconds"].keys() == {"mean", "min", "p50", "p95", "p99", "max"}
    objective = document["objectives"][0]
    assert objective.keys() == OBJECTIVE | {"coverage_ratio", "evidence", "severity", "breach"}


def test_figures_are_those_of_the_snapshot() -> None:
    shown = snapshot(10)
    document = read(shown)
    for at, probe in enumerate(document["probes"]):
        assert probe["totals"]["sent"] == shown.sent[at]
        assert probe["totals"]["lost"] == shown.sent[at] - shown.received[at]
        window = probe["windows"]["1h"]
        assert window["received"] == shown.windows[1].received[at]
        assert window["latency_seconds"]["p99"] == (None if at == 0 else shown.windows[1].p99[at])
    assert document["probes"][0]["last"] == {
        "at": "2026-05-28T20:26:39.000Z",
        "outcome": "answered",
        "rtt_seconds": 0.012345678,
    }


def test_what_does_not_exist_is_null() -> None:
    document = read(snapshot(10))
    assert document["probes"][0]["windows"]["5m"]["packet_delivery_ratio"] is None
    assert document["probes"][9]["last"] == {"at": None, "outcome": None, "rtt_seconds": None}
    assert document["probes"][9]["standing"] == "unknown"
    without = document["objectives"][1]
    assert (without["standing"], without["value"], without["evidence"]) == ("no_data", None, None)


def test_an_open_breach_says_since_when() -> None:
    first, *_, last = read(snapshot(10))["objectives"]
    assert first["standing"] == "breached"
    assert first["breach"] == {"since": "2026-05-28T20:25:40.000Z"}
    assert last["breach"] is None


@pytest.mark.parametrize(
    ("outcome", "detail", "address", "words"),
    [
        (Outcome.REFUSED, 3 << 8 | 1, "192.0.2.1", "host unreachable (ICMP 3/1)"),
        (Outcome.REFUSED, 3 << 8 | 0, "2001:db8::1", "hop limit exceeded in transit (ICMPv6 3/0)"),
        (Outcome.REFUSED, 200 << 8, "192.0.2.1", "refused (ICMP 200/0)"),
        (Outcome.REFUSED, 0xFFFF, "192.0.2.1", "connection refused (TCP reset)"),
        (Outcome.UNMEASURED, Reason.NO_ROUTE, "192.0.2.1", "no_route"),
        (Outcome.UNMEASURED, 999, "192.0.2.1", "other"),
    ],
)
def test_details_in_words(outcome: Outcome, detail: int, address: str, words: str) -> None:
    shown = snapshot(1)
    roll = changed_address(shown.roll, address)
    shown = changed(
        shown,
        roll=roll,
        last_outcome=np.asarray([outcome], np.int8),
        last_detail=np.asarray([detail], np.uint16),
        last_at_ns=np.asarray([SECOND]),
        last_rtt_ns=np.asarray([-1]),
    )
    last = read(shown)["probes"][0]["last"]
    assert last == {
        "at": "1970-01-01T00:00:01.000Z",
        "outcome": outcome.name.lower(),
        "rtt_seconds": None,
        "detail": words,
    }


def changed_address(roll: Roll, address: str) -> Roll:
    return replace(roll, address=(address,))


def test_only_a_part() -> None:
    shown = snapshot(100)
    one = read(shown, Only("acme-dia-3", "site-00031"))
    assert [probe["endpoint"] for probe in one["probes"]] == ["site-00031"]
    assert {each["endpoint"] for each in one["objectives"]} == {"site-00031"}
    assert len(one["objectives"]) == 2
    assert one["agent"]["probes"] == 100
    assert len(read(shown, Only("acme-dia-3"))["probes"]) == 10
    assert read(shown, Only("nobody"))["probes"] == []
    breached = read(shown, Only(breached=True))
    assert {each["standing"] for each in breached["objectives"]} == {"breached"}
    assert {p["endpoint"] for p in breached["probes"]} == {o["endpoint"] for o in breached["objectives"]}
    assert read(shown, Only(windows=("1h",)))["probes"][5]["windows"].keys() == {"1h"}


def test_only_reads_requests_and_queries() -> None:
    assert Only.of({}) == Only()
    assert Only.of({"agreement": "a", "endpoint": "e", "breached": True}) == Only("a", "e", breached=True)
    assert Only.of({"breached": "1", "windows": ["5m"]}) == Only(breached=True, windows=("5m",))
    assert Only.of({"agreement": 7, "breached": "no", "windows": 3}) == Only()


@pytest.mark.parametrize("probes", [1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_chunks_make_one_document(probes: int) -> None:
    shown = snapshot(probes)
    document = read(shown)
    assert [probe["endpoint"] for probe in document["probes"]] == list(shown.roll.endpoint)
    assert len(document["objectives"]) == 2 * probes
    assert b"".join(pieces(shown)) == render(shown)


def test_windows_belong_to_their_members() -> None:
    shown = snapshot(4, ("5m", "1h"))
    part = replace(
        shown.windows[1],
        **{
            name: getattr(shown.windows[1], name)[[1, 3]]
            for name in shown.windows[1].__dataclass_fields__
            if name != "name"
        },
    )
    document = read(changed(shown, windows=(shown.windows[0], part)))
    assert ["1h" in probe["windows"] for probe in document["probes"]] == [False, True, False, True]
    assert document["probes"][3]["windows"]["1h"]["received"] == shown.windows[1].received[3]


def test_ten_thousand_probes_take_no_time() -> None:
    """The goal is 0.5 s; two are for slow machines under load."""
    shown = snapshot(10_000, ("5m", "1h", "24h", "30d"))
    began = time.process_time()
    assert len(render(shown)) > 10_000_000
    assert time.process_time() - began < 2.0
