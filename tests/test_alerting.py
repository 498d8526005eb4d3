"""From alerts to the outbox: ids, order, states, and what a restart goes on with."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # ships no types
import pytest

from netsla.alerting import Alerting, open_since
from netsla.errors import RequestError
from netsla.model import SECOND, Outcome, Plan
from netsla.sla.alerts import REMOVED
from netsla.sla.own import MASS, UNMEASURED
from netsla.store.backlog import Event
from netsla.wire import event as wire
from tests.sla.builders import plan
from tests.sla.test_alerts import DELIVERY, LOST
from tests.sla.test_budgets import WARNING
from tests.sla.test_engine import Drive
from tests.sla.test_forecast import RULE, forecast


class Box:
    """Remembers what was put; every payload is held against its schema."""

    def __init__(self) -> None:
        self.states: dict[str, bytes] = {}
        self.events: list[dict[str, Any]] = []
        self.quiet: list[dict[str, Any]] = []

    def put(self, states: Mapping[str, bytes | None], events: Sequence[Event], quiet: Sequence[Event] = ()) -> None:
        for key, payload in states.items():
            if payload is None:
                self.states.pop(key, None)
            else:
                jsonschema.validate(
                    json.loads(payload), wire.schema("state"), format_checker=jsonschema.FormatChecker()
                )
                self.states[key] = payload
        for kept, some in ((self.events, events), (self.quiet, quiet)):
            for one in some:
                payload = json.loads(one.payload)
                jsonschema.validate(payload, wire.schema("event"), format_checker=jsonschema.FormatChecker())
                assert payload["id"] == one.id
                kept.append(payload)

    def state(self, number: int) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.states[f"a/e{number}/{DELIVERY.id}"])
        return found


class Told(Drive):
    """A drive whose alerts are told to a box."""

    def __init__(
        self, endpoints: int = 6, box: Box | None = None, now_ns: int | None = None, made: Plan | None = None
    ) -> None:
        made = made or plan(endpoints, objectives=(DELIVERY,))
        super().__init__(made, now_ns) if now_ns else super().__init__(made)
        self.box, self.opened = box or Box(), [""][:0]
        self.alerting = Alerting(self.box, "lab", opened=lambda event_id, _one: self.opened.append(event_id))
        self.alerting.restore(self.engine, self.fleet, self.box.states)
        self.alerting.load(self.fleet, "d1")

    def live(self, seconds: int, *lost: int) -> None:
        for _ in range(seconds):
            self.second(dict.fromkeys(lost, LOST))
            self.engine.step(self.now)
            self.alerting.turn(self.engine, self.now)


@pytest.fixture
def told() -> Told:
    drive = Told()
    drive.live(300)
    return drive


def test_every_objective_has_a_state_from_the_beginning(told: Told) -> None:
    assert len(told.box.states) == 6
    assert (told.box.state(0)["standing"], told.box.state(0)["breach"]) == ("met", None)
    assert not told.box.events


def test_a_breach_is_told_with_its_state_and_closed_by_the_same_name(told: Told) -> None:
    told.live(10, 2)
    (opened,) = told.box.events
    assert (opened["kind"], opened["sequence"], opened["endpoint"]["id"]) == ("opened", 1, "e2")
    assert told.box.state(2)["breach"]["id"] == opened["id"]
    assert told.opened == [opened["id"]]
    told.live(400)
    closed = told.box.events[1]
    assert (closed["kind"], closed["sequence"], closed["onset"]) == ("closed", 2, opened["onset"])
    assert closed["id"] > opened["id"], "ids sort by time"
    assert told.box.state(2)["breach"] is None


def test_a_restart_goes_on_with_the_open_breach_and_its_sequence(told: Told) -> None:
    """PEERS 16: killed while a breach is open, recovered while down."""
    told.live(10, 2)
    again = Told(box=told.box, now_ns=told.now + 60 * SECOND)
    again.live(20)
    assert [(one["kind"], one["sequence"]) for one in told.box.events] == [("opened", 1), ("closed", 2)]


def test_states_tell_since_when_breaches_are_open(told: Told) -> None:
    assert open_since(told.fleet, told.box.states) == {}
    told.live(10, 2)
    number = told.fleet.objectives[2].number
    assert open_since(told.fleet, told.box.states) == {
        number: told.engine.alerts.breaches[number].onset_ns // 1000 * 1000
    }


def test_states_that_did_not_move_are_not_written_again(told: Told) -> None:
    before = dict(told.box.states)
    again = Told(box=told.box, now_ns=told.now)
    again.live(3)
    assert told.box.states == before


def test_without_a_broker_only_alerts_have_states_and_with_one_all_have() -> None:
    told = Told()
    told.alerting.retaining = False
    told.live(300)
    told.live(10, 2)
    assert set(told.box.states) == {f"a/e2/{DELIVERY.id}"}
    told.alerting.retaining = True
    told.live(1)
    assert [told.box.state(number)["standing"] for number in range(4)] == ["met", "met", "breached", "met"]
    assert len(told.box.states) == 6


def test_what_nobody_need_be_told_is_kept_for_the_history(told: Told) -> None:
    told.live(20, *range(6))
    assert [(one["kind"], one["objective"]["id"]) for one in told.box.events] == [("opened", MASS)]
    assert {one["caused_by"] for one in told.box.quiet} == {MASS}
    assert told.box.state(1)["breach"]["caused_by"] == MASS
    again = Told(box=told.box, now_ns=told.now)
    again.live(400)
    assert [one["kind"] for one in told.box.events] == ["opened", "closed"]
    own = json.loads(told.box.states[f"agent/lab/{MASS}"])
    assert (own["standing"], own["breach"], own["sequence"]) == ("met", None, 2)
    once_more = Told(box=told.box, now_ns=again.now)
    once_more.live(60)
    once_more.live(20, *range(6))
    assert [one["sequence"] for one in told.box.events] == [1, 2, 3], "it goes on over restarts"


def test_an_objective_that_is_gone_takes_its_state_along(told: Told) -> None:
    told.load(plan(2, objectives=(DELIVERY,)))
    told.alerting.load(told.fleet, "d2")
    assert set(told.box.states) == {f"a/e0/{DELIVERY.id}", f"a/e1/{DELIVERY.id}"}
    fewer = Told(1, told.box, told.now)
    assert set(fewer.box.states) == {f"a/e0/{DELIVERY.id}"}


def test_acknowledging_is_recorded_with_who_and_why(told: Told) -> None:
    told.live(10, 2)
    request = {"agreement": "a", "endpoint": "e2", "objective": DELIVERY.id, "why": "fibre", "mute_seconds": 60}
    assert "acknowledged by anna, muted for 60 s" in told.alerting.acknowledge(told.engine, request, "anna", told.now)
    told.live(1, 2)
    assert told.box.events[-1]["acknowledged"]["by"] == "anna"
    assert told.box.state(2)["breach"]["acknowledged"]["why"] == "fibre"
    for wrong, said in (
        ({"why": ""}, "what is being done"),
        ({"endpoint": "e9"}, "no objective"),
        ({"endpoint": "e1"}, "no open"),
        ({"agreement": "agent"}, "own alerts"),
    ):
        with pytest.raises(RequestError, match=said):
            told.alerting.acknowledge(told.engine, request | wrong, "anna", told.now)


def test_a_forecast_and_what_is_spent_are_told_once_also_over_a_restart() -> None:
    made = plan(1, objectives=(replace(forecast(), id="ahead"), replace(WARNING, id="spent")), rule=RULE)
    told = Told(made=made)
    for lost in [0] * 30 + [60] * 3 + [0]:
        for number in range(60):
            told.live(1, *([0] if number < lost else []))
    found = [(one["objective"]["id"], one["kind"], one["severity"]) for one in told.box.events]
    assert found == [("ahead", "opened", "P2"), ("spent", "opened", "P2"), ("spent", "updated", "P2")]
    assert told.box.events[0]["details"]["budget_seconds"] == 259
    warned = json.loads(told.box.states["a/e0/spent"])["budget"]
    assert (warned["spent_ratio"], warned["until"], warned["told"]) == (0.5, "2026-10-01T00:00:00.000000Z", True)
    assert json.loads(told.box.states["a/e0/ahead"])["breach"]["details"] == told.box.events[0]["details"]
    again = Told(box=told.box, now_ns=told.now, made=made)
    assert again.engine.alerts.budgets.of(0, told.now) is None
    restored = again.engine.alerts.budgets.of(1, told.now)
    assert restored is not None
    assert restored.share == 0.5
    assert again.engine.alerts.breaches[0].details == told.box.events[0]["details"]


def test_what_is_told_only_when_its_cause_is_gone_is_the_breach_that_the_state_names() -> None:
    made = plan(6, objectives=(DELIVERY,))
    told = Told(made=made)
    told.live(300)
    told.live(20, *range(6))
    told.live(60, 1)
    late = [one for one in told.box.events if one["kind"] == "opened" and one["endpoint"]["id"] == "e1"]
    assert len(late) == 1
    assert told.box.state(1)["breach"]["id"] == late[0]["id"]
    assert late[0]["sequence"] > 1, "what was recorded before counts, too"


def test_states_are_of_the_configuration_in_force(told: Told) -> None:
    told.load(plan(6, objectives=(replace(DELIVERY, severity="P1"),)))
    told.alerting.load(told.fleet, "d2")
    told.live(2)
    assert {(told.box.state(n)["severity"], told.box.state(n)["config_digest"]) for n in range(6)} == {("P1", "d2")}
    again = Told(box=told.box, now_ns=told.now)
    again.live(2)
    assert told.box.state(0)["config_digest"] == "d1", "also after a restart"


def test_the_end_of_a_removed_objective_is_told_in_order_and_its_sequence_goes_on(told: Told) -> None:
    told.live(10, 2)
    told.load(plan(2, objectives=(DELIVERY,)))
    told.alerting.load(told.fleet, "d2")
    told.live(2)
    assert [(one["kind"], one["sequence"], one.get("caused_by")) for one in told.box.events] == [
        ("opened", 1, None), ("closed", 2, "removed"),
    ]  # fmt: skip
    assert f"a/e2/{DELIVERY.id}" not in told.box.states
    told.load(plan(6, objectives=(DELIVERY,)))
    told.alerting.load(told.fleet, "d3")
    told.live(300)
    told.live(10, next(one.row for one in told.fleet.probes if "/e2/" in one.key))
    assert [one["sequence"] for one in told.box.events] == [1, 2, 3]


def test_the_end_of_an_objective_that_was_removed_while_no_agent_ran_is_told(told: Told) -> None:
    told.live(10, 2)
    opened = told.box.events[0]
    again = Told(2, box=told.box, now_ns=told.now)
    again.live(2)
    closed = told.box.events[-1]
    assert (closed["kind"], closed["sequence"], closed["onset"]) == ("closed", 2, opened["onset"])
    assert (closed["caused_by"], closed["value"], closed["endpoint"]) == ("removed", None, opened["endpoint"])
    assert len(told.box.events) == 2


def test_missing_data_that_was_only_recorded_stands_in_its_state_and_ends_with_its_objective() -> None:
    wants = replace(DELIVERY, no_data_after_ns=30 * SECOND)
    told = Told(made=plan(6, objectives=(wants,)))
    told.live(60)
    for _ in range(60):
        told.second(Outcome.UNMEASURED)
        told.engine.step(told.now)
        told.alerting.turn(told.engine, told.now)
    assert [(one["kind"], one["objective"]["id"]) for one in told.box.events] == [("opened", UNMEASURED)]
    state = told.box.state(3)
    assert (state["silent_since"], state["silence_caused_by"]) == (told.box.quiet[3]["onset"], UNMEASURED)
    again = Told(box=told.box, now_ns=told.now, made=plan(4, objectives=(wants,)))
    again.live(3)
    assert [one["kind"] for one in told.box.events] == ["opened", "closed"]
    ended = [(one["endpoint"]["id"], one["caused_by"]) for one in told.box.quiet if one["kind"] == "data_back"]
    assert sorted(ended) == [(f"e{n}", UNMEASURED) for n in range(4)] + [("e4", REMOVED), ("e5", REMOVED)]
    assert told.box.state(0)["silent_since"] is None
