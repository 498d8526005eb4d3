"""What is in flight when a link of ours fails is unmeasured to the last packet; nobody else's loss is excused by that.

Three links, each with its customers, who all fall silent at once. While their probes are out, one link loses its
carrier and another is shut down; the third is well, so that its customers' loss is theirs.
"""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.netlab.lab import Lab, netlab, run
from tests.netlab.veth import FRAIL, LINK, THIN, await_up, join, restore

CONFIG = """
agent: {{name: lab, state_dir: var, socket: netsla.sock}}
probes:
  ping: {{type: icmp, interval: 100ms, timeout: 2s}}
  tcp: {{type: tcp, port: 7, interval: 100ms, timeout: 900ms, rst: up}}
agreements:
  - id: lab
    probes: [ping, tcp]
    objectives: [{{id: latency, metric: latency, statistic: p95, target: "<= 1s", window: 5m}}]
    endpoints:
{endpoints}
"""
NETWORKS = {
    FRAIL: ("10.99.20.0/24", "fd99:0:20::/64"),
    THIN: ("10.99.21.0/24", "fd99:0:21::/64"),
    LINK: ("10.99.22.0/24", "fd99:0:22::/64"),
}
OUT_S = 0.5  # so long probes go out into silence before the links fail: less than any time limit
ENOUGH = 10

Probes = dict[tuple[str, str], dict[str, Any]]


def endpoints() -> str:
    lines = []
    for link, networks in NETWORKS.items():
        for family, network in zip((4, 6), networks, strict=True):
            address = network.partition("/")[0]
            lines.append(f'      - {{id: {link}-v{family}, address: "{address}1"}}')
    return "\n".join(lines).replace(".01", ".1")


def probes(status: dict[str, Any]) -> Probes:
    return {(probe["endpoint"], probe["probe"]): probe["totals"] for probe in status["probes"]}


def behind(probes: Probes, *links: str) -> list[dict[str, Any]]:
    return [totals for (endpoint, _), totals in probes.items() if endpoint.partition("-")[0] in links]


def silence(lab: Lab, how: str) -> None:
    """All customers swallow what they are sent, or not any more."""
    for network in (network for networks in NETWORKS.values() for network in networks):
        family = ["-6"] if ":" in network else []
        run("ip", "-n", lab.far, *family, "route", how, "blackhole", network, "table", "local")


def fail(lab: Lab) -> None:
    run("ip", "-n", lab.far, "link", "set", "frail1", "down")
    run("ip", "-n", lab.near, "link", "set", THIN, "down")


def cure(lab: Lab) -> None:
    run("ip", "-n", lab.far, "link", "set", "frail1", "up")
    run("ip", "-n", lab.near, "link", "set", THIN, "up")
    for link in (FRAIL, THIN):
        await_up(lab, link)
        restore(lab, NETWORKS[link], link)


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> tuple[Probes, Probes, str]:
    """Totals with the links down, and after the cure; metrics."""
    with netlab(tmp_path_factory.mktemp("flight"), wire=False) as lab:
        join(lab)
        for link, networks in NETWORKS.items():
            restore(lab, networks, link)
        agent = lab.agent(CONFIG.format(endpoints=endpoints()))
        agent.until(lambda now: all(totals["received"] >= ENOUGH for totals in probes(now).values()))
        silence(lab, "add")
        time.sleep(OUT_S)
        fail(lab)
        during = probes(agent.until(lambda now: enough(probes(now))))
        silence(lab, "del")
        cure(lab)
        after = probes(
            agent.until(
                lambda now: all(
                    totals["received"] >= during[name]["received"] + ENOUGH for name, totals in probes(now).items()
                )
            )
        )
        metrics = agent.metrics()
        assert agent.end() == 0
    return during, after, metrics


def enough(now: Probes) -> bool:
    """So much is unmeasured behind the failed links, and lost behind the other, that all in flight then are decided."""
    return all(totals["unmeasured"] >= 3 * ENOUGH for totals in behind(now, FRAIL, THIN)) and all(
        totals["lost"] >= 3 * ENOUGH for totals in behind(now, LINK)
    )


def test_not_a_single_one_is_lost(outcome: tuple[Probes, Probes, str]) -> None:
    for now in outcome[:2]:
        lost = {name: totals for name, totals in now.items() if totals["lost"] or totals["sent"] != totals["received"]}
        assert {endpoint.partition("-")[0] for endpoint, _ in lost} <= {LINK}, lost


def test_what_customers_of_another_link_lost_is_lost(outcome: tuple[Probes, Probes, str]) -> None:
    for now in outcome[:2]:
        assert all(totals["unmeasured"] == 0 for totals in behind(now, LINK))


def test_the_reason_is_told(outcome: tuple[Probes, Probes, str]) -> None:
    lines = [line for line in outcome[2].splitlines() if line.startswith("netsla_probe_unmeasured_total")]
    down = [line for line in lines if 'reason="interface_down"' in line and not line.endswith(" 0")]
    assert {line.partition('endpoint="')[2].partition('"')[0] for line in down} >= {f"{FRAIL}-v4", f"{FRAIL}-v6"}
