"""The lab: namespaces made and cleaned up, the wire between them, agents run inside.

near side: 10.98.0.1 and fd98::1, where the agent runs; far side: every address of 10.99.0.0/16 and fd99::/64 answers.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from netsla.control import ask
from netsla.errors import AgentError
from tests.netlab.wire import DEVICE

_numbers = itertools.count()
_PATIENCE = 30.0


def run(*command: str) -> str:
    """A command that must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.stdout


def end(process: subprocess.Popen[Any], number: int = signal.SIGTERM) -> int:
    """End a process of ours and wait for it."""
    if process.poll() is None:
        process.send_signal(number)
    return process.wait(_PATIENCE)


@dataclass
class Agent:
    """A running agent, and how to ask it."""

    process: subprocess.Popen[bytes]
    namespace: str
    config: Path
    socket: Path
    log: Path

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """`netsla WORDS` against this agent."""
        line = ["ip", "netns", "exec", self.namespace, sys.executable, "-m", "netsla", *words]
        return subprocess.run([*line, "--socket", str(self.socket)], capture_output=True, text=True, check=False)

    def status(self) -> dict[str, Any]:
        """The status JSON."""
        done = self.command("status", "--format", "json")
        assert done.returncode in (0, 1, 4), done.stderr + self.log.read_text()
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    def look(self) -> dict[str, Any]:
        """What `netsla status` would print, straight from the socket: to be asked again and again."""
        document: dict[str, Any] = json.loads(ask(str(self.socket), {"op": "status"}))
        return document

    def answers(self) -> bool:
        """Whether it is there and has something to say."""
        try:
            return bool(self.look())
        except AgentError:
            return False

    def totals(self) -> dict[str, dict[str, Any]]:
        """Totals by endpoint id."""
        return {probe["endpoint"]: probe["totals"] for probe in self.status()["probes"]}

    def metrics(self) -> str:
        """A scrape."""
        return run("ip", "netns", "exec", self.namespace, "curl", "-sf", "http://127.0.0.1:9469/metrics")

    def until(self, true: Any, seconds: float = _PATIENCE) -> dict[str, Any]:
        """Ask for the status until `true(status)` holds; returns that status."""
        limit = time.monotonic() + seconds
        while True:
            status = self.look()
            if true(status):
                return status
            assert time.monotonic() < limit, f"not within {seconds} s: {json.dumps(status)[:2000]}"
            time.sleep(0.2)

    def end(self) -> int:
        """SIGTERM; returns the exit code."""
        return end(self.process)


@dataclass
class Lab:
    """Two namespaces; with `wire()` also what is between them."""

    folder: Path
    near: str = field(default_factory=lambda: f"nsn{os.getpid()}x{next(_numbers)}")
    far: str = ""
    _wire: subprocess.Popen[str] | None = None
    _agents: list[Agent] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.far = self.near.replace("nsn", "nsf")

    @property
    def truth_file(self) -> Path:
        return self.folder / "truth.json"

    def start_wire(self, limit: float = 1.0) -> None:
        """Join the namespaces; `limit` is the agent's time limit in seconds."""
        command = [sys.executable, "-m", "tests.netlab.wire", self.near, self.far, str(self.truth_file), str(limit)]
        self._wire = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._wire.stdout is not None
        assert self._wire.stdin is not None
        assert self._wire.stdout.readline() == "ready\n"
        for namespace, v4, v6 in ((self.near, "10.98.0.1/16", "fd98::1/64"), (self.far, "10.98.0.2/16", "fd98::2/64")):
            run("ip", "-n", namespace, "link", "set", DEVICE, "up")
            run("ip", "-n", namespace, "address", "add", v4, "dev", DEVICE)
            run("ip", "-n", namespace, "-6", "address", "add", v6, "dev", DEVICE, "nodad")
        run("ip", "-n", self.near, "route", "add", "10.99.0.0/16", "dev", DEVICE, "src", "10.98.0.1")
        run("ip", "-n", self.near, "-6", "route", "add", "fd99::/64", "dev", DEVICE)
        run("ip", "-n", self.far, "route", "add", "local", "10.99.0.0/16", "dev", "lo")
        run("ip", "-n", self.far, "-6", "route", "add", "local", "fd99::/64", "dev", "lo")
        self._wire.stdin.write("go\n")
        self._wire.stdin.flush()

    def calm(self) -> None:
        """From now on the wire answers everything soon."""
        assert self._wire is not None
        self._wire.send_signal(signal.SIGUSR1)

    def truth(self) -> dict[str, dict[str, Any]]:
        """End the wire; what really happened, by address."""
        assert self._wire is not None
        assert end(self._wire) == 0
        truth: dict[str, dict[str, Any]] = json.loads(self.truth_file.read_text())
        return truth

    def agent(self, config: str, through: tuple[str, ...] = ()) -> Agent:
        """Start an agent in the near namespace, by way of a command `through`; returns once it answers."""
        path, socket = self.folder / "netsla.yaml", self.folder / "netsla.sock"
        path.write_text(config)
        log = self.folder / "agent.log"
        with log.open("wb") as out:
            command = ["ip", "netns", "exec", self.near, *through, sys.executable]
            command += ["-m", "netsla", "run", "--config", str(path)]
            process = subprocess.Popen(command, stdout=out, stderr=out)
        agent = Agent(process, self.near, path, socket, log)
        self._agents.append(agent)
        limit = time.monotonic() + _PATIENCE
        while not agent.answers():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < limit, log.read_text()
            time.sleep(0.1)
        return agent

    def close(self) -> None:
        """End what runs, remove the namespaces."""
        for agent in self._agents:
            end(agent.process)
        if self._wire is not None:
            end(self._wire)
            for pipe in (self._wire.stdin, self._wire.stdout):
                if pipe is not None:
                    pipe.close()


@contextlib.contextmanager
def netlab(folder: Path, *, wire: bool = True, limit: float = 1.0) -> Iterator[Lab]:
    """A lab for the length of a test."""
    lab = Lab(folder)
    for namespace in (lab.near, lab.far):
        run("ip", "netns", "add", namespace)
        run("ip", "-n", namespace, "link", "set", "lo", "up")
        run("ip", "netns", "exec", namespace, "sysctl", "-qw", "net.ipv4.ping_group_range=0 2147483647")
    try:
        if wire:
            lab.start_wire(limit)
        yield lab
    finally:
        lab.close()
        for namespace in (lab.near, lab.far):
            run("ip", "netns", "delete", namespace)
