"""Calendar periods in a contract's zone (SLA R11): from local midnight to local midnight, in real time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from netsla.model import SECOND


def midnight_ns(day: date, zone: ZoneInfo) -> int:
    """UTC nanoseconds at which a local day begins (the first moment that exists)."""
    local = datetime(day.year, day.month, day.day, tzinfo=zone)
    return int(local.timestamp()) * SECOND


def period_around(calendar: str, zone: ZoneInfo, at_ns: int) -> tuple[int, int]:
    """[start, end) of the day, week, month, quarter or year that holds an instant, in UTC nanoseconds."""
    day = datetime.fromtimestamp(at_ns // SECOND, UTC).astimezone(zone).date()
    if calendar == "day":
        first, after = day, day + timedelta(days=1)
    elif calendar == "week":
        first = day - timedelta(days=day.weekday())
        after = first + timedelta(days=7)
    else:
        months = {"month": 1, "quarter": 3, "year": 12}[calendar]
        first = date(day.year, (day.month - 1) // months * months + 1, 1)
        over = first.month - 1 + months
        after = date(first.year + over // 12, over % 12 + 1, 1)
    return midnight_ns(first, zone), midnight_ns(after, zone)
