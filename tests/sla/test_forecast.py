"""Promises about to be broken, driven through the whole engine by a given `now` (SLA R19).

START is 2026-09-21T13:34Z, the month's end 812,760 s ahead. 99.99 % of its 2,592,000 s allows 259.2 s of down time.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from netsla.model import SECOND, Clear, Metric, Objective, Reaction, UptimeRule
from netsla.sla.alerts import Change
from netsla.sla.burn import projected
from netsla.sla.exclusion import Exclusion
from netsla.sla.forecast import Forecast, Heading
from netsla.sla.own import MASS
from tests.sla.builders import FIVE, MINUTE, MONTH, START, plan, ratio_objective
from tests.sla.test_engine import Drive
from tests.sla.test_resume import resumed_from

RULE = UptimeRule("", "interval", 1, 0, MINUTE)
WEEK = 604_800 * SECOND
PROMISE = ratio_objective(Metric.UPTIME, "99.99", MONTH)


def forecast(below: Fraction = Fraction(9, 10), percent: str = "99.99", **more: object) -> Objective:
    promise = ratio_objective(Metric.UPTIME, percent, MONTH)
    return replace(promise, reaction=Reaction("forecast", clear=Clear(below=below), **more))  # type: ignore[arg-type]  # keys are Reaction's own


def drive(*objectives: Objective, endpoints: int = 1, good: int = 30) -> Drive:
    found = Drive(plan(endpoints, objectives=objectives or (forecast(),), rule=RULE))
    for _ in range(good):
        found.minute()
    found.settle()
    found.engine.changes()
    return found


def told(found: Drive, *lost: int) -> list[Change]:
    """Minutes with so many losses, and what was told of them."""
    for one in lost:
        found.minute(one)
    found.settle()
    return found.engine.changes()


def jump(found: Drive, minutes: int) -> list[Change]:
    """So many minutes after START, of which nothing is known since."""
    found.slot += (START + minutes * MINUTE - found.now) // SECOND
    found.now = START + minutes * MINUTE
    found.settle()
    return found.engine.changes()


def heading(found: Drive, number: int = 0) -> Heading:
    forecast_ = found.engine.early._forecast
    forecast_.look(found.engine.accounts)
    return forecast_.heading(number)


def test_it_opens_before_the_promise_is_broken_and_says_what_it_expects() -> None:
    """31 minutes: 60 + 60 * 810,900 / 604,800 = 140.4 s. 32: 120 + 120 * 810,840 / 604,800 = 280.9 s > 259.2 s."""
    found = drive()
    assert told(found, 60) == []
    (opened,) = told(found, 60)
    assert (opened.kind, opened.told, opened.onset_ns) == ("opened", True, START + 30 * MINUTE)
    assert opened.details == {
        "projected_down_seconds": 281, "down_seconds": 120, "budget_seconds": 259, "budget_spent_percent": 46,
    }  # fmt: skip
    assert found.standing() != "breached"
    assert heading(found).down == 120 * SECOND


def test_it_ends_once_the_projection_is_back_under_nine_tenths_of_the_budget() -> None:
    """120 + 120 * r / 604,800 <= 233.28 s from r = 570,931.2 s on: between 4,030 and 4,031 minutes after START."""
    found = drive()
    assert [one.kind for one in told(found, 60, 60)] == ["opened"]
    assert jump(found, 3_700) == [], "it is under the budget since minute 1,845, but not yet under nine tenths of it"
    assert jump(found, 4_030) == []
    (closed,) = jump(found, 4_031)
    assert (closed.kind, closed.onset_ns, closed.ended_ns) == ("closed", START + 30 * MINUTE, closed.now_ns)
    assert closed.details["projected_down_seconds"] == 234


def test_the_share_that_clears_it_is_the_configurations() -> None:
    """120 + 120 * r / 604,800 <= 259.2 s from r = 701,568 s on: 1,853.2 minutes after START."""
    found = drive(forecast(below=Fraction(1)))
    told(found, 60, 60)
    assert jump(found, 1_853) == []
    assert [one.kind for one in jump(found, 1_854)] == ["closed"]


def test_a_promise_that_is_broken_already_stays_open_until_the_next_period() -> None:
    found = drive()
    assert [one.kind for one in told(found, *[60] * 5)] == ["opened"]
    assert [one.kind for one in jump(found, 13_545)] == ["updated"], "five minutes are more than the month allows"
    (closed,) = jump(found, 13_548)
    assert (closed.kind, heading(found).down, heading(found).week) == ("closed", 0, 0)


def test_without_down_time_there_is_nothing_to_expect() -> None:
    found = drive()
    assert jump(found, 5_000) == []
    assert heading(found).details["projected_down_seconds"] == 0


def test_one_day_after_the_other_may_use_its_budget_to_the_second() -> None:
    """A projection of exactly the budget is met; one nanosecond more breaks the target."""
    even = Heading(120 * SECOND, 60 * SECOND, WEEK, 180 * 100 * SECOND, Fraction(99, 100))
    assert even.details["projected_down_seconds"] == even.details["budget_seconds"] == 180
    found = drive(forecast(percent="99.99"))
    watch = found.engine.early._forecast
    for more, over in ((0, False), (1, True)):
        watch.look(found.engine.accounts)
        budget = 2_592_000 * SECOND // 10_000
        watch._figures[:, 0] = budget - 7 * SECOND + more, 7 * SECOND, WEEK, 2_592_000 * SECOND
        watch._over[:] = False
        watch._judge()
        assert bool(watch._over[0]) is over
        assert (projected(budget - 7 * SECOND + more, 7 * SECOND, WEEK, WEEK) > budget) is over


def test_what_turns_out_excluded_ends_it() -> None:
    found = drive()
    told(found, 60, 60)
    began = START + 30 * MINUTE
    work = Exclusion("m1", None, began, began + 2 * MINUTE, "maintenance", announced_ns=0, agreed=True)
    found.engine.exclude("a", (work,), found.now)
    assert [one.kind for one in jump(found, 33)] == ["closed"]
    assert (heading(found).down, heading(found).week) == (0, 0)


def test_down_time_leaves_the_week_after_a_week() -> None:
    found = drive()
    told(found, 60, 60)
    jump(found, 30 + 10_080)
    assert heading(found).week == 120 * SECOND
    jump(found, 31 + 10_080)
    assert (heading(found).week, heading(found).down) == (60 * SECOND, 120 * SECOND)
    jump(found, 32 + 10_080)
    assert heading(found).week == 0


def test_a_reload_that_begins_to_look_ahead_knows_the_week_before() -> None:
    found = drive(PROMISE)
    assert told(found, 60, 60) == []
    assert not found.engine.early._forecast.any
    found.load(plan(1, objectives=(forecast(),), rule=RULE))
    assert [one.kind for one in jump(found, 33)] == ["opened"]
    assert heading(found, 1).week == 120 * SECOND


def test_a_restart_brings_it_back_from_the_record() -> None:
    made = plan(1, objectives=(forecast(),), rule=RULE)
    again = resumed_from(made, [0] * 30 + [60, 60])
    assert [one.kind for one in jump(again, 33)] == ["opened"]
    assert (heading(again).down, heading(again).week) == (120 * SECOND, 120 * SECOND)


def test_a_mass_failure_is_still_one_alert_when_its_last_interval_closes_after_its_end() -> None:
    """PEERS 20. All down for two minutes; time is booked seconds after they are up again."""
    found = drive(forecast(), ratio_objective(window=FIVE), endpoints=5)
    for number in range(240):
        found.second(1 if number < 120 else 0)
        found.engine.step(found.now)
    changes = found.engine.changes()
    assert [(one.kind, one.name) for one in changes if one.told] == [("opened", MASS), ("closed", MASS)]
    assert {one.cause for one in changes if not one.told} == {MASS}
    assert len([one for one in changes if one.details.get("projected_down_seconds")]) == 5


def test_the_share_of_scheduled_time_is_what_the_contract_schedules() -> None:
    found = drive()
    assert heading(found).scheduled == 2_592_000 * SECOND
    assert heading(found).remaining == (812_760 - 30 * 60) * SECOND


@pytest.mark.parametrize("endpoints", [1, 3])
def test_those_that_do_not_ask_cost_nothing(endpoints: int) -> None:
    quiet = Forecast()
    quiet.load(Drive(plan(endpoints, objectives=(PROMISE,))).fleet)
    assert not quiet.any
