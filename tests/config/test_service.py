from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from netsla.config import service
from netsla.config.quantity import Wrong
from netsla.model import SECOND, Hours
from tests.config.writing import agreement

BERLIN = ZoneInfo("Europe/Berlin")


def hours(folder: Path, text: str) -> Hours:
    return agreement(folder, f"service: {{hours: {text}}}").hours


def test_round_the_clock(tmp_path: Path) -> None:
    assert hours(tmp_path, "24x7") == Hours()


def test_weekly_hours_and_holidays(tmp_path: Path) -> None:
    found = hours(tmp_path, '{weekly: [{days: [mon-wed, fri], from: "08:00", to: "18:00"}], holidays: [2026-12-25]}')
    assert found.weekly == tuple((day, 480, 1080) for day in (0, 1, 2, 4))
    assert found.holidays == {date(2026, 12, 25)}


def test_hours_over_midnight_are_split_and_overlaps_united(tmp_path: Path) -> None:
    found = hours(
        tmp_path,
        '{weekly: [{days: [sun], from: "22:00", to: "02:00"}, {days: [mon], from: "01:00", to: "03:00"},'
        ' {days: [mon], from: "03:00", to: "24:00"}]}',
    )
    assert found.weekly == ((0, 0, 1440), (6, 1320, 1440))


def test_until_midnight(tmp_path: Path) -> None:
    assert hours(tmp_path, '{weekly: [{days: [sun], from: "22:00", to: "00:00"}]}').weekly == ((6, 1320, 1440),)


def test_instants_are_local_unless_they_say_otherwise() -> None:
    assert service.instant(date(2026, 7, 1), BERLIN) == datetime(2026, 6, 30, 22, tzinfo=UTC)
    naive = datetime(2026, 7, 1, 12)  # noqa: DTZ001 - local, on purpose
    assert service.instant(naive, BERLIN) == datetime(2026, 7, 1, 10, tzinfo=UTC)
    assert service.instant(datetime(2026, 7, 1, 12, tzinfo=UTC), BERLIN).hour == 14


def test_skipped_time_moves_forward_and_ambiguous_time_is_the_first() -> None:
    skipped = datetime(2026, 3, 29, 2, 30)  # noqa: DTZ001 - local, on purpose
    assert service.instant(skipped, BERLIN).isoformat() == "2026-03-29T03:30:00+02:00"
    twice = datetime(2026, 10, 25, 2, 30)  # noqa: DTZ001 - local, on purpose
    assert service.instant(twice, BERLIN).isoformat() == "2026-10-25T02:30:00+02:00"


def test_instants_at_the_end_of_time() -> None:
    with pytest.raises(Wrong):
        service.instant(datetime(9999, 12, 31, 23), ZoneInfo("America/New_York"))  # noqa: DTZ001 - local, on purpose


def test_active_days_are_included(tmp_path: Path) -> None:
    endpoint = "{id: e, address: 192.0.2.1, active: {from: 2026-03-15, to: 2026-10-25}}"
    (found,) = agreement(tmp_path, f"timezone: Europe/Berlin\nendpoints: [{endpoint}]").endpoints
    assert found.active_from is not None
    assert found.active_to is not None
    assert found.active_from.isoformat() == "2026-03-15T00:00:00+01:00"
    assert found.active_to.isoformat() == "2026-10-26T00:00:00+01:00"


def test_active_instants_are_exact(tmp_path: Path) -> None:
    endpoint = "{id: e, address: 192.0.2.1, active: {from: 2026-03-15T06:00, to: 2026-03-15T07:00Z}}"
    (found,) = agreement(tmp_path, f"timezone: Europe/Berlin\nendpoints: [{endpoint}]").endpoints
    assert found.active_from == datetime(2026, 3, 15, 5, tzinfo=UTC)
    assert found.active_to == datetime(2026, 3, 15, 7, tzinfo=UTC)


def test_maintenance(tmp_path: Path) -> None:
    keys = """\
        timezone: Europe/Berlin
        maintenance:
          notice: 5d
          allowed: "22:00-06:00"
          max_per_month: 4h
          windows:
            - {rrule: "FREQ=MONTHLY;BYDAY=2SU", start: "02:00", duration: 2h, announced: 2026-01-01}
            - {at: 2026-05-12T01:00, duration: 90m, reason: Splice, reference: CHG-1, endpoint: e}
        """
    found = agreement(tmp_path, keys).maintenance
    assert (found.notice, found.allowed, found.max_per_month_ns) == (timedelta(5), (1320, 360), 4 * 3600 * SECOND)
    first, second = found.windows
    assert (first.rrule, first.start_minute, first.duration_ns) == ("FREQ=MONTHLY;BYDAY=2SU", 120, 7200 * SECOND)
    assert first.announced == datetime(2026, 1, 1, tzinfo=BERLIN)
    assert second.at == datetime(2026, 5, 12, 1, tzinfo=BERLIN)
    assert (second.reason, second.reference, second.endpoint, second.announced) == ("Splice", "CHG-1", "e", None)


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=DAILY",
        "RRULE:FREQ=WEEKLY;BYDAY=MO,TU;INTERVAL=2",
        "FREQ=MONTHLY;BYDAY=-1SU;COUNT=12",
        "FREQ=YEARLY;UNTIL=20301231T000000",
    ],
)
def test_rules(rule: str) -> None:
    service.check_rule(rule)


@pytest.mark.parametrize(
    "rule",
    [
        "", "DAILY", "FREQ=HOURLY", "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;COUNT=0", "FREQ=DAILY;BYDAY=", "BYDAY=MO",
        "FREQ=DAILY;BYHOUR=2",
        "FREQ=DAILY;UNTIL=20301231T000000Z", "FREQ=DAILY;BYMONTH=13;BYDAY=XX", "FREQ=DAILY;UNTIL=never",
       "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY\nFREQ=DAILY",
    ],
)  # fmt: skip
def test_not_rules(rule: str) -> None:
    with pytest.raises(Wrong):
        service.check_rule(rule)


def test_nanoseconds_are_exact() -> None:
    assert service.nanoseconds(timedelta(days=30, microseconds=1)) == 30 * 86_400 * SECOND + 1000
