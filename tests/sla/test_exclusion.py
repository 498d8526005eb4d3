"""Exclusions after the rules of the contract (SLA R10)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from netsla.model import Maintenance, MaintenanceWindow
from netsla.sla.exclusion import Exclusion, Ruled, excluded, planned, rule, stopped
from netsla.sla.spans import total_ns
from tests.sla.contracts import DAY, HOUR, MINUTE, at

BERLIN = ZoneInfo("Europe/Berlin")
TERMS = Maintenance(notice=timedelta(days=5), allowed=(0, 360), max_per_month_ns=4 * HOUR)


def work(start: str, hours: float, announced: str | None = "2026-09-01", **more: object) -> Exclusion:
    begin = at(start)
    told = None if announced is None else at(announced)
    made = Exclusion(start, None, begin, begin + int(hours * HOUR), "maintenance", announced_ns=told)
    return replace(made, **more)  # type: ignore[arg-type] # by name


def judged(*given: Exclusion, terms: Maintenance = TERMS, endpoint: str | None = "hq") -> list[tuple[str, str, float]]:
    return [(one.flag, one.why, total_ns(one.spans) / HOUR) for one in rule(given, terms, BERLIN, endpoint)]


def test_announced_in_time_and_inside_the_hours() -> None:
    assert judged(work("2026-10-05T00:00", 2)) == [("", "", 2)]


@pytest.mark.parametrize(
    ("announced", "flag"),
    [
        ("2026-09-30T00:00", ""),
        ("2026-09-30T00:00:01", "invalid_notice"),
        (None, "invalid_notice"),
        ("2026-10-06", "invalid_notice"),
    ],
)
def test_notice(announced: str | None, flag: str) -> None:
    assert judged(work("2026-10-05T00:00", 2, announced))[0][0] == flag


def test_no_notice_agreed_none_needed() -> None:
    assert judged(work("2026-10-05T00:00", 2, None), terms=Maintenance())[0][0] == ""


def test_outside_the_allowed_hours_none_of_it_counts() -> None:
    assert judged(work("2026-10-05T03:00", 2)) == [("invalid_notice", "hours", 0)]  # 05:00 to 07:00 local
    assert judged(work("2026-10-04T21:30", 1)) == [("invalid_notice", "hours", 0)]


def test_work_over_the_end_of_a_month_uses_the_allowance_of_both() -> None:
    """PEERS 15: three hours in October, three in November, four a month allowed; the 25th had 25 hours."""
    terms = replace(TERMS, allowed=None)
    assert judged(work("2026-10-31T20:00", 6), terms=terms) == [("", "", 6)]
    both = judged(work("2026-10-24T23:00", 3), work("2026-10-31T20:00", 6), terms=terms)
    assert both == [("", "", 3), ("invalid_notice", "cap", 0)], "one hour of October was left, three are needed"


def test_allowed_hours_are_local_on_the_day_the_clocks_change() -> None:
    """PEERS 15."""
    assert judged(work("2026-10-24T22:00", 7), terms=replace(TERMS, max_per_month_ns=None)) == [("", "", 7)]


def test_work_that_does_not_fit_into_the_cap_is_ordinary_time() -> None:
    """Four hours a month: the second three do not fit, the one hour after them does (SLA R10)."""
    found = judged(
        work("2026-10-05T00:00", 3),
        work("2026-10-12T00:00", 3),
        work("2026-10-19T00:00", 1),
        work("2026-11-02T00:00", 1),
    )
    assert found == [("", "", 3), ("invalid_notice", "cap", 0), ("", "", 1), ("", "", 1)]


def test_overlaps_use_the_allowance_once() -> None:
    found = rule([work("2026-10-05T00:00", 3), work("2026-10-05T01:00", 3)], TERMS, BERLIN)
    assert [one.flag for one in found] == ["", ""]
    assert total_ns(excluded(found)) == 4 * HOUR


def test_other_causes_count_as_accepted() -> None:
    assert judged(work("2026-10-05T12:00", 9, None, cause="force_majeure")) == [("", "", 9)]


def test_waiting_for_the_customer_stops_clocks_and_excuses_nothing() -> None:
    found = rule([work("2026-10-05T12:00", 1, cause="waiting_for_customer")], TERMS, BERLIN)
    assert total_ns(excluded(found)) == 0
    assert total_ns(stopped(found)) == HOUR


def test_an_exclusion_of_another_endpoint_is_not_ours() -> None:
    theirs = work("2026-10-05T00:00", 1, endpoint="dr")
    assert judged(theirs) == []
    assert judged(theirs, endpoint="dr") == [("", "", 1)]


def test_planned_by_the_agreement() -> None:
    window = MaintenanceWindow(2 * HOUR, rrule="FREQ=MONTHLY;BYDAY=2SU", start_minute=120, reference="C-1")
    shot = MaintenanceWindow(HOUR, at=datetime(2026, 10, 20, 1, tzinfo=BERLIN), endpoint="hq")
    terms = replace(TERMS, windows=(window, shot))
    found = planned(terms, BERLIN, at("2026-10-01"), at("2026-11-01"), date(2026, 2, 1))
    assert [(one.start_ns, one.end_ns - one.start_ns, one.endpoint) for one in found] == [
        (at("2026-10-11T00:00"), 2 * HOUR, None),
        (at("2026-10-19T23:00"), HOUR, "hq"),
    ]
    assert [one.flag for one in rule(found, terms, BERLIN, "hq")] == [
        "",
        "invalid_notice",
    ]  # the shot was not announced
    late = replace(window, announced=datetime(2026, 10, 10, tzinfo=UTC))
    found = planned(replace(terms, windows=(late,)), BERLIN, at("2026-10-01"), at("2026-12-01"))
    assert [one.flag for one in rule(found, terms, BERLIN)] == ["invalid_notice", ""]


def test_every_ruling_lies_inside_its_exclusion() -> None:
    given = [work(f"2026-10-{day:02}T00:00", day % 5) for day in range(2, 30)]
    found: tuple[Ruled, ...] = rule([one for one in given if one.end_ns > one.start_ns], TERMS, BERLIN)
    assert total_ns(excluded(found)) == 4 * HOUR
    assert all(total_ns(one.spans) <= one.exclusion.end_ns - one.exclusion.start_ns for one in found)
    assert found[-1].exclusion.start_ns - found[0].exclusion.start_ns < 30 * DAY
    assert total_ns(found[0].spans) > MINUTE
