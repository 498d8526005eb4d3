"""How an agent begins and ends: what it tells its service manager, what it leaves, and when it refuses to begin."""

from __future__ import annotations

import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.netlab.lab import Agent, end, netlab
from tests.netlab.veth import sysctl

CONFIG = """
agent: {{name: lab, state_dir: var, socket: {socket}}}
web: {{listen: ["127.0.0.1:{port}"]}}
probes: {{ping: {{type: icmp, interval: 200ms, timeout: 500ms}}}}
agreements:
  - id: lab
    probes: [ping]
    objectives: [{{id: delivery, metric: packet_delivery, target: ">= 50%", window: 5m}}]
    endpoints: [{{id: one, address: 127.0.0.1}}]
"""
BARE = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")  # as a user without any capability
WATCHDOG_S = 10
REFUSAL_S = 8.0  # to refuse to begin


class Manager:
    """The listening end of a service manager's notification socket."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.channel.bind(str(path))
        self.channel.settimeout(20)
        self.told: list[str] = []

    def await_(self, word: str) -> list[str]:
        """Take messages until one holds `word`; returns those of this call."""
        found: list[str] = []
        while not found or word not in found[-1].split("\n"):
            found.append(self.channel.recv(4096).decode())
        self.told += found
        return found

    def rest(self) -> list[str]:
        """Whatever still waits."""
        self.channel.setblocking(False)
        found: list[str] = []
        while True:
            try:
                found.append(self.channel.recv(4096).decode())
            except BlockingIOError:
                return found


@dataclass
class Life:
    """One agent's life, as others saw it."""

    told: list[str]
    code: int
    socket_left: bool
    log: str
    second: subprocess.CompletedProcess[str]
    same_state: subprocess.CompletedProcess[str]
    pid: int


def start_another(agent: Agent, socket_name: str, port: int) -> subprocess.CompletedProcess[str]:
    """`netsla run` beside an agent, in its folder; one that was not refused in time is ended, and so ends with 0."""
    path = agent.config.with_name(f"other-{port}.yaml")
    path.write_text(CONFIG.format(socket=socket_name, port=port))
    command = ["ip", "netns", "exec", agent.namespace, sys.executable, "-m", "netsla", "run", "--config", str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        out, err = process.communicate(timeout=REFUSAL_S)
    except subprocess.TimeoutExpired:
        process.terminate()
        out, err = process.communicate()
    return subprocess.CompletedProcess(command, process.returncode, out, err)


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Life:
    folder = tmp_path_factory.mktemp("life")
    manager = Manager(folder / "notify")
    environment = (f"NOTIFY_SOCKET={manager.path}", f"WATCHDOG_USEC={WATCHDOG_S * 1_000_000}")
    with manager.channel, netlab(folder, wire=False) as lab:
        agent = lab.agent(CONFIG.format(socket="netsla.sock", port=9469), ("env", *environment))
        manager.await_("READY=1")
        for _ in range(3):
            manager.await_("WATCHDOG=1")
        assert agent.command("reload").returncode == 0
        manager.await_("READY=1")
        second = start_another(agent, "netsla.sock", 9470)
        same_state = start_another(agent, "other.sock", 9471)
        agent.until(lambda now: now["probes"][0]["totals"]["received"] >= 3)
        pid = agent.process.pid
        code = agent.end()
        told = manager.told + manager.rest()
        return Life(told, code, agent.socket.exists(), agent.log.read_text(), second, same_state, pid)


def test_the_manager_is_told_of_beginning_life_reload_and_end(life: Life) -> None:
    words = [line for message in life.told for line in message.split("\n") if not line.startswith(("STATUS", "MONO"))]
    assert words[0] == "READY=1"
    assert words.count("WATCHDOG=1") >= 3
    assert words.count("RELOADING=1") == 1
    assert words.index("RELOADING=1") < len(words) - 1 - words[::-1].index("READY=1")
    assert words.count("STOPPING=1") == 1
    assert words[-1] == "STOPPING=1" or set(words[words.index("STOPPING=1") :]) <= {"STOPPING=1", "WATCHDOG=1"}


def test_ready_says_what_is_probed(life: Life) -> None:
    ready = next(message for message in life.told if message.startswith("READY=1"))
    assert "STATUS=1 probe, 1 agreement; page and /metrics at http://127.0.0.1:9469/" in ready


def test_the_end_is_orderly(life: Life) -> None:
    assert life.code == 0
    assert not life.socket_left
    assert "Traceback" not in life.log


def test_a_second_agent_in_the_same_folder_is_refused_before_it_probes(life: Life) -> None:
    assert life.second.returncode == 3
    assert f"another agent (pid {life.pid}) uses the state folder" in life.second.stderr
    assert "agent.state_dir" in life.second.stderr
    assert "Traceback" not in life.second.stderr


def test_a_second_agent_in_the_same_state_folder_is_refused(life: Life) -> None:
    """Two writers would interleave one chain."""
    assert life.same_state.returncode == 3
    assert "state_dir" in life.same_state.stderr
    assert "Traceback" not in life.same_state.stderr


def test_after_a_kill_the_socket_is_taken_over(tmp_path: Path) -> None:
    with netlab(tmp_path, wire=False) as lab:
        text = CONFIG.format(socket="netsla.sock", port=9469)
        first = lab.agent(text)
        assert end(first.process, 9) == -9
        assert first.socket.exists()
        assert first.command("status").returncode == 3
        second = lab.agent(text)
        second.until(lambda now: now["probes"][0]["totals"]["received"] >= 3)
        assert second.end() == 0
        assert not second.socket.exists()


def test_both_socket_kinds_denied_is_said_with_its_remedy(tmp_path: Path) -> None:
    """PEERS 13: ping socket denied, raw denied, both denied; what else can be measured is (test_030: nothing can)."""
    tcp = "tcp: {type: tcp, port: 9469, interval: 200ms, timeout: 500ms}"
    config = CONFIG.format(socket="netsla.sock", port=9469).replace("500ms}}", f"500ms}}, {tcp}}}")
    with netlab(tmp_path, wire=False) as lab:
        sysctl(lab.near, "net.ipv4.ping_group_range=1 0")
        agent = lab.agent(config.replace("[ping]", "[ping, tcp]"), BARE)
        status = agent.until(
            lambda now: (
                now["agent"]["problems"]  # told once a second
                and now["probes"][0]["totals"]["unmeasured"] >= 3
                and now["probes"][1]["totals"]["received"] >= 3
            )
        )
        (problem,) = status["agent"]["problems"]
        assert "ping_group_range" in problem
        assert "CAP_NET_RAW" in problem
        assert status["probes"][0]["totals"]["lost"] == 0
        line = ["ip", "netns", "exec", lab.near, *BARE, sys.executable, "-m", "netsla", "doctor"]
        done = subprocess.run([*line, "--config", str(agent.config)], capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert "ping_group_range" in done.stdout
        assert agent.end() == 0
