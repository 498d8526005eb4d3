"""The shipped unit under a systemd that is really booted: started, reloaded, killed, hung, stopped."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.netlab.booted import Machine, booted

CONFIG = """
agent: {name: lab}
probes: {ping: {type: icmp, interval: 200ms, timeout: 500ms}}
agreements:
  - id: lab
    probes: [ping]
    objectives: [{id: delivery, metric: packet_delivery, target: ">= 50%", window: 5m}]
    endpoints: [{id: one, address: 127.0.0.1}, {id: six, address: "::1"}]
"""
FILE = "/etc/netsla/netsla.yaml"
UNITS = "/etc/systemd/system"
WATCHDOG_S = 3  # a drop-in's, so that a test need not wait for the unit's own


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with booted(tmp_path_factory.mktemp("booted")) as one:
        one.must("cp", "/opt/lab/project/deploy/systemd/netsla.service", UNITS)
        one.write(f"{UNITS}/netsla.service.d/lab.conf", f"[Service]\nWatchdogSec={WATCHDOG_S}s\n")
        one.must("systemctl", "daemon-reload")
        yield one


@pytest.fixture
def service(machine: Machine) -> Machine:
    """The service as an operator starts it; it was ended in order by the test before."""
    machine.write(FILE, CONFIG)
    machine.must("systemctl", "start", "netsla")  # Type=notify: returns once the agent said READY=1
    assert machine.show("netsla", "ActiveState") == "active"
    return machine


def status(machine: Machine) -> dict[str, Any]:
    """What the agent says, asked as an administrator asks; empty if it does not answer."""
    done = machine.run("netsla", "status", "--format", "json")
    found: dict[str, Any] = json.loads(done.stdout) if done.returncode in (0, 1, 4) else {}
    return found


def received(machine: Machine, least: int) -> bool:
    return all(
        one["totals"]["received"] >= least for one in status(machine).get("probes", [{"totals": {"received": 0}}])
    )


def measures(machine: Machine) -> None:
    machine.until(lambda: received(machine, 3), 20)
    assert status(machine)["agent"]["problems"] == []


def main_pid(machine: Machine) -> str:
    return machine.show("netsla", "MainPID")


def began_anew(machine: Machine, before: str) -> bool:
    return machine.show("netsla", "ActiveState") == "active" and main_pid(machine) not in ("0", before)


def test_it_starts_measures_and_stops(service: Machine) -> None:
    measures(service)
    assert service.show("netsla", "StatusText").startswith("2 probes, 1 agreement")
    service.must("systemctl", "stop", "netsla")
    assert (service.show("netsla", "Result"), service.show("netsla", "ExecMainStatus")) == ("success", "0")
    assert service.run("test", "-e", "/run/netsla").returncode == 1, "the runtime folder goes with the service"


def test_it_has_a_user_and_folders_of_its_own_and_no_right_beyond(service: Machine) -> None:
    measures(service)
    limits = dict(
        line.split(":\t", 1) for line in service.must("cat", f"/proc/{main_pid(service)}/status").splitlines()
    )
    user = limits["Uid"].split()[0]
    assert int(user) > 60_000, "a dynamic user"
    assert (limits["CapEff"], limits["CapBnd"]) == ("0" * 16, "0" * 16)
    assert (limits["NoNewPrivs"], limits["Seccomp"]) == ("1", "2")
    owner = service.must(
        "stat", "--format", "%u %a", "/var/lib/netsla/", "/var/lib/netsla/ledger.db", "/run/netsla/netsla.sock"
    )
    assert owner.split("\n")[:3] == [f"{user} 750", f"{user} 600", f"{user} 660"]
    service.must("systemctl", "stop", "netsla")
    assert service.must("stat", "--format", "%F", "/var/lib/private/netsla/ledger.db").strip() == "regular file"


def test_a_reload_is_taken_or_refused_and_said(service: Machine) -> None:
    pid = main_pid(service)
    service.write(FILE, CONFIG.replace("id: six", "id: vi"))
    service.must("systemctl", "reload", "netsla")
    assert {one["endpoint"] for one in status(service)["probes"]} == {"one", "vi"}
    service.write(FILE, CONFIG.replace("interval: 200ms", "intervall: 200ms"))
    assert service.run("systemctl", "reload", "netsla").returncode == 1
    assert f"{FILE}:3:" in service.journal()
    assert {one["endpoint"] for one in status(service)["probes"]} == {"one", "vi"}
    assert (service.show("netsla", "ActiveState"), main_pid(service)) == ("active", pid)
    service.must("systemctl", "stop", "netsla")


def test_a_killed_agent_is_started_again_and_goes_on(service: Machine) -> None:
    service.until(lambda: received(service, 20), 20)  # of 4 s: the ledger has heard of them
    before = main_pid(service)
    service.must("systemctl", "kill", "--signal=KILL", "netsla")
    service.until(lambda: began_anew(service, before), 20)
    measures(service)
    assert "the record ends at" in service.journal()
    service.must("systemctl", "stop", "netsla")


def test_a_hung_agent_is_ended_by_the_watchdog_and_started_again(service: Machine) -> None:
    measures(service)
    before = main_pid(service)
    service.must("systemctl", "kill", "--signal=STOP", "netsla")
    service.until(lambda: began_anew(service, before), 30 + WATCHDOG_S)
    assert "Watchdog timeout" in service.journal()
    measures(service)
    service.must("systemctl", "stop", "netsla")


def test_a_wrong_configuration_is_not_tried_again(machine: Machine) -> None:
    machine.write(FILE, "agent: [")
    assert machine.run("systemctl", "start", "netsla").returncode == 1
    assert machine.show("netsla", "ExecMainStatus") == "2"
    assert machine.show("netsla", "ActiveState") == "failed", "a restart would not cure it"
    assert f"{FILE}:2:" in machine.journal()
    machine.must("systemctl", "reset-failed", "netsla")


def test_the_host_sees_nothing_of_it(machine: Machine) -> None:
    machine.must("touch", "/tmp/of-the-lab", "/var/tmp/of-the-lab", "/etc/of-the-lab", "/run/of-the-lab")
    assert not [place for place in ("tmp", "var/tmp", "etc", "run") if Path(f"/{place}/of-the-lab").exists()]
