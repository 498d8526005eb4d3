"""Alerts of a fleet, driven with a given `now` through the whole engine."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netsla.model import SECOND, Metric, Outcome, Plan, Reaction, UptimeRule
from netsla.sla.alerts import EXCLUDED, REMOVED, Change
from netsla.sla.exclusion import Exclusion
from netsla.sla.own import MASS
from tests.sla.builders import FIVE, HOUR, MINUTE, plan, ratio_objective
from tests.sla.test_engine import Drive

LOST = Outcome.LOST
DELIVERY = ratio_objective(window=FIVE, percent="99")


def step(drive: Drive) -> list[Change]:
    drive.engine.step(drive.now)
    return drive.engine.changes()


def live(drive: Drive, seconds: int, *lost: int) -> list[Change]:
    """Seconds in which these rows lose everything; what was told, second by second."""
    changes = []
    for _ in range(seconds):
        drive.second(dict.fromkeys(lost, LOST))
        changes += step(drive)
    return changes


def kinds(changes: list[Change]) -> list[tuple[str, int]]:
    return [(one.kind, one.number) for one in changes]


def test_a_blackout_is_opened_once_and_closed_once_with_onset_and_end_to_the_probe() -> None:
    drive = Drive(plan(10, objectives=(DELIVERY,)))
    assert live(drive, 300) == []
    begin = drive.now
    opened = live(drive, 10, 4)
    end = drive.now
    closed = live(drive, 400)
    assert kinds(opened) == [("opened", 4)]
    assert (opened[0].onset_ns, opened[0].told, opened[0].cause) == (begin, True, "")
    assert opened[0].now_ns == begin + 4 * SECOND, "the fourth loss of 300 decides"
    assert kinds(closed) == [("closed", 4)]
    assert (closed[0].onset_ns, closed[0].ended_ns) == (begin, end)
    assert drive.engine.breaches[4] == 1


def test_one_blackout_among_a_thousand_is_one_opened_and_one_closed() -> None:
    drive = Drive(plan(1000, objectives=(DELIVERY,)))
    live(drive, 120)
    begin = drive.now
    told = live(drive, 20, 777)
    end = drive.now
    told += live(drive, 400)
    assert [(one.kind, one.number, one.told) for one in told] == [("opened", 777, True), ("closed", 777, True)]
    assert (told[0].onset_ns, told[1].onset_ns, told[1].ended_ns) == (begin, begin, end)


def test_everything_down_at_once_is_one_alert() -> None:
    """PEERS 20."""
    drive = Drive(plan(100, objectives=(DELIVERY,)))
    live(drive, 300)
    everybody = range(100)
    told = [one for one in live(drive, 30, *everybody) + live(drive, 400) if one.told]
    assert [(one.kind, one.name) for one in told] == [("opened", MASS), ("closed", MASS)]
    assert told[0].details == {"failing": 100, "of": 100}


def test_the_single_ones_of_a_mass_failure_are_recorded_with_their_cause() -> None:
    drive = Drive(plan(100, objectives=(DELIVERY,)))
    live(drive, 300)
    single = [one for one in live(drive, 30, *range(100)) if one.number >= 0]
    assert len(single) == 100
    assert {(one.kind, one.cause, one.told) for one in single} == {("opened", MASS, False)}
    assert len(drive.engine.alerts.breaches) == 100


def test_one_that_still_fails_when_the_mass_failure_is_over_is_told_then() -> None:
    drive = Drive(plan(100, objectives=(DELIVERY,)))
    live(drive, 300)
    live(drive, 30, *range(100))
    after = [one for one in live(drive, 20, 7) if one.told]
    assert [(one.kind, one.name or one.number) for one in after] == [("closed", MASS), ("opened", 7)]


def test_while_we_are_isolated_nothing_is_said_of_customers_and_one_thing_of_us() -> None:
    drive = Drive(plan(10, objectives=(DELIVERY,), references=2))
    rows = [probe.row for probe in drive.fleet.watched]
    live(drive, 300)
    changes = live(drive, 60, *rows) + live(drive, 400)
    assert [(one.kind, one.name) for one in changes] == [("opened", "isolated"), ("closed", "isolated")]


def test_a_vendor_in_breach_is_the_cause_of_those_below() -> None:
    drive = Drive(depending(plan(6, objectives=(DELIVERY,))))
    live(drive, 300)
    changes = live(drive, 10, 0, 1)
    assert [(one.number, one.told, one.cause) for one in changes] == [(0, True, ""), (1, False, "vendor")]
    vendor_is_well = live(drive, 400, 1)
    assert [(one.kind, one.number, one.told) for one in vendor_is_well if one.told] == [
        ("closed", 0, True),
        ("opened", 1, True),
    ]


def depending(made: Plan) -> Plan:
    """The first endpoint becomes a vendor's; the others' agreement depends on it."""
    (agreement,) = made.agreements
    vendor = replace(agreement, id="vendor", endpoints=agreement.endpoints[:1])
    return replace(
        made, agreements=(vendor, replace(agreement, endpoints=agreement.endpoints[1:], depends_on=("vendor",)))
    )


def test_no_data_has_an_alert_of_its_own() -> None:
    drive = Drive(plan(1, objectives=(replace(DELIVERY, no_data_after_ns=30 * SECOND),)))
    live(drive, 10)
    newest = drive.now - SECOND
    silent = []
    for _ in range(60):
        drive.second(Outcome.UNMEASURED)
        silent += step(drive)
    back = live(drive, 3)
    assert [(one.kind, one.onset_ns) for one in silent] == [("no_data", newest)]
    assert [(one.kind, one.ended_ns) for one in back] == [("data_back", drive.now - 3 * SECOND)]


def test_flapping_at_the_threshold_for_an_hour_tells_little_and_ends_with_the_truth() -> None:
    """PEERS 21: four losses in five minutes breach 99 %, three do not."""
    objective = replace(DELIVERY, reaction=Reaction("consecutive", 3))
    drive = Drive(plan(1, objectives=(objective,)))
    live(drive, 300)
    changes = []
    for second in range(3600):
        drive.second({0: LOST} if second % 75 == 0 else {})
        changes += step(drive)
    changes += live(drive, 600)
    assert len(changes) <= 3600 // 180
    assert not drive.engine.alerts.breaches
    assert kinds(changes)[-1:] in ([], [("closed", 0)])


def test_uptime_tells_the_outages_own_begin() -> None:
    rule = UptimeRule("", "interval", 1, 0, 60 * SECOND)
    drive = Drive(plan(1, objectives=(ratio_objective(Metric.UPTIME, "99", HOUR),), rule=rule))
    for _ in range(5):
        drive.minute()
    step(drive)
    begin = drive.now
    changes = live(drive, 70, 0)
    assert [(one.kind, one.onset_ns) for one in changes] == [("opened", begin)]


def test_acknowledged_and_muted() -> None:
    drive = Drive(plan(4, objectives=(DELIVERY,)))
    live(drive, 300)
    live(drive, 10, 1)
    alerts, verdicts = drive.engine.alerts, drive.engine.verdicts
    number = alerts.find("a", "e1", DELIVERY.id)
    assert number is not None
    change = alerts.acknowledge(number, "anna", "fibre", drive.now, verdicts, mute_ns=3600 * SECOND)
    assert change is not None
    assert (change.kind, change.acknowledged, change.told) == ("updated", ("anna", "fibre", drive.now), True)
    closed = live(drive, 400)
    assert [(one.kind, one.told) for one in closed] == [("closed", True)], "an end is told in any case"
    assert alerts.acknowledge(number, "anna", "again", drive.now, verdicts) is None


def test_killed_while_a_breach_is_open_recovered_while_down() -> None:
    """PEERS 16: one opened by the old agent, one closed by the new one."""
    drive = Drive(plan(4, objectives=(DELIVERY,)))
    live(drive, 300)
    live(drive, 10, 1)
    kept = dict(drive.engine.alerts.breaches)
    again = Drive(plan(4, objectives=(DELIVERY,)), drive.now + 600 * SECOND)
    again.engine.alerts.restore(kept, {}, ())
    changes = live(again, 30)
    assert kinds(changes) == [("closed", 1)]
    assert changes[0].onset_ns == kept[1].onset_ns


def test_an_objective_that_is_gone_takes_its_breach_along_and_that_is_told_once() -> None:
    drive = Drive(plan(4, objectives=(DELIVERY,)))
    live(drive, 300)
    (opened,) = live(drive, 10, 1)
    removed_at = drive.now
    drive.load(plan(1, objectives=(DELIVERY,)))
    assert not drive.engine.alerts.breaches
    (closed,) = live(drive, 10)
    assert (closed.kind, closed.number, closed.told, closed.cause) == ("closed", 1, True, REMOVED)
    assert (closed.onset_ns, closed.ended_ns) == (opened.onset_ns, removed_at)


def test_an_objective_whose_terms_were_changed_keeps_its_breach() -> None:
    drive = Drive(plan(4, objectives=(DELIVERY,)))
    live(drive, 300)
    (opened,) = live(drive, 10, 1)
    drive.load(plan(4, objectives=(replace(DELIVERY, severity="P1"),)))
    assert live(drive, 10, 1) == []
    (closed,) = live(drive, 400)
    assert (closed.kind, closed.onset_ns, closed.told) == ("closed", opened.onset_ns, True)


def test_missing_data_goes_on_or_ends_with_its_objective() -> None:
    wants = replace(DELIVERY, no_data_after_ns=30 * SECOND)
    drive = Drive(plan(4, objectives=(wants,)))
    live(drive, 60)
    for _ in range(40):
        drive.second({0: Outcome.UNMEASURED, 3: Outcome.UNMEASURED})
    assert kinds(step(drive)) == [("no_data", 0), ("no_data", 3)]
    drive.load(plan(2, objectives=(replace(wants, severity="P1"),)))
    assert [(one.kind, one.number, one.cause) for one in step(drive)] == [("data_back", 3, REMOVED)]
    assert [(one.kind, one.cause) for one in live(drive, 1)] == [("data_back", "")]


def test_missing_data_of_excluded_time_is_told_when_it_counts_again() -> None:
    drive = Drive(plan(4, objectives=(replace(DELIVERY, no_data_after_ns=30 * SECOND),)))
    live(drive, 60)
    begin = drive.now // MINUTE * MINUTE
    work = Exclusion("m1", "e1", begin, begin + 3 * MINUTE, "maintenance", announced_ns=0, agreed=True)
    drive.engine.exclude("a", (work,), drive.now)
    changes = unheard(drive, 90, 1, 2)
    assert [(one.number, one.told, one.cause) for one in changes] == [(1, False, EXCLUDED), (2, True, "")]
    assert {number: one.cause for number, one in drive.engine.alerts.silent.items()} == {1: EXCLUDED, 2: ""}
    (late,) = unheard(drive, 92, 1, 2)
    assert (late.kind, late.number, late.told, late.onset_ns) == ("no_data", 1, True, changes[0].onset_ns)
    assert {(one.kind, one.told) for one in live(drive, 1)} == {("data_back", True)}


def unheard(drive: Drive, seconds: int, *rows: int) -> list[Change]:
    """Seconds in which nothing is measured of these rows."""
    changes = []
    for _ in range(seconds):
        drive.second(dict.fromkeys(rows, Outcome.UNMEASURED))
        changes += step(drive)
    return changes


def test_missing_data_that_comes_back_within_excluded_time_is_told_to_nobody() -> None:
    drive = Drive(plan(1, objectives=(replace(DELIVERY, no_data_after_ns=30 * SECOND),)))
    live(drive, 60)
    begin = drive.now // MINUTE * MINUTE
    work = Exclusion("m1", None, begin, begin + 3 * MINUTE, "maintenance", announced_ns=0, agreed=True)
    drive.engine.exclude("a", (work,), drive.now)
    drive.now = begin + 90 * SECOND
    found = step(drive) + live(drive, 1)
    assert [(one.kind, one.told, one.cause) for one in found] == [
        ("no_data", False, EXCLUDED), ("data_back", False, EXCLUDED),
    ]  # fmt: skip


@pytest.mark.parametrize("share", [2, 3])
def test_half_of_the_endpoints_is_no_mass_failure(share: int) -> None:
    drive = Drive(plan(4, objectives=(DELIVERY,)))
    live(drive, 300)
    told = [one for one in live(drive, 10, *range(share)) if one.name == MASS]
    assert bool(told) == (share == 3)
