"""A report as one self-contained HTML file: no script, nothing loaded, prints well on A4.

Rules: pure; everything but our own SVG goes through Jinja2's escaping. The style's hash stands in the file's own
content security policy, so that nothing else can be styled or run in it.
"""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction
from importlib import resources
from typing import Any
from zoneinfo import ZoneInfo

import jinja2
from markupsafe import Markup

from netsla.model import Metric
from netsla.sla.report import Report
from netsla.sla.trend import Trend
from netsla.wire.chart import Band, Chart, draw
from netsla.wire.figures import figure
from netsla.wire.report_text import VERDICTS, duration, target_share

SIGNS = {"met": "✓", "breached": "✗", "insufficient_data": "?", "no_data": "-"}
_PERCENT, _MILLI = 100, 1000
_LABELS = 8  # along the time axis


def render(document: dict[str, Any], report: Report, trend: Trend, version: str, unchained: str = "") -> str:
    """The whole file."""
    folder = resources.files("netsla.wire") / "templates"
    style = (folder / "report.css").read_text(encoding="utf-8")
    loader = jinja2.DictLoader({"report": (folder / "report.html.j2").read_text(encoding="utf-8")})
    page = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined).get_template("report")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return page.render(
        **document,
        verdict=VERDICTS[document["standing"]],
        sign=SIGNS[document["standing"]],
        words={standing: word.lower() for standing, word in VERDICTS.items()},
        signs=SIGNS,
        times=[one for one in document["objectives"] if one["metric"] == "uptime"],
        charts=charts(report, trend),
        style=Markup(style),  # noqa: S704 - our own file
        style_hash=digest,
        duration=duration,
        figure=figure,
        met_share=target_share,
        version=version,
        unchained=unchained,
    )


def charts(report: Report, trend: Trend) -> list[tuple[str, str]]:
    """(title, SVG) of availability, delivery and latency."""
    bands, times = _bands(report), trend.start_s.tolist()
    labels = _labels(times, trend.step_s, ZoneInfo(report.agreement.timezone))
    step = "hour" if trend.step_s == 3600 else "day"
    percents = (
        ("Availability", trend.availability, _target(report, Metric.UPTIME)),
        ("Packet delivery", trend.delivery, _target(report, Metric.PACKET_DELIVERY)),
    )
    drawn = []
    for name, ratios, goal in percents:
        title = f"{name} by the {step}, all endpoints (%)"
        limit = None if goal is None else float(goal * _PERCENT)
        chart = Chart(title, times, trend.step_s, _scaled(ratios, _PERCENT), " %", labels, limit, bands, 100.0)
        drawn.append((title, draw(chart)))
    goal = _target(report, Metric.LATENCY)
    title = f"Mean round-trip time by the {step}, all endpoints (ms)"
    limit = None if goal is None else float(goal / 1_000_000)
    latency = Chart(title, times, trend.step_s, _scaled(trend.mean_s, _MILLI), " ms", labels, limit, bands)
    return [*drawn, (title, draw(latency))]


def _scaled(values: Any, factor: int) -> list[float | None]:
    return [None if math.isnan(value) else value * factor for value in values.tolist()]


def _target(report: Report, metric: Metric) -> Fraction | None:
    """The strictest target of a metric, ratios as such and times in ns."""
    found = [one.objective.target for one in report.results if one.objective.metric is metric]
    if not found:
        return None
    values = [target.value for target in found]
    return max(values) if found[0].at_least else min(values)


def _bands(report: Report) -> list[Band]:
    found = [
        Band(
            one.exclusion.start_ns / 1e9,
            one.exclusion.end_ns / 1e9,
            "exclusion",
            f"excluded: {one.exclusion.cause} {one.exclusion.reason}",
        )
        for one in report.exclusions
        if one.counted_ns
    ]
    for one in report.incidents:
        end_ns = report.until_ns if one.end_ns is None else one.end_ns
        found.append(
            Band(one.start_ns / 1e9, end_ns / 1e9, "breach", f"{one.endpoint} down {duration(one.down_ns / 1e9)}")
        )
    return found


def _labels(times: Sequence[int], step: int, zone: ZoneInfo) -> list[tuple[float, str]]:
    form = "%H:%M" if step == 3600 else "%d %b"
    every = max(1, -(-len(times) // _LABELS))
    return [(float(at), f"{datetime.fromtimestamp(at, zone):{form}}") for at in times[::every]]
