from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from netsla.model import SECOND
from netsla.sla.period import period_around

BERLIN = "Europe/Berlin"


@pytest.mark.parametrize(
    ("calendar", "zone", "at", "start", "seconds"),
    [
        ("month", BERLIN, "2026-10-15T12:00", "2026-10-01T00:00", 2_682_000),  # SLA section 6
        ("month", BERLIN, "2026-03-31T23:59", "2026-03-01T00:00", 2_674_800),
        ("month", "America/New_York", "2026-11-01T00:00", "2026-11-01T00:00", 2_595_600),
        ("month", "UTC", "2028-02-29T00:00", "2028-02-01T00:00", 29 * 86400),
        ("day", BERLIN, "2026-10-25T02:30", "2026-10-25T00:00", 25 * 3600),
        ("week", BERLIN, "2026-11-01T23:59", "2026-10-26T00:00", 7 * 86400),
        ("quarter", BERLIN, "2026-12-31T23:59", "2026-10-01T00:00", 92 * 86400 + 3600),
        ("year", "UTC", "2026-07-01T00:00", "2026-01-01T00:00", 365 * 86400),
        ("month", "UTC", "2026-12-31T23:59", "2026-12-01T00:00", 31 * 86400),
    ],
)
def test_a_period_runs_from_local_midnight_to_local_midnight_in_real_seconds(
    calendar: str, zone: str, at: str, start: str, seconds: int
) -> None:
    local = ZoneInfo(zone)
    moment = int(datetime.fromisoformat(at).replace(tzinfo=local).timestamp()) * SECOND
    begin, end = period_around(calendar, local, moment)
    assert begin == int(datetime.fromisoformat(start).replace(tzinfo=local).timestamp()) * SECOND
    assert (end - begin) // SECOND == seconds
    assert begin <= moment < end
