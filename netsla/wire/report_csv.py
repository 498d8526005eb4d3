"""A report as CSV (RFC 4180): one line per objective and endpoint, for a spreadsheet."""

from __future__ import annotations

import csv
import io
from typing import Any

_SECONDS = ("scheduled", "excluded", "unknown", "down", "up")
_PLAIN = (
    "endpoint", "objective", "metric", "statistic", "target", "window", "severity", "standing", "value", "low", "high",
    "coverage_ratio", "evidence", "micro_outages", "credit",
)  # fmt: skip
HEAD = ("agreement", "version", "period", "start", "end", "final", "chained", *_PLAIN,
        *(f"{name}_seconds" for name in _SECONDS))  # fmt: skip


def render(document: dict[str, Any]) -> str:
    """The whole table; a value that does not exist is an empty cell."""
    out = io.StringIO()
    table = csv.writer(out)
    table.writerow(HEAD)
    agreement, period = document["agreement"], document["period"]
    whose = (agreement["id"], agreement["version"], period["name"], period["start"], period["end"],
             str(period["final"]).lower(), str(document["chained"]).lower())  # fmt: skip
    for one in document["objectives"]:
        cells = (*whose, *(one[key] for key in _PLAIN), *(one["seconds"][name] for name in _SECONDS))
        table.writerow(_harmless(cell) for cell in cells)
    return out.getvalue()


def _harmless(cell: object) -> object:
    """Text that a spreadsheet would take for a formula is quoted."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@") else cell
