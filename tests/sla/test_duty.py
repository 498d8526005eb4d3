"""What counts, cell by cell, is what the settlement's own spans say."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netsla.model import SECOND, Agreement, Endpoint, Hours, Maintenance, MaintenanceWindow, UptimeRule
from netsla.sla.calendar import Period, instant_ns
from netsla.sla.duty import Duty
from netsla.sla.exclusion import Exclusion, excluded, planned, rule
from netsla.sla.fleet import Fleet, Roster
from netsla.sla.spans import covered_ns
from netsla.sla.timeline import scheduled_spans
from tests.sla.builders import PING, plan

CELL = 60 * SECOND
OFFICE = Hours(tuple((day, 8 * 60 + 7, 18 * 60) for day in range(5)), frozenset([date(2026, 3, 30)]))
NIGHT = Maintenance(
    timedelta(days=5), (0, 6 * 60), 4 * 3600 * SECOND,
    (MaintenanceWindow(150 * 60 * SECOND, "FREQ=WEEKLY;BYDAY=SU", start_minute=90),),
)  # fmt: skip
SPRING = int(datetime(2026, 3, 27, tzinfo=UTC).timestamp()) * SECOND // CELL


def fleet_of(zone: str, hours: Hours, *rules: UptimeRule, maintenance: Maintenance = NIGHT) -> Fleet:
    active = datetime(2026, 3, 29, 3, 3, 30, tzinfo=UTC)
    members = tuple(
        Endpoint(f"e{n}", "127.0.0.1", probes=(PING,), uptime=rule_, active_from=active if n % 2 else None)
        for n, rule_ in enumerate(rules)
    )
    agreement = Agreement("a", members, timezone=zone, hours=hours, maintenance=maintenance, term_to=date(2026, 4, 2))
    return Roster().lay_out(replace(plan(), agreements=(agreement,)), 0)


def truth(fleet: Fleet, place: int, given: tuple[Exclusion, ...], first_k: int, count: int) -> tuple[list[int], ...]:
    """(share, excluded, away) of cells, from the functions that settle a period."""
    one = next(one for one in fleet.endpoints if one.place == place)
    agreement, step = one.agreement, one.endpoint.uptime.interval_ns
    zone = ZoneInfo(agreement.timezone)
    month = 31 * 86_400 * SECOND
    period = Period("", first_k * CELL - month, (first_k + count) * CELL + month)
    scheduled = scheduled_spans(agreement, one.endpoint, period, 2**62)
    own = planned(agreement.maintenance, zone, period.start_ns, period.end_ns, agreement.term_from)
    out = excluded(rule((*own, *given), agreement.maintenance, zone, one.endpoint.id))
    start = (first_k + np.arange(count)) * CELL
    interval = start // step * step
    inside = covered_ns(out, interval, step) == step
    away = inside | (covered_ns(scheduled, interval, step) == 0)
    return covered_ns(scheduled, start, CELL).tolist(), inside.tolist(), away.tolist()


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kolkata"]),
    st.sampled_from([Hours(), OFFICE]),
    st.integers(0, 7 * 1440 // 15),
    st.lists(st.tuples(st.integers(0, 9000), st.integers(1, 500), st.sampled_from([None, "e1"])), max_size=3),
)
def test_every_cell_is_what_the_settlement_says(
    zone: str, hours: Hours, quarter: int, spans: list[tuple[int, int, str | None]]
) -> None:
    five = UptimeRule(interval_ns=300 * SECOND)
    fleet = fleet_of(zone, hours, UptimeRule(), five, UptimeRule(), five)
    given = tuple(
        Exclusion(f"x{n}", name, (SPRING + a) * CELL + 7, (SPRING + a + b) * CELL, "no_access")
        for n, (a, b, name) in enumerate(spans)
    )
    duty, first = Duty(fleet, {"a": given}), SPRING + quarter * 15
    for place in range(4):
        share, inside, away = truth(fleet, place, given, first, 120)
        cells = [duty.at(k) for k in range(first, first + 120)]
        assert [int(here.share_ns[place]) for here in cells] == share
        assert [bool(here.excluded[place]) for here in cells] == inside
        assert [bool(here.away[place]) for here in cells] == away
        counts, out = duty.spent(first, first + 120)
        assert int(counts[place]) == sum(s for s, x in zip(share, inside, strict=True) if not x)
        assert int(out[place]) == sum(s for s, x in zip(share, inside, strict=True) if x)


def test_probes_due_without_a_record_are_counted_interval_by_interval() -> None:
    fleet = fleet_of("UTC", OFFICE, UptimeRule(interval_ns=300 * SECOND), maintenance=Maintenance())
    duty, day = Duty(fleet, {}), SPRING  # a Friday
    places, every = np.zeros(1, np.int64), np.array([7 * SECOND])
    # 08:07 lies in 08:05 to 08:10: of that interval 180 s are due, then 300 s of each
    assert duty.due(places, every, day, day + 8 * 60 + 20).tolist() == [180 // 7 + 2 * (300 // 7)]
    # recorded from 08:08 on: 60 of those 180 s are left
    assert duty.due(places, every, day, day + 8 * 60 + 8).tolist() == [60 // 7]
    assert duty.due(places, every, day + 8 * 60 + 12, day + 8 * 60 + 15).tolist() == [180 // 7]


def test_where_everything_counts_nothing_is_worked_out() -> None:
    fleet = Roster().lay_out(plan(3), 0)
    duty = Duty(fleet, {})
    assert duty.at(SPRING) is duty.at(SPRING + 100_000)
    assert not duty.at(SPRING).any_away
    assert duty.edges(SPRING, SPRING + 5000) == []


def test_the_edges_are_where_packets_begin_or_cease_to_count() -> None:
    fleet = fleet_of("UTC", OFFICE, UptimeRule(), maintenance=Maintenance())
    assert Duty(fleet, {}).edges(SPRING, SPRING + 1440) == [SPRING + 8 * 60 + 7, SPRING + 18 * 60]


def test_other_exclusions_make_another_duty_and_leave_this_one_alone() -> None:
    fleet = Roster().lay_out(plan(2), 0)
    before = Duty(fleet, {})
    whole = (Exclusion("x", "e1", SPRING * CELL, (SPRING + 60) * CELL, "force_majeure"),)
    after = before.amended("a", whole)
    assert after.at(SPRING).excluded.tolist() == [False, True]
    assert before.at(SPRING).excluded.tolist() == [False, False]
    assert [after.differs(before, place) for place in range(2)] == [True, True]


@pytest.mark.parametrize("cause", ["waiting_for_customer", "no_access"])
def test_waiting_stops_clocks_and_excuses_nothing(cause: str) -> None:
    fleet = Roster().lay_out(plan(1), 0)
    begin, end = instant_ns(datetime(2026, 3, 31, 23, tzinfo=UTC)), instant_ns(datetime(2026, 4, 1, 2, tzinfo=UTC))
    duty = Duty(fleet, {"a": (Exclusion("x", None, begin, end, cause),)})
    assert duty.at(begin // CELL).excluded.tolist() == [cause == "no_access"]
    assert duty.stopped(0, begin - 1, end + 1).tolist() == [[begin, end]], "also over the edge of a month"


def test_excluded_tells_of_many_cells_what_at_tells_of_one() -> None:
    agreed = {"a": (Exclusion("x", "e1", 90 * CELL, 150 * CELL, "force_majeure"),)}
    duty = Duty(Roster().lay_out(plan(3), 0), agreed)
    found = duty.excluded(np.array([2, 1]), 50, 200)
    assert found.tolist() == [duty.at(k).excluded[[2, 1]].tolist() for k in range(50, 200)]
    assert np.flatnonzero(found[:, 1]).tolist() == list(range(40, 100))
    assert not found[:, 0].any()
