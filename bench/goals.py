"""The goals of issue 2, held against the figures of a run.

Rules: pure. A goal whose figure was not measured in this run is `not measured`, never met.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from bench.table import MISSING, Row, markdown, number

NETSLA, PROBER, FPING, SMOKEPING, BLACKBOX, ICMPLIB = (
    "netsla", "netsla prober", "fping", "smokeping_prober", "blackbox_exporter", "icmplib"
)  # fmt: skip
CLI = "command line"
AT_ONCE, SPREAD, CAPTURED, HELD, STUCK = (
    "at once", "spread", "captured", "captured, loop held 500 ms", "captured, interpreter held 500 ms"
)  # fmt: skip


def icmp(count: int, how: str = "") -> str:
    """The name of an ICMP load."""
    return f"ICMP {count:,}/s" + (f", {how}" if how else "")


def tcp(count: int) -> str:
    """The name of a TCP load."""
    return f"TCP {count:,}/s"


BASELINE = (FPING, icmp(5000, AT_ONCE))  # what `x fping` is relative to: the cheapest way fping knows


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure of one row, and the most it may be (in base units; `scale` and `unit` for people)."""

    text: str
    who: str
    load: str
    figure: str
    limit: float
    scale: float = 1.0
    unit: str = ""


# fmt: off
GOALS = (
    Goal("CPU at 1,000 endpoints", NETSLA, icmp(1000), "core_ratio", 0.04, 100, "% of a core"),
    Goal("CPU per probe at 5,000", NETSLA, icmp(5000), "fping_ratio", 1.5, 1, "x fping"),
    Goal("CPU per probe at 10,000", NETSLA, icmp(10000), "fping_ratio", 1.0, 1, "x fping at 5,000"),
    Goal("CPU per probe at 50,000", NETSLA, icmp(50000), "fping_ratio", 1.0, 1, "x fping at 5,000"),
    Goal("CPU at 50,000", NETSLA, icmp(50000), "core_ratio", 1.0, 100, "% of a core"),
    Goal("unmeasured at 10,000", NETSLA, icmp(10000), "unmeasured", 0, 1, "probes"),
    Goal("unmeasured at 50,000", NETSLA, icmp(50000), "unmeasured", 0, 1, "probes"),
    Goal("lateness p99 at 10,000", NETSLA, icmp(10000), "lateness_p99", 0.005, 1e3, "ms"),
    Goal("lateness p99 at 50,000", NETSLA, icmp(50000), "lateness_p99", 0.020, 1e3, "ms"),
    Goal("CPU per TCP probe at 1,000/s", NETSLA, tcp(1000), "cpu_per_probe", 60e-6, 1e6, "µs"),
    Goal("RTT error p99 at 5,000/s", PROBER, icmp(5000, CAPTURED), "error_p99", 20e-6, 1e6, "µs"),
    Goal("the same, loop held for 500 ms", PROBER, icmp(5000, HELD), "error_p99", 20e-6, 1e6, "µs"),
    Goal("peak memory at 10,000", NETSLA, icmp(10000), "peak", 400e6, 1e-6, "MB"),
    Goal("scrape of 10,000 probes", NETSLA, icmp(10000), "scrape", 0.25, 1, "s"),
    Goal("loop held by a scrape of 10,000", NETSLA, icmp(10000), "scrape_held", 0.020, 1e3, "ms"),
    Goal("netsla status of 10,000", NETSLA, icmp(10000), "status", 1.0, 1, "s"),
    Goal("netsla --help", CLI, "netsla --help", "seconds", 0.3, 1, "s"),
)
# fmt: on


def relate(rows: Sequence[Row]) -> None:
    """Add `fping_ratio` to every row that has a CPU per probe, if fping was measured."""
    base = _find(rows, *BASELINE)
    if base is None:
        return
    for row in rows:
        if "cpu_per_probe" in row.figures:
            row.figures["fping_ratio"] = row.figures["cpu_per_probe"] / base.figures["cpu_per_probe"]


def verdict(goal: Goal, rows: Sequence[Row]) -> tuple[float | None, str]:
    """The figure, and `met`, `not met` or `not measured`."""
    row = _find(rows, goal.who, goal.load)
    value = row.figures.get(goal.figure) if row else None
    if value is None:
        return None, "not measured"
    return value, "met" if value <= goal.limit else "not met"


def table(rows: Sequence[Row]) -> str:
    """Every goal with its figure."""
    cells = []
    for goal in GOALS:
        value, word = verdict(goal, rows)
        figure = MISSING if value is None else f"{number(value * goal.scale)} {goal.unit}"
        cells.append([goal.text, f"≤ {number(goal.limit * goal.scale)} {goal.unit}", figure, word])
    return markdown(["goal of issue 2", "limit", "measured", "verdict"], cells)


def merged(rounds: Sequence[Row]) -> Row:
    """Several rounds of one measurement as one row: the median of each figure, and the CPU of each round."""
    first = rounds[0]
    names = [name for name in first.figures if all(name in row.figures for row in rounds)]
    figures = {name: median(row.figures[name] for row in rounds) for name in names}
    each = [row.figures["cpu_per_probe"] for row in rounds]
    note = first.note
    if len(rounds) > 1:
        spread = "CPU µs per probe in each round: " + ", ".join(number(cpu * 1e6) for cpu in each)
        note = f"{note}; {spread}" if note else spread
    return Row(first.who, first.load, figures, note, each)


def _find(rows: Sequence[Row], who: str, load: str) -> Row | None:
    return next((row for row in rows if (row.who, row.load) == (who, load)), None)
