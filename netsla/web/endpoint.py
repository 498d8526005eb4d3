"""The page of one endpoint: its objectives and probes, the figures of each window, charts and breaches.

Rules: pure; as in `page`. Charts are inline SVG without script and style, drawn elsewhere and escaped there.
"""

from __future__ import annotations

from html import escape
from urllib.parse import quote

from netsla.sla.snapshot import Snapshot, WindowView
from netsla.web.page import address, frame, objectives_table, probes_table, table
from netsla.web.source import Portrait
from netsla.wire.breaches import Breach
from netsla.wire.figures import figure
from netsla.wire.status import Only, positions

SPANS = {"day": "the last 24 hours", "month": "this month"}
_KEY = "▼ outage · B breach · E excluded · ? not measured"


def render(snapshot: Snapshot, agreement: str, name: str, span: str, past: Portrait) -> str:
    """The whole page; `span` is one of :data:`SPANS`."""
    probes, promises = positions(snapshot, Only(agreement, name))
    back = f'<a href="/agreements/{quote(agreement, safe="")}">{escape(agreement)}</a>'
    content = [
        f'<p><a href="/">All agreements</a> · {back}</p>',
        objectives_table(snapshot, promises),
        probes_table(snapshot, probes),
        _windows(snapshot, set(probes.tolist())),
        _charts(agreement, name, span, past),
        _breaches(past),
    ]
    return frame(f"{agreement} / {name}", snapshot, "".join(content))


def _windows(snapshot: Snapshot, wanted: set[int]) -> str:
    """A line for each window of each probe."""
    head = ("Window", "Probe", "Sent", "Received", "Unmeasured", "Delivery", "Availability", "Coverage")
    lines = [
        _line(snapshot, view, at, place)
        for view in snapshot.windows
        for at, place in enumerate(view.member.tolist())
        if place in wanted
    ]
    return table("Windows", (*head, "Mean", "p50", "p95", "p99", "Max", "Jitter"), lines)


def _line(snapshot: Snapshot, view: WindowView, at: int, place: int) -> str:
    counts = (view.sent, view.received, view.unmeasured)
    times = (view.mean, view.p50, view.p95, view.p99, view.max, view.jitter)
    cells = [
        view.name,
        snapshot.roll.probe[place],
        *(str(int(column[at])) for column in counts),
        figure("packet_delivery", float(view.delivery[at])),
        figure("uptime", float(view.uptime[at])),
        figure("coverage", float(view.coverage[at])),
        *(figure("latency", float(column[at])) for column in times),
    ]
    return f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"


def _charts(agreement: str, name: str, span: str, past: Portrait) -> str:
    here = address(agreement, name)
    choices = " · ".join(
        f"<b>{text}</b>" if key == span else f'<a href="{here}?span={key}">{text}</a>' for key, text in SPANS.items()
    )
    drawn = "".join(f"<figure><figcaption>{escape(title)}</figcaption>{svg}</figure>" for title, svg in past.charts)
    problem = f"<p>{escape(past.problem)}</p>" if past.problem else ""
    return f"<section><h2>Charts</h2><p>{choices}<br><small>{_KEY}</small></p>{problem}{drawn}</section>"


def _breaches(past: Portrait) -> str:
    head = ("What", "Objective", "Onset", "Ended", "Value", "Target", "Severity")
    return table("Breaches in this time", head, [_breach(one) for one in past.breaches])


def _breach(one: Breach) -> str:
    value = figure(one.metric, one.value)
    cells = (one.what, one.objective, one.onset, one.ended_at or "open", value, one.target, one.severity)
    return f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
