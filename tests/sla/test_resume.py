"""A restart, as the record tells it: what an engine that never stopped shows, an engine that resumed shows too."""

import numpy as np
import pytest

from netsla.model import SECOND, IntArray, Metric, Plan, Reason
from netsla.sla.interval import Cell
from netsla.sla.resume import Stood, Sum, resume
from netsla.sla.tally import Spectrum
from tests.sla.builders import HOUR, MINUTE, MONTH, ratio_objective, seconds
from tests.sla.builders import plan as make_plan
from tests.sla.test_engine import Drive

PLAN = make_plan(
    2,
    objectives=(
        ratio_objective(window=HOUR),
        ratio_objective(window=MONTH),
        ratio_objective(Metric.UPTIME, "99", HOUR),
        ratio_objective(Metric.UPTIME, "99", MONTH),
    ),
)


def lived(minutes: list[int], made: Plan = PLAN) -> tuple[Drive, list[Cell]]:
    """A drive through minutes with so many losses each, and the cells that it closed."""
    drive, cells = Drive(made), []
    for lost in minutes:
        for number in range(60):
            drive.second(1 if number < lost else 0)
        cells += drive.engine.step(drive.now)
    cells += drive.engine.step(drive.now + 4 * SECOND)
    return drive, cells


def resumed_from(made: Plan, minutes: list[int]) -> Drive:
    """An agent that goes on with what another left of this plan."""
    drive, cells = lived(minutes, made)
    return resumed(drive.now, cells, made)


def resumed(now_ns: int, cells: list[Cell], made: Plan = PLAN) -> Drive:
    by_k = {cell.k: cell.usable() for cell in cells}
    empty = (np.zeros_like(cells[0].matrix), Spectrum.merge([]))
    drive = Drive(made, now_ns, lambda k: by_k.get(k, empty))
    sums = [Sum(cell.k, 1, *cell.usable()) for cell in cells]
    stood = [Stood(cell.k, cell.standing, np.ones(len(cell.standing), bool)) for cell in cells]
    resume(drive.engine, drive.fleet, cells[-1].k, sums, stood)
    return drive


def figures(drive: Drive) -> list[list[float]]:
    shot = drive.look()
    windows = [
        [*w.sent, *w.received, *w.unmeasured, *np.nan_to_num(w.uptime, nan=-1), *np.nan_to_num(w.p95, nan=-1)]
        for w in shot.windows
    ]
    return [*windows, np.nan_to_num(shot.objectives.value, nan=-1).tolist(), shot.objectives.standing.tolist()]


@pytest.mark.parametrize("minutes", [[0] * 7, [0, 60, 60, 60, 0], [0, 30, 60, 60], [60] * 4, [0] * 70 + [60, 60, 0]])
def test_a_resumed_engine_shows_what_one_that_never_stopped_shows(minutes: list[int]) -> None:
    steady, cells = lived(minutes)
    again = resumed(steady.now, cells)
    for drive in (steady, again):
        drive.engine.step(drive.now + 4 * SECOND)
    assert figures(again) == figures(steady)
    for drive in (steady, again):
        drive.minute(lost=60)
        drive.minute()
        drive.settle()
    assert figures(again) == figures(steady)


def test_the_time_away_is_unknown_neither_up_nor_down_and_lowers_coverage() -> None:
    steady, cells = lived([0] * 10)
    away = resumed(steady.now + 30 * MINUTE, cells)
    away.engine.step(away.now + 4 * SECOND)
    time = seconds(away.engine.accounts.view("1h"))
    assert (time.up[0], time.down[0], time.unknown[0]) == (600, 0, 1800)
    hour = next(w for w in away.look().windows if w.name == "1h")
    assert (hour.sent[0], hour.unmeasured[0]) == (600, 1800)
    assert away.look().unmeasured_by[Reason.AGENT_DOWN, 0] == 1800


def test_an_outage_that_was_open_goes_on_through_a_short_absence() -> None:
    steady, cells = lived([0, 60, 60, 60])
    away = resumed(steady.now + MINUTE, cells)
    away.minute(lost=60)
    away.minute()
    away.settle()
    time = seconds(away.engine.accounts.view("1h"))
    assert (time.up[0], time.down[0], time.unknown[0]) == (120, 240, 60)


def test_down_time_is_read_back_once_for_all_of_an_hour_and_only_where_it_was() -> None:
    minutes = [0] * 10 + [60, 60, 60] + [0] * 57 + [60, 60] + [0] * 3
    steady, cells = lived(minutes)
    by_k = {cell.k: cell for cell in cells}
    asked: list[tuple[list[int], list[int]]] = []

    def read(k: IntArray, rows: IntArray) -> IntArray:
        asked.append((k.tolist(), rows.tolist()))
        return np.stack([by_k[one].usable()[0][:, row] for one, row in zip(k.tolist(), rows.tolist(), strict=True)], 1)

    again = Drive(PLAN, steady.now, lambda k: pytest.fail(f"cell {k} was read"), read)
    stood = [Stood(cell.k, cell.standing, np.ones(len(cell.standing), bool)) for cell in cells]
    resume(again.engine, again.fleet, cells[-1].k, [Sum(cell.k, 1, *cell.usable()) for cell in cells], stood)
    down = [cell.k for cell, lost in zip(cells, minutes, strict=False) if lost]
    assert [k for some, _ in asked for k in some] == [k for k in down for _ in range(2)]
    assert len(asked) == len({k // 60 for k in down})
    for name in ("1h", "month"):
        assert np.array_equal(again.engine.windows[name].down, steady.engine.windows[name].down)
