"""A report as one self-contained HTML file: no script, nothing loaded, prints well on A4.

Rules: pure; everything but our own SVG goes through Jinja2's escaping. The style's hash stands in the file's own
content security policy, so that nothing else can be styled or run in it.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial
from importlib import resources
from typing import Any
from zoneinfo import ZoneInfo

import jinja2
from markupsafe import Markup

from netsla.model import Metric, Objective
from netsla.sla.report import Report
from netsla.sla.trend import FloatArray, Trend
from netsla.wire.chart import EXCLUSION, OUTAGE, UNKNOWN, Band, Chart, draw
from netsla.wire.figures import figure
from netsla.wire.report_words import (
    VERDICTS,
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

SIGNS = {"met": "✓", "breached": "✗", "insufficient_data": "?", "no_data": "-"}
_DAY = 86_400  # s
_LABELS = 8  # along the time axis
_UNKNOWN_SHARE = 0.01  # of a step: less is not marked


def render(document: dict[str, Any], report: Report, trend: Trend, version: str, unchained: str = "") -> str:
    """The whole file."""
    folder = resources.files("netsla.wire") / "templates"
    style = (folder / "report.css").read_text(encoding="utf-8")
    loader = jinja2.DictLoader({"report": (folder / "report.html.j2").read_text(encoding="utf-8")})
    page = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    ).get_template("report")
    return page.render(
        **document,
        parties=report.agreement.parties,
        words={standing: word.capitalize() for standing, word in VERDICTS.items()},
        signs=SIGNS,
        times=[one for one in document["objectives"] if one["metric"] == "uptime"],
        outlook=list(outlook(document)),
        charts=charts(report, trend),
        style=Markup(style),  # noqa: S704 - our own file
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        clock=partial(moment, zone=ZoneInfo(report.agreement.timezone)),
        duration=duration,
        figure=figure,
        remarks=remarks,
        method=method,
        accountings=accountings(document),
        money=money,
        claim=partial(claim, zone=ZoneInfo(document["period"]["timezone"])),
        used=used,
        version=version,
        unchained=unchained,
    )


# --- charts -------------------------------------------------------------------------------------------


def charts(
    report: Report, trend: Trend, of: str = "all endpoints", more: Sequence[Band] = ()
) -> list[tuple[str, Markup]]:
    """(title, SVG) of availability, delivery and latency; `more` is marked beside what the report tells."""
    zone = ZoneInfo(report.agreement.timezone)
    common = {"edges": trend.edges_s.tolist(), "labels": _labels(trend, zone), "bands": [*_bands(report, trend), *more]}
    drawn = []
    for name, metric, values, factor in (
        ("Availability", Metric.UPTIME, trend.availability, 100.0),
        ("Packet delivery", Metric.PACKET_DELIVERY, trend.delivery, 100.0),
        ("Mean round-trip time", Metric.LATENCY, trend.mean_s, 1000.0),
    ):
        percent = metric is not Metric.LATENCY
        goal = _target(report, metric)
        limit = None if goal is None else float(goal.target.value * 100 if percent else goal.target.value / 1_000_000)
        title = f"{name} by {trend.step}, {of}"
        chart = Chart(
            id=metric.value.replace("_", "-"), title=title, values=_scaled(values, factor),
            unit=" %" if percent else " ms", percent=percent, limit=limit, limit_text=_limit_text(goal), **common,
        )  # fmt: skip
        drawn.append((title, Markup(draw(chart))))  # noqa: S704 - our own SVG, whose texts are escaped there
    return drawn


def _scaled(values: FloatArray, factor: float) -> list[float | None]:
    return [None if math.isnan(value) else value * factor for value in values.tolist()]


def _target(report: Report, metric: Metric) -> Objective | None:
    """The strictest objective of a metric; of latency, one on the mean rather than another."""
    found = [one.objective for one in report.results if one.objective.metric is metric]
    found = [one for one in found if metric is not Metric.LATENCY or one.statistic == "mean"] or found
    pick = max if found and found[0].target.at_least else min
    return pick(found, key=lambda one: one.target.value, default=None)


def _limit_text(goal: Objective | None) -> str:
    if goal is None:
        return ""
    statistic = f"{goal.statistic} " if goal.statistic else ""
    return f"target {statistic}{goal.target.text}"


def _bands(report: Report, trend: Trend) -> list[Band]:
    return [*_unknown(trend), *_exclusions(report), *_outages(report)]


def _unknown(trend: Trend) -> Iterator[Band]:
    edges = trend.edges_s.tolist()
    whole = trend.unknown_s + trend.down_s + trend.up_s
    for n, (begin, end) in enumerate(itertools.pairwise(edges)):
        if trend.unknown_s[n] > _UNKNOWN_SHARE * whole[n]:
            yield Band(begin, end, UNKNOWN, f"not known for {duration(float(trend.unknown_s[n]))}, all endpoints added")


def _exclusions(report: Report) -> Iterable[Band]:
    return (
        Band(
            one.exclusion.start_ns / 1e9, one.exclusion.end_ns / 1e9, EXCLUSION,
            " ".join(f"excluded: {one.exclusion.cause} {one.exclusion.reason} {one.exclusion.reference}".split()),
        )
        for one in report.exclusions if one.counted_ns
    )  # fmt: skip


def _outages(report: Report) -> Iterator[Band]:
    for one in report.incidents:
        if one.excluded_by is None:
            end_ns = report.until_ns if one.end_ns is None else one.end_ns
            yield Band(one.start_ns / 1e9, end_ns / 1e9, OUTAGE, f"{one.endpoint} down {duration(one.down_ns / 1e9)}")


def _labels(trend: Trend, zone: ZoneInfo) -> list[tuple[float, str]]:
    starts = trend.edges_s[:-1].tolist()
    days = (starts[-1] - starts[0]) // _DAY
    form = "%d %b" if trend.step_s == _DAY else "%d %b %H:%M" if days else "%H:%M"
    every = max(1, -(-len(starts) // _LABELS))
    return [(float(at), f"{datetime.fromtimestamp(at, zone):{form}}") for at in starts[::every]]
