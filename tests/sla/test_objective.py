from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from netsla.model import Measurement, Metric, Objective, Plan
from netsla.sla.fleet import Roster
from netsla.sla.objective import (
    BREACHED,
    INSUFFICIENT,
    MET,
    NO_DATA,
    Availability,
    Verdicts,
    arrange,
    judge,
    read_percentiles,
    wilson,
)
from netsla.sla.tally import Column, Spectrum
from netsla.sla.window import Window
from tests.sla.builders import FIVE, MONTH, latency_objective, plan, ratio_objective


def verdict(objective: Objective, period: int = 2_592_000, first: Plan | None = None, **figures: int) -> Verdicts:
    """The verdict on one endpoint's window (or time) holding these figures."""
    fleet = Roster().lay_out(first or plan(objectives=(objective,)), 0)
    columns = Column.LE + len(fleet.thresholds_us)
    windows = {name: Window(span, columns) for name, span in fleet.windows.items()}
    for name, window in windows.items():
        window.cover(fleet.window_rows[name], fleet.fresh_rows, fleet.rows, columns, 0)
    up, down, unknown = (np.array([figures.pop(key, 0)]) for key in ("up", "down", "unknown"))
    time = Availability(up, down, unknown, np.array([period]))
    matrix = np.zeros((columns, 1), np.int64)
    for name, value in figures.items():
        matrix[Column[name.upper()], 0] = value
    window = windows[objective.window.name]
    window.add(0, matrix, Spectrum.of(np.empty(0, np.int64)))
    out = Verdicts.blank(fleet.numbers)
    for bench in arrange(fleet, windows):
        judge(bench, windows[bench.window], time, out)
        read_percentiles(bench, windows[bench.window], out)
    return out


def with_measurement(objective: Objective, **how: object) -> Plan:
    measurement = replace(Measurement(), **how)  # type: ignore[arg-type]  # keys are Measurement's own
    return plan(objectives=(objective,), measurement=measurement)


UPTIME = ratio_objective(Metric.UPTIME, "99.9", MONTH)


@pytest.mark.parametrize(
    ("percent", "down", "standing"), [("99.99", 259, MET), ("99.99", 260, BREACHED), ("100", 1, BREACHED)]
)
def test_uptime_of_a_30_day_month_is_judged_exactly(percent: str, down: int, standing: int) -> None:
    objective = ratio_objective(Metric.UPTIME, percent, MONTH)
    assert verdict(objective, up=2_592_000 - down, down=down).standing[0] == standing


@pytest.mark.parametrize(
    ("percent", "standing", "conclusive"), [("99.9", MET, False), ("99.99", BREACHED, True), ("99", MET, True)]
)
def test_unknown_time_grades_the_evidence_and_not_the_verdict(percent: str, standing: int, conclusive: bool) -> None:
    """SLA section 6: unknown 21,600 s, down 1,200 s, 30 d."""
    objective = ratio_objective(Metric.UPTIME, percent, MONTH)
    out = verdict(objective, up=2_592_000 - 21_600 - 1_200, down=1_200, unknown=21_600)
    assert (out.standing[0], bool(out.conclusive[0])) == (standing, conclusive)
    assert out.value[0] == pytest.approx(0.99953315, abs=5e-9)
    assert out.low[0] == pytest.approx(0.99120370, abs=5e-9)
    assert out.high[0] == pytest.approx(0.99953704, abs=5e-9)
    assert out.coverage[0] == pytest.approx(0.991667, abs=5e-7)


def test_too_little_coverage_speaks_for_nobody_unless_even_the_best_case_is_a_breach() -> None:
    assert verdict(UPTIME, up=90, unknown=10).standing[0] == INSUFFICIENT
    assert verdict(UPTIME, up=80, down=10, unknown=10).standing[0] == BREACHED
    assert verdict(UPTIME, unknown=100).standing[0] == NO_DATA
    delivery = ratio_objective(percent="99")
    assert verdict(delivery, sent=90, received=90, unmeasured=10).standing[0] == INSUFFICIENT
    assert verdict(delivery, sent=90, received=80, unmeasured=10).standing[0] == BREACHED
    assert verdict(delivery, unmeasured=10).standing[0] == NO_DATA


@pytest.mark.parametrize(("how", "standing"), [("exclude", MET), ("up", MET), ("down", BREACHED)])
def test_the_contract_says_what_unknown_time_is(how: str, standing: int) -> None:
    first = with_measurement(UPTIME, unknown=how)
    assert verdict(UPTIME, first=first, up=9_900, unknown=100).standing[0] == standing


def test_a_mean_is_pooled_and_compared_unrounded() -> None:
    objective = latency_objective("mean", 50)
    assert verdict(objective, sent=3, received=3, rtt_sum=150_000).standing[0] == MET
    out = verdict(objective, sent=3, received=3, rtt_sum=150_001)
    assert out.standing[0] == BREACHED
    assert out.value[0] > 0.050


def test_a_percentile_with_lost_probes_counted_as_infinite() -> None:
    """SLA section 1: excluded by default, `infinite` per agreement."""
    objective = latency_objective("p95", 50)
    assert verdict(objective, sent=100, received=94, le=94).standing[0] == MET
    first = with_measurement(objective, percentile_lost="infinite")
    assert verdict(objective, first=first, sent=100, received=94, le=94).standing[0] == BREACHED
    assert verdict(objective, sent=10).standing[0] == NO_DATA


@pytest.mark.parametrize(("statistic", "le", "standing"), [("max", 99, BREACHED), ("max", 100, MET), ("min", 1, MET)])
def test_extremes_are_exact_percentiles(statistic: str, le: int, standing: int) -> None:
    assert verdict(latency_objective(statistic, 50), sent=100, received=100, le=le).standing[0] == standing


def test_jitter_is_the_mean_of_its_pairs() -> None:
    objective = replace(latency_objective("mean", 10), metric=Metric.JITTER, statistic="")
    assert verdict(objective, sent=9, received=9, jitter_sum=40_000, jitter_pairs=4).standing[0] == MET
    assert verdict(objective, sent=9, received=9, jitter_sum=40_001, jitter_pairs=4).standing[0] == BREACHED
    assert verdict(objective, sent=9, received=9).standing[0] == NO_DATA


@pytest.mark.parametrize(
    ("lost", "total", "low", "high"),
    [(0, 10, 0, 0.2775), (1, 100, 0.00177, 0.05449), (3, 3000, 0.000340, 0.002936)],
)
def test_wilson_bounds_of_the_worked_examples(lost: int, total: int, low: float, high: float) -> None:
    bounds = wilson(np.array([lost]), np.array([total]))
    assert [bound[0] for bound in bounds] == [pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5)]


def test_delivery_shows_its_wilson_bounds_and_is_conclusive_outside_them() -> None:
    out = verdict(ratio_objective(percent="99"), sent=300, received=299)
    assert (out.low[0], out.high[0]) == (pytest.approx(0.9814, abs=1e-4), pytest.approx(0.9994, abs=1e-4))
    assert not out.conclusive[0]
    assert verdict(ratio_objective(percent="90"), sent=300, received=299).conclusive[0]


def test_the_error_budget_is_whole_without_loss_and_overdrawn_after_a_breach() -> None:
    delivery = ratio_objective(percent="99")
    assert verdict(delivery, sent=1000, received=1000).budget[0] == 1
    assert verdict(delivery, sent=1000, received=995).budget[0] == pytest.approx(0.5)
    assert verdict(delivery, sent=1000, received=980).budget[0] == pytest.approx(-1)
    assert verdict(UPTIME, up=864_000, down=1296).budget[0] == pytest.approx(0.5)


def test_a_target_is_a_fraction_and_no_float() -> None:
    tight = replace(ratio_objective(), target=replace(ratio_objective().target, value=Fraction(999_999, 1_000_000)))
    assert tight.window == FIVE
    assert verdict(tight, sent=7_776_000, received=7_776_000 - 7).standing[0] == MET
    assert verdict(tight, sent=7_776_000, received=7_776_000 - 8).standing[0] == BREACHED
