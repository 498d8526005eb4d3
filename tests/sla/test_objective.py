from dataclasses import replace
from fractions import Fraction

import pytest

from netsla.model import Measurement, Metric, Objective, Plan
from netsla.sla.fleet import Roster
from netsla.sla.objective import (
    BREACHED,
    INSUFFICIENT,
    MET,
    NO_DATA,
    Verdicts,
    arrange,
    judge,
    read_percentiles,
)
from netsla.sla.tally import Column
from netsla.sla.window import Window
from tests.sla.builders import FIVE, MONTH, PING, latency_objective, plan, ratio_objective


def verdict(objective: Objective, first: Plan | None = None, missing: int = 0, **figures: int) -> Verdicts:
    """The verdict on one endpoint's window holding these figures; those of `away_…` and `down_…` are left out."""
    fleet = Roster().lay_out(first or plan(objectives=(objective,)), 0)
    columns = Column.LE + len(fleet.thresholds_us)
    windows = {name: Window(span, columns) for name, span in fleet.windows.items()}
    for name, window in windows.items():
        window.cover(fleet.window_rows[name], fleet.fresh_rows, fleet.rows, columns, 0)
    window = windows[objective.window.name]
    for table in ("matrix", "away", "down"):
        prefix = "" if table == "matrix" else f"{table}_"
        for column in list(Column)[:columns]:
            getattr(window, table)[column, 0] = figures.pop(prefix + column.name.lower(), 0)
    assert not figures
    window.missing[0], window.any_away = missing, True
    out = Verdicts.blank(fleet.numbers)
    for bench in arrange(fleet, windows):
        judge(bench, windows[bench.window], out)
        read_percentiles(bench, windows[bench.window], out)
    return out


def with_measurement(objective: Objective, **how: object) -> Plan:
    measurement = replace(Measurement(), **how)  # type: ignore[arg-type]  # keys are Measurement's own
    return plan(objectives=(objective,), measurement=measurement)


def test_too_little_coverage_speaks_for_nobody_unless_even_the_best_case_is_a_breach() -> None:
    delivery = ratio_objective(percent="99")
    assert verdict(delivery, sent=90, received=90, unmeasured=10).standing[0] == INSUFFICIENT
    assert verdict(delivery, sent=90, received=80, unmeasured=10).standing[0] == BREACHED
    assert verdict(delivery, unmeasured=10).standing[0] == NO_DATA


def test_what_does_not_count_is_left_out_and_what_is_missing_lowers_coverage() -> None:
    delivery = ratio_objective(percent="99", window=MONTH)
    out = verdict(delivery, sent=300, received=200, away_sent=100, away_received=50, down_sent=100, down_received=50)
    assert (out.standing[0], out.value[0], out.coverage[0]) == (MET, 1.0, 1.0)
    both = verdict(ratio_objective(percent="99"), sent=300, received=200, away_sent=100, down_sent=100)
    assert both.value[0] == 200 / 200
    out = verdict(delivery, sent=90, received=90, missing=10)
    assert (out.standing[0], out.value[0], out.coverage[0]) == (INSUFFICIENT, 1.0, 0.9)


def test_endpoints_with_more_probes_and_with_fewer_are_judged_side_by_side() -> None:
    """Each by its own: the place that one has not is nobody's."""
    delivery = ratio_objective(percent="90")
    first = plan(2, (delivery,))
    two, one = first.agreements[0].endpoints
    two = replace(two, probes=(PING, replace(PING, name="other")))
    fleet = Roster().lay_out(replace(first, agreements=(replace(first.agreements[0], endpoints=(two, one)),)), 0)
    window = Window(FIVE, Column.LE)
    window.cover(fleet.window_rows["5m"], fleet.fresh_rows, fleet.rows, Column.LE, 0)
    window.matrix[Column.SENT, window.place[:3]] = [10, 10, 10]
    window.matrix[Column.RECEIVED, window.place[:3]] = [10, 9, 8]
    out = Verdicts.blank(fleet.numbers)
    for bench in arrange(fleet, {"5m": window}):
        judge(bench, window, out)
    assert {len(part.rows): (out.value[part.number], out.standing[part.number]) for part in fleet.objectives} == {
        2: (19 / 20, MET),
        1: (8 / 10, BREACHED),
    }


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


def test_a_target_is_a_fraction_and_no_float() -> None:
    tight = replace(ratio_objective(), target=replace(ratio_objective().target, value=Fraction(999_999, 1_000_000)))
    assert tight.window == FIVE
    assert verdict(tight, sent=7_776_000, received=7_776_000 - 7).standing[0] == MET
    assert verdict(tight, sent=7_776_000, received=7_776_000 - 8).standing[0] == BREACHED
