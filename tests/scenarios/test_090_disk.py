"""The disk fails under a running agent: probing and live status go on, the fault is named, recovery is by itself."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from netsla.store.archive import Archive
from tests.netlab.lab import Agent, Lab, netlab, run
from tests.store.disks import fill, remount, small_disk

CONFIG = """
agent: {name: lab, state_dir: disk, socket: netsla.sock}
probes: {ping: {type: icmp, interval: 100ms, timeout: 300ms}}
agreements:
  - id: lab
    probes: [ping]
    uptime: {method: interval, interval: 1s, loss_over: 50%}
    objectives: [{id: delivery, metric: packet_delivery, target: ">= 90%", window: 5m}]
    endpoints: [{id: v4, address: 127.0.0.1}, {id: v6, address: "::1"}]
"""


def about(agent: Agent, part: str) -> float:
    """How many problems the metrics tell of a part."""
    line = next(
        line for line in agent.metrics().splitlines() if line.startswith(f'netsla_part_problems{{part="{part}"}}')
    )
    return float(line.split()[1])


def named(status: dict[str, Any], word: str) -> bool:
    return any(word in problem for problem in status["agent"]["problems"])


def sent(status: dict[str, Any]) -> int:
    return min(int(probe["totals"]["sent"]) for probe in status["probes"])


def goes_on(agent: Agent) -> None:
    """Two more seconds are probed and shown, without a gap."""
    before = agent.status()
    after = agent.until(lambda now: sent(now) >= sent(before) + 20, seconds=10)
    assert all(probe["totals"]["unmeasured"] == 0 for probe in after["probes"])
    assert {one["standing"] for one in after["objectives"]} == {"met"}


def recovers(agent: Agent, disk: Path) -> None:
    """Within 30 s nothing is wrong any more, and new intervals are in the ledger."""
    agent.until(lambda now: not now["agent"]["problems"], seconds=30)
    assert about(agent, "ledger") == 0
    edge = int(time.time())
    agent.until(lambda _now: _last_start(disk) > edge, seconds=30)


def _last_start(disk: Path) -> int:
    try:
        with Archive(disk / "ledger.db").open() as look:
            return (look.last_interval() or (0, 0))[0]
    except sqlite3.Error:
        return 0


@pytest.fixture
def running(tmp_path: Path, request: pytest.FixtureRequest) -> Any:
    with small_disk(tmp_path / "disk", "4m") as disk, netlab(tmp_path, wire=False) as lab:
        agent = lab.agent(CONFIG)
        agent.until(lambda now: sent(now) >= 30)
        yield lab, agent, disk
        assert agent.end() == 0


def test_a_full_disk(running: tuple[Lab, Agent, Path]) -> None:
    _, agent, disk = running
    ballast = fill(disk)
    agent.until(lambda now: named(now, "disk is full"), seconds=30)
    assert about(agent, "ledger") == 1
    assert "disk is full" in agent.log.read_text()
    goes_on(agent)
    ballast.unlink()
    recovers(agent, disk)


def test_a_folder_that_is_read_only_at_the_start(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "4m") as disk, netlab(tmp_path, wire=False) as lab:
        remount(disk, "ro")
        agent = lab.agent(CONFIG)
        agent.until(lambda now: named(now, "cannot be opened: see that the folder exists and is writable"), seconds=30)
        assert about(agent, "ledger") == 1
        goes_on(agent)
        run("nsenter", "--target", str(agent.process.pid), "--mount", "mount", "-o", "remount,rw", str(disk))
        recovers(agent, disk)
        assert agent.end() == 0


def test_a_ledger_that_is_deleted_while_the_agent_runs(running: tuple[Lab, Agent, Path]) -> None:
    _, agent, disk = running
    for file in disk.glob("ledger.db*"):
        file.unlink()
    goes_on(agent)
    recovers(agent, disk)
    assert "ledger.db" in agent.log.read_text()


def test_a_ledger_that_is_overwritten_with_rubbish(running: tuple[Lab, Agent, Path]) -> None:
    _, agent, disk = running
    for name in ("ledger.db", "ledger.db-wal"):
        with (disk / name).open("r+b") as file:
            file.write(b"\xff" * max((disk / name).stat().st_size, 4096))
    goes_on(agent)
    recovers(agent, disk)
    assert list(disk.glob("ledger.db.*")), "what was there is set aside, not thrown away"
