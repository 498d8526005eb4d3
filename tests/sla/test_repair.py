from __future__ import annotations

from fractions import Fraction

from netsla.model import Bound, Standing
from netsla.sla.repair import figure_ns, mean_ns, repair_ns, repair_verdict
from netsla.sla.spans import spans
from tests.sla.contracts import HOUR, MINUTE

FOUR_HOURS = Bound(False, Fraction(4 * HOUR), "<= 4h")


def test_the_clock_stops_for_the_customer() -> None:
    waiting = spans([(10 * MINUTE, 20 * MINUTE), (50 * MINUTE, 90 * MINUTE)])
    assert repair_ns(0, 60 * MINUTE, waiting) == 40 * MINUTE
    assert repair_ns(0, 60 * MINUTE, spans([])) == HOUR


def test_mean_and_longest() -> None:
    repairs = [HOUR, 2 * HOUR, 6 * HOUR]
    assert mean_ns(repairs) == 3 * HOUR
    assert figure_ns(repairs, "") == 6 * HOUR
    assert repair_verdict(repairs, "mean", FOUR_HOURS).standing is Standing.MET
    assert repair_verdict(repairs, "", FOUR_HOURS).standing is Standing.BREACHED


def test_no_incident_is_met_and_has_no_figure() -> None:
    assert mean_ns([]) is None
    assert repair_verdict([], "mean", FOUR_HOURS).standing is Standing.MET


def test_what_is_still_open_is_not_conclusive_until_it_is_too_long() -> None:
    assert not repair_verdict([HOUR], "", FOUR_HOURS, complete=False).conclusive
    assert repair_verdict([5 * HOUR], "", FOUR_HOURS, complete=False).conclusive
    assert not repair_verdict([5 * HOUR], "mean", FOUR_HOURS, complete=False).conclusive
