"""A report for people at a terminal or in a mail: plain text, figures truncated toward failure.

Rules: pure, from the JSON document (the promise), so that text never says more than what both sides can recompute.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from netsla.wire.figures import NONE, figure, percent

Json = dict[str, Any]
VERDICTS = {"met": "MET", "breached": "BREACHED", "insufficient_data": "TOO LITTLE DATA", "no_data": "NO DATA"}


def render(document: Json, unchained: str = "") -> str:
    """The whole report; `unchained` says why no chain stands behind it."""
    parts = [_head(document, unchained), _objectives(document["objectives"]), _time(document["objectives"])]
    parts += [_incidents(document["incidents"]), _exclusions(document["exclusions"]), _credit(document["credit"])]
    return "\n\n".join(part for part in parts if part)


def _head(document: Json, unchained: str) -> str:
    agreement, period = document["agreement"], document["period"]
    who = f"{agreement['id']} (version {agreement['version']})"
    who += f", {agreement['customer']}" if agreement["customer"] else ""
    lines = [
        f"Settlement of {who}",
        f"Period      {period['name']}: {period['start']} to {period['end']} ({period['timezone']})",
        f"Verdict     {VERDICTS[document['standing']]}{'' if period['final'] else ', provisional'}",
    ]
    if not period["final"]:
        lines.append(f"Known until {period['until']}: figures may still change")
    lines.append("Evidence    chained: recompute it with `netsla verify`" if document["chained"] else
                 f"Evidence    unchained{f' ({unchained})' if unchained else ''}")  # fmt: skip
    return "\n".join(lines)


def shown(metric: str, value: object) -> str:
    """A figure of an objective; counts of time as hours."""
    return figure(metric, value)


def target_share(one: Json) -> str:
    """For rolling windows: the share of instants in which it was met."""
    return f", met {percent(one['met_ratio'])} of the time" if one.get("met_ratio") is not None else ""


def _objectives(objectives: Sequence[Json]) -> str:
    head = (
        "VERDICT",
        "ENDPOINT",
        "OBJECTIVE",
        "TARGET",
        "VALUE",
        "AT LEAST",
        "AT MOST",
        "COVERAGE",
        "EVIDENCE",
        "CREDIT",
    )
    rows = [
        (
            VERDICTS[one["standing"]],
            one["endpoint"],
            f"{one['objective']} ({one['window']})",
            one["target"],
            shown(one["metric"], one["value"]),
            shown(one["metric"], one["low"]),
            shown(one["metric"], one["high"]),
            figure("coverage", one["coverage_ratio"]),
            f"{one['evidence']}{target_share(one)}{_other_scope(one)}",
            one["credit"] or NONE,
        )
        for one in objectives
    ]
    return aligned("Objectives", head, rows)


def _other_scope(one: Json) -> str:
    if one.get("value_other_scope") is None:
        return ""
    other = "all packets" if one["scope"] == "available" else "while available"
    return f", {figure('packet_delivery', one['value_other_scope'])} of {other}"


def _time(objectives: Sequence[Json]) -> str:
    """Where the time went, once per endpoint that has uptime objectives."""
    rows = []
    for one in objectives:
        if one["metric"] != "uptime":
            continue
        spent = one.get("budget_spent_ratio")
        forecast = one.get("forecast_down_seconds")
        rows.append(
            (
                one["endpoint"],
                one["objective"],
                *(duration(one["seconds"][key]) for key in ("scheduled", "excluded", "unknown", "down", "up")),
                ", ".join(f"{word} {duration(span)}" for word, span in one["unknown_seconds"].items()) or NONE,
                str(one["micro_outages"]),
                NONE if spent is None else f"{spent * 100:.1f} %",
                NONE if forecast is None else duration(forecast),
            )
        )
    head = (
        "ENDPOINT", "OBJECTIVE", "SCHEDULED", "EXCLUDED", "UNKNOWN", "DOWN", "UP", "UNKNOWN BECAUSE", "MICRO-OUTAGES",
        "BUDGET USED", "DOWN AT THE END (FORECAST)",
    )  # fmt: skip
    return aligned("Time", head, rows)


def _incidents(incidents: Sequence[Json]) -> str:
    head = ("ENDPOINT", "START", "END", "DOWN", "REPAIRED AFTER", "")
    rows = [
        (
            one["endpoint"],
            one["start"],
            one["end"] or "still open",
            duration(one["seconds"]),
            NONE if one["repair_seconds"] is None else duration(one["repair_seconds"]),
            ", ".join(
                [f"excused: {one['excluded_by']}"] * bool(one["excluded_by"]) + ["provisional"] * one["provisional"]
            ),
        )
        for one in incidents
    ]
    return aligned("Incidents", head, rows) if rows else "Incidents\n  none"


def _exclusions(exclusions: Sequence[Json]) -> str:
    head = ("ID", "ENDPOINT", "START", "END", "EXCLUDED", "CAUSE", "REFERENCE", "REASON")
    rows = [
        (
            one["id"],
            one["endpoint"] or "all",
            one["start"],
            one["end"],
            f"no: {one['flag']} ({one['why']})" if one["flag"] and not one["excluded_seconds"] else
            duration(one["excluded_seconds"]) + (f", {one['flag']} ({one['why']})" if one["flag"] else ""),
            one["cause"],
            one["reference"] or NONE,
            one["reason"] or NONE,
        )
        for one in exclusions
    ]  # fmt: skip
    return aligned("Exclusions", head, rows) if rows else ""


def _credit(credit: Json | None) -> str:
    if credit is None:
        return ""
    amount = NONE if credit["amount"] is None else f"{credit['amount']} {credit['currency']}"
    of = f" of {credit['charge']} {credit['currency']}" if credit["charge"] else ""
    lines = [f"Credit: {amount} ({Decimal(str(credit['percent'])).normalize():f} %{of})"]
    head = ("OBJECTIVE", "ENDPOINT", "BASIS", "SHARE", "AMOUNT")
    rows = [
        (line["objective"], line["endpoint"] or "all", line["basis"], f"{line['percent']:g} %", line["amount"] or NONE)
        for line in credit["lines"]
    ]
    lines += [f"Chronic: {one['endpoint']}: {one['rule']}" for one in credit["chronic"]]
    return "\n".join([*lines, aligned("", head, rows)] if rows else lines)


def duration(seconds: float) -> str:
    """Hours, minutes, seconds."""
    whole = round(seconds)
    days, rest = divmod(whole, 86_400)
    text = f"{rest // 3600}:{rest // 60 % 60:02d}:{rest % 60:02d}"
    return f"{days}d {text}" if days else text


def aligned(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A titled table, two blanks between columns; nothing at all without rows."""
    if not rows:
        return ""
    widths = [max(len(cell) for cell in column) for column in zip(head, *rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (head, *rows)]
    return "\n".join([title, *(f"  {line}".rstrip() for line in lines)] if title else [line.rstrip() for line in lines])
