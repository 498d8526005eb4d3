"""Figures for people: ratios as percent, times in milliseconds or hours, truncated toward failure.

Rules: pure, standard library only (the command line must start fast). A figure is never shown better
than it is: 99.98997 % is not 99.99 %, and a latency of 50.0001 ms is not 50 ms (SLA §2). A value that
does not exist is a dash. Binary noise below 1e-12 of a figure is not a failure: 0.29 is 29 %.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal

NONE = "-"
RATIOS = frozenset({"uptime", "packet_delivery", "coverage", "budget"})
PERCENT_PLACES = 4
MILLISECOND_PLACES = 3
_EXACT = Context(prec=13)  # significant digits a double keeps through one division


def figure(metric: str, value: object) -> str:
    """One figure of a metric, as text. Ratios 0..1, times in seconds."""
    if not isinstance(value, float | int) or value != value:  # noqa: PLR0124 - NaN
        return NONE
    if metric in RATIOS:
        return percent(value)
    if metric == "time_to_repair":
        return hours(value)
    return milliseconds(value)


def percent(ratio: float) -> str:
    """A ratio of what is good, rounded down: `99.9899 %`."""
    return f"{_cut(ratio, 100, PERCENT_PLACES, ROUND_FLOOR)} %"


def milliseconds(seconds: float) -> str:
    """A time of which less is better, rounded up: `12.346 ms`."""
    return f"{_cut(seconds, 1000, MILLISECOND_PLACES, ROUND_CEILING)} ms"


def hours(seconds: float) -> str:
    """A long time of which less is better, rounded up to the second: `4:00:01`."""
    whole = int(_cut(seconds, 1, 0, ROUND_CEILING))
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def _cut(value: float, factor: int, places: int, rounding: str) -> Decimal:
    exact = _EXACT.create_decimal_from_float(value) * factor
    return exact.quantize(Decimal(1).scaleb(-places), rounding=rounding)
