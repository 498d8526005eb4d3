"""What a run carries from stage to stage: the lab, the times, the rows so far, and the progress line."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.lab import Lab
from bench.meter import Cost, Window
from bench.table import Row


@dataclass(frozen=True, slots=True)
class Times:
    """How long things take, in seconds, and how often. In the agent's minute exactly one interval closes."""

    agent: float = 60.0
    peer: float = 15.0
    truth: float = 8.0
    warm_up: float = 6.0  # and a second more for each 10,000 endpoints
    peer_warm_up: float = 2.0
    rounds: int = 2  # of fping and the agent in turns


class Progress:
    """What is being done, on stderr: one line, rewritten, on a terminal; one line per stage elsewhere."""

    def __init__(self, stages: int) -> None:
        self._stages, self._stage = stages, 0
        self._start = time.monotonic()
        self._live = sys.stderr.isatty()
        self._name = ""

    def stage(self, name: str) -> None:
        """The next stage begins."""
        self._stage += 1
        self._name = name
        self._write("")

    def wait(self, seconds: float, what: str) -> None:
        """Sleep so long, and say so."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self._live:
                self._write(f": {what}, {left:.0f} s")
            time.sleep(min(left, 1.0))

    def end(self) -> None:
        """Leave the terminal clean."""
        if self._live:
            print("\r\033[K", end="", file=sys.stderr, flush=True)

    def _write(self, rest: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - self._start), 60)
        line = f"[{self._stage}/{self._stages} {minutes}:{seconds:02}] {self._name}{rest}"
        print(f"\r{line}\033[K" if self._live else line, end="" if self._live else "\n", file=sys.stderr, flush=True)


@dataclass(slots=True)
class Run:
    """One run of the bench."""

    lab: Lab
    folder: Path  # for configurations, logs and captures; removed at the end
    times: Times
    progress: Progress
    absent: Sequence[str] = ()  # peers that this machine does not have
    rows: list[Row] = field(default_factory=list)

    def add(self, row: Row) -> None:
        """A row of the table."""
        self.rows.append(row)

    def window(self, pid: int, warm_up: float, seconds: float, who: str) -> Cost:
        """Warm up, then the cost of a steady window."""
        self.progress.wait(warm_up, f"{who} warms up")
        window = Window(pid, self.lab.near)
        self.progress.wait(seconds, f"{who} measured")
        return window.close()


def cost_figures(cost: Cost, probes: float) -> dict[str, float]:
    """The figures that every measured process has."""
    return {
        "rate": probes / cost.seconds,
        "cpu_per_probe": cost.cpu_seconds / probes,
        "core_ratio": cost.core_ratio,
        "user": cost.user_seconds,
        "system": cost.system_seconds,
        "softirq": cost.softirq_seconds,
        "others_ratio": cost.others_seconds / cost.seconds,
        "stolen": cost.stolen_seconds,
        "rss": cost.rss_bytes,
        "peak": cost.peak_bytes,
    }
