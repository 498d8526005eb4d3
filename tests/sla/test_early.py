"""One answer for everything that alerts before a verdict does."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from netsla.model import Metric, Reaction
from netsla.sla.early import Lookout
from tests.sla.builders import MONTH, plan, ratio_objective
from tests.sla.test_engine import Drive
from tests.sla.test_forecast import drive, forecast, told

BURN = replace(ratio_objective(Metric.UPTIME, "99.99", MONTH), id="burn", reaction=Reaction("burn", 2))


def test_nobody_asks() -> None:
    found = Drive(plan(1, objectives=(ratio_objective(Metric.UPTIME, "99", MONTH),)))
    quiet = Lookout()
    quiet.load(found.fleet)
    assert quiet.look(found.fleet.numbers, found.engine.accounts) is None


def test_each_reaction_has_its_own_judgement() -> None:
    """One bad minute: 140.4 s are ahead of 233.3 s (nine tenths of 259.2 s), the burn rule needs two. Two: both."""
    found = drive(forecast(), BURN)
    told(found, 60)
    early = found.engine.early.look(2, found.engine.accounts)
    assert early is not None
    assert (early.bad.tolist(), early.known.tolist()) == ([False, False], [True, True])
    assert sorted((one.kind, one.number) for one in told(found, 60)) == [("opened", 0), ("opened", 1)]


def test_between_the_target_and_what_clears_it_nothing_counts() -> None:
    """140.4 s are ahead after one bad minute: less than 259.2 s, more than half of it."""
    found = drive(forecast(below=Fraction(1, 2)))
    told(found, 60)
    early = found.engine.early.look(1, found.engine.accounts)
    assert early is not None
    assert (early.bad.tolist(), early.known.tolist()) == ([False], [False])
