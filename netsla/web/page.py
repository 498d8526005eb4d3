"""What all pages are made of: the frame around them, tables, and standings as words and shapes.

Rules: pure; works without JavaScript; a standing is a word and a sign, colour only comes on top; figures truncate
toward failure. Everything from the configuration is escaped. No inline style: the CSP forbids it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from urllib.parse import quote

from netsla.model import IntArray
from netsla.sla.snapshot import Snapshot
from netsla.web.asked import Asked
from netsla.wire.figures import figure
from netsla.wire.status import objectives_json, probes_json

ROWS = 200  # on one page
REFRESH_S = 30
SIGNS = {"met": "✓", "breached": "✗", "insufficient_data": "?", "no_data": "-", "good": "✓", "bad": "✗", "unknown": "?"}
WORST = ("breached", "no_data", "insufficient_data", "met")  # in this order
_PATH_SAFE = ""


def agreement_address(name: str) -> str:
    """Where the page of an agreement is."""
    return f"/agreements/{quote(name, safe=_PATH_SAFE)}"


def address(name: str, endpoint: str) -> str:
    """Where the page of an endpoint is."""
    return f"{agreement_address(name)}/endpoints/{quote(endpoint, safe=_PATH_SAFE)}"


def link(name: str, endpoint: str) -> str:
    """An endpoint, as a link to its page."""
    return f'<a href="{address(name, endpoint)}">{escape(endpoint)}</a>'


def word(standing: str) -> str:
    """A standing as people read it."""
    return standing.replace("_", " ")


def badge(standing: str) -> str:
    """A standing by word, shape and colour."""
    return f'<span class="badge {standing}"><span aria-hidden="true">{SIGNS[standing]}</span> {word(standing)}</span>'


# --- tables -------------------------------------------------------------------------------------------


def objectives_table(snapshot: Snapshot, chosen: IntArray) -> str:
    """Some objectives, by their positions in the Roll."""
    head = ("Standing", "Endpoint", "Objective", "Value", "Target", "Window", "Budget left", "Coverage", "Evidence")
    entries = objectives_json(snapshot.roll, snapshot.objectives, chosen)
    budgets = snapshot.objectives.budget[chosen].tolist()
    rows = [_objective_row(*each) for each in zip(entries, budgets, strict=True)]
    return table("Objectives", (*head, "Severity", "Breached since (UTC)"), rows)


def probes_table(snapshot: Snapshot, chosen: IntArray) -> str:
    """Some probes, by their positions in the Roll."""
    head = ("Standing", "Endpoint", "Probe", "Address", "Last", "RTT", "Delivery 5m", "p95 5m")
    return table("Probes", head, [_probe_row(each) for each in probes_json(snapshot, chosen)])


def _objective_row(each: dict[str, object], budget: float) -> str:
    metric, breach = str(each["metric"]), each["breach"]
    cells = [
        link(str(each["agreement"]), str(each["endpoint"])),
        escape(str(each["objective"])),
        figure(metric, each["value"]),
        escape(str(each["target"])),
        escape(str(each["window"])),
        figure("budget", budget),
        figure("coverage", each["coverage_ratio"]),
        escape(str(each["evidence"] or "-")),
        escape(str(each["severity"])),
        clock(str(breach["since"])) if isinstance(breach, dict) else "-",
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
    return f"<tr><td>{badge(standing)}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def table(caption: str, head: Sequence[str], rows: Sequence[str]) -> str:
    """A table with its caption, which scrolls on a narrow screen; the rows are HTML."""
    heads = "".join(f'<th scope="col">{text}</th>' for text in head)
    body = "".join(rows) or f'<tr><td colspan="{len(head)}">none</td></tr>'
    kind = caption.lower().split()[0]
    return (
        f'<div class="wide" role="region" aria-label="{caption}" tabindex="0"><table class="{kind}">'
        f"<caption>{caption}</caption><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def pages(asked: Asked, count: int) -> str:
    """Where the other pages of `count` lines are."""
    last = max(1, -(-count // ROWS))
    if last == 1:
        return ""
    links = [f'<a rel="prev" href="{escape(asked.link(page=asked.page - 1))}">Earlier</a>'] if asked.page > 1 else []
    links.append(f"page {asked.page} of {last}")
    links += [f'<a rel="next" href="{escape(asked.link(page=asked.page + 1))}">Later</a>'] if asked.page < last else []
    return f'<nav aria-label="Pages">{" · ".join(links)}</nav>'


def clock(instant: str) -> str:
    """An ISO instant in UTC, shorter, to the second."""
    return f'<time datetime="{escape(instant)}">{escape(instant[:10])} {escape(instant[11:19])}</time>'


# --- choosing -----------------------------------------------------------------------------------------


def tiles(asked: Asked, what: str, counts: dict[str, int]) -> str:
    """How many of something stand how, each a link to them."""
    items = "".join(_tile(asked, standing, counts[standing]) for standing in WORST)
    return f'<ul class="tiles" aria-label="{what} by standing">{items}</ul>'


def _tile(asked: Asked, standing: str, count: int) -> str:
    chosen = asked.standing == standing
    href = escape(asked.link(standing="" if chosen else standing, page=1))
    current = ' aria-current="true"' if chosen else ""
    kind = standing if count else "nothing"
    return (
        f'<li><a class="tile {kind}" href="{href}"{current}><b>{count}</b> '
        f'<span><span aria-hidden="true">{SIGNS[standing]}</span> {word(standing)}</span></a></li>'
    )


def chooser(asked: Asked, what: str) -> str:
    """A search that needs no script, and the way back from what was chosen."""
    kept = "".join(
        f'<input type="hidden" name="{name}" value="{escape(str(value))}">'
        for name, value in (("standing", asked.standing), ("refresh", asked.refresh or ""))
        if value
    )
    chosen = asked.standing or asked.search
    back = f' <a href="{escape(asked.link(standing="", search="", page=1))}">show all</a>' if chosen else ""
    return (
        f'<form method="get" role="search"><label>{what} <input type="search" name="search" maxlength="128" '
        f'value="{escape(asked.search)}"></label>{kept} <button>Find</button>{back}</form>'
    )


# --- the frame ----------------------------------------------------------------------------------------


def frame(title: str, snapshot: Snapshot, content: str, asked: Asked, standing: str = "", trail: str = "") -> str:
    """The whole page around some content (HTML); `trail` are links to what lies above it."""
    view = snapshot.agent
    instant = f"{datetime.fromtimestamp(snapshot.at_ns // 10**9, UTC):%Y-%m-%dT%H:%M:%SZ}"
    again = f'<meta http-equiv="refresh" content="{asked.refresh}">' if asked.refresh else ""
    sign = f"{SIGNS[standing]} " if standing else ""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{sign}{escape(title)} · netsla</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">{again}'
        '<link rel="stylesheet" href="/static/netsla.css"><link rel="icon" href="/static/netsla.svg"></head><body>'
        f'<a class="skip" href="#main">To the content</a><header><p class="brand"><a href="/">netsla</a></p>'
        f"<p>{escape(view.name)} · {escape(view.version)} · {len(snapshot.roll.agreement)} probes · "
        f"as of {clock(instant)} UTC · {_again(asked)}</p></header>{_notice(view.problems)}"
        f'<main id="main"><nav aria-label="Above">{trail}</nav>'
        f"<h1>{escape(title)} {badge(standing) if standing else ''}</h1>{content}</main>"
        '<footer><a href="/metrics">Metrics</a> · <a href="/api/v1/status">Status as JSON</a></footer></body></html>'
    )


def _again(asked: Asked) -> str:
    if asked.refresh:
        return f'every {asked.refresh} s, <a href="{escape(asked.link(refresh=0))}">stop</a>'
    return f'<a href="{escape(asked.link(refresh=REFRESH_S))}">refresh every {REFRESH_S} s</a>'


def _notice(problems: Sequence[str]) -> str:
    if not problems:
        return ""
    items = "".join(f"<li>{escape(problem)}</li>" for problem in problems)
    head = '<h2><span aria-hidden="true">⚠</span> Problems of the agent</h2>'
    return f'<section role="alert">{head}<ul>{items}</ul></section>'
