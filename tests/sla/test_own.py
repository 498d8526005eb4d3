"""The agent's own alerts: one for the many, also over a restart."""

from __future__ import annotations

from dataclasses import replace

from netsla.model import SECOND, Objective, Outcome, Reason
from netsla.sla.alerts import Change
from netsla.sla.own import ISOLATED, MASS, UNMEASURED
from tests.sla.builders import FIVE, plan, ratio_objective, samples
from tests.sla.test_alerts import DELIVERY, LOST, live, step
from tests.sla.test_engine import Drive

WANTS = replace(DELIVERY, no_data_after_ns=30 * SECOND)


def nothing(drive: Drive, seconds: int, *rows: int) -> list[Change]:
    """Seconds in which nothing leaves this host towards these rows."""
    changes = []
    for _ in range(seconds):
        drive.second(dict.fromkeys(rows, Outcome.UNMEASURED), detail=Reason.NO_ROUTE)
        changes += step(drive)
    return changes


def names(changes: list[Change]) -> list[tuple[str, str | int]]:
    return [(one.kind, one.name or one.number) for one in changes if one.told]


def again(drive: Drive, objective: Objective, away_s: int = 60) -> Drive:
    """Another agent of the same plan, which goes on with what this one had open."""
    endpoints, references = len(drive.fleet.endpoints), len(drive.fleet.references)
    made = Drive(plan(endpoints, objectives=(objective,), references=references), drive.now + away_s * SECOND)
    alerts = drive.engine.alerts
    own = list(alerts.own.open.items())
    made.engine.alerts.restore(alerts.breaches, alerts.silent, own, mass_end_ns=alerts.own.mass_end_ns)
    return made


def test_a_host_that_loses_its_route_tells_one_thing_of_itself_and_nothing_of_its_customers() -> None:
    """PEERS 10 and 20: of a hundred endpoints nothing can be measured any more, and no reference is configured."""
    drive = Drive(plan(100, objectives=(WANTS,)))
    live(drive, 300)
    newest = drive.now - SECOND
    changes = nothing(drive, 120, *range(100))
    assert names(changes) == [("opened", UNMEASURED)]
    assert (changes[0].onset_ns, changes[0].now_ns) == (newest, newest + 31 * SECOND), "when they want to hear of it"
    assert changes[0].details == {"silent": 100, "of": 100}
    singly = [one for one in changes if not one.told]
    assert {(one.kind, one.cause) for one in singly} == {("no_data", UNMEASURED)}
    assert len(singly) == 100
    back = live(drive, 3)
    assert names(back) == [("closed", UNMEASURED)]
    assert [(one.kind, one.cause) for one in back if not one.told] == [("data_back", UNMEASURED)] * 100


def test_who_is_silent_still_when_the_others_are_back_is_told_then() -> None:
    drive = Drive(plan(10, objectives=(WANTS,)))
    live(drive, 300)
    newest = drive.now - SECOND
    nothing(drive, 60, *range(10))
    changes = nothing(drive, 5, 4)
    assert names(changes) == [("closed", UNMEASURED), ("no_data", 4)]
    assert changes[-1].onset_ns == newest or newest in {one.onset_ns for one in changes if one.number == 4}


def test_a_few_that_fall_silent_are_told_singly() -> None:
    drive = Drive(plan(10, objectives=(WANTS,)))
    live(drive, 300)
    assert names(nothing(drive, 60, 1, 2)) == [("no_data", 1), ("no_data", 2)]


def test_two_objectives_of_one_endpoint_are_not_most_endpoints() -> None:
    drive = Drive(plan(2, objectives=(WANTS, replace(WANTS, id="second"), replace(WANTS, id="third"))))
    live(drive, 300)
    assert [one.kind for one in nothing(drive, 60, 0, 1) if one.told] == ["no_data"] * 6


def test_silence_that_was_told_goes_on_over_a_restart_until_somebody_is_heard_of() -> None:
    drive = Drive(plan(4, objectives=(WANTS,)))
    live(drive, 60)
    nothing(drive, 60, 1)
    made = again(drive, WANTS)
    assert names(nothing(made, 90, 1)) == []
    assert names(live(made, 2)) == [("data_back", 1)]


def test_an_agent_killed_while_nothing_is_measured_goes_on_with_that() -> None:
    drive = Drive(plan(100, objectives=(WANTS,)))
    live(drive, 60)
    nothing(drive, 60, *range(100))
    made = again(drive, WANTS)
    assert names(nothing(made, 90, *range(100))) == []
    back = live(made, 2)
    assert names(back) == [("closed", UNMEASURED)]
    assert [(one.kind, one.cause) for one in back if not one.told] == [("data_back", UNMEASURED)] * 100


def test_an_agent_killed_in_a_mass_failure_goes_on_with_that() -> None:
    """PEERS 16 and 20: the first that are known after the restart are two of a hundred."""
    drive = Drive(plan(100, objectives=(DELIVERY,)))
    live(drive, 300)
    live(drive, 30, *range(100))
    made = again(drive, DELIVERY)
    assert names(step(made)) == []
    made.second({row: LOST if row < 2 else Outcome.UNMEASURED for row in range(100)})
    assert names(step(made)) == []
    assert names(live(made, 30, *range(100))) == []
    assert names(live(made, 10)) == [("closed", MASS)]


def some(drive: Drive, *rows: int) -> list[Change]:
    """A turn in which nothing is known but that these rows have just lost a probe."""
    drive.engine.count([samples(rows, LOST, sent_ns=drive.now, slot=drive.slot)])
    drive.slot += 1
    drive.now += SECOND
    return step(drive)


def test_the_first_of_many_are_not_told_before_the_many_are_known() -> None:
    """PEERS 20: one loss breaks this promise, and a turn sees but four of a hundred that failed in the same second."""
    tight = ratio_objective(window=FIVE, percent="99.9")
    drive = Drive(plan(100, objectives=(tight,)))
    live(drive, 300)
    assert names(some(drive, 0, 1, 2, 3)) == []
    assert names(live(drive, 30, *range(100))) == [("opened", MASS)]


def test_a_few_that_fail_together_are_told_a_turn_later_at_most() -> None:
    drive = Drive(plan(100, objectives=(ratio_objective(window=FIVE, percent="99.9"),)))
    live(drive, 300)
    assert names(some(drive, 0, 1, 2, 3)) == []
    assert names(live(drive, 1, 0, 1, 2, 3)) == [("opened", number) for number in range(4)]


def test_doubt_ends_also_when_nobody_else_is_heard_of() -> None:
    drive = Drive(plan(100, objectives=(ratio_objective(window=FIVE, percent="99.9"),)))
    live(drive, 300)
    told = [names(some(drive, 0, 1, 2, 3)) for _ in range(4)]
    assert told == [[], [], [("opened", number) for number in range(4)], []]


def test_what_a_mass_failure_did_to_time_is_known_also_by_the_next_agent() -> None:
    drive = Drive(plan(100, objectives=(DELIVERY,)))
    live(drive, 300)
    live(drive, 30, *range(100))
    live(drive, 5)
    assert drive.engine.alerts.own.mass_end_ns
    made = again(drive, DELIVERY, away_s=5)
    assert made.engine.alerts.own.mass_end_ns == drive.engine.alerts.own.mass_end_ns


def test_an_agent_killed_while_isolated_is_so_until_a_reference_was_heard_of() -> None:
    drive = Drive(plan(10, objectives=(DELIVERY,), references=2))
    everybody = [probe.row for probe in drive.fleet.watched]
    live(drive, 300)
    assert names(live(drive, 10, *everybody)) == [("opened", ISOLATED)]
    made = again(drive, DELIVERY)
    assert names(step(made)) == []
    assert names(live(made, 30, *everybody)) == []
    assert names(live(made, 90)) == [("closed", ISOLATED)]
