"""The whole netsla agent under load: its configuration, its process, and what it tells of itself.

Rules: the agent runs as users run it (`netsla run --config F`), with the objectives and windows that issue 2
names; figures about it come from outside it, or from its public pages.
"""

from __future__ import annotations

import contextlib
import http.client
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench import metrics
from bench.lab import Side, end, targets

PORT = 9469
_START_SECONDS = 120.0  # for 50,000 endpoints on a busy machine
_POLL_SECONDS = 0.002  # between two looks at /-/healthy
# Two objectives per endpoint; with the 5m and 1h that every endpoint has, the windows are 5m, 1h, 24h and 30d.
_CONFIG = """\
agent: {{name: bench, state_dir: {folder}/state, socket: {folder}/netsla.sock}}
web: {{listen: ["127.0.0.1:{port}"]}}
probes:
  icmp: {{type: icmp, interval: 1s, timeout: 3s}}
  tcp: {{type: tcp, port: {tcp_port}, interval: 1s, timeout: 900ms}}
plans:
  bench:
    probes: [{probe}]
    objectives:
      - {{id: first, {first}, window: 24h}}
      - {{id: latency, metric: latency, statistic: p95, target: "<= 50ms", window: 30d}}
agreements:
  - id: bench
    plan: bench
    endpoints: [{{id: host, addresses_file: endpoints.csv}}]
"""
_FIRST = {"icmp": 'metric: packet_delivery, target: ">= 99%"', "tcp": 'metric: uptime, target: ">= 99%"'}


@dataclass(frozen=True, slots=True)
class Fetched:
    """One scrape: how long it took, to the last byte, and how many bytes it was."""

    seconds: float
    size: int


def write_config(folder: Path, count: int, probe: str = "icmp", tcp_port: int = 0) -> Path:
    """The configuration for the first `count` addresses of the lab, one probe per second each."""
    lines = [f"e{number},{address}" for number, address in enumerate(targets(count))]
    (folder / "endpoints.csv").write_text("\n".join(["id,address", *lines, ""]))
    file = folder / "netsla.yaml"
    file.write_text(_CONFIG.format(folder=folder, port=PORT, probe=probe, tcp_port=tcp_port or 1, first=_FIRST[probe]))
    return file


class Agent:
    """A running agent."""

    def __init__(self, process: subprocess.Popen[bytes], side: Side, config: Path) -> None:
        self._side = side
        self._config = config
        self.pid = process.pid

    def page(self) -> str:
        """GET /metrics, to be read."""
        with _connected(self._side) as connection:
            status, body = _get(connection, "/metrics")
        if status != http.client.OK:
            raise RuntimeError(f"/metrics answered {status}")
        return body.decode()

    def scraping(self, times: int, pause: float) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
        """Scrapes by another process, `pause` seconds between two; `fetched` reads what it prints."""
        words = [sys.executable, "-m", "bench.fetch", str(PORT), "/metrics", str(times), str(pause)]
        return self._side.running(words, output=subprocess.PIPE)

    def status_seconds(self) -> float:
        """How long `netsla status` takes, all of it."""
        start = time.perf_counter()
        done = subprocess.run(
            [*NETSLA, "status", "--config", str(self._config)], check=False, capture_output=True, timeout=120
        )
        seconds = time.perf_counter() - start
        if done.returncode not in {0, 1, 4}:  # met, breached, unknown
            raise RuntimeError(f"netsla status: {done.stderr.decode().strip()}")
        return seconds

    def loop_held(self, during: float) -> float:
        """The longest that the event loop let a small request wait within so many seconds."""
        worst = 0.0
        with _connected(self._side) as connection:
            stop = time.perf_counter() + during
            while (start := time.perf_counter()) < stop:
                _get(connection, "/-/healthy")
                worst = max(worst, time.perf_counter() - start)
                time.sleep(_POLL_SECONDS)
        return worst


NETSLA = [sys.executable, "-m", "netsla"]


@contextlib.contextmanager
def running(side: Side, folder: Path, count: int, probe: str = "icmp", tcp_port: int = 0) -> Iterator[Agent]:
    """An agent that probes `count` endpoints once a second, ready, for as long as the block lasts."""
    shutil.rmtree(folder / "state", ignore_errors=True)  # a record of the agent before would be gone on with
    config = write_config(folder, count, probe, tcp_port)
    log = folder / "netsla.log"
    with (
        log.open("wb") as output,
        side.running([*NETSLA, "run", "--config", str(config)], output=output, files=16384) as process,
    ):
        agent = Agent(process, side, config)
        _until_ready(side, process, log)
        yield agent
        if process.poll() is not None:
            raise RuntimeError(f"the agent ended by itself ({process.returncode}): {_tail(log)}")
        end(process)


def fetched(process: subprocess.Popen[bytes]) -> list[Fetched]:
    """What a scraping process has measured, once it is done."""
    output, errors = process.communicate(timeout=120)
    if process.returncode:
        raise RuntimeError(f"the scrapes failed: {errors.decode()[-300:]}")
    pairs = (line.split() for line in output.decode().splitlines())
    return [Fetched(float(seconds), int(size)) for seconds, size in pairs]


def lateness(page: str) -> metrics.Histogram:
    """How late the agent's probes left, from its metrics."""
    return metrics.histogram(page, "netsla_schedule_lateness_seconds")


def _until_ready(side: Side, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the agent did not start ({process.returncode}): {_tail(log)}")
        try:
            with _connected(side) as connection:
                if _get(connection, "/-/ready")[0] == http.client.OK:
                    return
        except OSError:  # not listening yet
            pass
        time.sleep(0.1)
    raise RuntimeError(f"the agent was not ready within {_START_SECONDS:.0f} s: {_tail(log)}")


@contextlib.contextmanager
def _connected(side: Side) -> Iterator[http.client.HTTPConnection]:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", PORT)) as connection:
        connection.sock = side.connect(PORT)
        yield connection


def _get(connection: http.client.HTTPConnection, path: str) -> tuple[int, bytes]:
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.read()


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-500:]
