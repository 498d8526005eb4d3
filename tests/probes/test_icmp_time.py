"""What an ICMP prober tells of time in which it, or the whole host, stood still; and which slots are whose tick's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from netsla.model import MILLISECOND, SECOND, Outcome, Reason, Samples, Target
from tests.probes.wiring import SPEC, Drive, Echo, Wire, count, reasons, target

pytestmark = pytest.mark.netns
Make = Callable[[Sequence[Target]], Drive]


def silent(_: Echo) -> None:
    """Nobody answers."""


@pytest.mark.parametrize(
    ("pause", "slept", "found"),
    [
        (SECOND, 0, "LOST"),
        (SECOND + 1, 0, "UNMEASURED"),
        (SECOND, 100 * MILLISECOND, "LOST"),
        (SECOND, 100 * MILLISECOND + 1, "UNMEASURED"),  # the monotonic clock stands still then, too
    ],
)
def test_so_long_a_pause_excuses_silence(wire: Wire, drive: Make, pause: int, slept: int, found: str) -> None:
    one = drive([target(0, "10.1.0.1", replace(SPEC, interval_ns=60 * SECOND))])
    one.clock.slept = 3600 * SECOND  # before: it says nothing
    one.prober.step()
    while not one.prober._flights.head:
        one.run(0.1, wire, silent)
    one.clock.ahead += pause
    one.clock.slept += slept
    one.prober.step()
    samples = one.run(4, wire, silent)
    assert count(samples) == {found: 1}
    assert reasons(samples) <= {Reason.OVERRUN}


def after(one: Drive, wire: Wire, late: int, *, stepped: int = 0) -> tuple[Samples, int]:
    """What is told in the tick that comes so late after a slot was due, and when that was, UTC."""
    one.run(2, wire)
    lane, served = one.prober._layout.lanes[0], one.prober._served[SECOND]
    table = lane.timetable
    due = table.time_of(served // table.grains * table.grains + int(table.grain[0]))
    due += SECOND * (table.grain_at(due) < served)
    one.clock.ahead += due - one.clock.wall() + late
    one.clock.stepped = stepped
    one.prober.step()
    for echo in wire.echoes():
        wire.answer(echo)
    return one.heard(), due + stepped


def test_nobody_is_asked_before_it_is_due(wire: Wire, drive: Make) -> None:
    samples, _ = after(drive([target(0, "10.1.0.1")]), wire, -1)
    assert len(samples) == 0
    samples, _ = after(drive([target(0, "10.1.0.1")]), wire, 0)
    assert count(samples) == {"ANSWERED": 1}


@pytest.mark.parametrize(("late", "found"), [(509, "ANSWERED"), (510, "UNMEASURED")])
def test_what_is_due_for_long_is_not_made_up_for(wire: Wire, drive: Make, late: int, found: str) -> None:
    samples, _ = after(drive([target(0, "10.1.0.1")]), wire, late * MILLISECOND)
    assert count(samples) == {found: 1}
    assert reasons(samples) <= {Reason.OVERRUN}


@pytest.mark.parametrize("stepped", [0, 5 * SECOND], ids=["", "the clock was set"])
def test_missed_slots_are_told_one_by_one_for_two_minutes(wire: Wire, drive: Make, stepped: int) -> None:
    """With the time at which each was due. Before that whole intervals are missing, which the engine sees."""
    samples, due = after(drive([target(0, "10.1.0.1")]), wire, 300 * SECOND, stepped=stepped)
    missed = samples.take(samples.outcome == Outcome.UNMEASURED)
    assert reasons(missed) == {Reason.OVERRUN}
    assert missed.sent_ns.tolist() == [due + second * SECOND for second in range(180, 300)]
    assert (np.diff(samples.slot) == 1).all()
    assert count(samples) == {"UNMEASURED": 120, "ANSWERED": 1}


def test_a_clock_that_is_set_by_more_than_a_millisecond_is_told(wire: Wire, drive: Make) -> None:
    one = drive([target(0, "10.1.0.1")])
    for stepped, steps in ((MILLISECOND, 0), (2 * MILLISECOND + 1, 1), (2 * MILLISECOND + 1, 1), (0, 2)):
        one.clock.stepped = stepped
        one.run(0.1)
        assert one.prober.facts().clock_steps == steps


@pytest.mark.parametrize("address", ["10.1.0.1", "fd01::1"])
def test_an_error_that_quotes_a_probe_is_not_taken_for_the_stamp_of_its_leaving(
    wire: Wire, drive: Make, address: str
) -> None:
    one = drive([target(0, address)])

    flights = one.prober._flights
    told: list[int] = []

    def react(echo: Echo) -> None:
        for refused in (False, True):
            if refused:
                wire.refuse(echo, *{4: (3, 1, "10.9.9.9"), 6: (1, 0, "fd09::9")}[echo.family])
            assert len(one.heard()) == 0
            told.append(int(flights.tx_ns[flights.head - 1]))
        wire.answer(echo)

    samples = one.run(1, wire, react)
    assert count(samples) == {"ANSWERED": 1}
    assert told[::2] == told[1::2] == samples.sent_ns.tolist()
    assert not samples.flags.any(), "by the kernel's stamps"
