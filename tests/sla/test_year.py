"""A year through the live engine is the same year settled from the record: bit for bit, month by month."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import pytest

from netsla.model import (
    SECOND,
    Agreement,
    Bound,
    Endpoint,
    Hours,
    Maintenance,
    MaintenanceWindow,
    Measurement,
    Metric,
    Objective,
    Plan,
    ProbeSpec,
    ProbeType,
    UptimeRule,
)
from netsla.sla.exclusion import Exclusion
from tests.sla.builders import MONTH, latency_objective, plan, ratio_objective
from tests.sla.life import Life

MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86_400 * SECOND


def at(text: str) -> int:
    """UTC ns of `2028-03-26T01:00`."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


def objectives() -> tuple[Objective, ...]:
    """One of every kind that has a month."""
    within = Bound(False, Fraction(4 * HOUR), "<= 4h")
    return (
        ratio_objective(Metric.UPTIME, "99.5", MONTH),
        ratio_objective(percent="99", window=MONTH),
        replace(ratio_objective(percent="99", window=MONTH), id="delivery-all", scope="all"),
        latency_objective("p95", 55, MONTH),
        latency_objective("mean", 34, MONTH),
        replace(latency_objective("mean", 20, MONTH), id="jitter", metric=Metric.JITTER, statistic=""),
        Objective("repair", Metric.TIME_TO_REPAIR, within, MONTH),
        Objective("mttr", Metric.TIME_TO_REPAIR, within, MONTH, statistic="mean"),
    )


def agreements(step_s: int, other_s: int, *, opens: int = 8 * 60 + 5) -> tuple[Agreement, ...]:
    """Two zones, two calendars, every uptime method, every way of accounting."""
    ping = ProbeSpec("ping", ProbeType.ICMP, interval_ns=step_s * SECOND // 4)
    tcp = ProbeSpec("tcp", ProbeType.TCP, interval_ns=step_s * SECOND // 3, port=443)
    outage = UptimeRule("", "outage", minimum_ns=2 * step_s * SECOND, interval_ns=step_s * SECOND)
    sliding = UptimeRule("", "sliding", n=4, interval_ns=other_s * SECOND)
    each = UptimeRule("", "interval", interval_ns=step_s * SECOND, loss_over=Fraction(1, 4), feed="ping")
    night = MaintenanceWindow(
        3 * HOUR, "FREQ=MONTHLY;BYDAY=2SU", start_minute=60, announced=datetime(2027, 12, 1, tzinfo=UTC)
    )
    berlin = Agreement(
        "berlin",
        (
            Endpoint("outage", "127.0.1.1", probes=(ping,), uptime=outage, objectives=objectives()),
            Endpoint("each", "127.0.1.2", probes=(ping, tcp), uptime=each, objectives=objectives()),
        ),
        timezone="Europe/Berlin",
        maintenance=Maintenance(timedelta(days=5), (0, 360), 4 * HOUR, (night,)),
    )
    york = Agreement(
        "york",
        (
            Endpoint("sliding", "127.0.1.3", probes=(ping, tcp), uptime=sliding, objectives=objectives(),
                     active_from=datetime(2028, 2, 10, 15, 20, tzinfo=UTC)),
            Endpoint("office", "127.0.1.4", probes=(ping,), uptime=outage, objectives=objectives()),
        ),
        timezone="America/New_York",
        term_from=date(2028, 1, 1),
        hours=Hours(tuple((day, opens, 18 * 60) for day in range(5)), frozenset([date(2028, 7, 4)])),
        measurement=Measurement(exclusions="count_as_up", unknown="down", min_coverage=Fraction(9, 10)),
    )  # fmt: skip
    fixed = Measurement(fixed_denominator_ns=43_200 * MINUTE, percentile_lost="infinite", unknown="up")
    utc = Agreement(
        "utc",
        (Endpoint("fixed", "127.0.1.5", probes=(ping,), uptime=replace(sliding, n=2), objectives=objectives()),),
        measurement=fixed,
    )
    return berlin, york, utc


def life(begin: str, step_s: int, other_s: int, *outages: tuple[str, str, str]) -> Life:
    whole: Plan = replace(plan(), agreements=agreements(step_s, other_s))
    return Life(whole, at(begin), step_s, [(name, at(a), at(b)) for name, a, b in outages], rolling=step_s < 900)


def excluded(name: str, begin: str, end: str, cause: str = "force_majeure", endpoint: str | None = None) -> Exclusion:
    return Exclusion(name, endpoint, at(begin), at(end), cause, announced_ns=at("2027-12-01"))


@pytest.mark.timeout(120)
def test_a_year_lived_is_the_year_settled() -> None:
    some = life(
        "2027-12-18T07:20", 900, 900,
        ("", "2027-12-31T22:40", "2028-01-01T00:30"),  # over the edge of Berlin's year
        ("outage", "2028-01-09T00:30", "2028-01-09T04:30"),  # planned work, overrun
        ("", "2028-01-31T23:00", "2028-02-01T06:00"),
        ("office", "2028-02-29T11:00", "2028-02-29T16:10"),
        ("each", "2028-03-26T00:20", "2028-03-26T03:10"),  # the clocks go forward
        ("sliding", "2028-03-12T05:00", "2028-03-13T16:00"),
        ("fixed", "2028-04-30T23:45", "2028-05-01T00:15"),
        ("", "2028-05-10T10:00", "2028-05-10T19:00"),
        ("", "2028-06-30T20:00", "2028-07-01T10:00"),
        ("sliding", "2028-10-31T20:00", "2028-11-02T20:00"),
        ("", "2028-11-05T04:00", "2028-11-05T09:00"),
    )  # fmt: skip
    some.run(at("2028-01-20T12:00"))
    some.restart(40 * MINUTE)  # a short absence
    some.run(at("2028-02-03T09:10"))
    some.restart(3 * DAY)  # a long one
    some.run(at("2028-02-20T12:00"))
    some.exclude("berlin", excluded("m1", "2028-02-24T00:00", "2028-02-24T03:00", "maintenance"))
    some.run(at("2028-03-05T10:00"))
    some.step_clock(2 * HOUR)
    some.run(at("2028-03-20T10:00"))
    some.step_clock(-90 * MINUTE)
    some.run(at("2028-04-30T23:50"))
    some.restart(5 * MINUTE)  # over a month's edge, an outage open
    some.run(at("2028-05-20T00:00"))
    late = excluded("late", "2028-05-10T09:30", "2028-05-10T16:00", "no_access")
    some.exclude("york", late)  # agreed ten days later
    own = excluded("own", "2028-05-10T10:00", "2028-05-10T12:00", endpoint="each")
    some.exclude("berlin", *some.given["berlin"], own)
    some.run(at("2028-05-25T00:00"))
    some.exclude("york", excluded("wait", "2028-05-10T12:00", "2028-05-10T15:00", "waiting_for_customer"))
    some.restart(15 * MINUTE)
    some.run(at("2028-07-10T00:00"))
    some.silence(20 * DAY)  # the host stood still
    some.run(at("2028-08-15T00:00"))
    some.exclude("utc", excluded("whole", "2028-08-01T00:00", "2028-08-10T00:00"))
    some.run(at("2028-09-01T00:10"))
    some.restart(20 * MINUTE)  # just after the edge
    some.run(at("2029-01-01T06:00"))
    assert some.checked == 13 * 2 * 8 + 13 * 2 * 8 + 13 * 8


@pytest.mark.timeout(120)
def test_intervals_of_several_cells_and_windows_that_slide() -> None:
    """Contracts of 300 s and 900 s on one grid, restarts and clock steps in the middle of an interval."""
    some = life(
        "2028-03-24T11:50", 300, 900,
        ("", "2028-03-25T22:40", "2028-03-26T03:05"),
        ("sliding", "2028-03-31T21:50", "2028-04-01T10:00"),
        ("office", "2028-03-31T18:00", "2028-04-01T07:00"),
        ("outage", "2028-03-31T21:55", "2028-03-31T22:05"),  # one interval on either side of Berlin's edge
        ("fixed", "2028-03-31T23:45", "2028-04-01T00:00"),  # nobody knows yet, at the edge
    )  # fmt: skip
    some.run(at("2028-03-25T10:05"))
    some.restart(10 * MINUTE)
    some.run(at("2028-03-25T10:30"))
    some.check()
    some.run(at("2028-03-28T17:30"))
    some.check()
    some.run(at("2028-03-28T17:35"))
    some.step_clock(20 * MINUTE)
    some.run(at("2028-03-29T08:25"))
    some.step_clock(-35 * MINUTE)
    some.exclude("york", excluded("before", "2028-03-20T00:00", "2028-03-27T16:07"))
    some.reload(agreements(300, 900, opens=9 * 60))  # other hours, for the whole month
    some.run(at("2028-03-31T23:50"))
    some.restart(MINUTE)
    some.run(at("2028-04-02T09:00"))
    some.check()
    some.restart(15 * MINUTE)
    some.run(at("2028-04-03T00:00"))
    some.check()
    assert some.checked == 5 * 8 * 5
