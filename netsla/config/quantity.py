"""Text to values and back: durations, percentages, targets, windows, times of day, dates.

Rules: pure. Every reader takes text and returns a value or raises :class:`Wrong`, which says what is wrong
and what to write instead. Ratios are exact (`Fraction`), durations whole nanoseconds.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from datetime import date, datetime
from fractions import Fraction

from netsla.model import SECOND, Bound, Span
from netsla.wire.amounts import UNITS, decimal_text, duration_text, percent_text

__all__ = ["UNITS", "decimal_text", "duration_text", "percent_text"]  # the way back, beside the way here

LONGEST_NS = 100 * UNITS["y"]  # fits 64 bits
CALENDAR = ("day", "week", "month", "quarter", "year")
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ROLLING_MIN_SECONDS, ROLLING_MAX_SECONDS = 60, 90 * 86_400

_DURATION = re.compile("".join(rf"(?:(\d{{1,18}}){unit})?" for unit in UNITS), re.ASCII)
_UNIT_NAMES = {
    "ms": ("msec", "msecs", "millisecond", "milliseconds", "millis"),
    "us": ("usec", "microsecond", "microseconds"),
    "s": ("sec", "secs", "second", "seconds", "s"),
    "m": ("min", "mins", "minute", "minutes"),
    "h": ("hr", "hrs", "hour", "hours", "h"),
    "d": ("day", "days", "d"),
    "w": ("week", "weeks", "wk", "w"),
    "y": ("year", "years", "yr"),
}
_NUMBER = re.compile(r"[-+]?(\d{1,18}\.?\d{0,18}|\.\d{1,18})", re.ASCII)
_PERCENT = re.compile(r"(\d{1,9}(?:\.\d{1,15})?)\s?%", re.ASCII)
_TARGET = re.compile(r"(>=|<=)\s*(\S.*)")
_CLOCK = re.compile(r"(\d{2}):(\d{2})", re.ASCII)
_PERCENTILE = re.compile(r"p(\d{1,3}(?:\.\d{1,6})?)", re.ASCII)

# YAML 1.1: an integer in base 60 does not begin with 0, so that 08:00 is text to every reader, and 18:00 is not.
_SEXAGESIMAL = re.compile(r"[-+]?([1-9][\d_]*(:[0-5]?\d)+|\d[\d_]*(:[0-5]?\d)+\.[\d_]*)", re.ASCII)
_ODD_NUMBER = re.compile(r"[-+]?(0[0-7_]+|0\d+|0o[0-7_]+|0x[0-9a-fA-F_]+|0b[01_]+|\d[\d_]*_[\d_]*)", re.ASCII)
_YES_NO = frozenset({"yes", "no", "on", "off"})


class Wrong(ValueError):  # noqa: N818 - reads as what it is: `raise Wrong("...", "write ...")`
    """A value that cannot be: the problem, what to write instead, and where if that is known better."""

    def __init__(self, problem: str, remedy: str = "", place: tuple[str, int, int] | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy
        self.place = place


def meant(word: str, known: Iterable[str]) -> str:
    """The did-you-mean for `word`, else the list of what is known; empty when nothing is."""
    names = sorted(set(known))
    if not names:
        return ""
    folded = {name.casefold(): name for name in names}
    close = difflib.get_close_matches(word.casefold(), list(folded), n=1, cutoff=0.7)
    if close:
        return f"did you mean {folded[close[0]]!r}?"
    shown = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
    return f"known: {shown}"


def trap(text: str) -> Wrong | None:
    """What YAML 1.1 readers would turn this unquoted text into, as the mistake it is; None when harmless."""
    if text.casefold() in _YES_NO:
        return Wrong(f"YAML reads {text} as true or false", f'write true or false, or "{text}" in quotes')
    if _SEXAGESIMAL.fullmatch(text):
        return Wrong(f"YAML reads {text} as a number in base 60", f'write "{text}" in quotes')
    if _ODD_NUMBER.fullmatch(text):
        return Wrong(f"YAML reads {text} as a number in another base", "write it in decimal; text goes in quotes")
    return None


def duration(text: str) -> int:
    """Nanoseconds of a duration as Prometheus writes it: 500ms, 5m, 1h30m, 30d."""
    match = _DURATION.fullmatch(text)
    if match and text:
        total = sum(int(n) * unit for n, unit in zip(match.groups(), UNITS.values(), strict=True) if n)
        if total > LONGEST_NS:
            raise Wrong(f"{text} is out of range", "nothing here lasts longer than 100 years")
        return total
    if _NUMBER.fullmatch(text):
        raise Wrong(f"{text} has no unit", f"write a unit: {text.lstrip('+-')}s, or ms, m, h, d, w")
    if decimal := re.fullmatch(r"(\d{0,9}\.\d{1,12}) ?(ms|us|[smhdwy])", text, re.ASCII):
        nanoseconds = Fraction(decimal[1]) * UNITS[decimal[2]]
        exact = nanoseconds.denominator == 1 and 0 < nanoseconds <= LONGEST_NS
        remedy = f"write {duration_text(int(nanoseconds))}" if exact else "use a smaller unit: 1500ms, not 1.5s"
        raise Wrong(f"{text!r}: durations are whole numbers", remedy)
    if likely := _likely_duration(text):
        raise Wrong(f"{text!r} is not a duration", f"write {likely}")
    raise Wrong(f"{text!r} is not a duration", "write for instance 500ms, 5m, 1h30m or 30d (larger units first)")


def _likely_duration(text: str) -> str:
    """What `5 days`, `30 D` or `10 min` was meant to be; empty when unclear (`1M`: a minute, a month?)."""
    parts = re.fullmatch(r"(\d{1,18})\s*([a-zA-Zµ]+)", text, re.ASCII)
    word = parts[2] if parts else ""
    unit = (
        word if word in UNITS else next((unit for unit, names in _UNIT_NAMES.items() if word.casefold() in names), "")
    )
    return f"{parts[1]}{unit}" if parts and unit else ""


def percent(text: str) -> Fraction:
    """An exact ratio in 0..1 from a percentage such as 99.9%."""
    match = _PERCENT.fullmatch(text)
    if match is None:
        if _NUMBER.fullmatch(text):
            raise Wrong(f"{text} has no unit", f"write {_likely_percent(text)}, with the percent sign")
        raise Wrong(f"{text!r} is not a percentage", "write for instance 99.9%")
    ratio = Fraction(match[1]) / 100
    if ratio > 1:
        raise Wrong(f"{text} is more than 100 %", "percentages lie between 0% and 100%")
    return ratio


def _likely_percent(text: str) -> str:
    """What a bare number was meant to be: 0.5 is more likely a ratio."""
    number = Fraction(text.lstrip("+-"))
    ratio = f"{decimal_text(number * 100)}% or " if 0 < number < 1 else ""
    return f"{ratio}{text.lstrip('+-')}%"


def target(text: str) -> Bound:
    """A target such as `>= 99.9%` or `<= 50ms`; the value is a ratio or nanoseconds, whichever was written."""
    match = _TARGET.fullmatch(text)
    if match is None:
        if text[:1] in "<>=≤≥":
            raise Wrong(f"{text!r} is not a target", "the comparison is >= or <=, then a value with its unit")
        likely = f"{text}%" if _NUMBER.fullmatch(text) else text
        raise Wrong(f"{text!r} has no direction", f'write ">= {likely}" or "<= {likely}"')
    value = percent(match[2]) if "%" in match[2] else Fraction(_with_unit(match[2]))
    return Bound(at_least=match[1] == ">=", value=value, text=text)


def _with_unit(text: str) -> int:
    if _NUMBER.fullmatch(text):
        time = f"{text}ms" if text.isdigit() else "50ms"
        raise Wrong(f"{text} has no unit", f"write {_likely_percent(text)}, or a time such as {time}")
    return duration(text)


def span(text: str) -> Span:
    """A window: a duration of 1 minute to 90 days, or day, week, month, quarter, year."""
    if text in CALENDAR:
        return Span(text, calendar=text)
    if text.isalpha():
        raise Wrong(f"{text!r} is not a window", meant(text, CALENDAR) + "; or a duration such as 5m")
    if calendar := re.fullmatch(r"1? ?(day|week|month|quarter|year)s?", text):
        raise Wrong(f"{text!r} is not a window", f"write {calendar[1]}, or a duration such as 30d")
    seconds, rest = divmod(duration(text), SECOND)
    if rest or not ROLLING_MIN_SECONDS <= seconds <= ROLLING_MAX_SECONDS:
        remedy = "rolling windows are whole seconds from 1m to 90d; calendar ones day, week, month, quarter, year"
        raise Wrong(f"{text} is out of range", remedy)
    return Span(text, seconds=seconds)


def clock(text: str) -> int:
    """Minute of the day from "08:00"; 24:00 is 1440."""
    match = _CLOCK.fullmatch(text)
    if match:
        hour, minute = int(match[1]), int(match[2])
        if minute < 60 and hour * 60 + minute <= 1440:
            return hour * 60 + minute
    raise Wrong(f"{text!r} is not a time of day", 'write "08:00", in quotes, from "00:00" to "24:00"')


def clock_text(minute: int) -> str:
    """The time of day as `clock` reads it."""
    return f"{minute // 60:02}:{minute % 60:02}"


def clock_range(text: str) -> tuple[int, int]:
    """Minutes of day of "00:00-06:00"; the second may be smaller: then it is on the next day."""
    first, dash, last = text.partition("-")
    if not dash:
        raise Wrong(f"{text!r} is not a range of times", 'write "00:00-06:00"')
    begin, end = clock(first.strip()), clock(last.strip())
    if begin == end:
        raise Wrong(f"{text!r} is empty", 'for the whole day write "00:00-24:00"')
    return begin, end


def day(text: str) -> date:
    """A date as 2026-02-01."""
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
        try:
            return date.fromisoformat(text)
        except ValueError as error:
            raise Wrong(f"{text} does not exist: {error}", "write an existing day as YYYY-MM-DD") from error
    raise Wrong(f"{text!r} is not a date", "write it as YYYY-MM-DD")


def moment(text: str) -> date | datetime:
    """A date, or a time of a date with or without its UTC offset (without: local, in the agreement's zone)."""
    if "T" not in text and " " not in text:
        return day(text)
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise Wrong(f"{text!r} is not a date or time", "write 2026-02-01, 2026-02-01T02:00 or …T02:00+01:00") from error


def percentile(text: str) -> Fraction | None:
    """The ratio of p95 or p99.9, None for a text that is no percentile."""
    match = _PERCENTILE.fullmatch(text)
    if match is None:
        return None
    ratio = Fraction(match[1]) / 100
    if not 0 < ratio <= 1:
        raise Wrong(f"{text} is not a percentile", "write p50, p95, p99.9: above p0, up to p100")
    return ratio


def weekdays(text: str) -> list[int]:
    """Days of the week, 0 = Monday, of `mon` or `mon-fri` (`sat-mon` runs over Sunday)."""
    first, dash, last = text.casefold().partition("-")
    for name in (first, last) if dash else (first,):
        if name not in WEEKDAYS:
            raise Wrong(f"{name!r} is not a day of the week", f"write {', '.join(WEEKDAYS)} or a range: mon-fri")
    begin = WEEKDAYS.index(first)
    count = (WEEKDAYS.index(last) - begin) % 7 + 1 if dash else 1
    return [(begin + i) % 7 for i in range(count)]
