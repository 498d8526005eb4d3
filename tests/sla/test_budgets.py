"""Shares of an error budget that are told when they are spent, driven by a given `now` (SLA R19).

As in test_forecast.py: 259.2 s of down time are allowed; 180 s are 69 %, 240 s 92 %, 300 s 115 % of them.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from netsla.model import SECOND, Metric, Reaction
from netsla.sla.alerts import Change
from netsla.sla.budgets import Budgets, Warned
from netsla.sla.own import MASS
from tests.sla.builders import FIVE, MONTH, ratio_objective
from tests.sla.test_engine import Drive
from tests.sla.test_forecast import PROMISE, drive, forecast, jump, told

SHARES = (Fraction(1, 2), Fraction(3, 4), Fraction(1))
WARNING = replace(PROMISE, reaction=Reaction(budget=SHARES))
PERCENT = "budget_warning_percent"


def warned(found: Drive, *lost: int) -> list[Change]:
    """Minutes with so many losses; the warnings that were told."""
    return [one for one in told(found, *lost) if PERCENT in one.details]


def test_each_share_is_told_once() -> None:
    found = drive(WARNING)
    assert told(found, 60, 60) == []
    (half,) = warned(found, 60)
    assert (half.kind, half.told, half.details[PERCENT]) == ("updated", True, 50)
    assert (half.details["down_seconds"], half.details["budget_spent_percent"]) == (180, 69)
    assert [one.details[PERCENT] for one in warned(found, 60)] == [75]
    assert [one.details[PERCENT] for one in warned(found, 60)] == [100]
    assert warned(found, 60, 60, 0, 0) == []


def test_it_opens_nothing() -> None:
    """A share of a quarter is spent with the second bad minute, when nothing is breached yet."""
    found = drive(replace(PROMISE, reaction=Reaction(budget=(Fraction(1, 4),))))
    assert [one.kind for one in told(found, 60, 60)] == ["updated"]
    assert not found.engine.alerts.breaches


def test_of_several_at_once_the_highest() -> None:
    promise = replace(ratio_objective(Metric.UPTIME, "99.999", MONTH), reaction=Reaction(budget=SHARES))
    assert [one.details[PERCENT] for one in warned(drive(promise), 60)] == [100]


def test_the_next_period_begins_anew() -> None:
    found = drive(WARNING)
    assert len(warned(found, *[60] * 5)) == 3
    jump(found, 13_560)
    assert found.engine.alerts.budgets.of(0, found.now) is None
    assert [one.details[PERCENT] for one in warned(found, 60, 60, 60)] == [50]


def test_who_does_not_ask_hears_nothing() -> None:
    for promise in (forecast(), PROMISE):
        changes = told(drive(promise), *[60] * 5)
        assert [one.kind for one in changes] == ["opened"]
        assert PERCENT not in changes[0].details


def test_what_a_mass_failure_spends_is_recorded_and_not_told_of_each() -> None:
    """PEERS 20."""
    found = drive(WARNING, ratio_objective(window=FIVE), endpoints=5)
    for number in range(420):
        found.second(1 if number < 240 else 0)
        found.engine.step(found.now)
    quiet = [one for one in found.engine.changes() if PERCENT in one.details]
    assert len(quiet) == 10, "four minutes of each: the third spends half, the fourth three quarters"
    assert {(one.told, one.cause) for one in quiet} == {(False, MASS)}


def test_what_was_told_is_known_after_a_restart_and_forgotten_with_the_period() -> None:
    budgets = Budgets()
    budgets.cover(2)
    half = Warned(0.5, 50 * SECOND, 100 * SECOND)
    budgets.tell(1, half)
    assert budgets.of(1, 99 * SECOND) == half
    assert budgets.of(1, 100 * SECOND) is None
    assert budgets.of(0, 0) is None
    budgets.forget(1)
    assert budgets.of(1, 0) is None
