"""A report as CSV (RFC 4180): one line per objective and endpoint, for a spreadsheet.

Rules: pure. Ratios and seconds with full precision; a value that does not exist is an empty cell. Every line says
whose it is, and whether a hash chain stands behind it.
"""

from __future__ import annotations

import csv
import io
from typing import Any

from netsla.wire.report_words import CLASSES

_PLAIN = (
    "endpoint", "objective", "metric", "statistic", "target", "window", "severity", "standing", "value", "low", "high",
    "coverage_ratio", "evidence", "micro_outages", "credit",
)  # fmt: skip
_SOMETIMES = (
    "met_ratio", "value_other_scope", "value_without_exclusions", "budget_seconds", "budget_spent_ratio",
    "forecast_down_seconds",
)  # fmt: skip
HEAD = ("agreement", "version", "period", "start", "end", "final", "chain", *_PLAIN,
        *(f"{name}_seconds" for name in CLASSES), *_SOMETIMES)  # fmt: skip


def render(document: dict[str, Any]) -> str:
    """The whole table."""
    out = io.StringIO()
    table = csv.writer(out)
    table.writerow(HEAD)
    agreement, period = document["agreement"], document["period"]
    whose = (agreement["id"], agreement["version"], period["name"], period["start"], period["end"],
             str(period["final"]).lower(), "chained" if document["chained"] else "unchained")  # fmt: skip
    for one in document["objectives"]:
        times = (one["seconds"][name] for name in CLASSES)
        cells = (*whose, *(one[key] for key in _PLAIN), *times, *(one.get(key) for key in _SOMETIMES))
        table.writerow(_harmless(cell) for cell in cells)
    return out.getvalue()


def _harmless(cell: object) -> object:
    """Text that a spreadsheet would take for a formula is quoted."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell
