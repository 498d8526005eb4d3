"""Calendars, exclusions and edges of months beyond the worked examples, through packs written by hand (R10 to R13).

The arithmetic is beside each vector. Everything that is recorded is good but for the minutes that are said to be down.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.cli.rules import BAD, GOOD, UPTIME, minutes, month, told, write

LOOSE = "{min_coverage: 0%}"
INTERVAL = "{method: interval, interval: 60s}"


def up(document: dict[str, Any], endpoint: str = "hq") -> dict[str, Any]:
    """The uptime objective of an endpoint."""
    (found,) = (one for one in document["objectives"] if (one["objective"], one["endpoint"]) == ("up", endpoint))
    return dict(found)


# --- R11: months, quarters, years and days in their zones ---------------------------------------------


@pytest.mark.parametrize(
    ("zone", "name", "begin", "end", "length"),
    [
        ("Australia/Lord_Howe", "2026-04", "2026-03-31T13:00", "2026-04-30T13:30", 30 * 86_400 + 1800),  # half an hour
        ("Australia/Lord_Howe", "2026-10", "2026-09-30T13:30", "2026-10-31T13:00", 31 * 86_400 - 1800),
        ("Asia/Kathmandu", "2026-10", "2026-09-30T18:15", "2026-10-31T18:15", 31 * 86_400),  # +05:45
        ("America/New_York", "2026-Q1", "2026-01-01T05:00", "2026-04-01T04:00", 90 * 86_400 - 3600),
        ("America/New_York", "2026-Q4", "2026-10-01T04:00", "2027-01-01T05:00", 92 * 86_400 + 3600),
        ("Europe/Berlin", "2028-02", "2028-01-31T23:00", "2028-02-29T23:00", 29 * 86_400),
        ("Europe/Berlin", "2028", "2027-12-31T23:00", "2028-12-31T23:00", 366 * 86_400),
        ("Europe/Berlin", "2026-03-29", "2026-03-28T23:00", "2026-03-29T22:00", 23 * 3600),
        ("America/Havana", "2026-03-08", "2026-03-08T05:00", "2026-03-09T04:00", 23 * 3600),  # midnight is skipped
        ("Pacific/Apia", "2011-12", "2011-12-01T10:00", "2011-12-31T10:00", 30 * 86_400),  # no 30 December
    ],
)
def test_periods(tmp_path: Path, zone: str, name: str, begin: str, end: str, length: int) -> None:
    rows = minutes(begin, [BAD] * 3) | minutes(end, [BAD] * 3)  # of the second outage nothing is in the period
    found = told(write(tmp_path, rows, timezone=zone, measurement=LOOSE), name)[1]
    period = found["period"]
    assert (period["start"], period["end"], period["seconds"]) == (f"{begin}:00Z", f"{end}:00Z", length)
    assert up(found)["seconds"] == {"scheduled": length, "excluded": 0, "unknown": length - 180, "down": 180, "up": 0}


@pytest.mark.parametrize(
    ("day", "hours", "length"),
    [
        # Sunday 29 March: 02:00 CET is followed by 03:00 CEST
        ("2026-03-29", '{days: [sun], from: "01:00", to: "04:00"}', 2 * 3600),
        ("2026-03-29", '{days: [sun], from: "02:30", to: "05:00"}', 5400),  # 02:30 is 03:30 CEST
        ("2026-03-29", '{days: [sun], from: "02:00", to: "02:30"}', 1800),  # 03:00 to 03:30 CEST
        # Sunday 25 October: 03:00 CEST is followed by 02:00 CET
        ("2026-10-25", '{days: [sun], from: "02:30", to: "03:30"}', 2 * 3600),  # from the first 02:30
        ("2026-10-25", '{days: [sun], from: "01:00", to: "02:30"}', 9000),  # to the second 02:30
        ("2026-10-25", '{days: [sat], from: "22:00", to: "03:00"}', 4 * 3600),  # from midnight on, 25 hours that day
        ("2026-10-24", '{days: [sat], from: "22:00", to: "03:00"}', 2 * 3600),
        ("2026-10-26", '{days: [mon-fri], from: "08:00", to: "18:00"}', 10 * 3600),
        ("2026-10-26", '{days: [sat, sun], from: "08:00", to: "18:00"}', 0),
    ],
)
def test_service_hours_on_days_of_changing_clocks(tmp_path: Path, day: str, hours: str, length: int) -> None:
    service = f"{{monthly_charge: 900.00, hours: {{weekly: [{hours}]}}}}"
    found = up(told(write(tmp_path, {}, timezone="Europe/Berlin", service=service), day)[1])
    assert found["seconds"]["scheduled"] == length


def test_down_time_outside_service_hours_does_not_count(tmp_path: Path) -> None:
    # Wednesday 1 April, 08:00-18:00 UTC: down 17:50 to 18:20, an outage of 1800 s of which 600 s count.
    # Thursday is a holiday: down 10:00 to 11:00 counts for nothing
    hours = '{weekly: [{days: [mon-fri], from: "08:00", to: "18:00"}], holidays: [2026-04-02]}'
    rows = month("2026-04-01", "2026-04-03", ("2026-04-01T17:50", 30), ("2026-04-02T10:00", 60))
    folder = write(tmp_path, rows, service=f"{{monthly_charge: 900.00, hours: {hours}}}")
    _, document = told(folder, "2026-04-01T00:00Z/2026-04-03T00:00Z")
    assert up(document)["seconds"] == {"scheduled": 36_000, "excluded": 0, "unknown": 0, "down": 600, "up": 35_400}
    (incident,) = document["incidents"]
    assert (incident["seconds"], incident["whole_seconds"]) == (600, 1800)


# --- R10: exclusions ----------------------------------------------------------------------------------


def excluded(folder: Path, exclusions: list[dict[str, Any]], *, zone: str = "UTC", **keys: Any) -> dict[str, Any]:
    """A day, 12 April 2026, down from 02:00 to 06:00 local in the zone given, with these exclusions."""
    first = {"UTC": "2026-04-12T02:00", "Europe/Berlin": "2026-04-12T00:00"}[zone]
    rows = month("2026-04-11T22:00", "2026-04-13T00:00", (first, 240))
    base: dict[str, Any] = {"endpoint": None, "cause": "maintenance", "announced": "2026-01-01T00:00Z"}
    listed = [base | {"id": f"m{n}"} | one for n, one in enumerate(exclusions, 1)]
    folder = write(folder, rows, uptime=INTERVAL, exclusions=listed, timezone=zone, **keys)
    return told(folder, "2026-04-12")[1]


def span(begin: str, end: str, **more: Any) -> dict[str, Any]:
    """An exclusion of that day."""
    return {"start": f"2026-04-12T{begin}", "end": f"2026-04-12T{end}"} | more


@pytest.mark.parametrize(
    ("exclusions", "terms", "down", "flags"),
    [
        ([span("02:00Z", "04:00Z")], "{}", 7200, [None]),
        ([span("02:00Z", "03:30Z"), span("03:00Z", "04:00Z")], "{}", 7200, [None, None]),  # overlaps are united
        # 02:59:30 divides a minute; both halves together hold it
        ([span("02:00Z", "02:59:30Z"), span("02:59:30Z", "04:00Z")], "{}", 7200, [None, None]),
        ([span("02:00:30Z", "02:03:30Z")], "{}", 14_400 - 120, [None]),  # two minutes lie wholly inside
        ([span("02:00Z", "02:00:59Z")], "{}", 14_400, [None]),
        # notice: five days before 02:00 is 7 April 02:00, to the second
        ([span("02:00Z", "04:00Z", announced="2026-04-07T02:00:00Z")], "{notice: 5d}", 7200, [None]),
        ([span("02:00Z", "04:00Z", announced="2026-04-07T02:00:01Z")], "{notice: 5d}", 14_400, ["invalid_notice"]),
        ([span("02:00Z", "04:00Z", announced=None)], "{notice: 5d}", 14_400, ["invalid_notice"]),
        ([span("02:00Z", "04:00Z", announced=None)], "{}", 7200, [None]),  # no notice is agreed
        # only planned work needs notice
        ([span("02:00Z", "04:00Z", announced=None, cause="force_majeure")], "{notice: 5d}", 7200, [None]),
        ([span("02:00Z", "04:00Z", announced=None, cause="no_access")], "{notice: 5d}", 7200, [None]),
        # allowed hours
        ([span("02:00Z", "04:00Z")], '{allowed: "02:00-04:00"}', 7200, [None]),
        ([span("02:00Z", "04:01Z")], '{allowed: "02:00-04:00"}', 14_400, ["invalid_notice"]),
        ([span("02:00Z", "04:00Z")], '{allowed: "22:00-05:00"}', 7200, [None]),  # over midnight
        # the month's cap: three hours and a half. What does not fit whole is ordinary time, what comes after it may fit
        ([span("02:00Z", "05:30Z")], "{max_per_month: 3h30m}", 1800, [None]),
        ([span("02:00Z", "06:00Z")], "{max_per_month: 3h30m}", 14_400, ["invalid_notice"]),
        (
            [span("02:00Z", "04:00Z"), span("04:00Z", "06:00Z")],
            "{max_per_month: 3h30m}", 7200, [None, "invalid_notice"],
        ),
        (
            [span("02:00Z", "04:00Z"), span("04:00Z", "06:00Z"), span("05:00Z", "06:00Z")],
            "{max_per_month: 3h30m}", 3600, [None, "invalid_notice", None],
        ),
        ([span("02:00Z", "05:00Z"), span("03:00Z", "05:30Z")], "{max_per_month: 3h30m}", 1800, [None, None]),
    ],
)  # fmt: skip
def test_exclusions(
    tmp_path: Path, exclusions: list[dict[str, Any]], terms: str, down: int, flags: list[str | None]
) -> None:
    document = excluded(tmp_path, exclusions, maintenance=terms)
    assert up(document)["seconds"]["down"] == down
    assert up(document)["seconds"]["excluded"] == 14_400 - down
    assert [one["flag"] for one in document["exclusions"]] == flags


@pytest.mark.parametrize(("begin", "end", "down"), [("00:00Z", "04:00Z", 0), ("02:00Z", "05:00Z", 14_400)])
def test_allowed_hours_are_local(tmp_path: Path, begin: str, end: str, down: int) -> None:
    # in Berlin 00:00Z to 04:00Z is 02:00 to 06:00, and 05:00Z is 07:00
    terms = '{allowed: "02:00-06:00"}'
    document = excluded(tmp_path, [span(begin, end)], zone="Europe/Berlin", maintenance=terms)
    assert up(document)["seconds"]["down"] == down


def test_an_exclusion_of_one_endpoint(tmp_path: Path) -> None:
    endpoints = "[{id: hq, address: 192.0.2.1}, {id: dr, address: 192.0.2.2}]"
    document = excluded(tmp_path, [span("02:00Z", "04:00Z", endpoint="dr")], endpoints=endpoints, measurement=LOOSE)
    assert up(document)["seconds"]["excluded"] == 0
    assert up(document, "dr")["seconds"]["excluded"] == 7200


def test_precedence_is_excluded_then_unknown_then_down(tmp_path: Path) -> None:
    # minutes: B B B . . B G, the third to the fifth excluded: down 1, 2 and 6, one run over the excluded time
    rows = minutes("2026-04-01", [BAD, BAD, BAD, None, None, BAD, GOOD])
    told_ = {
        "id": "f",
        "endpoint": None,
        "start": "2026-04-01T00:02Z",
        "end": "2026-04-01T00:05Z",
        "cause": "force_majeure",
    }
    folder = write(tmp_path, rows, uptime="{method: outage, min: 180s, interval: 60s}", exclusions=[told_])
    _, document = told(folder, "2026-04-01T00:00Z/2026-04-01T00:07Z")
    assert up(document)["seconds"] == {"scheduled": 420, "excluded": 180, "unknown": 0, "down": 180, "up": 60}
    assert up(document)["value"] == 0.25
    counted = [one for one in document["incidents"] if one["excluded_by"] is None]
    assert [(one["seconds"], one["repair_seconds"]) for one in counted] == [(180, 180)]


def test_planned_windows_of_the_agreement(tmp_path: Path) -> None:
    # the second Sunday of April 2026 is the 12th; 02:00 in Berlin is 00:00Z; the first hour of four down is excluded
    windows = '{windows: [{rrule: "FREQ=MONTHLY;BYDAY=2SU", start: "02:00", duration: 1h}]}'
    document = excluded(tmp_path, [], zone="Europe/Berlin", maintenance=windows)
    assert up(document)["seconds"] == {
        "scheduled": 86_400,
        "excluded": 3600,
        "unknown": 0,
        "down": 10_800,
        "up": 72_000,
    }


# --- R12, R13: edges ----------------------------------------------------------------------------------


def test_an_outage_over_the_edge_of_the_month_in_kathmandu(tmp_path: Path) -> None:
    # October ends at 18:15Z; down 18:05Z to 18:35Z: 600 s in October, 1200 s in November, judged as 1800 s.
    # Its repair and its credit (over 20 minutes: 10 %) are October's
    rows = month("2026-09-30T18:15", "2026-11-30T18:15", ("2026-10-31T18:05", 30))
    paid = "{currency: EUR, rules: [{objective: up, basis: per_outage, tiers: [{over: 20m, credit: 10%}]}]}"
    folder = write(tmp_path, rows, timezone="Asia/Kathmandu", credits=paid)
    october, november = told(folder, "2026-10")[1], told(folder, "2026-11")[1]
    assert (up(october)["seconds"]["down"], up(november)["seconds"]["down"]) == (600, 1200)
    assert (october["incidents"][0]["repair_seconds"], november["incidents"][0]["repair_seconds"]) == (1800, None)
    assert {one["incidents"][0]["whole_seconds"] for one in (october, november)} == {1800}
    assert (october["credit"]["amount"], november["credit"]["amount"]) == ("90.00", "0.00")


def test_a_short_run_over_the_edge_is_one_outage(tmp_path: Path) -> None:
    # one bad minute on either side of midnight: 120 s together, so both are down; alone each would be up
    rows = month("2026-04-01", "2026-04-03", ("2026-04-01T23:59", 2))
    folder = write(tmp_path, rows)
    assert [up(told(folder, day)[1])["seconds"]["down"] for day in ("2026-04-01", "2026-04-02")] == [60, 60]


@pytest.mark.parametrize(
    ("active", "scheduled", "down"),
    [
        ("{from: 2026-04-16}", 15 * 86_400, 1260),
        ("{to: 2026-04-20}", 20 * 86_400, 1260),  # the last day is included
        ("{from: 2026-04-16, to: 2026-04-19}", 4 * 86_400, 0),
        ("{from: 2026-04-20T10:10:00Z}", 10 * 86_400 + 49_800, 660),  # 10 of the 21 minutes are before
        ("{to: 2026-04-20T10:10:00Z}", 19 * 86_400 + 36_600, 600),
    ],
)
def test_active_from_and_to(tmp_path: Path, active: str, scheduled: int, down: int) -> None:
    rows = month("2026-04-01", "2026-05-01", ("2026-04-20T10:00", 21))
    endpoints = f"[{{id: hq, address: 192.0.2.1, active: {active}}}]"
    found = up(told(write(tmp_path, rows, endpoints=endpoints), "2026-04")[1])
    assert (found["seconds"]["scheduled"], found["seconds"]["down"]) == (scheduled, down)
    assert found["value"] == float(Fraction(scheduled - down, scheduled))


def test_the_term_of_the_agreement(tmp_path: Path) -> None:
    rows = month("2026-04-01", "2026-05-01", ("2026-04-05T10:00", 30))
    found = up(told(write(tmp_path, rows, term="{from: 2026-04-11, to: 2026-04-20}"), "2026-04")[1])
    assert found["seconds"] == {"scheduled": 864_000, "excluded": 0, "unknown": 0, "down": 0, "up": 864_000}


@pytest.mark.parametrize(
    ("begin", "length", "march", "april"),
    [
        # service 08:00-18:00 UTC; the outage begins on Tuesday 31 March after hours
        (
            "2026-03-31T20:00",
            13 * 60,
            46_800,
            None,
        ),  # until 09:00 on 1 April: March's, though all that counts is April's
        ("2026-03-31T20:00", 11 * 60, None, None),  # until 07:00: nobody's, no service was due
        ("2026-03-31T17:00", 16 * 60, 57_600, None),
        ("2026-04-01T07:00", 120, None, 7200),
    ],
)
def test_an_outage_belongs_to_the_month_it_began_in_even_after_hours(
    tmp_path: Path, begin: str, length: int, march: int | None, april: int | None
) -> None:
    keys: dict[str, Any] = {
        "service": '{monthly_charge: 900.00, hours: {weekly: [{days: [mon-sun], from: "08:00", to: "18:00"}]}}',
        "objectives": f'[{UPTIME}, {{id: repair, metric: time_to_repair, target: "<= 1h", window: month}}]',
        "credits": "{currency: EUR, rules: [{objective: repair, basis: per_outage, tiers: [{over: 1h, credit: 5%}]}]}",
        "measurement": LOOSE,
    }
    folder = write(tmp_path, month("2026-03-25", "2026-04-08", (begin, length)), **keys)
    for name, repair in (("2026-03", march), ("2026-04", april)):
        _, document = told(folder, name)
        (found,) = (one for one in document["objectives"] if one["objective"] == "repair")
        assert (found["value"], document["credit"]["percent"]) == (repair, 5.0 if repair else 0.0)
        assert [one["repair_seconds"] for one in document["incidents"] if one["repair_seconds"]] == [repair] * bool(
            repair
        )
