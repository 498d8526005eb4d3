"""Charts as inline SVG: a line over time with its limit, bands behind it, and gaps where nothing was measured.

Rules: pure; no script, no style attribute (a strict CSP forbids it), shapes as well as colour tell what is what. A gap
is a gap: nothing is drawn where nothing was measured.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

Scale = Callable[[float], float]

WIDTH, HEIGHT = 720, 150
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 8, 10, 22


@dataclass(frozen=True, slots=True)
class Band:
    """A span of time to mark: `kind` is breach or exclusion, `title` what a pointer or a reader is told."""

    begin: float
    end: float
    kind: str
    title: str


@dataclass(frozen=True, slots=True)
class Chart:
    """`values` at `times` (Unix seconds, each standing for `step` seconds); None: not measured."""

    title: str
    times: Sequence[float]
    step: float
    values: Sequence[float | None]
    unit: str  # appended to tick labels
    labels: Sequence[tuple[float, str]]  # along the time axis
    limit: float | None = None
    bands: Sequence[Band] = ()
    high: float | None = None  # the top of the axis, if it must be this


def draw(chart: Chart) -> str:
    """The SVG element."""
    known = [value for value in chart.values if value is not None]
    name = escape(chart.title)
    if not known:
        return f'<p class="empty">{name}: nothing was measured.</p>'
    low, high = _range(known, chart)
    first, last = chart.times[0], chart.times[-1] + chart.step

    def x(at: float) -> float:
        return _LEFT + (min(max(at, first), last) - first) / (last - first) * (WIDTH - _LEFT - _RIGHT)

    def y(value: float) -> float:
        return _TOP + (high - value) / (high - low) * (HEIGHT - _TOP - _BOTTOM)

    parts = [
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{name}">',
        f"<title>{name}</title>",
    ]
    for band in chart.bands:
        wide = max(x(band.end) - x(band.begin), 1.5)
        parts.append(
            f'<rect class="{escape(band.kind)}" x="{x(band.begin):.1f}" y="{_TOP}" width="{wide:.1f}" '
            f'height="{HEIGHT - _TOP - _BOTTOM}"><title>{escape(band.title)}</title></rect>'
        )
    for tick in (low, (low + high) / 2, high):
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>')
        parts.append(
            f'<text class="tick" x="{_LEFT - 6}" y="{y(tick) + 4:.1f}">{_label(tick, high - low)}{chart.unit}</text>'
        )
    for at, text in chart.labels:
        parts.append(f'<text class="time" x="{x(at):.1f}" y="{HEIGHT - 6}">{escape(text)}</text>')
    if chart.limit is not None and low <= chart.limit <= high:
        at = y(chart.limit)
        parts.append(f'<line class="limit" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(f'<text class="limit" x="{WIDTH - _RIGHT - 2}" y="{at - 3:.1f}">target</text>')
    parts += _lines(chart, x, y)
    return "".join([*parts, "</svg>"])


def _lines(chart: Chart, x: Scale, y: Scale) -> list[str]:
    """A step line for every unbroken run of values."""
    out: list[str] = []
    run: list[str] = []
    for at, value in [*zip(chart.times, chart.values, strict=True), (0.0, None)]:
        if value is not None:
            run += [f"{x(at):.1f},{y(value):.1f}", f"{x(at + chart.step):.1f},{y(value):.1f}"]
        elif run:
            out.append(f'<polyline class="line" points="{" ".join(run)}"/>')
            run = []
    return out


def _range(known: Sequence[float], chart: Chart) -> tuple[float, float]:
    values = [*known, chart.limit] if chart.limit is not None else list(known)
    low, high = min(values), max(values)
    if chart.high is not None:
        low, high = min(low, chart.high - (chart.high - low or abs(chart.high) * 0.001)), chart.high
    else:
        low, high = 0.0, high * 1.1 or 1.0
    return (low, high) if low < high else (low - 1, high)


def _label(value: float, span: float) -> str:
    places = next((places for places in range(4) if span >= 4 * 10**-places), 4)
    return f"{value:.{places}f}"
