"""Packs in a few words, for the worked examples of the rules: endpoint `hq`, probe `ping`, 12 probes a minute."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from netsla.cli.report import report
from netsla.cli.settling import Where

UPTIME = '{id: up, metric: uptime, target: ">= 99.9%", window: month}'
DELIVERY = '{id: pdr, metric: packet_delivery, target: ">= 99%", window: month}'
BASE = {
    "id": "acme",
    "timezone": "UTC",
    "service": "{monthly_charge: 900.00}",
    "probes": "{ping: {type: icmp, interval: 5s}}",
    "uptime": "{profile: commercial}",
    "objectives": f"[{UPTIME}]",
    "endpoints": "[{id: hq, address: 192.0.2.1}]",
}
GOOD = (12, 12)
BAD = (12, 0)


def seconds(text: str) -> int:
    """UTC seconds of an ISO time, UTC unless it says otherwise."""
    at = datetime.fromisoformat(text)
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())


def minutes(start: str, counts: Iterable[tuple[int, int] | None], length: int = 60) -> dict[int, str]:
    """Rows by start: (sent, received) one after the other, None for an interval that nobody recorded."""
    first = seconds(start)
    return {
        first + n * length: f"{length},{one[0]},{one[1]}" for n, one in enumerate(counts) if one is not None
    }  # fmt: skip


def month(start: str, end: str, *down: tuple[str, int], absent: tuple[tuple[str, int], ...] = ()) -> dict[int, str]:
    """Good minutes from start to end, but for (start, minutes) down or absent."""
    count = (seconds(end) - seconds(start)) // 60
    rows = minutes(start, [GOOD] * count)
    for begin, length in down:
        rows |= minutes(begin, [BAD] * length)
    for begin, length in absent:
        for n in range(length):
            del rows[seconds(begin) + n * 60]
    return rows


def write(
    folder: Path, rows: dict[int, str], *, exclusions: list[dict[str, Any]] | None = None,
    columns: dict[str, str] | None = None, **keys: str,
) -> Path:  # fmt: skip
    """A pack without a chain; `columns` are further columns with one text for every row."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "agreement.yaml").write_text("".join(f"{key}: {value}\n" for key, value in (BASE | keys).items()))
    if exclusions is not None:
        (folder / "exclusions.json").write_text(json.dumps(exclusions))
    more = columns or {}
    lines = [",".join(["endpoint,probe,start,seconds,sent,received", *more])]
    for start, row in rows.items():
        lines.append(
            ",".join([f"hq,ping,{datetime.fromtimestamp(start, UTC):%Y-%m-%dT%H:%M:%SZ},{row}", *more.values()])
        )
    (folder / "intervals.csv").write_text("\n".join(lines) + "\n")
    return folder


def told(folder: Path, period: str | None) -> tuple[int, dict[str, Any]]:
    """Exit code and JSON of `netsla report --evidence FOLDER --period PERIOD`."""
    code = report(Where(Path("nowhere"), None, folder, period), "json", folder / "report.json")
    document: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return code, document


def shown(folder: Path, period: str, form: str) -> str:
    """The same in one of its other forms."""
    report(Where(Path("nowhere"), None, folder, period), form, folder / f"report.{form}")
    return (folder / f"report.{form}").read_text()


def text(folder: Path, period: str) -> str:
    """The same as text."""
    return shown(folder, period, "text")
