import numpy as np

from netsla.model import SECOND, Outcome
from netsla.sla.engine import Engine
from netsla.sla.fleet import Roster
from netsla.sla.waiting import Waiting
from tests.sla.builders import latency_objective, plan, samples

MINUTE = 60 * SECOND
START = 1_000_000 * MINUTE


def test_what_waits_is_counted_as_the_engine_counts_it() -> None:
    fleet = Roster().lay_out(plan(2, objectives=(latency_objective(),)), START)
    engine, waiting = Engine(), Waiting(fleet, ())
    engine.load(fleet, START)
    fates = [Outcome.ANSWERED, Outcome.LOST, Outcome.DUPLICATE, Outcome.UNMEASURED, Outcome.ANSWERED]
    given = [
        [samples([0, 1], [fate, Outcome.ANSWERED], 10.0 + number, START + number * 20 * SECOND, number, 0)]
        for number, fate in enumerate(fates)
    ]
    for batches in given:
        waiting.count(batches)
        engine.count(batches)
    waiting.count([])
    assert waiting.batches() == [batch for batches in given for batch in batches]
    mine, its = waiting.cells(), engine.open_cells()
    assert [cell.k for cell in mine] == [cell.k for cell in its] == [1_000_000, 1_000_001]
    for one, other in zip(mine, its, strict=True):
        for name in ("matrix", "rtt_min_us", "rtt_max_us", "standing", "reason"):
            assert np.array_equal(getattr(one, name), getattr(other, name)), name
        assert np.array_equal(one.spectrum.keys, other.spectrum.keys)


def test_what_the_last_agent_left_open_is_kept_too() -> None:
    fleet = Roster().lay_out(plan(1), START)
    first = Waiting(fleet, ())
    first.count([samples([0], [Outcome.ANSWERED], 10.0, START, 0, 0)])
    second = Waiting(fleet, first.cells())
    for at in (START + SECOND, START + MINUTE):
        second.count([samples([0], [Outcome.LOST], 10.0, at, 1, 0)])
    assert [(cell.k, cell.matrix[:2, 0].tolist()) for cell in second.cells()] == [
        (1_000_000, [2, 1]),
        (1_000_001, [1, 0]),
    ]
    assert len(second.batches()) == 2
