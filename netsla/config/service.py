"""Calendars of an agreement: zone, term, service hours, active times and planned maintenance.

Rules: a date or time without an offset is local in the agreement's zone. A last *day* is included, so its end
is the next midnight; a last *instant* is the end itself. Times that a change of clocks skips move forward,
ambiguous ones are the first (SLA R11). Nothing is expanded here: windows stay rules.
"""

from __future__ import annotations

import re
import zoneinfo
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

from netsla.config.quantity import Wrong, meant
from netsla.config.source import Faults
from netsla.config.tables import ActiveTable, AgreementTable, HoursTable, MaintenanceTable, MaintenanceWindowTable
from netsla.model import SECOND, Hours, Maintenance, MaintenanceWindow

MINUTES_A_DAY = 1440
_RULE = re.compile(r"(?:RRULE:)?([A-Z]+=[A-Z0-9,+:-]+(?:;[A-Z]+=[A-Z0-9,+:-]+)*)", re.ASCII)
_FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_PARTS = (
    "FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", "BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYSETPOS",
    "BYEASTER",
)  # fmt: skip


def zone(table: AgreementTable, faults: Faults) -> ZoneInfo:
    """The agreement's zone; UTC after a complaint."""
    try:
        return ZoneInfo(table.timezone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        faults.add(
            table.place("timezone"), f"timezone: {table.timezone!r} is no IANA zone", _likely_zone(table.timezone)
        )
        return ZoneInfo("UTC")


def _likely_zone(text: str) -> str:
    """The zone that was meant; abbreviations and offsets mean none, for clocks change."""
    known = zoneinfo.available_timezones()
    cities = {name.rpartition("/")[2].casefold(): name for name in sorted(known, reverse=True) if "/" in name}
    if city := cities.get(text.casefold().replace(" ", "_")):
        return f"did you mean {city!r}?"
    guess = meant(text, known) if "/" in text else ""
    return guess if guess.startswith("did you") else "write the zone of a city, such as Europe/Berlin, or UTC"


def instant(value: date | datetime, where: ZoneInfo) -> datetime:
    """A moment in the zone, normalised; a date is its first instant."""
    local = value if isinstance(value, datetime) else datetime.combine(value, time())
    aware = local.replace(tzinfo=where) if local.tzinfo is None else local
    try:
        return aware.astimezone(UTC).astimezone(where)
    except OverflowError as error:
        raise Wrong(f"{value} is out of range", "write a year from 1 to 9999") from error


def term(table: AgreementTable, faults: Faults) -> tuple[date | None, date | None]:
    """First day, and the day after the last."""
    if table.term is None:
        return None, None
    first, last = table.term.from_, table.term.to
    if first and last and first > last:
        faults.add(table.term.place("to"), f"term ends on {last}, before it begins", f"write a day from {first} on")
    if last == date.max:
        faults.add(table.term.place("to"), f"term: {last} is out of range", "leave out `to` for an open end")
        return first, None
    return first, last + timedelta(1) if last else None


def active(table: ActiveTable | None, where: ZoneInfo, faults: Faults) -> tuple[datetime | None, datetime | None]:
    """From when and until when an endpoint counts: half open."""
    if table is None:
        return None, None
    begin = _instant(table, "from", table.from_, where, faults)
    last = table.to
    if last is not None and not isinstance(last, datetime):
        last = last + timedelta(1) if last < date.max else None
    end = _instant(table, "to", last, where, faults)
    if begin and end and begin >= end:
        faults.add(table.place("to"), "active: it ends before it begins", "write a later `to`")
    return begin, end


def _instant(
    table: ActiveTable | MaintenanceWindowTable, key: str, value: date | None, where: ZoneInfo, faults: Faults
) -> datetime | None:
    try:
        return None if value is None else instant(value, where)
    except Wrong as wrong:
        faults.add(table.place(key), f"{key}: {wrong.problem}", wrong.remedy)
        return None


def hours(table: HoursTable | None, faults: Faults) -> Hours:
    """Service hours, split at midnight, united where they overlap, in the order of the week."""
    if table is None:
        return Hours()
    spans: list[tuple[int, int, int]] = []
    if table.weekly == [] and not table.node["weekly"].cut:
        faults.add(table.place("weekly"), "weekly: no hours at all", "write hours: 24x7, or some hours")
    for weekly in table.weekly or ():
        if weekly.from_ == weekly.to:
            faults.add(weekly.place("to"), "these hours are empty", 'for the whole day write "00:00" to "24:00"')
        for weekday in {day for days in weekly.days for day in days}:
            if weekly.from_ < weekly.to:
                spans.append((weekday, weekly.from_, weekly.to))
            else:
                spans += [(weekday, weekly.from_, MINUTES_A_DAY), ((weekday + 1) % 7, 0, weekly.to)]
    return Hours(_united(spans), frozenset(table.holidays))


def _united(spans: list[tuple[int, int, int]]) -> tuple[tuple[int, int, int], ...]:
    whole: list[tuple[int, int, int]] = []
    for weekday, begin, end in sorted(spans):
        if whole and whole[-1][0] == weekday and begin <= whole[-1][2]:
            whole[-1] = (weekday, whole[-1][1], max(end, whole[-1][2]))
        elif begin < end:
            whole.append((weekday, begin, end))
    return tuple(whole)


def maintenance(table: MaintenanceTable | None, where: ZoneInfo, endpoints: set[str], faults: Faults) -> Maintenance:
    """What the contract allows and what is planned."""
    if table is None:
        return Maintenance()
    windows = (_window(window, where, endpoints, faults) for window in table.windows)
    return Maintenance(
        notice=timedelta(microseconds=(table.notice or 0) // 1_000),
        allowed=table.allowed,
        max_per_month_ns=table.max_per_month,
        windows=tuple(window for window in windows if window is not None),
    )


def _window(
    table: MaintenanceWindowTable, where: ZoneInfo, endpoints: set[str], faults: Faults
) -> MaintenanceWindow | None:
    if table.gives("at") == table.gives("rrule"):
        faults.add(table.place(), "a window is planned by `at` or by `rrule`", "write one of them")
        return None
    if table.gives("rrule") != table.gives("start"):
        key = "start" if table.gives("start") else "rrule"
        faults.add(table.place(key), "`rrule` and `start` go together", 'write rrule: … and start: "02:00"')
    if table.rrule is not None:
        try:
            check_rule(table.rrule)
        except Wrong as wrong:
            faults.add(table.place("rrule"), f"rrule: {wrong.problem}", wrong.remedy)
    if table.endpoint is not None and table.endpoint not in endpoints:
        remedy = meant(table.endpoint, endpoints) or "add it to endpoints:"
        faults.add(table.place("endpoint"), f"unknown endpoint {table.endpoint!r}", remedy)
    if table.start == MINUTES_A_DAY:
        faults.add(table.place("start"), "start: no day has a 24:00 to start at", 'write "00:00"')
    return MaintenanceWindow(
        duration_ns=table.duration,
        rrule=table.rrule,
        start_minute=table.start or 0,
        at=_instant(table, "at", table.at, where, faults),
        announced=_instant(table, "announced", table.announced, where, faults),
        reason=table.reason,
        reference=table.reference,
        endpoint=table.endpoint,
    )


def check_rule(text: str) -> None:
    """Raise Wrong unless the text is a recurrence rule (RFC 5545 §3.3.10) of days; start times stand apart."""
    match = _RULE.fullmatch(text)
    if match is None:
        raise Wrong(f"{text!r} is not a recurrence rule", "write for instance FREQ=MONTHLY;BYDAY=2SU")
    parts = dict(part.split("=", 1) for part in match[1].split(";"))
    for part in parts:
        if part not in _PARTS:
            raise Wrong(f"{part} is not known in a rule of days", meant(part, _PARTS))
    if parts.get("FREQ") not in _FREQUENCIES:
        raise Wrong(f"FREQ={parts.get('FREQ', '')} cannot be", f"write FREQ= and {', '.join(_FREQUENCIES)}")
    for part in ("INTERVAL", "COUNT"):
        if not 1 <= _small(parts.get(part, "1")) <= 10_000:
            raise Wrong(f"{part}={parts[part]} cannot be", "write a number from 1 to 10000")
    begin = datetime(2000, 1, 1)  # noqa: DTZ001 - rules are of local time
    try:
        happens = any(True for _ in rrulestr(match[1], dtstart=begin))
    except (ValueError, TypeError, IndexError, OverflowError) as error:
        raise Wrong(f"{text!r} is not a recurrence rule: {error}", "see RFC 5545 §3.3.10; UNTIL without Z") from error
    if not happens:
        raise Wrong(f"{text!r} never happens", "check its days and months")


def _small(text: str) -> int:
    return int(text) if re.fullmatch(r"\d{1,6}", text, re.ASCII) else 0


def nanoseconds(span: timedelta) -> int:
    """Exact nanoseconds of a timedelta."""
    return span // timedelta(microseconds=1) * (SECOND // 1_000_000)
