"""Live verdicts on time are those of the settlement, account by account."""

from dataclasses import replace

import numpy as np
import pytest

from netsla.model import SECOND, Hours, Measurement, Metric, Objective
from netsla.sla.accounting import Account
from netsla.sla.accounts import Accounts
from netsla.sla.duty import Duty
from netsla.sla.fleet import Roster
from netsla.sla.marks import DOWN, EXCLUDED, UNDECIDED, UNKNOWN, UP
from netsla.sla.objective import BREACHED, INSUFFICIENT, MET, NO_DATA, Verdicts, arrange
from netsla.sla.promise import judge_account
from netsla.sla.timely import judge_time
from netsla.sla.window import Window
from tests.sla.builders import MONTH, plan, ratio_objective

UPTIME = ratio_objective(Metric.UPTIME, "99.9", MONTH)
DAYS_30 = 2_592_000


def verdict(
    objective: Objective, measurement: Measurement = Measurement(), hours: Hours = Hours(), **seconds: int  # noqa: B008 - frozen
) -> Verdicts:  # fmt: skip
    """The verdict on an account of so many seconds."""
    fleet = Roster().lay_out(plan(objectives=(objective,), measurement=measurement, hours=hours), 0)
    accounts = Accounts()
    accounts.load(fleet, Duty(fleet, {}), 0)
    codes = {"up": UP, "down": DOWN, "unknown": UNKNOWN, "excluded": EXCLUDED, "undecided": UNDECIDED}
    for name, value in seconds.items():
        accounts._books["month"][codes[name], 0] = value * SECOND
    accounts._period["month"][0] = DAYS_30
    out = Verdicts.blank(fleet.numbers)
    judge_time(arrange(fleet, {name: Window(span, 9) for name, span in fleet.windows.items()})[0], accounts, out)
    return out


@pytest.mark.parametrize(
    ("percent", "down", "standing"), [("99.99", 259, MET), ("99.99", 260, BREACHED), ("100", 1, BREACHED)]
)
def test_uptime_of_a_30_day_month_is_judged_exactly(percent: str, down: int, standing: int) -> None:
    objective = ratio_objective(Metric.UPTIME, percent, MONTH)
    assert verdict(objective, up=DAYS_30 - down, down=down).standing[0] == standing


@pytest.mark.parametrize(
    ("percent", "standing", "conclusive"), [("99.9", MET, False), ("99.99", BREACHED, True), ("99", MET, True)]
)
def test_unknown_time_grades_the_evidence_and_not_the_verdict(percent: str, standing: int, conclusive: bool) -> None:
    """SLA section 6: unknown 21,600 s, down 1,200 s, 30 d."""
    objective = ratio_objective(Metric.UPTIME, percent, MONTH)
    out = verdict(objective, up=DAYS_30 - 21_600 - 1_200, down=1_200, unknown=21_600)
    assert (out.standing[0], bool(out.conclusive[0])) == (standing, conclusive)
    assert out.value[0] == pytest.approx(0.99953315, abs=5e-9)
    assert out.low[0] == pytest.approx(0.99120370, abs=5e-9)
    assert out.high[0] == pytest.approx(0.99953704, abs=5e-9)
    assert out.coverage[0] == pytest.approx(0.991667, abs=5e-7)


def test_too_little_coverage_speaks_for_nobody_unless_even_the_best_case_is_a_breach() -> None:
    assert verdict(UPTIME, up=90, unknown=10).standing[0] == INSUFFICIENT
    assert verdict(UPTIME, up=90, undecided=10).standing[0] == INSUFFICIENT
    assert verdict(UPTIME, up=80, down=10, unknown=10).standing[0] == BREACHED
    assert verdict(UPTIME, unknown=100).standing[0] == NO_DATA
    assert np.isnan(verdict(UPTIME, unknown=100).value[0])


@pytest.mark.parametrize(("how", "standing"), [("exclude", MET), ("up", MET), ("down", BREACHED)])
def test_the_contract_says_what_unknown_time_is(how: str, standing: int) -> None:
    assert verdict(UPTIME, Measurement(unknown=how), up=9_900, unknown=100).standing[0] == standing


@pytest.mark.parametrize("mode", ["remove", "count_as_up"])
@pytest.mark.parametrize("fixed", [None, 43_200 * 60 * SECOND])
def test_every_way_of_accounting_is_that_of_the_settlement(mode: str, fixed: int | None) -> None:
    how = Measurement(exclusions=mode, fixed_denominator_ns=fixed)
    out = verdict(UPTIME, how, up=2_570_000, down=1_800, unknown=4_000, excluded=7_200)
    time = Account(7_200 * SECOND, 4_000 * SECOND, 1_800 * SECOND, 2_570_000 * SECOND)
    figure = judge_account(UPTIME, time, how)
    assert figure.value is not None
    assert figure.low is not None
    assert (out.value[0], out.low[0]) == (float(figure.value), float(figure.low))


def test_the_error_budget_is_spent_by_down_time() -> None:
    assert verdict(UPTIME, up=864_000, down=1296).budget[0] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("how", "left"),
    [
        (Measurement(), 1 - 1296 / (0.001 * (DAYS_30 - 4_000 - 7_200))),
        (Measurement(unknown="down", exclusions="count_as_up"), 1 - 5296 / (0.001 * DAYS_30)),
        (Measurement(fixed_denominator_ns=43_200 * 60 * SECOND), 0.5),
        (Measurement(fixed_denominator_ns=21_600 * 60 * SECOND), 0.0),
    ],
)
def test_the_error_budget_is_a_share_of_what_the_verdict_is_a_share_of(how: Measurement, left: float) -> None:
    out = verdict(UPTIME, how, up=864_000, down=1296, unknown=4_000, excluded=7_200)
    assert out.budget[0] == pytest.approx(left)


@pytest.mark.parametrize(("weekly", "left"), [((), 0.5), (tuple((day, 0, 720) for day in range(7)), 0.0)])
def test_the_error_budget_is_of_the_service_hours(weekly: tuple[tuple[int, int, int], ...], left: float) -> None:
    out = verdict(UPTIME, hours=Hours(weekly), up=864_000, down=1296)
    assert out.budget[0] == pytest.approx(left)


def test_a_month_without_an_outage_keeps_the_promise_to_repair() -> None:
    repair = replace(UPTIME, metric=Metric.TIME_TO_REPAIR)
    assert verdict(repair, up=100).standing[0] == MET
    assert verdict(repair, up=90, unknown=10).standing[0] == INSUFFICIENT
    assert verdict(repair, unknown=10).standing[0] == NO_DATA
