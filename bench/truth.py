"""Reported round trips held against a capture: the stages that judge honesty, not cost."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from bench import capture, peers
from bench.capture import Flights, Ints, Reported
from bench.goals import AT_ONCE, CAPTURED, FPING, HELD, ICMPLIB, PROBER, STUCK, icmp
from bench.run import Run
from bench.table import Row

_COUNT = 5000
_TOLD = ("unmeasured", "lost", "lateness_p99")  # what netsla's prober says of itself; icmplib has no such figures
_NS = 1e9
_SECOND_NS = 1_000_000_000  # every load here asks an address once a second


@dataclass(slots=True)
class Truth:
    """The flights of a capture, there once it has ended."""

    flights: Flights = field(default_factory=lambda: Flights(*(np.empty(0, np.int64) for _ in range(3))))

    def figures(self) -> dict[str, float]:
        """The true round trips, and how far the sends were from one second apart."""
        known = self.flights.rtt_ns[self.flights.rtt_ns >= 0]
        return _percentiles("true", known) | _gaps(self.flights)


@contextlib.contextmanager
def captured(run: Run) -> Iterator[Truth]:
    """Capture while the block lasts; the truth is filled in at its end."""
    truth, file = Truth(), run.folder / "capture.pcap"
    with capture.capturing(run.lab.near, file):
        yield truth
    truth.flights = capture.read(file)
    file.unlink()


def truth_netsla(run: Run) -> None:
    """Our own prober, free, with its main thread held, and with the interpreter held."""
    for load, how in ((CAPTURED, ""), (HELD, "loop"), (STUCK, "interpreter")):
        _driven(run, PROBER, "bench.drive_netsla", icmp(_COUNT, load), how)


def truth_icmplib(run: Run) -> None:
    """Beside it: icmplib."""
    for load, how in ((CAPTURED, ""), (HELD, "loop")):
        _driven(run, ICMPLIB, "bench.drive_icmplib", icmp(_COUNT, load), how)


def truth_fping(run: Run) -> None:
    """fping, printing each reply."""
    log = run.folder / "fping.log"
    words = peers.fping_command(run.folder, _COUNT, every=True)
    with captured(run) as truth, log.open("wb") as output, run.lab.near.running(words, output=output):
        run.progress.wait(run.times.truth, f"{FPING} captured")
    reported = peers.fping_reported(log.read_text())
    run.add(Row(FPING, icmp(_COUNT, f"{AT_ONCE}, {CAPTURED}"), trip_figures(reported, truth.flights)))


def trip_figures(reported: Reported, truth: Flights) -> dict[str, float]:
    """Reported and true percentiles of the same probes, and the error of each report, in seconds."""
    said, true = capture.join(reported, truth)
    if not len(said):
        return {"joined": 0.0}
    error = np.abs(said - true)
    figures = _percentiles("said", said) | _percentiles("true", true) | _percentiles("error", error) | _gaps(truth)
    return figures | {"error_max": float(error.max()) / _NS, "joined": float(len(said)), "captured": float(len(truth))}


def _driven(run: Run, who: str, module: str, load: str, held: str) -> None:
    file, log = run.folder / "trips.npz", run.folder / "driver.log"
    words = [sys.executable, "-m", module, str(_COUNT), str(run.times.truth), str(file)]
    words += ["--hold", held] if held else []
    with (
        captured(run) as truth,
        log.open("wb") as output,
        run.lab.near.running(words, output=output, files=16384) as process,
    ):
        _until_done(run, process, f"{who} captured")
    if process.returncode:
        raise RuntimeError(f"{module}: {log.read_text(errors='replace')[-500:]}")
    with np.load(file) as columns:
        reported = Reported(columns["address"], columns["after_ns"], columns["rtt_ns"])
        told = {name: float(columns[name]) for name in _TOLD if name in columns}
    run.add(Row(who, load, trip_figures(reported, truth.flights) | told))


def _until_done(run: Run, process: subprocess.Popen[bytes], what: str) -> None:
    deadline = time.monotonic() + 3 * run.times.truth + 30  # held, it ends late
    while process.poll() is None and time.monotonic() < deadline:
        run.progress.wait(0.5, what)


def _percentiles(name: str, values: Ints) -> dict[str, float]:
    if not len(values):
        return {}
    ordered = np.sort(values)
    return {f"{name}_p{p}": float(ordered[-(-p * len(ordered) // 100) - 1]) / _NS for p in (50, 99)}


def _gaps(flights: Flights) -> dict[str, float]:
    off = np.abs(flights.gaps_ns() - _SECOND_NS)
    return {"gap_p99": _percentiles("gap", off)["gap_p99"]} if len(off) else {}
