"""Two network namespaces joined by a veth pair, the far one answering for a whole prefix.

Rules: every namespace made here carries our pid in its name, is deleted on leaving, and what a killed
earlier run left behind is deleted on entering. Programs are started inside a namespace without a
shell, die with us, and are ended by their own pid only.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import IO, Any

ANSWERING = IPv4Network("10.97.0.0/16")  # every address of it is local to the far namespace
_LINK = (IPv4Address("192.0.2.1"), IPv4Address("192.0.2.2"))  # near, far
_NAMES = Path("/run/netns")
_OURS = re.compile(r"netsla-bench-(\d+)-(near|far)$")
_CLONE_NEWNET = 0x40000000  # linux/sched.h
_STOP_SECONDS = 10.0  # given to a program to end in order


def targets(count: int) -> list[str]:
    """The first `count` addresses that answer."""
    first = int(ANSWERING.network_address) + 1
    if count > ANSWERING.num_addresses - 2:
        raise ValueError(f"the lab has {ANSWERING.num_addresses - 2} addresses, not {count}")
    return [str(IPv4Address(first + number)) for number in range(count)]


@dataclass(frozen=True, slots=True)
class Side:
    """One of the namespaces, by name; `device` is its end of the link."""

    name: str
    device: str

    @property
    def path(self) -> Path:
        """The file that stands for the namespace."""
        return _NAMES / self.name

    def command(self, words: Sequence[str]) -> list[str]:
        """The command that runs `words` in here, under the same pid, and ends when we end."""
        return ["nsenter", f"--net={self.path}", "setpriv", "--pdeathsig", "KILL", "--", *words]

    def run(self, *words: str) -> str:
        """Run a short command in here; its output."""
        return _run(*self.command(words))

    @contextlib.contextmanager
    def running(
        self,
        words: Sequence[str],
        *,
        output: IO[Any] | int = subprocess.DEVNULL,  # of stdout and stderr; a pipe each with PIPE
        stop: signal.Signals = signal.SIGTERM,
        files: int | None = None,
    ) -> Iterator[subprocess.Popen[bytes]]:
        """A program in here for as long as the block lasts; `files` raises its descriptor limit."""
        limit = ["prlimit", f"--nofile={files}:"] if files else []
        with subprocess.Popen(
            [*limit, *self.command(words)], stdin=subprocess.DEVNULL, stdout=output, stderr=output
        ) as process:
            try:
                yield process
            finally:
                end(process, stop)

    def connect(self, port: int, timeout: float = 60.0) -> socket.socket:
        """A TCP connection to a port of this namespace's loopback, usable from outside."""
        with _inside(self.path):
            link = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        link.settimeout(timeout)
        try:
            link.connect(("127.0.0.1", port))
        except OSError:
            link.close()
            raise
        return link


@dataclass(frozen=True, slots=True)
class Lab:
    """The pair: probers run near, everything answers far."""

    near: Side
    far: Side


@contextlib.contextmanager
def lab() -> Iterator[Lab]:
    """Build the pair, take it down on leaving."""
    _sweep()
    pair = Lab(Side(f"netsla-bench-{os.getpid()}-near", "bench0"), Side(f"netsla-bench-{os.getpid()}-far", "bench1"))
    try:
        _build(pair)
        yield pair
    finally:
        for side in (pair.near, pair.far):
            if side.path.exists():
                _run("ip", "netns", "delete", side.name)


def end(process: subprocess.Popen[bytes], stop: signal.Signals = signal.SIGTERM) -> None:
    """Ask a program of ours to end; insist after a while."""
    if process.poll() is None:
        process.send_signal(stop)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _build(pair: Lab) -> None:
    near, far = pair.near, pair.far
    for side in (near, far):
        _run("ip", "netns", "add", side.name)
        side.run("ip", "link", "set", "lo", "up")
    # fmt: off
    near.run("ip", "link", "add", near.device, "type", "veth", "peer", "name", far.device, "netns", far.name)
    # fmt: on
    for side, address in zip((near, far), _LINK, strict=True):
        side.run("ip", "address", "add", f"{address}/30", "dev", side.device)
        side.run("ip", "link", "set", side.device, "up")
    near.run("ip", "route", "add", str(ANSWERING), "via", str(_LINK[1]), "dev", near.device)
    far.run("ip", "route", "add", "local", str(ANSWERING), "dev", "lo")
    # Ping sockets for everybody, and ports enough for 1,000 connections a second.
    near.run("sh", "-c", "echo '0 2147483647' > /proc/sys/net/ipv4/ping_group_range")
    near.run("sh", "-c", "echo '1024 65535' > /proc/sys/net/ipv4/ip_local_port_range")
    far.run("sh", "-c", "echo 8192 > /proc/sys/net/core/somaxconn")


def _sweep() -> None:
    """Delete what a killed run of ours left."""
    for path in _NAMES.glob("netsla-bench-*") if _NAMES.exists() else ():
        match = _OURS.match(path.name)
        if match and not Path("/proc", match[1]).exists():
            _run("ip", "netns", "delete", path.name)


def _run(*words: str) -> str:
    done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


@contextlib.contextmanager
def _inside(path: Path) -> Iterator[None]:
    """Put this thread in another network namespace for a moment; sockets made meanwhile stay there."""
    libc = ctypes.CDLL(None, use_errno=True)
    with Path("/proc/thread-self/ns/net").open("rb") as home, path.open("rb") as there:
        _setns(libc, there.fileno())
        try:
            yield
        finally:
            _setns(libc, home.fileno())


def _setns(libc: ctypes.CDLL, descriptor: int) -> None:
    if libc.setns(descriptor, _CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
