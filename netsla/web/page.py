"""The page at `/`, as plain HTML tables: every agreement's standing, and an agreement's endpoints.

Rules: pure; works without JavaScript; states are words and shapes, colour only comes on top; figures
truncate toward failure. Everything from the configuration is escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from urllib.parse import quote

import numpy as np

from netsla.model import IntArray
from netsla.sla.snapshot import STANDINGS, Snapshot
from netsla.wire.figures import figure
from netsla.wire.status import Only, objectives_json, positions, probes_json

ROWS = 200  # on one page
SIGNS = {"met": "✓", "breached": "✗", "insufficient_data": "?", "no_data": "-", "good": "✓", "bad": "✗", "unknown": "?"}
_WORST = ("breached", "no_data", "insufficient_data", "met")  # in this order


@dataclass(slots=True)
class _Sum:
    """An agreement, or an endpoint, at a glance."""

    agreement: str
    customer: str
    endpoints: set[str]
    counts: dict[str, int]
    name: str = ""  # of an endpoint

    @property
    def standing(self) -> str:
        return next((standing for standing in _WORST if self.counts[standing]), "no_data")


def overview(snapshot: Snapshot, number: int = 1) -> str:
    """All agreements, worst first, `ROWS` to a page counted from 1."""
    sums = sorted(_sums(snapshot), key=lambda each: (_WORST.index(each.standing), each.agreement))
    shown = sums[(number - 1) * ROWS : number * ROWS]
    head = ("Standing", "Agreement", "Customer", "Endpoints", "Breached", "Met", "Too little data", "No data")
    body = [_overview_row(each) for each in shown]
    endpoints = sorted(_endpoints(snapshot), key=lambda each: (_WORST.index(each.standing), each.agreement, each.name))
    body_below = [_endpoint_row(each) for each in endpoints[(number - 1) * ROWS : number * ROWS]]
    below = ("Standing", "Endpoint", "Agreement", "Breached", "Met", "Too little data", "No data")
    tables = table("Agreements", head, body) + table("Endpoints", below, body_below)
    return frame("Agreements", snapshot, tables + _pages(number, max(len(sums), len(endpoints)), "/?page="))


def agreement(snapshot: Snapshot, name: str, number: int = 1) -> str | None:
    """One agreement's endpoints and objectives; None if there is none of that name."""
    probes, promises = positions(snapshot, Only(agreement=name))
    if not len(probes):
        return None
    rank = np.asarray([_WORST.index(standing) for standing in STANDINGS])[snapshot.objectives.standing[promises]]
    promises = promises[np.argsort(rank, kind="stable")]
    part = slice((number - 1) * ROWS, number * ROWS)
    tables = objectives_table(snapshot, promises[part]) + probes_table(snapshot, probes[part])
    pages = _pages(number, max(len(promises), len(probes)), f"/agreements/{quote(name, safe='')}?page=")
    return frame(name, snapshot, f'<p><a href="/">All agreements</a></p>{tables}{pages}')


def objectives_table(snapshot: Snapshot, chosen: IntArray) -> str:
    """Some objectives, by their positions in the Roll."""
    head = ("Standing", "Endpoint", "Objective", "Value", "Target", "Window", "Coverage", "Evidence", "Severity")
    entries = objectives_json(snapshot.roll, snapshot.objectives, chosen)
    return table("Objectives", (*head, "Breached since"), [_objective_row(each) for each in entries])


def probes_table(snapshot: Snapshot, chosen: IntArray) -> str:
    """Some probes, by their positions in the Roll."""
    head = ("Standing", "Endpoint", "Probe", "Address", "Last", "RTT", "Delivery 5m", "p95 5m")
    return table("Probes", head, [_probe_row(each) for each in probes_json(snapshot, chosen)])


def _sums(snapshot: Snapshot) -> Iterable[_Sum]:
    roll = snapshot.roll
    sums: dict[str, _Sum] = {}
    for name, endpoint, customer in zip(roll.agreement, roll.endpoint, roll.customer, strict=True):
        each = sums.setdefault(name, _Sum(name, customer, set(), dict.fromkeys(STANDINGS, 0)))
        each.endpoints.add(endpoint)
    for name, standing in zip(roll.objective_agreement, snapshot.objectives.standing.tolist(), strict=True):
        if name in sums:
            sums[name].counts[STANDINGS[standing]] += 1
    return sums.values()


def _endpoints(snapshot: Snapshot) -> Iterable[_Sum]:
    """Every endpoint at a glance; one without objectives stands as `no_data`."""
    roll = snapshot.roll
    names = dict.fromkeys(zip(roll.agreement, roll.endpoint, strict=True))
    sums = {one: _Sum(one[0], "", set(), dict.fromkeys(STANDINGS, 0), one[1]) for one in names}
    owners = zip(roll.objective_agreement, roll.objective_endpoint, strict=True)
    for owner, standing in zip(owners, snapshot.objectives.standing.tolist(), strict=True):
        if owner in sums:
            sums[owner].counts[STANDINGS[standing]] += 1
    return sums.values()


def address(name: str, endpoint: str) -> str:
    """Where the page of an endpoint is."""
    return f"/agreements/{quote(name, safe='')}/endpoints/{quote(endpoint, safe='')}"


def link(name: str, endpoint: str) -> str:
    """An endpoint, as a link to its page."""
    return f'<a href="{address(name, endpoint)}">{escape(endpoint)}</a>'


def _endpoint_row(each: _Sum) -> str:
    counts = [str(each.counts[standing]) for standing in ("breached", "met", "insufficient_data", "no_data")]
    return row(each.standing, [link(each.agreement, each.name), escape(each.agreement), *counts])


def _overview_row(each: _Sum) -> str:
    name = f'<a href="/agreements/{quote(each.agreement, safe="")}">{escape(each.agreement)}</a>'
    counts = [str(each.counts[standing]) for standing in ("breached", "met", "insufficient_data", "no_data")]
    return row(each.standing, [name, escape(each.customer), str(len(each.endpoints)), *counts])


def _objective_row(each: dict[str, object]) -> str:
    metric, breach = str(each["metric"]), each["breach"]
    cells = [
        link(str(each["agreement"]), str(each["endpoint"])),
        escape(str(each["objective"])),
        figure(metric, each["value"]),
        escape(str(each["target"])),
        escape(str(each["window"])),
        figure("coverage", each["coverage_ratio"]),
        escape(str(each["evidence"] or "-")),
        escape(str(each["severity"])),
        escape(str(breach["since"] if isinstance(breach, dict) else "-")),
    ]
    return row(str(each["standing"]), cells)


def _probe_row(each: dict[str, object]) -> str:
    last, windows = each["last"], each["windows"]
    assert isinstance(last, dict)
    assert isinstance(windows, dict)
    recent = windows.get("5m", {"packet_delivery_ratio": None, "latency_seconds": {"p95": None}})
    cells = [
        link(str(each["agreement"]), str(each["endpoint"])),
        escape(str(each["probe"])),
        escape(str(each["address"])),
        escape(str(last.get("detail") or last["outcome"] or "-")),
        figure("latency", last["rtt_seconds"]),
        figure("packet_delivery", recent["packet_delivery_ratio"]),
        figure("latency", recent["latency_seconds"]["p95"]),
    ]
    return row(str(each["standing"]), cells)


def row(standing: str, cells: Sequence[str]) -> str:
    """A line that begins with a standing; the cells are HTML."""
    first = (
        f'<td class="{standing}"><span aria-hidden="true">{SIGNS[standing]}</span> {standing.replace("_", " ")}</td>'
    )
    return f"<tr>{first}{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def table(caption: str, head: Sequence[str], rows: Sequence[str]) -> str:
    """A table with its caption; the rows are HTML."""
    heads = "".join(f'<th scope="col">{text}</th>' for text in head)
    body = "".join(rows) or f'<tr><td colspan="{len(head)}">none</td></tr>'
    return f"<table><caption>{caption}</caption><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"


def _pages(number: int, count: int, address: str) -> str:
    last = max(1, -(-count // ROWS))
    if last == 1:
        return ""
    links = [f'<a rel="prev" href="{address}{number - 1}">Earlier</a>'] if number > 1 else []
    links.append(f"page {number} of {last}")
    links += [f'<a rel="next" href="{address}{number + 1}">Later</a>'] if number < last else []
    return f'<nav aria-label="Pages">{" · ".join(links)}</nav>'


def frame(title: str, snapshot: Snapshot, content: str) -> str:
    """The whole page around some content (HTML)."""
    view = snapshot.agent
    problems = "".join(f"<li>{escape(problem)}</li>" for problem in view.problems)
    notice = f'<section role="alert"><h2>Problems of the agent</h2><ul>{problems}</ul></section>' if problems else ""
    instant = f"{datetime.fromtimestamp(snapshot.at_ns // 10**9, UTC):%Y-%m-%d %H:%M:%S} UTC"
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)} · netsla</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="stylesheet" href="/static/netsla.css"></head><body>'
        f"<header><h1>{escape(title)}</h1><p>{escape(view.name)} · netsla {escape(view.version)} · "
        f"{len(snapshot.roll.agreement)} probes · as of {instant}</p></header>"
        f"{notice}<main>{content}</main>"
        '<footer><a href="/metrics">Metrics</a> · <a href="/api/v1/status">Status as JSON</a></footer></body></html>'
    )
