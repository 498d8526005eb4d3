"""What every sink owes its delivery; a new sink joins by one line in ENDS."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pytest

from netsla.model import MqttSettings
from netsla.sinks import alertmanager as alertmanagers
from netsla.sinks import connection as connections
from netsla.sinks.base import Sink
from netsla.sinks.mqtt import MqttSink
from tests.sinks.broker import Broker, Heard, subscriber
from tests.sinks.receiver import Receiver, Request, alertmanager, desk, hurry, until, webhook


class End(Protocol):
    """The other end of a sink."""

    sink: Sink

    async def away(self, yes: bool) -> None: ...
    async def hang(self, yes: bool) -> None: ...
    async def refuse(self, *endpoints: str) -> None: ...
    def told(self) -> list[tuple[str, str]]:
        """(endpoint, event id) of what was taken, in order, repeats and all."""


@dataclass
class Hooks:
    """A receiver over HTTP."""

    sink: Sink
    receiver: Receiver
    read: Callable[[Request], list[tuple[str, str]]]
    refused: tuple[str, ...] = ()
    hanging: bool = False

    def __post_init__(self) -> None:
        self.receiver.judge = self._judge

    def _judge(self, request: Request) -> int | None:
        if self.hanging:
            return None
        return 422 - 22 * (self.sink.name.startswith("alert")) if self._is_refused(request) else 200

    def _is_refused(self, request: Request) -> bool:
        return any(endpoint in self.refused for endpoint, _ in self.read(request))

    async def away(self, yes: bool) -> None:
        await (self.receiver.stop() if yes else self.receiver.start())

    async def hang(self, yes: bool) -> None:
        self.hanging = yes

    async def refuse(self, *endpoints: str) -> None:
        self.refused = endpoints

    def told(self) -> list[tuple[str, str]]:
        return [one for request in self.receiver.taken for one in self.read(request)]


@asynccontextmanager
async def a_webhook(_folder: Path) -> AsyncIterator[End]:
    receiver = Receiver()
    await receiver.start()
    yield Hooks(webhook(receiver.url, 0.5), receiver, lambda one: [(one.json["endpoint"]["id"], one.json["id"])])
    await receiver.stop()


@asynccontextmanager
async def an_alertmanager(_folder: Path) -> AsyncIterator[End]:
    def read(request: Request) -> list[tuple[str, str]]:
        return [(one["labels"]["endpoint"], one["annotations"]["event_id"]) for one in request.json]

    receiver = Receiver()
    await receiver.start()
    yield Hooks(alertmanager(receiver.url), receiver, read)
    await receiver.stop()


@dataclass
class Mosquitto:
    """A real broker with access rules."""

    broker: Broker
    acl: Path
    heard: Heard = field(default_factory=Heard)

    def __post_init__(self) -> None:
        self.sink: Sink = MqttSink(MqttSettings("127.0.0.1", self.broker.port), "lab")

    async def away(self, yes: bool) -> None:
        if yes:
            await asyncio.sleep(1.1)  # the subscriber's session is on the broker's disk: autosave_interval 1
            self.broker.end(signal.SIGKILL)
        else:
            self.broker.start()

    async def hang(self, yes: bool) -> None:
        self.broker.send(signal.SIGSTOP if yes else signal.SIGCONT)

    async def refuse(self, *endpoints: str) -> None:
        denied = "".join(f"topic deny netsla/lab/breach/acme/{one}/#\n" for one in endpoints)
        self.acl.write_text(f"{denied}topic readwrite #\n")
        if self.broker.process is not None:
            self.broker.send(signal.SIGHUP)

    def told(self) -> list[tuple[str, str]]:
        return [(one["endpoint"]["id"], one["id"]) for one in self.heard.events]


@asynccontextmanager
async def a_broker(folder: Path) -> AsyncIterator[End]:
    acl = folder / "acl"
    found = Mosquitto(Broker(folder, ("allow_anonymous true", f"acl_file {acl}")), acl)
    await found.refuse()
    found.broker.start()
    try:
        async with subscriber(found.broker.port) as found.heard:
            yield found
    finally:
        found.broker.end()


ENDS = {"mqtt": a_broker, "webhook": a_webhook, "alertmanager": an_alertmanager}


@pytest.fixture(params=ENDS)
async def end(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[End]:
    hurry(monkeypatch)
    monkeypatch.setattr(connections, "_ACK_S", 0.5)
    monkeypatch.setattr(alertmanagers, "_TIMEOUT_S", 0.5)
    opened: AbstractAsyncContextManager[End] = ENDS[request.param](tmp_path)
    async with opened as found:
        yield found


def first_sights(told: list[tuple[str, str]], endpoint: str) -> list[str]:
    """Without repeats: what a consumer makes of it that drops what it has seen."""
    return list(dict.fromkeys(event_id for name, event_id in told if name == endpoint))


def ids(end: End) -> set[str]:
    return {event_id for _, event_id in end.told()}


async def test_every_event_is_told_in_the_order_of_its_objective(end: End, tmp_path: Path) -> None:
    async with desk(tmp_path, end.sink) as ours:
        for number in range(60):
            await ours.put(f"acme/e{number % 3}/latency")
        await ours.drained()
        await until(lambda: len(ids(end)) == 60)
        assert ours.delivery.connected
        assert not ours.delivery.problem
    for number in range(3):
        assert first_sights(end.told(), f"e{number}") == ours.order[f"acme/e{number}/latency"]


async def test_an_end_that_is_away_is_said_and_waited_for(end: End, tmp_path: Path) -> None:
    async with desk(tmp_path, end.sink) as ours:
        first = await ours.put()
        await until(lambda: ids(end) == {first})
        await end.away(True)
        later = {await ours.put() for _ in range(5)}
        await until(lambda: bool(ours.delivery.problem))
        assert ours.outbox.pending(ours.sink) == 5
        await end.away(False)
        await ours.drained()
        await until(lambda: ids(end) == {first, *later})
        await until(lambda: not ours.delivery.problem)
    assert first_sights(end.told(), "hq") == ours.order["acme/hq/latency"]


async def test_an_end_that_hangs_is_noticed_and_nothing_counts_as_told(end: End, tmp_path: Path) -> None:
    async with desk(tmp_path, end.sink) as ours:
        first = await ours.put()
        await ours.drained()
        await end.hang(True)
        later = {await ours.put() for _ in range(3)}
        await until(lambda: bool(ours.delivery.problem))
        assert ours.outbox.pending(ours.sink) == 3
        await end.hang(False)
        await ours.drained()
        await until(lambda: ids(end) == {first, *later})


async def test_what_is_refused_stays_and_holds_up_nobody_else(end: End, tmp_path: Path) -> None:
    await end.refuse("bad")
    async with desk(tmp_path, end.sink) as ours:
        bad = [await ours.put("acme/bad/latency") for _ in range(2)]
        good = {await ours.put(f"acme/e{i}/latency") for i in range(20)}
        await until(lambda: ours.outbox.pending(ours.sink) == 2 and ids(end) >= good)
        await until(lambda: "refuse" in ours.delivery.problem)
        assert not ids(end) & set(bad)
        await end.refuse()
        await ours.drained()
        await until(lambda: ids(end) == {*good, *bad})
    assert first_sights(end.told(), "bad") == bad


async def test_another_agent_goes_on_under_the_same_ids(end: End, tmp_path: Path) -> None:
    await end.away(True)
    async with desk(tmp_path, end.sink) as ours:
        put = {await ours.put(f"acme/e{i}/latency") for i in range(10)}
    await end.away(False)
    async with desk(tmp_path, end.sink) as ours:
        await ours.drained()
        await until(lambda: ids(end) == put)


async def test_the_end_of_a_delivery_waits_for_no_end_that_hangs(end: End, tmp_path: Path) -> None:
    async with desk(tmp_path, end.sink) as ours:
        await ours.put()
        await ours.drained()
        await end.hang(True)
        await ours.put()
        ours.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            async with asyncio.timeout(5):
                await ours.task
        assert ours.task.cancelled()
    await end.hang(False)
