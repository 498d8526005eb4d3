"""A breach from the wire to the operator: onset and end to the probe, acknowledged, over a SIGKILL."""

from __future__ import annotations

import json
import signal
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.netlab.lab import Agent, Lab, netlab, run
from tests.netlab.veth import join, restore

CONFIG = """
agent: {name: lab, state_dir: var, socket: netsla.sock}
probes: {ping: {type: icmp, interval: 200ms, timeout: 500ms}}
agreements:
  - id: lab
    probes: [ping]
    uptime: {method: interval, interval: 1s, loss_over: 50%}
    measurement: {min_coverage: 50%}  # a minute in which the agent was killed is judged all the same
    objectives: [{id: delivery, metric: packet_delivery, target: ">= 60%", window: 1m}]
    endpoints: [{id: one, address: 10.99.0.1}, {id: two, address: 10.99.1.1}, {id: three, address: 10.99.2.1}]
"""
EVERYBODY = ("10.99.0.0/24", "10.99.1.0/24", "10.99.2.0/24")


def black(lab: Lab, act: str) -> tuple[float, float]:
    """Let the far side swallow what goes to `one` (`add`), or no more (`del`); returns between when and when."""
    before = time.time()
    run("ip", "-n", lab.far, "route", act, "blackhole", "10.99.0.0/24", "table", "local")
    return before, time.time()


def breaches(agent: Agent, *more: str) -> list[dict[str, Any]]:
    done = agent.command("breaches", "--format", "json", *more)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_opened_killed_acknowledged_closed(tmp_path: Path) -> None:
    with netlab(tmp_path, wire=False) as lab:
        join(lab)
        restore(lab, EVERYBODY)
        agent = lab.agent(CONFIG)
        agent.until(lambda now: min(probe["totals"]["sent"] for probe in now["probes"]) >= 30)
        begin = black(lab, "add")
        agent.until(lambda _now: any(one["path"] for one in breaches(agent, "--open")))
        agent.process.send_signal(signal.SIGKILL)
        agent.process.wait()
        agent = lab.agent(CONFIG)
        (opened,) = breaches(agent, "--open")
        assert (opened["endpoint"], opened["objective"], opened["open"]) == ("one", "delivery", True)
        assert begin[0] < seconds(opened["onset"]) < begin[1] + 0.25, "right to one probe interval"
        said = agent.command("breaches", "--ack", "lab/one/delivery", "--why", "fibre cut")
        assert "acknowledged by root" in said.stdout, said.stderr
        end = black(lab, "del")
        agent.until(lambda _now: not breaches(agent, "--open"), seconds=90)
        (closed,) = breaches(agent)
        assert closed["id"] == opened["id"]
        assert end[0] < seconds(closed["ended_at"]) < end[1] + 0.25
        assert closed["acknowledged"]["why"] == "fibre cut"
        assert closed["path"]["address"] == "10.99.0.1"
        assert len(closed["events"]) == 3, "opened, acknowledged, closed: each once"
        assert agent.end() == 0
