"""Periods, service hours and maintenance over changes of clocks (SLA R11 and section 6)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from netsla.errors import NetslaError
from netsla.model import SECOND, Hours, MaintenanceWindow
from netsla.sla.calendar import (
    daily_spans,
    instant_ns,
    local_ns,
    month_spans,
    occurrences,
    parse_period,
    service_spans,
)
from netsla.sla.spans import Spans, total_ns

BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
HOUR = 3600 * SECOND


def seconds(text: str, zone: str) -> int:
    period = parse_period(text, ZoneInfo(zone))
    return (period.end_ns - period.start_ns) // SECOND


def utc(text: str) -> int:
    return instant_ns(datetime.fromisoformat(text).replace(tzinfo=UTC))


def shown(part: Spans) -> list[tuple[str, str]]:
    return [(_clock(a), _clock(b)) for a, b in part.tolist()]


def _clock(at_ns: int) -> str:
    return datetime.fromtimestamp(at_ns // SECOND, UTC).strftime("%d %H:%M")


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("2026-10", "Europe/Berlin", 2_682_000),
        ("2026-03", "Europe/Berlin", 2_674_800),
        ("2026-11", "America/New_York", 2_595_600),
        ("2026-04", "UTC", 2_592_000),
        ("2028-02", "UTC", 29 * 86_400),
        ("2026-Q1", "Europe/Berlin", 90 * 86_400 - 3600),
        ("2026-Q4", "Europe/Berlin", 92 * 86_400 + 3600),
        ("2026", "Europe/Berlin", 365 * 86_400),
        ("2028", "Asia/Kolkata", 366 * 86_400),
        ("2026-10-25", "Europe/Berlin", 25 * 3600),
        ("2026-03-29", "Europe/Berlin", 23 * 3600),
        ("2018-11-04", "America/Sao_Paulo", 23 * 3600),  # midnight itself is skipped
        ("2026-10-01T00:00Z/2026-10-01T00:16Z", "Europe/Berlin", 960),
        ("2026-10-25/2026-10-26", "Europe/Berlin", 25 * 3600),
        ("2026-10-25T02:30/2026-10-25T02:30", "Europe/Berlin", 3600),  # first to second occurrence
    ],
)
def test_periods(text: str, zone: str, expected: int) -> None:
    assert seconds(text, zone) == expected


def test_a_period_begins_at_local_midnight() -> None:
    assert parse_period("2026-10", BERLIN).start_ns == utc("2026-09-30 22:00")
    assert parse_period("2026-12", BERLIN).end_ns == utc("2026-12-31 23:00")
    assert parse_period("2026-10", BERLIN).months == 1
    assert parse_period("2026-10-05", BERLIN).months == 0


@pytest.mark.parametrize(
    "text",
    ["", "2026-13", "2026-Q5", "26-10", "2026-02-30", "2026-10-02/2026-10-01", "2026-10/", "next month", "9999-12"],
)
def test_what_is_no_period_says_what_to_write(text: str) -> None:
    with pytest.raises(NetslaError, match="period") as caught:
        parse_period(text, BERLIN)
    assert "START" in caught.value.remedy


@pytest.mark.parametrize(
    "text", ["2300", "9998-01", "0001", "1969-12", "2110-01-01/2116-03-01", "2026-01-01/2115-12-31"]
)
def test_periods_that_nobody_can_mean(text: str) -> None:
    with pytest.raises(NetslaError, match=r"out of reach|longer than ten years"):
        parse_period(text, BERLIN)


def test_skipped_and_double_times() -> None:
    spring, autumn = date(2026, 3, 29), date(2026, 10, 25)
    assert local_ns(spring, 150, BERLIN) == utc("2026-03-29 01:30")  # 02:30 becomes 03:30 CEST
    assert local_ns(spring, 150, BERLIN, end=True) == utc("2026-03-29 01:30")
    assert local_ns(autumn, 150, BERLIN) == utc("2026-10-25 00:30")
    assert local_ns(autumn, 150, BERLIN, end=True) == utc("2026-10-25 01:30")
    assert local_ns(autumn, 1440, BERLIN) == utc("2026-10-25 23:00")


def test_service_hours() -> None:
    week = parse_period("2026-10-19/2026-10-26", BERLIN)
    hours = Hours(tuple((day, 480, 1080) for day in range(5)), frozenset({date(2026, 10, 21)}))
    made = service_spans(hours, BERLIN, week.start_ns, week.end_ns)
    assert shown(made) == [(f"{d} 06:00", f"{d} 16:00") for d in (19, 20, 22, 23)]
    assert total_ns(service_spans(Hours(), BERLIN, week.start_ns, week.end_ns)) == week.end_ns - week.start_ns
    no_wednesday = Hours((), frozenset({date(2026, 10, 21)}))
    assert total_ns(service_spans(no_wednesday, BERLIN, week.start_ns, week.end_ns)) == (7 * 24 + 1 - 24) * HOUR


def test_service_hours_over_both_changes_of_clocks() -> None:
    night = Hours(((6, 60, 180),))  # Sundays 01:00 to 03:00
    spring, autumn = parse_period("2026-03-29", BERLIN), parse_period("2026-10-25", BERLIN)
    assert shown(service_spans(night, BERLIN, spring.start_ns, spring.end_ns)) == [("29 00:00", "29 01:00")]
    assert shown(service_spans(night, BERLIN, autumn.start_ns, autumn.end_ns)) == [("24 23:00", "25 02:00")]
    gap = Hours(((6, 120, 150),))  # 02:00 to 02:30, all of it skipped: both move forward
    assert shown(service_spans(gap, BERLIN, spring.start_ns, spring.end_ns)) == [("29 01:00", "29 01:30")]


def test_hours_are_clipped_and_joined_over_midnight() -> None:
    hours = Hours(((0, 1200, 1440), (1, 0, 240)))
    made = service_spans(hours, BERLIN, utc("2026-10-19 19:00"), utc("2026-10-20 01:00"))
    assert shown(made) == [("19 19:00", "20 01:00")]


def test_daily_spans_over_midnight() -> None:
    day = parse_period("2026-10-05", BERLIN)
    assert shown(daily_spans((0, 360), BERLIN, day.start_ns, day.end_ns)) == [("04 22:00", "05 04:00")]
    over = daily_spans((1320, 240), BERLIN, day.start_ns, day.end_ns)
    assert shown(over) == [("04 22:00", "05 02:00"), ("05 20:00", "05 22:00")]


def test_months_that_touch() -> None:
    quarter = parse_period("2026-Q4", BERLIN)
    months = month_spans(BERLIN, quarter.start_ns + 1, quarter.end_ns)
    assert months == [
        (parse_period(name, BERLIN).start_ns, parse_period(name, BERLIN).end_ns)
        for name in ("2026-10", "2026-11", "2026-12")
    ]


def test_maintenance_by_rule() -> None:
    window = MaintenanceWindow(2 * HOUR, rrule="FREQ=MONTHLY;BYDAY=2SU", start_minute=120)
    year = parse_period("2026", BERLIN)
    made = occurrences(window, BERLIN, year.start_ns, year.end_ns)
    assert len(made) == 12
    assert made[9] == (utc("2026-10-11 00:00"), utc("2026-10-11 02:00"))
    assert made[10] == (utc("2026-11-08 01:00"), utc("2026-11-08 03:00"))


def test_maintenance_at_a_skipped_time_lasts_as_long() -> None:
    window = MaintenanceWindow(HOUR, rrule="RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU", start_minute=150)
    day = parse_period("2026-03-29", BERLIN)
    assert occurrences(window, BERLIN, day.start_ns, day.end_ns) == [(utc("2026-03-29 01:30"), utc("2026-03-29 02:30"))]


def test_maintenance_that_reaches_into_the_period_is_whole() -> None:
    window = MaintenanceWindow(4 * HOUR, rrule="FREQ=DAILY", start_minute=1380)
    day = parse_period("2026-10-05", BERLIN)
    made = occurrences(window, BERLIN, day.start_ns, day.end_ns)
    assert made == [(day.start_ns - HOUR, day.start_ns + 3 * HOUR), (day.end_ns - HOUR, day.end_ns + 3 * HOUR)]


def test_maintenance_of_several_days_is_found_from_its_last_hour() -> None:
    window = MaintenanceWindow(72 * HOUR, rrule="FREQ=MONTHLY;BYMONTHDAY=3", start_minute=0)
    begin, end = utc("2026-10-02 22:00"), utc("2026-10-05 22:00")
    assert occurrences(window, BERLIN, end - HOUR, end) == [(begin, end)]
    assert occurrences(window, BERLIN, end, end + HOUR) == []


def test_every_second_week_counts_from_the_anchor() -> None:
    window = MaintenanceWindow(HOUR, rrule="FREQ=WEEKLY;INTERVAL=2", start_minute=0)
    month = parse_period("2026-10", NEW_YORK)
    made = occurrences(window, NEW_YORK, month.start_ns, month.end_ns, date(2026, 9, 28))
    assert [_clock(begin) for begin, _ in made] == ["12 04:00", "26 04:00"]


def test_one_shot() -> None:
    at = datetime(2026, 10, 5, 2, tzinfo=BERLIN)
    window = MaintenanceWindow(HOUR, at=at)
    month = parse_period("2026-10", BERLIN)
    assert occurrences(window, BERLIN, month.start_ns, month.end_ns) == [(instant_ns(at), instant_ns(at) + HOUR)]
    assert occurrences(window, BERLIN, month.end_ns, month.end_ns + HOUR) == []
