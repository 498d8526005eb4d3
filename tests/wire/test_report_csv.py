"""A report as CSV: what a spreadsheet may not take for a formula."""

import csv
import io

from netsla.wire.report_csv import HEAD, render

OBJECTIVE = {
    "endpoint": "=cmd()", "objective": "up", "metric": "uptime", "statistic": None, "target": ">= 99%",
    "window": "month",
    "severity": "P1", "standing": "met", "value": 1.0, "low": None, "high": None, "coverage_ratio": 1.0,
    "evidence": "conclusive", "micro_outages": 0, "credit": "0.00",
    "seconds": {"scheduled": 60, "excluded": 0, "unknown": 0, "down": 0, "up": 60},
}  # fmt: skip
DOCUMENT = {
    "agreement": {"id": "a", "version": 1, "customer": 'A, B "C"'},
    "period": {"name": "2026-10", "start": "s", "end": "e", "final": True},
    "chained": False,
    "objectives": [OBJECTIVE],
}


def test_every_column_has_its_value() -> None:
    (row,) = csv.DictReader(io.StringIO(render(DOCUMENT)))
    assert tuple(row) == HEAD
    assert (row["scheduled_seconds"], row["final"], row["low"], row["chain"]) == ("60", "true", "", "unchained")
    assert row["met_ratio"] == ""


def test_no_cell_is_a_formula() -> None:
    (row,) = csv.DictReader(io.StringIO(render(DOCUMENT)))
    assert row["endpoint"] == "'=cmd()"
