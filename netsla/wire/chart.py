"""Charts as inline SVG: a step line over time with its limit, and marks for what happened in that time.

Rules: pure; no script, no style attribute (a strict CSP forbids it). Shape and word tell what is what, colour
only helps: an outage has a triangle over it, an exclusion a hatched band and an E, time without measurement a dotted
band and a question mark, a breach a bar with a B at the foot. A gap is a gap: nothing is drawn where nothing was
measured.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from html import escape

WIDTH, HEIGHT = 720, 184
_LEFT, _RIGHT, _TOP, _BOTTOM = 66, 10, 30, 24  # the marks stand in the top margin, letters over triangles
_PLOT = HEIGHT - _TOP - _BOTTOM
_NARROW = 1.5  # px: nothing that happened is drawn thinner
_LOWS = (99.99, 99.95, 99.9, 99.5, 99.0, 98.0, 95.0, 90.0, 80.0, 50.0, 0.0)  # where an axis of per cents may begin
_TICKS = 4

OUTAGE, EXCLUSION, UNKNOWN, BREACH = "outage", "exclusion", "unknown", "breach"
_MARKS = {EXCLUSION: "E", UNKNOWN: "?"}
_ORDER = (UNKNOWN, EXCLUSION, OUTAGE, BREACH)  # the last one lies on top
_PLURAL = {OUTAGE: "outages", EXCLUSION: "exclusions", BREACH: "breaches"}
_LETTER = 8  # px: no letter of a label is wider at 13 px
_BAR = 6  # px: a breach is a bar at the foot of the plot, under a B


@dataclass(frozen=True, slots=True)
class Band:
    """A span of time (Unix seconds) to mark; `title` is what a pointer or a reader is told."""

    begin: float
    end: float
    kind: str
    title: str


@dataclass(frozen=True, slots=True)
class Chart:
    """`values` between `edges` (Unix seconds, one more); None: not measured. `id` is unique in its document.

    With `percent` the axis ends at 100, else it begins at 0. `unit` is appended to the labels of the axis.
    """

    id: str
    title: str
    edges: Sequence[float]
    values: Sequence[float | None]
    unit: str
    labels: Sequence[tuple[float, str]]  # along the time axis
    percent: bool
    limit: float | None = None
    limit_text: str = ""
    bands: Sequence[Band] = ()


def draw(chart: Chart) -> str:
    """The SVG element, or a sentence if nothing was measured."""
    known = [value for value in chart.values if value is not None]
    name = escape(chart.title)
    if not known:
        return f'<p class="empty">{name}: nothing was measured.</p>'
    plane = _Plane(chart.edges[0], chart.edges[-1], *_range(known, chart))
    parts = [
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="{chart.id}-t {chart.id}-d">',
        f'<title id="{chart.id}-t">{name}</title><desc id="{chart.id}-d">{escape(_told(chart, known))}</desc>',
        _patterns(chart.id),
        *_bands(chart, plane),
        *_axes(chart, plane),
        *_lines(chart, plane),
        *_limit(chart, plane),
    ]
    return "".join([*parts, "</svg>"])


@dataclass(frozen=True, slots=True)
class _Plane:
    """From time and value to pixels."""

    first: float
    last: float
    low: float
    high: float

    def x(self, at: float) -> float:
        inside = min(max(at, self.first), self.last)
        return _LEFT + (inside - self.first) / (self.last - self.first) * (WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        return _TOP + (self.high - value) / (self.high - self.low) * _PLOT


def _told(chart: Chart, known: Sequence[float]) -> str:
    """What the picture shows, in words."""
    text = f"From {min(known):.4g} to {max(known):.4g}{chart.unit}"
    text += f"; {chart.limit_text}" if chart.limit is not None else ""
    counts = [(kind, sum(band.kind == kind for band in chart.bands)) for kind in _PLURAL]
    return text + "".join(f"; {count} {_PLURAL[kind] if count > 1 else kind}" for kind, count in counts if count) + "."


def _patterns(name: str) -> str:
    return (
        f'<defs><pattern id="{name}-{EXCLUSION}" width="6" height="6" patternUnits="userSpaceOnUse" '
        'patternTransform="rotate(45)"><line class="hatch" x1="0" x2="0" y1="0" y2="6"/></pattern>'
        f'<pattern id="{name}-{UNKNOWN}" width="5" height="5" patternUnits="userSpaceOnUse">'
        '<circle class="dot" cx="2.5" cy="2.5" r="0.9"/></pattern></defs>'
    )


# --- what happened ------------------------------------------------------------------------------------


def _bands(chart: Chart, plane: _Plane) -> Iterable[str]:
    inside = [one for one in chart.bands if one.end > plane.first and one.begin < plane.last]
    for kind in _ORDER:
        for band in _merged([one for one in inside if one.kind == kind], plane):
            left = plane.x(band.begin)
            wide = max(plane.x(band.end) - left, _NARROW)
            fill = f' fill="url(#{chart.id}-{kind})"' if kind in _MARKS else ""
            yield f'<g class="{kind}"><title>{escape(band.title)}</title>'
            y, high = (_TOP + _PLOT - _BAR, _BAR) if kind == BREACH else (_TOP, _PLOT)
            yield f'<rect class="span"{fill} x="{left:.1f}" y="{y}" width="{wide:.1f}" height="{high}"/>'
            yield f"{_mark(kind, left + wide / 2)}</g>"


def _mark(kind: str, x: float) -> str:
    if kind in _MARKS:
        return f'<text class="mark" x="{x:.1f}" y="{_TOP - 16}">{_MARKS[kind]}</text>'
    if kind == BREACH:
        return f'<text class="mark" x="{x:.1f}" y="{_TOP + _PLOT - _BAR - 3}">B</text>'
    y = _TOP - 3
    return f'<path class="mark" d="M{x - 5:.1f} {y - 9}h10l-5 9z"/>'


def _merged(bands: Sequence[Band], plane: _Plane) -> list[Band]:
    """Bands that would touch on paper become one, with all their titles counted."""
    found: list[Band] = []
    counts: list[int] = []
    for band in sorted(bands, key=lambda one: one.begin):
        if found and plane.x(band.begin) <= plane.x(found[-1].end) + _NARROW:
            found[-1] = replace(found[-1], end=max(found[-1].end, band.end))
            counts[-1] += 1
        else:
            found.append(band)
            counts.append(0)
    return [
        replace(band, title=f"{band.title}, and {more} more") if more else band
        for band, more in zip(found, counts, strict=True)
    ]


# --- axes and lines -----------------------------------------------------------------------------------


def _axes(chart: Chart, plane: _Plane) -> Iterable[str]:
    span = plane.high - plane.low
    for number in range(_TICKS + 1):
        tick = plane.low + span * number / _TICKS
        y = plane.y(tick)
        yield f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        if number % 2 == 0:
            yield f'<text class="tick" x="{_LEFT - 6}" y="{y + 4:.1f}">{_label(tick, span)}{chart.unit}</text>'
    for number, (at, text) in enumerate(chart.labels):
        x = plane.x(at)
        yield f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{HEIGHT - _BOTTOM}" y2="{HEIGHT - _BOTTOM + 4}"/>'
        spare = " spare" if number % 2 else ""  # may be left out where there is little room
        last = x + _LETTER * len(text) > WIDTH  # it would stick out: it ends at the edge
        where = f'class="time{spare} last" x="{WIDTH}"' if last else f'class="time{spare}" x="{x:.1f}"'
        yield f'<text {where} y="{HEIGHT - 7}">{escape(text)}</text>'
    base = HEIGHT - _BOTTOM
    yield f'<line class="axis" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{base}" y2="{base}"/>'


def _lines(chart: Chart, plane: _Plane) -> Iterable[str]:
    """A step line for every unbroken run of values."""
    run: list[str] = []
    for (begin, end), value in [*zip(itertools.pairwise(chart.edges), chart.values, strict=True), ((0.0, 0.0), None)]:
        if value is not None:
            y = plane.y(value)
            run += [f"{plane.x(begin):.1f},{y:.1f}", f"{plane.x(end):.1f},{y:.1f}"]
        elif run:
            yield f'<polyline class="line" points="{" ".join(run)}"/>'
            run = []


def _limit(chart: Chart, plane: _Plane) -> Iterable[str]:
    if chart.limit is None or not plane.low <= chart.limit <= plane.high:
        return
    y = plane.y(chart.limit)
    text_y = y + 13 if y - _TOP < _PLOT / 2 else y - 5
    yield f'<line class="limit" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
    yield f'<text class="limit" x="{_LEFT + 5}" y="{text_y:.1f}">{escape(chart.limit_text)}</text>'


def _range(known: Sequence[float], chart: Chart) -> tuple[float, float]:
    values = [*known, chart.limit] if chart.limit is not None else list(known)
    if chart.percent:
        return next(low for low in _LOWS if low <= max(min(values), 0.0) and low < 100), 100.0
    return 0.0, _round_up(max(values)) or 1.0


def _round_up(value: float) -> float:
    """The next short number, whose half is short as well."""
    if value <= 0:
        return 0.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 2.5, 3, 4, 5, 6, 8, 10, 20) if step * power >= value * 1.02)


def _label(value: float, span: float) -> str:
    """As many decimals as half an axis needs, at most four."""
    places = next((n for n in range(5) if abs(round(span / 2, n) - span / 2) < span / 1000), 4)
    return f"{value:.{places}f}"
