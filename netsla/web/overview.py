"""The page at `/`, and that of an agreement: every standing at a glance, the worst first.

Rules: as in `page`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape

import numpy as np

from netsla.sla.snapshot import STANDINGS, Snapshot
from netsla.web.asked import EVERYTHING, Asked
from netsla.web.page import (
    ROWS,
    SIGNS,
    WORST,
    address,
    agreement_address,
    chooser,
    frame,
    link,
    objectives_table,
    pages,
    probes_table,
    row,
    table,
    tiles,
    word,
)
from netsla.wire.figures import figure
from netsla.wire.status import Only, positions

MAPPED = 3000  # endpoints of an agreement that are drawn as a map
_COUNTS = ("Breached", "No data", "Insufficient data", "Met", "Budget left")
_NOTHING = "No agreement is in force. <code>netsla agreement new</code> writes one to begin with."
_BAR = 120  # px: all objectives


@dataclass(slots=True)
class _Sum:
    """An agreement, or an endpoint of it, at a glance."""

    agreement: str
    customer: str = ""
    name: str = ""  # of an endpoint
    endpoints: set[str] = field(default_factory=set)
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STANDINGS, 0))
    budget: float | None = None  # the least that an objective has left

    @property
    def standing(self) -> str:
        return next((standing for standing in WORST if self.counts[standing]), "no_data")

    @property
    def rank(self) -> tuple[int, str, str]:
        return WORST.index(self.standing), self.agreement, self.name


def overview(snapshot: Snapshot, asked: Asked = EVERYTHING) -> str:
    """All agreements and all endpoints, `ROWS` of each to a page."""
    agreements, endpoints = _sums(snapshot)
    shown = sorted((one for one in agreements if _wanted(asked, one)), key=lambda one: one.rank)
    below = sorted((one for one in endpoints if _wanted(asked, one)), key=lambda one: one.rank)
    if not agreements:
        return frame("Agreements", snapshot, f"<p>{_NOTHING}</p>", asked)
    content = [
        tiles(asked, "Agreements", _by_standing(agreements)),
        chooser(asked, "Agreement, customer or endpoint"),
        table("Agreements", _HEAD, [_overview_row(each) for each in shown[_part(asked)]]),
        table("Endpoints", _BELOW, [_endpoint_row(each) for each in below[_part(asked)]]),
        pages(asked, max(len(shown), len(below))),
    ]
    return frame("Agreements", snapshot, "".join(content), asked, _worst(agreements))


def agreement(snapshot: Snapshot, name: str, asked: Asked = EVERYTHING) -> str | None:
    """One agreement's endpoints as a map, its objectives and probes; None if there is none of that name."""
    probes, promises = positions(snapshot, Only(agreement=name))
    if not len(probes):
        return None
    agreements, endpoints = _sums(snapshot, name)
    (mine,) = agreements
    wanted = {one.name for one in endpoints if _wanted(asked, one)}
    rank = np.asarray([WORST.index(standing) for standing in STANDINGS])[snapshot.objectives.standing[promises]]
    promises = promises[np.argsort(rank, kind="stable")]
    promises = promises[[snapshot.roll.objective_endpoint[at] in wanted for at in promises.tolist()]]
    probes = probes[[snapshot.roll.endpoint[at] in wanted for at in probes.tolist()]]
    content = [
        f"<p>{escape(mine.customer) or 'no customer'} · {len(mine.endpoints)} endpoints</p>",
        tiles(asked, "Endpoints", _by_standing(endpoints)),
        chooser(asked, "Endpoint"),
        _map([one for one in endpoints if one.name in wanted]),
        objectives_table(snapshot, promises[_part(asked)]),
        probes_table(snapshot, probes[_part(asked)]),
        pages(asked, max(len(promises), len(probes))),
    ]
    trail = '<a href="/">All agreements</a>'
    return frame(name, snapshot, "".join(content), asked, mine.standing, trail)


def standing_of(snapshot: Snapshot, name: str, endpoint: str) -> str:
    """The worst standing of an endpoint's objectives."""
    return next(one.standing for one in _sums(snapshot, name)[1] if one.name == endpoint)


def _sums(snapshot: Snapshot, only: str | None = None) -> tuple[Sequence[_Sum], Sequence[_Sum]]:
    """Agreements and endpoints in the Roll's order; what has no objectives stands as `no_data`."""
    roll, view = snapshot.roll, snapshot.objectives
    above: dict[str, _Sum] = {}
    below: dict[tuple[str, str], _Sum] = {}
    for name, endpoint, customer in zip(roll.agreement, roll.endpoint, roll.customer, strict=True):
        if only in (None, name):
            above.setdefault(name, _Sum(name, customer)).endpoints.add(endpoint)
            below.setdefault((name, endpoint), _Sum(name, name=endpoint))
    figures = zip(view.standing.tolist(), view.budget.tolist(), strict=True)
    for owner, (standing, budget) in zip(
        zip(roll.objective_agreement, roll.objective_endpoint, strict=True), figures, strict=True
    ):
        if owner in below:
            for each in (above[owner[0]], below[owner]):
                each.counts[STANDINGS[standing]] += 1
                if not math.isnan(budget):
                    each.budget = budget if each.budget is None else min(each.budget, budget)
    return list(above.values()), list(below.values())


def _wanted(asked: Asked, one: _Sum) -> bool:
    return asked.wants(one.standing, *((one.name, one.agreement) if one.name else (one.agreement, one.customer)))


def _by_standing(sums: Iterable[_Sum]) -> dict[str, int]:
    counts = dict.fromkeys(STANDINGS, 0)
    for one in sums:
        counts[one.standing] += 1
    return counts


def _worst(sums: Sequence[_Sum]) -> str:
    return min((one.standing for one in sums), key=WORST.index, default="")


def _part(asked: Asked) -> slice:
    return slice((asked.page - 1) * ROWS, asked.page * ROWS)


_HEAD = ("Standing", "Agreement", "Customer", "Endpoints", "Objectives", *_COUNTS)
_BELOW = ("Standing", "Endpoint", "Agreement", *_COUNTS)


def _counts(each: _Sum) -> list[str]:
    return [*(str(each.counts[standing]) for standing in WORST), figure("budget", each.budget)]


def _endpoint_row(each: _Sum) -> str:
    above = f'<a href="{agreement_address(each.agreement)}">{escape(each.agreement)}</a>'
    return row(each.standing, [link(each.agreement, each.name), above, *_counts(each)])


def _overview_row(each: _Sum) -> str:
    name = f'<a href="{agreement_address(each.agreement)}">{escape(each.agreement)}</a>'
    return row(each.standing, [name, escape(each.customer), str(len(each.endpoints)), _bar(each), *_counts(each)])


def _bar(each: _Sum) -> str:
    """The shares of its objectives by standing; the figures beside it say the same."""
    whole = sum(each.counts.values())
    if not whole:
        return ""
    parts, x = [], 0.0
    for standing in WORST:
        wide = each.counts[standing] / whole * _BAR
        parts.append(f'<rect class="{standing}" x="{x:.1f}" width="{wide:.1f}" height="10"/>' if wide else "")
        x += wide
    return f'<svg class="bar" viewBox="0 0 {_BAR} 10" aria-hidden="true">{"".join(parts)}</svg>'


def _map(endpoints: Sequence[_Sum]) -> str:
    """Every endpoint as a square with its sign, always in the same place; a link to its page."""
    if len(endpoints) < 2:
        return ""
    if len(endpoints) > MAPPED:
        return f"<p>{len(endpoints)} endpoints are too many for a map: choose a standing, or search.</p>"
    squares = "".join(_square(one) for one in endpoints)
    return f'<ul class="map" aria-label="Map of endpoints">{squares}</ul>'


def _square(one: _Sum) -> str:
    text = f"{escape(one.name)}: {word(one.standing)}"
    href = address(one.agreement, one.name)
    return (
        f'<li><a class="{one.standing}" href="{href}" title="{text}" aria-label="{text}">{SIGNS[one.standing]}</a></li>'
    )
