"""The unit's own commands and settings, applied to a real agent as far as that goes without a booted systemd.

Held here: ExecStart and ExecReload, the notification protocol within WatchdogSec, no capability and no new privileges,
the end within TimeoutStopSec. Held by tests/test_deploy.py: that systemd understands the unit, and how far it is
hardened. Held by test_081: DynamicUser, the system call filter and the mounts, for which systemd must be booted.
"""

from __future__ import annotations

import signal
import socket
import time
from pathlib import Path

from tests.netlab.lab import netlab

UNIT = Path(__file__).parents[2] / "deploy" / "systemd" / "netsla.service"
CONFIG = """
agent: {name: lab, state_dir: var, socket: netsla.sock}
probes: {ping: {type: icmp, interval: 200ms, timeout: 500ms}}
agreements:
  - id: lab
    probes: [ping]
    objectives: [{id: delivery, metric: packet_delivery, target: ">= 50%", window: 5m}]
    endpoints: [{id: one, address: 127.0.0.1}, {id: six, address: "::1"}]
"""


def settings() -> dict[str, str]:
    """The unit's settings; the last of several wins."""
    lines = [line for line in UNIT.read_text().splitlines() if "=" in line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def seconds(text: str) -> float:
    return float(text.removesuffix("s"))


def words(channel: socket.socket, until: str) -> list[str]:
    """Assignments told to the manager, up to one."""
    found: list[str] = []
    while until not in found:
        found += channel.recv(4096).decode().split("\n")
    return found


def test_the_unit_s_commands_and_limits(tmp_path: Path) -> None:
    unit = settings()
    program, *start = unit["ExecStart"].split()
    assert (program, start) == ("/usr/bin/netsla", ["run"])
    assert unit["ExecReload"].split()[1:] == ["reload"]
    assert (unit["CapabilityBoundingSet"], unit["AmbientCapabilities"], unit["NoNewPrivileges"]) == ("", "", "yes")
    watchdog, stop = seconds(unit["WatchdogSec"]), seconds(unit["TimeoutStopSec"])
    address = tmp_path / "notify"
    with netlab(tmp_path, wire=False) as lab, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(address))
        channel.settimeout(watchdog / 2)
        through = ["env", f"NOTIFY_SOCKET={address}", f"WATCHDOG_USEC={watchdog * 1_000_000:.0f}"]
        through += ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
        agent = lab.agent(CONFIG, (*through, "--no-new-privs"))
        assert words(channel, "READY=1")[0] == "READY=1"
        status = agent.until(lambda now: all(one["totals"]["received"] >= 3 for one in now["probes"]))
        assert status["agent"]["problems"] == []
        limits = Path(f"/proc/{agent.process.pid}/status").read_text()
        assert "CapEff:\t0000000000000000" in limits
        assert "NoNewPrivs:\t1" in limits
        words(channel, "WATCHDOG=1")  # well within the limit: the channel waits for half of it
        assert agent.command(*unit["ExecReload"].split()[1:]).returncode == 0
        assert "READY=1" in words(channel, "RELOADING=1") + words(channel, "READY=1")
        began = time.monotonic()
        agent.process.send_signal(signal.SIGTERM)
        words(channel, "STOPPING=1")
        assert agent.process.wait(stop) == 0
        assert time.monotonic() - began < stop


def test_codes_that_a_restart_does_not_cure_are_those_of_the_program() -> None:
    from netsla.errors import Exit

    assert {int(code) for code in settings()["RestartPreventExitStatus"].split()} == {Exit.CONFIG, Exit.HOST}
