"""Calendars of a contract in its own zone: periods, service hours, planned maintenance (SLA R11).

    parse_period(text, zone) -> Period(name, start_ns, end_ns, months)    2026-10, 2026-Q4, 2026, 2026-10-05, START/END
    local_ns(day, minute, zone, end=False) -> int
    service_spans(hours, zone, start_ns, end_ns) -> Spans
    daily_spans((from_minute, to_minute), zone, start_ns, end_ns) -> Spans
    month_spans(zone, start_ns, end_ns) -> list of whole months [(start_ns, end_ns)] that touch
    occurrences(window, zone, start_ns, end_ns, anchor) -> [(start_ns, end_ns)], whole, that touch [start, end)

Rules: everything comes out as UTC nanoseconds, half open, in real elapsed time; `Spans` are sorted and disjoint
(spans.py). Hours are local wall time: a time that the clocks skip moves forward by the gap, a start that occurs
twice is the first, an end that occurs twice the second. 24:00 is the next day's midnight.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

from netsla.errors import NetslaError
from netsla.model import SECOND, Hours, MaintenanceWindow
from netsla.sla.period import midnight_ns, period_around
from netsla.sla.spans import Spans, spans

_DAY = 1440  # minutes
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MONTH, _QUARTER, _YEAR = re.compile(r"(\d{4})-(\d{2})"), re.compile(r"(\d{4})-Q([1-4])"), re.compile(r"(\d{4})")
_LAST_NS = 2**62  # the year 2116
_LONGEST_NS = 3653 * 86_400 * SECOND  # ten years of minutes fit into memory, a hundred do not
_REMEDY = "write 2026-10, 2026-Q4, 2026, 2026-10-05 or START/END in ISO 8601"


@dataclass(frozen=True, slots=True)
class Period:
    """What is settled: [start, end) UTC ns; `months` is 1, 3 or 12 for calendar periods of whole months, else 0."""

    name: str
    start_ns: int
    end_ns: int
    months: int = 0


def instant_ns(at: datetime) -> int:
    """Exact UTC nanoseconds of an aware datetime."""
    return (at - _EPOCH) // _MICROSECOND * 1000


def local_ns(day: date, minute: int, zone: ZoneInfo, *, end: bool = False) -> int:
    """The instant of a local wall time, `minute` 0 to 1440; `end`: of two occurrences the second."""
    if minute == _DAY:
        return midnight_ns(day + timedelta(1), zone)
    return _wall_ns(datetime(day.year, day.month, day.day, minute // 60, minute % 60), zone, end=end)  # noqa: DTZ001 - local


def _wall_ns(wall: datetime, zone: ZoneInfo, *, end: bool) -> int:
    first = wall.replace(tzinfo=zone, fold=0)
    second = wall.replace(tzinfo=zone, fold=1)
    ambiguous = first.utcoffset() > second.utcoffset()  # type: ignore[operator] # zones always have offsets
    return instant_ns((second if end and ambiguous else first).astimezone(UTC))


# --- periods ------------------------------------------------------------------------------------------


def parse_period(text: str, zone: ZoneInfo) -> Period:
    """A period as users write it, in the agreement's zone; raises NetslaError with the remedy."""
    try:
        found = _interval(text, zone) if "/" in text else _calendar(text, zone)
    except (ValueError, OverflowError) as error:
        raise NetslaError(f"period {text!r}: {error}", _REMEDY) from error
    if found is None:
        raise NetslaError(f"period {text!r} is not understood", _REMEDY)
    if found.start_ns >= found.end_ns:
        raise NetslaError(f"period {text!r} ends before it begins", "write START/END with START before END")
    if found.start_ns < 0 or found.end_ns >= _LAST_NS:
        raise NetslaError(f"period {text!r} is out of reach", "name one of the years 1970 to 2115")
    if found.end_ns - found.start_ns > _LONGEST_NS:
        raise NetslaError(f"period {text!r} is longer than ten years", "settle it year by year")
    return found


def _calendar(text: str, zone: ZoneInfo) -> Period | None:
    if match := _MONTH.fullmatch(text):
        return _months(text, int(match[1]), int(match[2]), 1, zone)
    if match := _QUARTER.fullmatch(text):
        return _months(text, int(match[1]), 3 * int(match[2]) - 2, 3, zone)
    if match := _YEAR.fullmatch(text):
        return _months(text, int(match[1]), 1, 12, zone)
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        day = date.fromisoformat(text)
        return Period(text, midnight_ns(day, zone), midnight_ns(day + timedelta(1), zone))
    return None


def _months(text: str, year: int, month: int, count: int, zone: ZoneInfo) -> Period:
    after = month - 1 + count
    first, last = date(year, month, 1), date(year + after // 12, after % 12 + 1, 1)
    return Period(text, midnight_ns(first, zone), midnight_ns(last, zone), count)


def _interval(text: str, zone: ZoneInfo) -> Period:
    begin, _, end = text.partition("/")
    return Period(text, _iso_ns(begin, zone, end=False), _iso_ns(end, zone, end=True))


def _iso_ns(text: str, zone: ZoneInfo, *, end: bool) -> int:
    at = datetime.fromisoformat(text)
    return _wall_ns(at, zone, end=end) if at.tzinfo is None else instant_ns(at)


def month_spans(zone: ZoneInfo, start_ns: int, end_ns: int) -> list[tuple[int, int]]:
    """The whole calendar months that touch [start, end)."""
    out = []
    while start_ns < end_ns:
        month = period_around("month", zone, start_ns)
        out.append(month)
        start_ns = month[1]
    return out


# --- hours --------------------------------------------------------------------------------------------


def _days(zone: ZoneInfo, start_ns: int, end_ns: int) -> list[date]:
    """The local days that touch [start, end), and one more at either end."""
    first = datetime.fromtimestamp(start_ns // SECOND, UTC).astimezone(zone).date() - timedelta(1)
    last = datetime.fromtimestamp(-(-end_ns // SECOND), UTC).astimezone(zone).date() + timedelta(1)
    return [first + timedelta(n) for n in range((last - first).days + 1)]


def _clipped(pairs: list[tuple[int, int]], start_ns: int, end_ns: int) -> Spans:
    return spans((max(begin, start_ns), min(end, end_ns)) for begin, end in pairs)


def service_spans(hours: Hours, zone: ZoneInfo, start_ns: int, end_ns: int) -> Spans:
    """The service time in [start, end); no weekly hours means round the clock. Holidays have none."""
    if not hours.weekly and not hours.holidays:
        return spans([(start_ns, end_ns)])
    weekly = hours.weekly or tuple((weekday, 0, _DAY) for weekday in range(7))
    pairs = [
        (local_ns(day, begin, zone), local_ns(day, end, zone, end=True))
        for day in _days(zone, start_ns, end_ns)
        if day not in hours.holidays
        for weekday, begin, end in weekly
        if weekday == day.weekday()
    ]
    return _clipped(pairs, start_ns, end_ns)


def daily_spans(between: tuple[int, int], zone: ZoneInfo, start_ns: int, end_ns: int) -> Spans:
    """The same hours every day, in [start, end); (22:00, 04:00) goes over midnight."""
    begin, end = between
    after = timedelta(1) if end <= begin else timedelta(0)
    pairs = [
        (local_ns(day, begin, zone), local_ns(day + after, end, zone, end=True))
        for day in _days(zone, start_ns, end_ns)
    ]
    return _clipped(pairs, start_ns, end_ns)


# --- planned maintenance ------------------------------------------------------------------------------


def occurrences(
    window: MaintenanceWindow, zone: ZoneInfo, start_ns: int, end_ns: int, anchor: date = date(2000, 1, 3)
) -> list[tuple[int, int]]:
    """When a planned window takes place, whole, wherever it touches [start, end).

    A rule (RFC 5545 RRULE) is counted in local days from `anchor`, which INTERVAL and COUNT depend on; each
    occurrence begins at its local start time and lasts `duration_ns` of real time.
    """
    if window.at is not None:
        begins = [instant_ns(window.at)]
    else:
        begins = [
            local_ns(day, window.start_minute, zone) for day in _rule_days(window, zone, start_ns, end_ns, anchor)
        ]
    pairs = [(begin, begin + window.duration_ns) for begin in begins]
    return [(begin, end) for begin, end in pairs if begin < end_ns and end > start_ns]


def _rule_days(window: MaintenanceWindow, zone: ZoneInfo, start_ns: int, end_ns: int, anchor: date) -> list[date]:
    days = _days(zone, start_ns - window.duration_ns, end_ns)
    begin = datetime(anchor.year, anchor.month, anchor.day)  # noqa: DTZ001 - rules are of local days
    text = (window.rrule or "").removeprefix("RRULE:")
    first, last = (datetime(day.year, day.month, day.day) for day in (days[0], days[-1]))  # noqa: DTZ001 - likewise
    return [at.date() for at in rrulestr(text, dtstart=begin).between(first, last, inc=True)]
