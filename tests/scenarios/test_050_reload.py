"""Reload, by command and by signal: a bad file changes nothing, a good one keeps what it does not name."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.netlab.lab import Agent, Lab, netlab

HEAD = """
agent: {name: lab, state_dir: var, socket: netsla.sock}
probes: {ping: {type: icmp, interval: 1s, timeout: 500ms}}
agreements:
  - id: lab
    probes: [ping]
    objectives: [{id: delivery, metric: packet_delivery, target: ">= 50%", window: 5m}]
    endpoints:
"""
MANY = 10_000
CHANGED = 4_321
QUICK_S = 10.0  # of a reload of MANY endpoints, the YAML read and validated anew; 3 s on two idle cores


def config(endpoints: dict[str, str]) -> str:
    return HEAD + "".join(f'      - {{id: {name}, address: "{address}"}}\n' for name, address in endpoints.items())


FEW = {"one": "127.0.0.1", "two": "127.0.0.2", "six": "::1"}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with netlab(tmp_path_factory.mktemp("reload"), wire=False) as one:
        yield one


@pytest.fixture(scope="module")
def agent(lab: Lab) -> Iterator[Agent]:
    one = lab.agent(config(FEW))
    one.until(lambda now: heard(now, 3, *FEW))
    yield one
    assert one.end() == 0


def by_endpoint(status: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {probe["endpoint"]: probe for probe in status["probes"]}


def heard(status: dict[str, Any], count: int, *names: str) -> bool:
    """Whether these endpoints have answered so often."""
    probes = by_endpoint(status)
    return all(name in probes and probes[name]["totals"]["received"] >= count for name in names)


def refusal_told(status: dict[str, Any]) -> bool:
    return any("reload was refused" in problem for problem in status["agent"]["problems"])


def reload_ok(metrics: str) -> bool:
    return "netsla_config_last_reload_successful 1.0" in metrics


def until_logged(agent: Agent, text: str, after: int) -> None:
    """Wait until the agent has said something since its log was `after` characters long."""
    limit = time.monotonic() + 20
    while text not in agent.log.read_text()[after:]:
        assert time.monotonic() < limit, agent.log.read_text()[after:]
        time.sleep(0.05)


BAD = {
    "no YAML": ("agent: [", 2),
    "an unknown key": (config(FEW).replace("interval: 1s", "intervall: 1s"), 3),
    "an address that is none": (config(FEW | {"two": "300.0.0.1"}), 10),
}


@pytest.mark.parametrize("mistake", BAD)
def test_a_bad_file_leaves_the_old_plan_running_and_is_said(agent: Agent, mistake: str) -> None:
    text, line = BAD[mistake]
    before = agent.status()
    agent.config.write_text(text)
    done = agent.command("reload")
    assert done.returncode == 2
    assert f"netsla.yaml:{line}:" in done.stderr
    assert not reload_ok(agent.metrics()), "seen by the next scrape, not a second later"
    more = by_endpoint(before)["one"]["totals"]["received"] + 1
    after = agent.until(lambda now: heard(now, more, "one") and refusal_told(now))
    assert after["agent"]["config_digest"] == before["agent"]["config_digest"]
    assert by_endpoint(after).keys() == by_endpoint(before).keys()
    assert not reload_ok(agent.metrics())
    agent.config.write_text(config(FEW))
    assert agent.command("reload").returncode == 0
    assert reload_ok(agent.metrics())
    agent.until(lambda now: not refusal_told(now))


def test_a_bad_file_by_signal_leaves_the_old_plan_running(agent: Agent) -> None:
    before, said = agent.status(), len(agent.log.read_text())
    agent.config.write_text(BAD["an unknown key"][0])
    agent.process.send_signal(signal.SIGHUP)
    until_logged(agent, "reload refused, the old plan goes on", said)
    assert "netsla.yaml:3:" in agent.log.read_text()[said:]
    assert agent.status()["agent"]["config_digest"] == before["agent"]["config_digest"]
    agent.config.write_text(config(FEW))
    agent.process.send_signal(signal.SIGHUP)
    until_logged(agent, "reloaded: 3 probes", said)
    assert reload_ok(agent.metrics())


def test_what_only_a_restart_can_change_is_refused(agent: Agent) -> None:
    agent.config.write_text(config(FEW).replace("state_dir: var", "state_dir: elsewhere"))
    done = agent.command("reload")
    assert done.returncode == 3
    assert "state_dir cannot change while the agent runs" in done.stderr
    assert "restart the agent" in done.stderr
    agent.config.write_text(config(FEW))
    assert agent.command("reload").returncode == 0


def phase(probe: dict[str, Any]) -> float:
    """When in its second the last probe was told, as an angle."""
    stamp = probe["last"]["at"]
    return math.tau * float("0." + stamp.rstrip("Z").partition(".")[2])


def test_a_good_file_keeps_windows_and_phases_of_the_unchanged(agent: Agent) -> None:
    before = by_endpoint(agent.until(lambda now: heard(now, 5, *FEW)))
    agent.config.write_text(config(FEW | {"two": "127.0.0.3", "new": "127.0.0.4"}))
    began = time.monotonic()
    assert agent.command("reload").returncode == 0
    # PEERS 7: a name that nobody resolves stops neither the reload nor anybody else
    agent.config.write_text(config(FEW | {"two": "127.0.0.3", "new": "127.0.0.4", "nobody": "nobody.invalid"}))
    assert agent.command("reload").returncode == 0
    after = by_endpoint(agent.until(lambda now: heard(now, 2, "new", "two")))
    passed = time.monotonic() - began
    for name in ("one", "six"):
        old, new = before[name], after[name]
        for counts in ("totals", "5m"):
            then = old["totals"] if counts == "totals" else old["windows"]["5m"]
            now = new["totals"] if counts == "totals" else new["windows"]["5m"]
            assert now["sent"] > then["sent"]
            assert now["sent"] - then["sent"] <= passed + 4  # seconds, at one probe a second; two turns of the engine
            assert (now["lost"], now["unmeasured"]) == (then["lost"], then["unmeasured"])
        assert math.cos(phase(new) - phase(old)) > math.cos(math.tau * 0.1)  # within 100 ms of its old place
    assert after["two"]["address"] == "127.0.0.3"
    assert after["two"]["totals"]["sent"] > before["two"]["totals"]["sent"]  # the same endpoint, wherever it answers
    assert after["nobody"]["totals"]["sent"] == 0
    agent.config.write_text(config(FEW))
    assert agent.command("reload").returncode == 0
    assert set(by_endpoint(agent.status())) == set(FEW)


def test_one_of_ten_thousand(tmp_path: Path) -> None:
    """PEERS 17: a reload with 10,000 unchanged and 1 changed endpoint."""
    fleet = {f"e{n}": f"127.{1 + (n >> 16)}.{n >> 8 & 255}.{n & 255}" for n in range(MANY + 1)}
    with netlab(tmp_path, wire=False) as lab:
        agent = lab.agent(config(fleet))
        before = by_endpoint(agent.until(lambda now: heard(now, 2, *fleet)))
        name = f"e{CHANGED}"
        agent.config.write_text(config(fleet | {name: "127.200.0.1"}))
        began = time.monotonic()
        assert agent.command("reload").returncode == 0
        took = time.monotonic() - began
        after = by_endpoint(agent.until(lambda now: heard(now, before["e0"]["totals"]["received"] + 2, *fleet)))
        passed = time.monotonic() - began
        assert after[name]["address"] == "127.200.0.1"
        assert after.keys() == before.keys()
        for one in fleet.keys() - {name}:
            old, new = before[one]["totals"], after[one]["totals"]
            assert old["received"] < new["received"] <= old["received"] + passed + 6
            assert (new["lost"], new["unmeasured"]) == (0, 0), one
            assert after[one]["windows"]["5m"]["sent"] == new["sent"]
        assert agent.end() == 0
    assert took < QUICK_S
