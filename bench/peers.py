"""The peers' programs: how each is started for the same load, and how its own figures are read.

Rules: each peer runs as its authors ship it, with the options that serve it best: fping all at once (`-i 0`,
three times cheaper than spread over the second, which is measured too), smokeping_prober with ping sockets
(raw sockets starve it), blackbox_exporter asked over one kept-alive connection.
"""

from __future__ import annotations

import contextlib
import http.client
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path

import numpy as np

from bench import metrics
from bench.capture import Reported
from bench.lab import Side, targets
from bench.machine import BLACKBOX, SMOKEPING

_SMOKEPING_PORT, _BLACKBOX_PORT = 9374, 9115
_EARLIER_NS = 400_000_000  # a moment safely between two probes of one address, which are a second apart
# [1700000000.12345] 10.97.0.1 : [0], 64 bytes, 0.006 ms (0.006 avg, 0% loss)
_FPING_LINE = re.compile(r"^\[(\d+)\.(\d+)\] (\S+) +: \[\d+\], \d+ bytes, ([\d.]+) ms", re.MULTILINE)
_BLACKBOX_MODULES = """\
modules:
  icmp: {prober: icmp, timeout: 3s, icmp: {preferred_ip_protocol: ip4}}
  tcp_connect: {prober: tcp, timeout: 1s, tcp: {preferred_ip_protocol: ip4}}
"""
_BLACKBOX_RTT = re.compile(rb'^probe_icmp_duration_seconds\{phase="rtt"\} (\S+)', re.MULTILINE)
_BLACKBOX_SUCCESS = re.compile(rb"^probe_success 1$", re.MULTILINE)


def fping_command(folder: Path, count: int, *, spread: bool = False, every: bool = False) -> list[str]:
    """`fping -l`, once a second per address; `spread` paces the sends, `every` prints each reply."""
    file = folder / f"fping-{count}.txt"
    file.write_text("\n".join([*targets(count), ""]))
    pause = f"{1000 / count:g}" if spread else "0"  # ms between two sends
    return ["fping", "-l", "-p", "1000", "-i", pause, *(["-D"] if every else ["-q"]), "-f", str(file)]


def fping_reported(output: str) -> Reported:
    """The round trips in what `fping -l -D` printed; its stamps are those of printing, just after the reply."""
    found = [
        (int(IPv4Address(address)), int(seconds) * 10**9 + int(part.ljust(9, "0")), round(float(ms) * 1e6))
        for seconds, part, address, ms in _FPING_LINE.findall(output)
    ]
    table = np.array(found, np.int64).reshape(-1, 3)
    return Reported(table[:, 0], table[:, 1] - table[:, 2] - _EARLIER_NS, table[:, 2])


def fping_refusal(side: Side, folder: Path, count: int, seconds: float) -> str:
    """What fping says as it gives up under a load, or nothing if it holds it for so long."""
    words = side.command(fping_command(folder, count))
    try:
        done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        return ""
    lines = [line for line in done.stderr.splitlines() if "error" in line or "enough" in line]
    return (lines or done.stderr.splitlines() or [f"exit {done.returncode}"])[-1].strip()


def smokeping_command(count: int) -> list[str]:
    """smokeping_prober on ping sockets, with buckets fine enough to read its percentiles to 19 %."""
    buckets = ",".join(f"{1e-6 * 2 ** (step / 4):.4g}" for step in range(96))  # 1 µs to 14 s
    # fmt: off
    return [SMOKEPING, "--no-privileged", f"--web.listen-address=127.0.0.1:{_SMOKEPING_PORT}", "--log.level=error",
            f"--buckets={buckets}", "--config.file=", *targets(count)]
    # fmt: on


def smokeping_page(side: Side) -> str:
    """Its metrics."""
    with _asking(side, _SMOKEPING_PORT) as connection:
        return _get(connection, "/metrics").decode()


def smokeping_trips(page: str) -> metrics.Histogram:
    """Its round trips, all hosts together."""
    return metrics.histogram(page, "smokeping_response_duration_seconds")


def blackbox_command(folder: Path) -> list[str]:
    """blackbox_exporter with an ICMP and a TCP module."""
    file = folder / "blackbox.yml"
    file.write_text(_BLACKBOX_MODULES)
    # fmt: off
    return [BLACKBOX, f"--web.listen-address=127.0.0.1:{_BLACKBOX_PORT}", f"--config.file={file}",
            "--log.level=error", "--history.limit=1"]
    # fmt: on


@dataclass(slots=True)
class Asked:
    """What a series of HTTP probes gave: failures, and round trips as reported (ICMP only)."""

    probes: int = 0
    failed: int = 0
    trips: list[tuple[int, int, int]] = field(default_factory=list)  # address, a moment before, round trip: ns

    def reported(self) -> Reported:
        """As the capture's join wants it."""
        table = np.array(self.trips, np.int64).reshape(-1, 3)
        return Reported(table[:, 0], table[:, 1], table[:, 2])


def blackbox_ask(side: Side, module: str, count: int, seconds: float, port: int = 0) -> Asked:
    """Ask for one probe of each of `count` addresses per second, evenly, as long as it holds that pace."""
    asked = Asked()
    addresses = targets(count)
    with _asking(side, _BLACKBOX_PORT) as connection:
        start = time.monotonic()
        while time.monotonic() < start + seconds:
            address = addresses[asked.probes % count]
            target = f"{address}:{port}" if port else address
            before_ns = time.time_ns()
            body = _get(connection, f"/probe?module={module}&target={target}")
            asked.probes += 1
            if not _BLACKBOX_SUCCESS.search(body):
                asked.failed += 1
            elif match := _BLACKBOX_RTT.search(body):
                asked.trips.append((int(IPv4Address(address)), before_ns, round(float(match[1]) * 1e9)))
            time.sleep(max(0.0, start + asked.probes / count - time.monotonic()))
    return asked


def until_listening(side: Side, port: int, seconds: float = 20.0) -> None:
    """Wait for a program of ours to open its port."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            side.connect(port).close()
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


@contextlib.contextmanager
def _asking(side: Side, port: int) -> Iterator[http.client.HTTPConnection]:
    until_listening(side, port)
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port)) as connection:
        connection.sock = side.connect(port)
        yield connection


def _get(connection: http.client.HTTPConnection, path: str) -> bytes:
    connection.request("GET", path)
    return connection.getresponse().read()
