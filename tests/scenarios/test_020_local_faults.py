"""What our own host refuses changes no ratio by a single packet: it is unmeasured, with its reason, until it is cured.

One agent, every fault at once, each with far networks of its own, over IPv4, IPv6 and TCP.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.netlab.lab import Lab, netlab, run
from tests.netlab.veth import FRAIL, LINK, THIN, await_up, join, restore, route

CHANGING = frozenset({"no_route"})  # a route that is being replaced is not there for a moment
CONFIG = """
agent: {{name: lab, state_dir: var, socket: netsla.sock}}
probes:
  ping: {{type: icmp, interval: 200ms, timeout: 1s}}
  tcp: {{type: tcp, port: 7, interval: 200ms, timeout: 900ms, rst: up}}
  from4: {{type: icmp, interval: 200ms, timeout: 1s, source: 10.97.0.50}}
  from6: {{type: icmp, interval: 200ms, timeout: 1s, source: "fd97::50"}}
  tcp-from4: {{type: tcp, port: 7, interval: 200ms, timeout: 900ms, rst: up, source: 10.97.0.50}}
  large: {{type: icmp, interval: 200ms, timeout: 1s, size: 1400, df: true}}
agreements:
  - id: lab
    objectives: [{{id: latency, metric: latency, statistic: p95, target: "<= 1s", window: 5m}}]
    endpoints:
{endpoints}
"""
ENOUGH = 6  # unmeasured probes, and answers after the cure: more than a second's worth

Act = Callable[[Lab], object]
Probes = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Fault:
    """A fault of our host: who suffers, how it is probed, the reasons to be told, how it comes and goes."""

    networks: tuple[str, ...]
    probes: tuple[str, ...]
    reasons: frozenset[str]
    happen: Act
    cure: Act
    device: str = LINK


def far(number: int) -> tuple[str, str]:
    """The far networks of a fault."""
    return f"10.99.{number}.0/24", f"fd99:0:{number}::/64"


def nothing(_lab: Lab) -> None:
    """No fault."""


def ip(*words: str) -> Act:
    return lambda lab: run("ip", "-n", lab.near, *words)


def each(*acts: Act) -> Act:
    return lambda lab: [act(lab) for act in acts]


def routed(number: int, reason: str, *how: str) -> Fault:
    """A route to the far networks that refuses, or none."""

    def happen(lab: Lab) -> None:
        for network in far(number):
            route(lab, network, *how)

    return Fault(far(number), ("ping", "tcp"), frozenset({reason}), happen, lambda lab: restore(lab, far(number), LINK))


def link_up(lab: Lab) -> None:
    """The kernel took the routes away with the link: they come back once it carries."""
    run("ip", "-n", lab.near, "link", "set", FRAIL, "up")
    await_up(lab, FRAIL)
    restore(lab, far(7), FRAIL)


FAULTS = {
    "none": Fault(far(0), ("ping", "tcp"), frozenset(), nothing, nothing),
    "prohibit": routed(1, "prohibited", "prohibit"),
    "unreachable": routed(2, "no_route", "unreachable"),
    "blackhole": routed(3, "no_route", "blackhole"),
    "no-route": routed(4, "no_route"),
    "source-v4": Fault(
        far(5)[:1],
        ("from4", "tcp-from4"),
        frozenset({"source_gone"}),
        ip("address", "del", "10.97.0.50/24", "dev", THIN),
        ip("address", "add", "10.97.0.50/24", "dev", THIN),
        THIN,
    ),
    "source-v6": Fault(
        far(5)[1:],
        ("from6",),
        frozenset({"source_gone"}),
        ip("address", "del", "fd97::50/64", "dev", THIN),
        ip("address", "add", "fd97::50/64", "dev", THIN, "nodad"),
        THIN,
    ),
    "message-too-long": Fault(
        far(6),
        ("large",),
        frozenset({"message_too_long"}),
        ip("link", "set", THIN, "mtu", "1300"),
        ip("link", "set", THIN, "mtu", "1500"),
        THIN,
    ),
    "link-down": Fault(
        far(7),
        ("ping", "tcp"),
        frozenset({"no_route", "interface_down"}),
        ip("link", "set", FRAIL, "down"),
        link_up,
        FRAIL,
    ),
}


def endpoints() -> dict[str, tuple[str, str, Fault]]:
    """Address, probe and fault by endpoint id."""
    found = {}
    for name, fault in FAULTS.items():
        for network in fault.networks:
            address = network.partition("/")[0][:-1] + "1" if "." in network else network.partition("/")[0] + "1"
            for probe in fault.probes:
                found[f"{name}-v{6 if ':' in address else 4}-{probe}"] = (address, probe, fault)
    return found


def probes(status: dict[str, Any]) -> Probes:
    return {probe["endpoint"]: probe for probe in status["probes"]}


def grown(status: dict[str, Any], before: Probes, key: str) -> bool:
    """Whether a total of everybody who suffers, and the answers of who does not, grew enough."""
    return all(
        probe["totals"][key if endpoints()[name][2].reasons else "received"]
        >= before[name]["totals"][key if endpoints()[name][2].reasons else "received"] + ENOUGH
        for name, probe in probes(status).items()
    )


def unmeasured(metrics: str) -> dict[tuple[str, str], float]:
    """netsla_probe_unmeasured_total by endpoint and reason."""
    found = re.findall(
        r'^netsla_probe_unmeasured_total\{.*endpoint="([^"]+)".*reason="([^"]+)"\} (\S+)$', metrics, re.MULTILINE
    )
    return {(endpoint, reason): float(value) for endpoint, reason, value in found}


@dataclass(frozen=True)
class Outcome:
    """Status before, during and after; metrics at the end."""

    before: Probes
    during: Probes
    after: Probes
    metrics: dict[tuple[str, str], float]


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    with netlab(tmp_path_factory.mktemp("faults"), wire=False) as lab:
        join(lab)
        for name in ("source-v4", "source-v6"):
            FAULTS[name].cure(lab)
        for fault in FAULTS.values():
            restore(lab, fault.networks, fault.device)
        lines = [
            f'      - {{id: {name}, address: "{address}", probes: [{probe}]}}'
            for name, (address, probe, _) in endpoints().items()
        ]
        agent = lab.agent(CONFIG.format(endpoints="\n".join(lines)))
        before = probes(agent.until(lambda now: all(p["totals"]["received"] >= ENOUGH for p in now["probes"])))
        for fault in FAULTS.values():
            fault.happen(lab)
        during = probes(agent.until(lambda now: grown(now, before, "unmeasured")))
        for fault in FAULTS.values():
            fault.cure(lab)
        after = probes(agent.until(lambda now: grown(now, during, "received")))
        metrics = unmeasured(agent.metrics())
        assert agent.end() == 0
    return Outcome(before, during, after, metrics)


@pytest.mark.parametrize("name", endpoints())
def test_no_ratio_changes_by_a_single_packet(outcome: Outcome, name: str) -> None:
    for then in (outcome.before, outcome.during, outcome.after):
        totals, window = then[name]["totals"], then[name]["windows"]["5m"]
        assert totals["lost"] == 0
        assert totals["sent"] == totals["received"] > 0
        assert window["packet_delivery_ratio"] == 1.0
        assert window["lost"] == 0


@pytest.mark.parametrize("name", endpoints())
def test_what_was_not_sent_is_unmeasured_with_its_reason(outcome: Outcome, name: str) -> None:
    reasons = endpoints()[name][2].reasons
    assert outcome.before[name]["totals"]["unmeasured"] == 0
    told = {reason for (endpoint, reason), value in outcome.metrics.items() if endpoint == name and value}
    assert told <= (reasons | CHANGING if reasons else reasons)
    assert told & reasons or not reasons
    assert bool(told) == bool(reasons)
    assert sum(outcome.metrics[name, reason] for reason in told) == outcome.after[name]["totals"]["unmeasured"]
    last = outcome.during[name]["last"]
    if reasons:
        assert (last["outcome"], last["detail"]) in {("unmeasured", reason) for reason in reasons}
        assert outcome.during[name]["windows"]["5m"]["coverage_ratio"] < 1


@pytest.mark.parametrize("name", endpoints())
def test_measuring_goes_on_after_the_cure(outcome: Outcome, name: str) -> None:
    assert outcome.after[name]["last"]["outcome"] == "answered"
