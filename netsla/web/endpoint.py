"""The page of one endpoint: its objectives and probes, the figures of each window, charts and breaches.

Rules: pure; as in `page`. Charts are inline SVG without script and style, drawn elsewhere and escaped there.
"""

from __future__ import annotations

from html import escape
from typing import Any

from netsla.sla.snapshot import Snapshot, WindowView
from netsla.web.asked import SPANS, Asked
from netsla.web.overview import standing_of
from netsla.web.page import agreement_address, badge, clock, frame, objectives_table, probes_table, table
from netsla.web.source import Portrait
from netsla.wire.breaches import Breach
from netsla.wire.figures import figure
from netsla.wire.status import Only, positions

_KEY = "▼ outage · B breach · E excluded · ? not measured · dashed line: target"


def render(snapshot: Snapshot, agreement: str, name: str, asked: Asked, past: Portrait) -> str:
    """The whole page."""
    probes, promises = positions(snapshot, Only(agreement, name))
    trail = f'<a href="/">All agreements</a> · <a href="{agreement_address(agreement)}">{escape(agreement)}</a>'
    content = [
        objectives_table(snapshot, promises),
        _charts(asked, past),
        _breaches(past),
        _windows(snapshot, set(probes.tolist())),
        probes_table(snapshot, probes),
    ]
    standing = standing_of(snapshot, agreement, name)
    return frame(f"{agreement} / {name}", snapshot, "".join(content), asked, standing, trail)


def exists(snapshot: Snapshot, agreement: str, name: str) -> bool:
    """Whether there is such an endpoint."""
    return bool(len(positions(snapshot, Only(agreement, name))[0]))


def _windows(snapshot: Snapshot, wanted: set[int]) -> str:
    """A line for each window of each probe."""
    head = ("Window", "Probe", "Sent", "Received", "Unmeasured", "Delivery", "Availability", "Coverage")
    lines = [
        _line(snapshot, view, at, place)
        for view in snapshot.windows
        for at, place in enumerate(view.member.tolist())
        if place in wanted
    ]
    return table("Windows", (*head, "Mean", "p50", "p95", "p99", "Max", "Jitter", "PDV"), lines)


def _line(snapshot: Snapshot, view: WindowView, at: int, place: int) -> str:
    counts = (view.sent, view.received, view.unmeasured)
    times = (view.mean, view.p50, view.p95, view.p99, view.max, view.jitter, view.variation)
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


def _charts(asked: Asked, past: Portrait) -> str:
    choices = "".join(
        f'<li><a href="{escape(asked.link(span=key))}"{_current(chosen=key == asked.span)}>{text}</a></li>'
        for key, text in SPANS.items()
    )
    drawn = "".join(f"<figure><figcaption>{escape(title)}</figcaption>{svg}</figure>" for title, svg in past.charts)
    problem = f"<p>{escape(past.problem)}</p>" if past.problem else ""
    key = f'<p class="key">{_KEY}</p>' if drawn else ""
    shown = f'{problem}<div class="charts">{drawn}</div>{key}'
    return f'<section><h2>Charts</h2><ul class="choices">{choices}</ul>{shown}</section>'


def _current(*, chosen: bool) -> str:
    return ' aria-current="true"' if chosen else ""


def _breaches(past: Portrait) -> str:
    head = (
        "State",
        "What",
        "Objective",
        "Onset (UTC)",
        "Ended (UTC)",
        "Value",
        "Target",
        "Severity",
        "Evidence",
        "Cause",
    )
    return table("Breaches in this time", (*head, "Path at its onset"), [_breach(one) for one in past.breaches])


def _breach(one: Breach) -> str:
    cells = (
        badge("breached") if one.open else "over",
        escape(one.what),
        escape(one.objective),
        clock(one.onset),
        clock(one.ended_at) if one.ended_at else "open",
        figure(one.metric, one.value),
        escape(one.target),
        escape(one.severity),
        escape(one.evidence or "-"),
        escape(one.caused_by or "-"),
        _path(one.path),
    )
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _path(path: dict[str, Any] | None) -> str:
    """The hops of a traceroute, folded up."""
    if path is None:
        return "-"
    if path.get("problem"):
        return escape(str(path["problem"]))
    hops = "".join(f'<li value="{at}">{escape(str(hop))} {rtt_ms:.3f} ms</li>' for at, hop, rtt_ms in path["hops"])
    end = "" if path["reached"] else "<p>It ends here: the endpoint did not answer.</p>"
    return f"<details><summary>{len(path['hops'])} hops</summary><ol>{hops}</ol>{end}</details>"
