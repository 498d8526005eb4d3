"""A firewall of our own host drops everything on its way out: unmeasured to the packet, and it excuses no loss afar.

connect() hides it, so the kernel's own counters have to tell. One kind of endpoint answers, the other is dead.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.netlab.firewall import firewall
from tests.netlab.lab import netlab, run
from tests.netlab.veth import LINK, join, restore

CONFIG = """
agent: {{name: lab, state_dir: var, socket: netsla.sock}}
probes:
  ping: {{type: icmp, interval: 200ms, timeout: 150ms}}
  tcp: {{type: tcp, port: 7, interval: 200ms, timeout: 150ms, rst: up}}
agreements:
  - id: lab
    probes: [ping, tcp]
    objectives: [{{id: latency, metric: latency, statistic: p95, target: "<= 1s", window: 5m}}]
    endpoints:
{endpoints}
"""
ALIVE, DEAD = ("10.99.30.0/24", "fd99:0:30::/64"), ("10.99.31.0/24", "fd99:0:31::/64")
ENOUGH = 8
EDGES = 4  # probes: phases differ by one; the first refusal excuses what was out on the same row, two if verdicts wait

Totals = dict[tuple[str, str], dict[str, Any]]


def endpoints() -> str:
    kinds = (("alive", ALIVE), ("dead", DEAD))
    hosts = [
        (f"{kind}-v{v}", one.partition("/")[0]) for kind, both in kinds for v, one in zip((4, 6), both, strict=True)
    ]
    return "\n".join(f'      - {{id: {name}, address: "{host}1"}}' for name, host in hosts).replace(".01", ".1")


def totals(status: dict[str, Any]) -> Totals:
    return {(probe["endpoint"], probe["probe"]): probe["totals"] for probe in status["probes"]}


def grown(now: Totals, before: Totals, key: str, kind: str) -> bool:
    return all(one[key] >= before[name][key] + ENOUGH for name, one in now.items() if name[0].startswith(kind))


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> tuple[Totals, Totals, Totals, str]:
    """Totals before, with the firewall closed, and after; metrics."""
    folder = tmp_path_factory.mktemp("firewall")
    with firewall(folder) as wall, netlab(folder, wire=False) as lab:
        join(lab)
        restore(lab, [*ALIVE, *DEAD], LINK)
        for network in DEAD:
            family = ["-6"] if ":" in network else []
            run("ip", "-n", lab.far, *family, "route", "add", "blackhole", network, "table", "local")
        agent = lab.agent(CONFIG.format(endpoints=endpoints()), wall.inside)
        zero = dict.fromkeys(totals(agent.status()), dict.fromkeys(("received", "lost", "unmeasured"), 0))
        before = totals(
            agent.until(
                lambda s: grown(totals(s), zero, "received", "alive") and grown(totals(s), zero, "lost", "dead")
            )
        )
        wall.close_up()
        during = totals(agent.until(lambda s: grown(totals(s), before, "unmeasured", "")))
        later = totals(agent.until(lambda s: grown(totals(s), during, "unmeasured", "")))
        wall.open_up()
        after = totals(
            agent.until(
                lambda s: grown(totals(s), later, "received", "alive") and grown(totals(s), later, "lost", "dead")
            )
        )
        metrics = agent.metrics()
        assert agent.end() == 0
    for name, one in during.items():
        assert later[name]["sent"] == one["sent"], "nothing leaves, so nothing is counted as sent"
    return before, later, after, metrics


def test_not_a_single_one_is_lost(outcome: tuple[Totals, Totals, Totals, str]) -> None:
    for now in outcome[:3]:
        alive = {name: one for name, one in now.items() if name[0].startswith("alive")}
        assert all(one["lost"] == 0 and one["sent"] == one["received"] > 0 for one in alive.values()), alive


def test_nothing_is_unmeasured_but_what_was_dropped(outcome: tuple[Totals, Totals, Totals, str]) -> None:
    before, _, after, _ = outcome
    assert all(one["unmeasured"] == 0 for one in before.values())
    dropped = [one["unmeasured"] for one in after.values()]
    assert max(dropped) - min(dropped) <= EDGES, f"no loss afar is excused: all were dropped as often: {after}"
    assert all(one["received"] == 0 for name, one in after.items() if name[0].startswith("dead"))


def test_the_reason_is_told(outcome: tuple[Totals, Totals, Totals, str]) -> None:
    lines = [line for line in outcome[3].splitlines() if line.startswith("netsla_probe_unmeasured_total")]
    told = {
        (found[1], found[2], found[3])
        for line in lines
        if not line.endswith(" 0")
        and (found := re.search(r'endpoint="([^"]+)".*probe="([^"]+)".*reason="([^"]+)"', line))
    }
    assert {one for one in told if one[1] == "tcp"} == {
        (f"{kind}-v{family}", "tcp", "prohibited") for kind in ("alive", "dead") for family in (4, 6)
    }
    assert {reason for _, probe, reason in told if probe == "ping"} <= {"prohibited", "other"}
