"""Amounts as users write them: the way back from values to text. The way there is config/quantity.py.

Rules: pure and exact: what is written here is read back to the same value.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from netsla.model import SECOND

# Units as Prometheus writes them, longest first (a day is 24 h, a year 365 d), and `us` for fast networks.
UNITS = {
    "y": 365 * 86_400 * SECOND,
    "w": 7 * 86_400 * SECOND,
    "d": 86_400 * SECOND,
    "h": 3_600 * SECOND,
    "m": 60 * SECOND,
    "s": SECOND,
    "ms": SECOND // 1_000,
    "us": SECOND // 1_000_000,
}


def duration_text(nanoseconds: int) -> str:
    """The shortest duration that `duration` reads back to the same value."""
    return _in_units(nanoseconds, UNITS)


def span_text(nanoseconds: int) -> str:
    """The same for a contract's reader: in days, however many; `30d` rather than `4w2d`."""
    return _in_units(nanoseconds, {name: unit for name, unit in UNITS.items() if name not in "yw"})


def _in_units(nanoseconds: int, units: Mapping[str, int]) -> str:
    parts = []
    for name, unit in units.items():
        count, nanoseconds = divmod(nanoseconds, unit)
        if count:
            parts.append(f"{count}{name}")
    return "".join(parts) or "0s"


def counted(count: int, noun: str) -> str:
    """`1 probe`, `2 probes`."""
    return f"{count} {noun}{'s' * (count != 1)}"


def percent_text(ratio: Fraction) -> str:
    """The percentage that `percent` reads back to the same ratio; exact for every ratio a file can hold."""
    return f"{decimal_text(ratio * 100)}%"


def decimal_text(value: Fraction) -> str:
    """A fraction of 0 or more with a finite decimal expansion, in full."""
    digits = 0
    while (value * 10**digits).denominator != 1:
        digits += 1
    text = str(int(value * 10**digits)).rjust(digits + 1, "0")
    return f"{text[:-digits]}.{text[-digits:]}" if digits else text
