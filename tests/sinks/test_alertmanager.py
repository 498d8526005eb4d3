"""Open breaches as alerts: begun, repeated each minute, ended under the labels they began with."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from netsla.model import SECOND
from netsla.sinks import alertmanager as module
from netsla.sinks.alertmanager import alert_of, open_alerts
from netsla.wire import event as wire
from tests.sinks.receiver import Receiver, Request, alertmanager, desk, hurry, payload, until

NOW = wire.ns_of("2026-10-01T12:10:00Z")
ONSET = "2026-10-01T12:00:00.000000Z"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    found = Receiver()
    await found.start()
    yield found
    await found.stop()


def alert(kind: str, **more: Any) -> Any:
    return alert_of(json.loads(payload(1, "acme/hq/latency", kind, **more)), NOW)


def state(told: bool = True, breach: bool = True, silent: str | None = None) -> bytes:
    body = json.loads(payload(1, "acme/hq/latency"))
    opened = {"id": "id-00001", "onset": ONSET, "worst": 0.08, "told": told, "acknowledged": None}
    return wire.dump({**body, "breach": opened if breach else None, "silent_since": silent})


def test_an_open_breach_ends_by_itself_in_four_minutes() -> None:
    found = alert("opened")
    assert found["labels"] == {
        "alertname": "NetslaBreach", "agent": "lab", "agreement": "acme", "endpoint": "hq", "objective": "latency",
        "severity": "P2",
    }  # fmt: skip
    assert (found["startsAt"], found["endsAt"]) == (ONSET, "2026-10-01T12:14:00.000000Z")
    assert found["annotations"]["summary"] == "acme hq: latency (latency p95 <= 50ms)"
    assert found["annotations"]["customer"] == "ACME GmbH"
    assert "acknowledged" not in found["annotations"]


def test_begin_repeat_and_end_have_the_same_labels() -> None:
    (repeated,) = open_alerts(state(), NOW)
    assert alert("opened")["labels"] == repeated["labels"] == alert("closed")["labels"] == alert("updated")["labels"]
    assert repeated["startsAt"] == ONSET
    assert alert("closed")["endsAt"] == "2026-10-01T12:05:00.000000Z"


def test_missing_data_is_an_alert_of_its_own() -> None:
    assert alert("no_data")["labels"]["alertname"] == alert("data_back")["labels"]["alertname"] == "NetslaNoData"
    assert alert("data_back")["endsAt"] == "2026-10-01T12:05:00.000000Z"
    (found,) = open_alerts(state(breach=False, silent=ONSET), NOW)
    assert (found["labels"], found["startsAt"]) == (alert("no_data")["labels"], ONSET)


def test_what_is_only_expected_has_a_name_of_its_own() -> None:
    details = {"projected_down_seconds": 281, "budget_seconds": 259}
    body = json.loads(state())
    body["breach"]["details"] = details
    (repeated,) = open_alerts(wire.dump(body), NOW)
    assert repeated["labels"]["alertname"] == "NetslaForecast"
    for kind in ("opened", "updated", "closed"):
        assert repeated["labels"] == alert(kind, details=details)["labels"]
    assert repeated["annotations"]["projected_down_seconds"] == "281"


def test_a_spent_share_of_the_budget_stands_until_its_period_ends() -> None:
    begun = alert("updated", details={"budget_warning_percent": 50}, decided_at="2026-10-01T12:00:06.000000Z")
    assert (begun["labels"]["alertname"], begun["startsAt"]) == ("NetslaBudget", "2026-10-01T12:00:06.000000Z")
    body = json.loads(state(breach=False))
    body["budget"] = {"spent_ratio": 0.5, "at": begun["startsAt"], "until": wire.instant(NOW + 1000), "told": True}
    (repeated,) = open_alerts(wire.dump(body), NOW)
    assert (repeated["labels"], repeated["startsAt"]) == (begun["labels"], begun["startsAt"])
    assert repeated["annotations"]["budget_warning_percent"] == "50"
    assert open_alerts(wire.dump(body), NOW + 1000) == []
    body["budget"]["told"] = False
    assert open_alerts(wire.dump(body), NOW) == []


def test_what_was_not_told_is_not_repeated() -> None:
    assert open_alerts(state(told=False), NOW) == []
    assert open_alerts(state(breach=False), NOW) == []
    hushed = {**json.loads(state(breach=False, silent=ONSET)), "silence_caused_by": "unmeasured"}
    assert open_alerts(wire.dump(hushed), NOW) == []


def test_the_agents_own_alerts_have_a_name_of_their_own() -> None:
    found = alert("opened", agreement={"id": "agent", "version": 1, "customer": ""})
    assert found["labels"]["alertname"] == "NetslaAgent"
    assert found["annotations"]["summary"] == "latency"


def test_who_sees_to_it_is_shown() -> None:
    found = alert("updated", acknowledged={"by": "ann", "why": "fibre cut", "at": ONSET})
    assert found["annotations"]["acknowledged"] == "ann: fibre cut"


async def test_events_of_many_objectives_go_in_one_request(tmp_path: Path, receiver: Receiver) -> None:
    sink = alertmanager(receiver.url)
    async with desk(tmp_path, sink) as ours:
        for i in range(20):
            await ours.put(f"acme/e{i}/latency")
        await ours.drained()
    told = [alert["labels"]["endpoint"] for one in receiver.taken for alert in one.json]
    assert sorted(told) == sorted(f"e{i}" for i in range(20))


async def test_one_wrong_alert_holds_up_nobody_else(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)

    def picky(request: Request) -> int:
        return 400 if any(one["labels"]["endpoint"] == "bad" for one in request.json) else 200

    receiver.judge = picky
    async with desk(tmp_path, alertmanager(receiver.url)) as ours:
        bad = await ours.put("acme/bad/latency")
        for i in range(5):
            await ours.put(f"acme/e{i}/latency")
        await until(lambda: ours.outbox.pending(ours.sink) == 1)
        assert [one.id for one in ours.outbox.next(ours.sink)] == [bad]
        assert "because the test says so" in ours.delivery.problem


async def test_what_is_open_is_repeated_until_it_ends_also_after_a_restart(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_REPEAT_S", 0.05)
    sink = alertmanager(receiver.url)
    async with desk(tmp_path, sink) as ours:
        await asyncio.wrap_future(ours.outbox.put({"acme/hq/latency": state()}, []))
        await until(lambda: len(receiver.taken) >= 1)
    receiver.taken.clear()
    async with desk(tmp_path, sink) as ours:  # another agent reads the same outbox
        await until(lambda: len(receiver.taken) >= 2)
        assert receiver.taken[-1].json[0]["startsAt"] == ONSET
        await asyncio.wrap_future(ours.outbox.put({"acme/hq/latency": state(breach=False)}, []))
        receiver.taken.clear()
        await ours.put("acme/other/latency", "closed")
        await ours.drained()
        assert {one["labels"]["endpoint"] for each in receiver.taken[1:] for one in each.json} <= {"other"}


async def test_many_open_breaches_are_repeated_in_pieces(tmp_path: Path, receiver: Receiver) -> None:
    async with desk(tmp_path, alertmanager(receiver.url)) as ours:
        states = {f"acme/e{i}/latency": state() for i in range(1200)}
        await asyncio.wrap_future(ours.outbox.put(states, []))
        ours.task.cancel()  # begin anew with all of them there
    async with desk(tmp_path, alertmanager(receiver.url)):
        receiver.taken.clear()
        await until(lambda: sum(len(one.json) for one in receiver.taken) >= 1200)
        assert max(len(one.json) for one in receiver.taken) == 500


async def test_a_summary_of_many_is_left_to_the_states(tmp_path: Path, receiver: Receiver) -> None:
    async with desk(tmp_path, alertmanager(receiver.url)) as ours:
        await ours.put("acme/hq/latency", "updated", collapsed=7)
        await ours.drained()
    assert receiver.taken == []


def test_the_end_lies_ahead_by_more_than_three_repeats() -> None:
    found = open_alerts(state(), NOW)[0]
    assert wire.ns_of(found["endsAt"]) - NOW > 3 * 60 * SECOND
