"""Rows of figures, and the Markdown tables people read.

Rules: pure. A figure that was not measured is absent and shown as `-`, never as 0. Every row carries the same
names, so that the JSON can be compared from one run to the next.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

MISSING = "-"


@dataclass(slots=True)
class Row:
    """What one prober did under one load. `figures` by the names of `COLUMNS`; `note` is for people."""

    who: str
    load: str
    figures: dict[str, float] = field(default_factory=dict)
    note: str = ""
    rounds: list[float] = field(default_factory=list)  # CPU seconds per probe of each round, when there were several


@dataclass(frozen=True, slots=True)
class Column:
    """A heading, and the text of a row's cell from the figures it needs (all there, or the cell is missing)."""

    heading: str
    needs: tuple[str, ...]
    text: Callable[..., str]


def number(value: float) -> str:
    """About three digits, without an exponent."""
    if math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "inf"
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


def _scaled(factor: float) -> Callable[[float], str]:
    return lambda value: number(value * factor)


def _pair(factor: float) -> Callable[[float, float], str]:
    return lambda first, second: f"{number(first * factor)} / {number(second * factor)}"


# Base units in the figures (seconds, bytes, ratios); the headings say what is shown.
COLUMNS = (
    Column("probes/s", ("rate",), lambda value: f"{value:,.0f}"),
    Column("CPU µs/probe", ("cpu_per_probe",), _scaled(1e6)),
    Column("x fping", ("fping_ratio",), number),
    Column("% of a core", ("core_ratio",), _scaled(100)),
    Column("user / sys s", ("user", "system"), _pair(1)),
    Column("others % of a core", ("others_ratio",), _scaled(100)),
    Column("RTT said p50 / p99 µs", ("said_p50", "said_p99"), _pair(1e6)),
    Column("true p50 / p99 µs", ("true_p50", "true_p99"), _pair(1e6)),
    Column("error p99 / max µs", ("error_p99", "error_max"), _pair(1e6)),
    Column("late p99 ≤ ms", ("lateness_p99",), _scaled(1e3)),
    Column("gap off p99 ms", ("gap_p99",), _scaled(1e3)),
    Column("unmeasured", ("unmeasured",), number),
    Column("lost", ("lost",), number),
    Column("RSS / peak MB", ("rss", "peak"), _pair(1e-6)),
    Column(
        "scrape s, worst, MB",
        ("scrape", "scrape_worst", "scrape_bytes"),
        lambda s, w, b: f"{number(s)}, {number(w)}, {number(b / 1e6)}",
    ),
    Column("status s", ("status",), number),
    Column("loop held ms, by scrapes", ("held", "scrape_held"), _pair(1e3)),
)


def markdown(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, columns padded so that it reads as plain text too."""
    widths = [max(len(row[i]) for row in [heading, *rows]) for i in range(len(heading))]
    lines = [heading, ["-" * width for width in widths], *rows]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    )


def table(rows: Sequence[Row]) -> str:
    """All rows; columns that nobody has are left out, notes go below."""
    columns = [column for column in COLUMNS if any(_has(row.figures, column) for row in rows)]
    cells = [[row.who, row.load, *(_cell(row.figures, column) for column in columns)] for row in rows]
    notes = [f"- {row.who}, {row.load}: {row.note}" for row in rows if row.note]
    return "\n".join([markdown(["who", "load", *(column.heading for column in columns)], cells), "", *notes])


def _has(figures: Mapping[str, float], column: Column) -> bool:
    return all(name in figures for name in column.needs)


def _cell(figures: Mapping[str, float], column: Column) -> str:
    return column.text(*(figures[name] for name in column.needs)) if _has(figures, column) else MISSING
