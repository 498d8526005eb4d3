"""A report for people at a terminal or in a mail: plain text, figures truncated toward failure.

Rules: pure, from the JSON document (the promise) and the steps of its charts. Times are on the clocks of the
contract's zone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

import numpy as np

from netsla.sla.trend import Trend
from netsla.wire.figures import NONE, figure
from netsla.wire.report_words import (
    CLASSES,
    VERDICTS,
    Json,
    accountings,
    claim,
    duration,
    method,
    moment,
    money,
    outlook,
    remarks,
    used,
)

Clock = Callable[[str], str]
_MOST_DAYS = 10


def render(document: Json, trend: Trend, unchained: str = "") -> str:
    """The whole report; `unchained` says why no chain stands behind it."""
    zone = ZoneInfo(document["period"]["timezone"])
    clock = partial(moment, zone=zone)
    parts = [
        _head(document, unchained, clock),
        _objectives(document["objectives"]),
        _listed("Outlook", list(outlook(document))),
        _time(document["objectives"]),
        _trend(trend, zone),
        _incidents(document["incidents"], clock),
        _exclusions(document["exclusions"], clock),
        _credit(document["credit"], zone),
        _listed("Method", [*map(method, document["uptime"]), *accountings(document)]),
    ]
    return "\n\n".join(part for part in parts if part)


def _head(document: Json, unchained: str, clock: Clock) -> str:
    agreement, period = document["agreement"], document["period"]
    who = f"{agreement['id']} (version {agreement['version']})"
    who += f", {agreement['customer']}" if agreement["customer"] else ""
    begin, end = clock(period["start"]), clock(period["end"])
    lines = [
        f"Settlement of {who}",
        f"Period      {period['name']}: {begin} to {end} ({period['timezone']}, {duration(period['seconds'])})",
        f"Verdict     {VERDICTS[document['standing']]}{'' if period['final'] else ', provisional'}",
    ]
    if not period["final"]:
        lines.append(f"Known until {clock(period['until'])}: figures may still change")
    why = f" ({unchained})" if unchained else ""
    chained = "chained: recompute it with `netsla verify`"
    lines.append(f"Evidence    {chained if document['chained'] else f'unchained{why}'}")
    return "\n".join(lines)


def _objectives(objectives: Sequence[Json]) -> str:
    head = (
        "VERDICT", "ENDPOINT", "OBJECTIVE", "TARGET", "VALUE", "AT LEAST", "AT MOST", "COVERAGE", "EVIDENCE", "CREDIT",
        "BESIDE IT",
    )  # fmt: skip
    rows = [
        (
            VERDICTS[one["standing"]],
            one["endpoint"],
            f"{one['objective']} ({one['window']})",
            one["target"],
            *(figure(one["metric"], one[key]) for key in ("value", "low", "high")),
            figure("coverage", one["coverage_ratio"]),
            one["evidence"],
            one["credit"] or NONE,
            "; ".join(remarks(one)),
        )
        for one in objectives
    ]
    return aligned("Objectives", head, rows)


def _time(objectives: Sequence[Json]) -> str:
    """Where the time went, for each uptime objective."""
    rows = [
        (
            one["endpoint"],
            one["objective"],
            *(duration(one["seconds"][key]) for key in CLASSES),
            ", ".join(f"{word} {duration(span)}" for word, span in one["unknown_seconds"].items()) or NONE,
            str(one["micro_outages"]),
            used(one["budget_spent_ratio"]) if "budget_spent_ratio" in one else NONE,
        )
        for one in objectives
        if one["metric"] == "uptime"
    ]
    head = (
        "ENDPOINT", "OBJECTIVE", *map(str.upper, CLASSES), "UNKNOWN BECAUSE", "MICRO-OUTAGES", "BUDGET USED",
    )  # fmt: skip
    return aligned("Time", head, rows)


def _trend(trend: Trend, zone: ZoneInfo) -> str:
    """The steps that were not whole: those with most down time, then most unknown time."""
    lacking = np.flatnonzero((trend.down_s > 0) | (trend.unknown_s > 0))
    worst = lacking[np.lexsort((-trend.unknown_s[lacking], -trend.down_s[lacking]))][:_MOST_DAYS]
    form = "%Y-%m-%d" if trend.step == "the day" else "%Y-%m-%d %H:%M"
    rows = [
        (
            f"{datetime.fromtimestamp(int(trend.edges_s[n]), zone):{form}}",
            figure("uptime", float(trend.availability[n])),
            figure("packet_delivery", float(trend.delivery[n])),
            figure("latency", float(trend.mean_s[n])),
            duration(float(trend.down_s[n])),
            duration(float(trend.unknown_s[n])),
        )
        for n in sorted(worst.tolist())
    ]
    title = f"Down or unknown time by {trend.step}, all endpoints"
    title += f" (the worst {len(rows)} of {len(lacking)})" if len(lacking) > len(rows) else ""
    return aligned(title, ("FROM", "AVAILABILITY", "DELIVERY", "MEAN RTT", "DOWN", "UNKNOWN"), rows)


def _incidents(incidents: Sequence[Json], clock: Clock) -> str:
    head = ("ENDPOINT", "START", "END", "DOWN", "REPAIRED AFTER", "")
    rows = [
        (
            one["endpoint"],
            clock(one["start"]),
            clock(one["end"]) if one["end"] else "still open",
            duration(one["seconds"]),
            NONE if one["repair_seconds"] is None else duration(one["repair_seconds"]),
            ", ".join(
                [f"excused: {one['excluded_by']}"] * bool(one["excluded_by"]) + ["provisional"] * one["provisional"]
            ),
        )
        for one in incidents
    ]
    return aligned("Incidents", head, rows) if rows else "Incidents\n  none"


def _exclusions(exclusions: Sequence[Json], clock: Clock) -> str:
    head = ("ID", "ENDPOINT", "START", "END", "EXCLUDED", "CAUSE", "REFERENCE", "REASON", "ANNOUNCED")
    rows = [
        (
            one["id"],
            one["endpoint"] or "all",
            clock(one["start"]),
            clock(one["end"]),
            duration(one["excluded_seconds"]) + (f", {one['flag']} ({one['why']})" if one["flag"] else ""),
            one["cause"],
            one["reference"] or NONE,
            one["reason"] or NONE,
            clock(one["announced"]) if one["announced"] else NONE,
        )
        for one in exclusions
    ]
    return aligned("Exclusions", head, rows)


def _credit(credit: Json | None, zone: ZoneInfo) -> str:
    if credit is None:
        return ""
    head = ("OBJECTIVE", "ENDPOINT", "BASIS", "SHARE", "AMOUNT")
    rows = [
        (line["objective"], line["endpoint"] or "all", line["basis"], f"{line['percent']:g} %", line["amount"] or NONE)
        for line in credit["lines"]
    ]
    lines = [aligned(f"Credit: {money(credit)}", head, rows) or f"Credit: {money(credit)}"]
    lines += [f"  chronic: {one['endpoint']}: {one['rule']}" for one in credit["chronic"]]
    return "\n".join([*lines, *(f"  {terms}" for terms in [claim(credit, zone)] if terms)])


def _listed(title: str, lines: Sequence[str]) -> str:
    return "\n".join([title, *(f"  {line}" for line in lines)]) if lines else ""


def aligned(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A titled table, two blanks between columns; nothing at all without rows."""
    if not rows:
        return ""
    widths = [max(len(cell) for cell in column) for column in zip(head, *rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (head, *rows)]
    return "\n".join([title, *(f"  {line}".rstrip() for line in lines)])
