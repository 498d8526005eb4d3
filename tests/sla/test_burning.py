"""Error budgets that burn too fast, driven through the whole engine (SLA R19 and section 6)."""

from __future__ import annotations

from dataclasses import replace

from netsla.model import SECOND, Metric, Reaction, UptimeRule
from netsla.sla.burning import Burning
from tests.sla.builders import MONTH, plan, ratio_objective
from tests.sla.test_engine import Drive

RULE = UptimeRule("", "interval", 1, 0, 60 * SECOND)
OBJECTIVE = replace(ratio_objective(Metric.UPTIME, "99.9", MONTH), reaction=Reaction("burn", 2))


def drive() -> Drive:
    found = Drive(plan(1, objectives=(OBJECTIVE,), rule=RULE))
    for _ in range(90):
        found.minute()
    found.settle()
    found.engine.changes()
    return found


def told(found: Drive, *lost: int) -> list[str]:
    """Minutes with so many losses, and what was told of them."""
    for one in lost:
        found.minute(one)
    found.settle()
    return [change.kind for change in found.engine.changes()]


def test_one_bad_minute_is_silent_the_second_pages_once_and_it_ends_when_the_short_window_has_forgotten() -> None:
    """Of 60 minutes one bad is 1.67 %, over 14.4 times 0.1 %, in both windows: two bad ones are needed all the same."""
    found = drive()
    assert told(found, 60, 0, 0) == []
    assert told(found, 60) == ["opened"]
    assert told(found, *[60] * 3) == [], "it is told once"
    assert told(found, *[0] * 4) == [], "a bad minute is still among the last five"
    assert set(told(found, *[0] * 40)) <= {"closed"}, "then at most its end"


def test_a_verdict_alone_does_not_alert_where_the_budget_is_asked() -> None:
    found = drive()
    assert told(found, 60) == []
    assert found.standing() in ("breached", "insufficient_data")


def test_unknown_minutes_count_neither_as_bad_nor_as_good() -> None:
    found = drive()
    found.now += 10 * 60 * SECOND
    found.slot += 600
    assert told(found, 60, 60) == ["opened"]


def test_objectives_that_do_not_ask_cost_nothing() -> None:
    quiet = Burning()
    quiet.load(Drive(plan(3, objectives=(ratio_objective(Metric.UPTIME, "99", MONTH),))).fleet)
    assert not quiet.any


def test_a_reload_keeps_what_was_counted() -> None:
    found = drive()
    assert told(found, 60) == []
    found.load(plan(2, objectives=(OBJECTIVE,), rule=RULE))
    assert told(found, 60) == ["opened"]
