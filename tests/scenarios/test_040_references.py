"""Our own references judge us: while they fail, customers' figures freeze; a mass failure without them is down time."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from tests.netlab.lab import Agent, Lab, netlab, run
from tests.netlab.veth import join, restore

CONFIG = """
agent: {{name: lab, state_dir: var, socket: netsla.sock}}
references:
  - {{address: 10.99.200.1, name: gateway, probe: {{type: icmp, interval: 200ms, timeout: 500ms}}}}
  - {{address: "fd99:0:200::1", name: upstream, probe: {{type: icmp, interval: 200ms, timeout: 500ms}}}}
probes: {{ping: {{type: icmp, interval: 200ms, timeout: 500ms}}}}
agreements:
  - id: lab
    probes: [ping]
    uptime: {{method: interval, interval: {cell}s, loss_over: 50%}}
    objectives: [{{id: delivery, metric: packet_delivery, target: ">= 90%", window: 5m}}]
    endpoints:
      - {{id: v4, address: 10.99.0.1}}
      - {{id: v6, address: "fd99::1"}}
"""
CELL = 2  # seconds of an interval
PER_CELL = CELL * 5
EVERYBODY = ("10.99.0.0/24", "10.99.200.0/24", "fd99::/64", "fd99:0:200::/64")
CUSTOMERS = ("10.99.0.0/24", "fd99::/64")


def black(lab: Lab, act: str, networks: tuple[str, ...]) -> None:
    """Let the far side silently swallow what goes to some networks (`add`), or no more (`del`)."""
    for network in networks:
        family = ["-6"] if ":" in network else []
        run("ip", "-n", lab.far, *family, "route", act, "blackhole", network, "table", "local")


def at_a_boundary() -> None:
    """Wait until an interval has just begun: a fault that begins here spoils whole intervals only."""
    time.sleep(CELL - time.time() % CELL + 0.02)


def isolated(status: dict[str, Any]) -> bool:
    return any(problem.startswith("isolated") for problem in status["agent"]["problems"])


def windows(status: dict[str, Any]) -> list[dict[str, Any]]:
    return [probe["windows"]["5m"] for probe in status["probes"]]


def standings(status: dict[str, Any]) -> set[str]:
    return {probe["standing"] for probe in status["probes"]}


def objectives(status: dict[str, Any]) -> list[tuple[str, float, Any]]:
    return [(one["standing"], one["value"], one["breach"]) for one in status["objectives"]]


def up(agent: Agent) -> list[str]:
    return [line for line in agent.metrics().splitlines() if line.startswith("netsla_probe_up{")]


def test_references_tell_our_own_fault_from_the_customers(tmp_path: Path) -> None:
    with netlab(tmp_path, wire=False) as lab:
        join(lab)
        restore(lab, EVERYBODY)
        agent = lab.agent(CONFIG.format(cell=CELL))
        agent.until(lambda now: standings(now) == {"good"} and min(w["sent"] for w in windows(now)) >= PER_CELL)
        frozen_while_we_are_isolated(lab, agent)
        loss_when_only_customers_fail(lab, agent)
        assert agent.end() == 0


def frozen_while_we_are_isolated(lab: Lab, agent: Agent) -> None:
    at_a_boundary()
    black(lab, "add", EVERYBODY)
    first = agent.until(isolated)
    during = agent.until(lambda now: min(w["unmeasured"] for w in windows(now)) >= 2 * PER_CELL)
    assert isolated(during)
    assert standings(during) == {"unknown"}
    assert objectives(during) == objectives(first)
    assert {standing for standing, _, _ in objectives(during)} == {"met"}
    assert up(agent) == []
    at_a_boundary()
    black(lab, "del", EVERYBODY)
    after = agent.until(lambda now: not isolated(now) and standings(now) == {"good"})
    told = [(standing, value >= 0.9, breach) for standing, value, breach in objectives(after)]
    assert told == [("insufficient_data", True, None)] * 2, "much is unmeasured now, nothing was breached"
    assert all(w["lost"] <= 1 for w in windows(after)), "at most the probe that met the cut or the cure by a hair"
    assert all(w["coverage_ratio"] < 1 for w in windows(after))


def loss_when_only_customers_fail(lab: Lab, agent: Agent) -> None:
    lost = [w["lost"] for w in windows(agent.status())]
    at_a_boundary()
    black(lab, "add", CUSTOMERS)
    during = agent.until(
        lambda now: standings(now) == {"bad"} and {standing for standing, _, _ in objectives(now)} == {"breached"}
    )
    assert not isolated(during)
    assert all(w["lost"] >= before + PER_CELL for w, before in zip(windows(during), lost, strict=True))
    assert [float(line.split()[-1]) for line in up(agent)] == [0, 0]
    assert agent.command("status").returncode == 1
