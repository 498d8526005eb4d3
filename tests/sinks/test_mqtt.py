"""Events and states at a real mosquitto: each told, in order, under one id, whatever happens to the broker."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import signal
import warnings
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
import trustme

from netsla.model import MqttSettings, Secret
from netsla.sinks import connection as connections
from netsla.sinks.delivery import Delivery
from netsla.sinks.mqtt import MqttSink
from netsla.store.backlog import Event
from netsla.store.outbox import Outbox
from tests.sinks.broker import Broker, Heard, subscriber
from tests.sinks.cutter import Cutter


@dataclass
class Desk:
    """An outbox with one sink on its way to a broker."""

    outbox: Outbox
    delivery: Delivery
    number: int = 0

    async def put(self, objective: str = "a/e/o", count: int = 1, state: bytes | None = None) -> list[str]:
        ids = []
        for _ in range(count):
            self.number += 1
            event_id = f"id-{self.number:05d}"
            payload = json.dumps({"id": event_id, "objective": objective, "sequence": self.number}).encode()
            future = self.outbox.put(
                {objective: state} if state else {}, [Event(event_id, objective, payload, self.number)]
            )
            ids.append(event_id)
        await asyncio.wrap_future(future)
        return ids

    async def drained(self, seconds: float = 30.0) -> None:
        await until(lambda: not self.outbox.pending("mqtt"), seconds)

    async def troubled(self, word: str, seconds: float = 30.0) -> None:
        await until(lambda: word in self.delivery.problem, seconds)


async def until(holds: Callable[[], bool], seconds: float) -> None:
    """Look until it holds: these are facts of other threads and of files."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def desk(folder: Path, settings: MqttSettings) -> AsyncIterator[Desk]:
    outbox = Outbox(folder / "outbox.db", ["mqtt"], lambda _objective, events: events[-1])
    await asyncio.wrap_future(outbox.start())
    delivery = Delivery(MqttSink(settings, "lab"), outbox)
    task = asyncio.create_task(delivery.run())
    try:
        yield Desk(outbox, delivery)
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await asyncio.to_thread(outbox.close)


@pytest.fixture
def broker(tmp_path: Path) -> Any:
    found = Broker(tmp_path).start()
    yield found
    found.end()


def to(broker: Broker, **more: Any) -> MqttSettings:
    return MqttSettings("127.0.0.1", broker.port, **more)


def in_order(heard: Heard) -> bool:
    """Per objective, first sight of each id."""
    seen: dict[str, list[int]] = {}
    known: set[str] = set()
    for one in heard.events:
        if one["id"] not in known:
            known.add(one["id"])
            seen.setdefault(one["objective"], []).append(one["sequence"])
    return all(numbers == sorted(numbers) for numbers in seen.values())


async def test_an_event_arrives_once_on_its_topic(tmp_path: Path, broker: Broker) -> None:
    async with subscriber(broker.port) as heard, desk(tmp_path, to(broker)) as ours:
        await ours.put("acme/hq/up")
        await heard.until(lambda: heard.events)
        await ours.drained()
        assert [topic for topic, _ in heard.messages if "/breach/" in topic] == ["netsla/lab/breach/acme/hq/up"]
        assert ours.delivery.connected
        assert not ours.delivery.problem


async def test_birth_goodbye_and_will(tmp_path: Path, broker: Broker) -> None:
    async with subscriber(broker.port) as heard:
        async with desk(tmp_path, to(broker)):
            await heard.until(lambda: heard.states.get("netsla/lab/status") == "online")
        await heard.until(lambda: heard.states["netsla/lab/status"] == "offline")


async def test_states_are_retained_kept_true_and_cleared(tmp_path: Path, broker: Broker) -> None:
    async with aiomqtt.Client("127.0.0.1", broker.port) as earlier:
        await earlier.publish("netsla/lab/state/a/gone/o", '{"old":1}', 1, retain=True)
    async with desk(tmp_path, to(broker)) as ours:
        await ours.put("a/e/o", state=b'{"standing":"met"}')
        await ours.drained()
        async with subscriber(broker.port) as heard:
            await heard.until(lambda: heard.states.get("netsla/lab/state/a/e/o") == {"standing": "met"})
            assert "netsla/lab/state/a/gone/o" not in heard.states, "what is no objective of ours any more is cleared"
            await ours.put("a/e/o", state=b'{"standing":"breached"}')
            await heard.until(lambda: heard.states["netsla/lab/state/a/e/o"] == {"standing": "breached"})
            ours.outbox.put({"a/e/o": None}, [])
            await heard.until(lambda: heard.states["netsla/lab/state/a/e/o"] == "")


async def test_a_broker_that_is_away_is_waited_for(tmp_path: Path) -> None:
    broker = Broker(tmp_path)
    async with desk(tmp_path, to(broker)) as ours:
        ids = await ours.put(count=5)
        await ours.troubled(str(broker.port))
        broker.start()
        async with subscriber(broker.port) as heard:
            await heard.until(lambda: heard.ids == set(ids) or not ours.outbox.pending("mqtt"))
            await ours.drained()
            assert not ours.delivery.problem
    broker.end()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
async def test_a_broker_that_restarts_loses_nothing(tmp_path: Path, broker: Broker, how: signal.Signals) -> None:
    async with subscriber(broker.port) as heard, desk(tmp_path, to(broker)) as ours:
        ids = await ours.put("a/e/1", 20) + await ours.put("a/e/2", 20)
        await heard.until(lambda: len(heard.ids) > 3)
        await asyncio.sleep(1.1)  # the subscriber's session is on the broker's disk: autosave_interval 1
        broker.end(how)
        ids += await ours.put("a/e/1", 20)
        broker.start()
        await ours.drained()
        ids += await ours.put("a/e/2", 5)
        await heard.until(lambda: heard.ids >= set(ids[-25:]))
        await ours.drained()
        assert in_order(heard)


async def test_a_broker_that_hangs_is_noticed(tmp_path: Path, broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_ACK_S", 1.0)
    async with subscriber(broker.port) as heard, desk(tmp_path, to(broker)) as ours:
        await ours.put()
        await heard.until(lambda: heard.events)
        broker.send(signal.SIGSTOP)
        late = await ours.put(count=3)
        await ours.troubled("127.0.0.1", 40)
        assert ours.outbox.pending("mqtt") == 3, "nothing is marked as told that nobody took"
        broker.send(signal.SIGCONT)
        await heard.until(lambda: heard.ids >= set(late))
        await ours.drained()


async def test_what_the_broker_refuses_stays_pending_and_holds_up_nobody_else(tmp_path: Path) -> None:
    acl = tmp_path / "acl"
    rights = (
        "readwrite netsla/lab/status",
        "readwrite netsla/lab/state/#",
        "readwrite netsla/lab/breach/good/#",
        "read #",
    )
    acl.write_text("".join(f"topic {right}\n" for right in rights))
    broker = Broker(tmp_path, ("allow_anonymous true", f"acl_file {acl}")).start()
    try:
        async with subscriber(broker.port) as heard, desk(tmp_path, to(broker)) as ours:
            await ours.put("bad/e/o", 2)
            good = await ours.put("good/e/o", 3)
            await heard.until(lambda: heard.ids == set(good))
            await ours.troubled("not authorized")
            await until(lambda: ours.outbox.pending("mqtt") == 2, 10)
            acl.write_text("topic readwrite #\n")
            broker.send(signal.SIGHUP)
            await ours.drained()
            await heard.until(lambda: len(heard.ids) == 5)
            assert in_order(heard)
    finally:
        broker.end()


async def test_a_wrong_password_is_said_once_and_cured_by_the_right_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    passwords = tmp_path / "passwords"
    done = await asyncio.create_subprocess_exec("mosquitto_passwd", "-b", "-c", str(passwords), "netsla", "right")
    assert await done.wait() == 0
    broker = Broker(tmp_path, ("allow_anonymous false", f"password_file {passwords}")).start()
    settings = to(broker, username="netsla", password=Secret("wrong"))
    try:
        async with desk(tmp_path, settings) as ours:
            ids = await ours.put(count=2)
            await ours.troubled("ot authori")
            await asyncio.sleep(1.5)  # some more tries
            assert len([one for one in caplog.records if "ot authori" in one.getMessage()]) == 1
            assert "wrong" not in caplog.text
        async with (
            subscriber(broker.port, username="netsla", password="right") as heard,
            desk(tmp_path, replace(settings, password=Secret("right"))) as ours,
        ):
            await heard.until(lambda: heard.ids == set(ids))
            await ours.drained()
    finally:
        broker.end()


@pytest.fixture
def dropped_sockets() -> Any:
    """Paho drops the socket of a handshake that failed without closing it: nobody else is to hear of that."""
    yield
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        gc.collect()


@pytest.mark.usefixtures("dropped_sockets")
@pytest.mark.filterwarnings("ignore:Exception ignored in. <ssl.SSLSocket")
async def test_tls_with_a_client_certificate_and_one_that_has_expired(tmp_path: Path) -> None:
    authority = trustme.CA()
    server, client = authority.issue_cert("127.0.0.1"), authority.issue_cert("netsla@example.net")
    old = authority.issue_cert("127.0.0.1", not_after=datetime.now(UTC) - timedelta(days=1))
    files = {name: tmp_path / f"{name}.pem" for name in ("ca", "server", "key", "client", "client_key")}
    authority.cert_pem.write_to_path(files["ca"])
    client.private_key_pem.write_to_path(files["client_key"])
    client.cert_chain_pems[0].write_to_path(files["client"])

    def serve(certificate: trustme.LeafCert) -> None:
        certificate.private_key_pem.write_to_path(files["key"])
        certificate.cert_chain_pems[0].write_to_path(files["server"])

    serve(old)
    tls = (
        f"cafile {files['ca']}",
        f"certfile {files['server']}",
        f"keyfile {files['key']}",
        "require_certificate true",
    )
    broker = Broker(tmp_path, ("allow_anonymous true", *tls)).start()
    settings = to(
        broker, tls=True, ca_file=str(files["ca"]), cert_file=str(files["client"]), key_file=str(files["client_key"])
    )
    try:
        async with desk(tmp_path, settings) as ours:
            await ours.put(count=2)
            await ours.troubled("certificate verify failed: certificate has expired")
            assert "_ssl.c" not in ours.delivery.problem
            serve(server)
            broker.send(signal.SIGHUP)
            await ours.drained()
            assert ours.delivery.connected
        (tmp_path / "without").mkdir()
        async with desk(tmp_path / "without", to(broker, tls=True, ca_file=str(files["ca"]))) as ours:
            await ours.troubled("alert certificate required: set cert_file and key_file")
    finally:
        broker.end()


async def test_mqtt_3_1_1(tmp_path: Path, broker: Broker) -> None:
    async with subscriber(broker.port) as heard, desk(tmp_path, to(broker, version=4)) as ours:
        ids = await ours.put(count=3)
        await heard.until(lambda: heard.ids == set(ids))
        await ours.drained()


async def test_a_connection_cut_in_the_middle_of_publishing(tmp_path: Path, broker: Broker) -> None:
    proxy = Cutter(broker.port)
    async with subscriber(broker.port) as heard, proxy, desk(tmp_path, MqttSettings("127.0.0.1", proxy.port)) as ours:
        ids = []
        for number in range(5):
            ids += await ours.put(f"a/e/{number}", 30)
            proxy.cut()
        await ours.drained(60)
        await heard.until(lambda: heard.ids == set(ids))
        assert in_order(heard)


async def test_breaches_are_told_to_a_broker_that_refuses_status_and_states(tmp_path: Path) -> None:
    acl = tmp_path / "acl"
    acl.write_text("topic write netsla/lab/breach/#\ntopic read #\n")
    broker = Broker(tmp_path, ("allow_anonymous true", f"acl_file {acl}")).start()
    try:
        async with subscriber(broker.port) as heard, desk(tmp_path, to(broker)) as ours:
            await ours.put("a/e/o", state=b'{"standing":"met"}')
            await ours.drained()
            await heard.until(lambda: heard.events)
            await ours.troubled("states are refused: the broker refuses netsla/lab/")
    finally:
        broker.end()


async def test_many_states_do_not_hold_up_an_event(tmp_path: Path, broker: Broker) -> None:
    async with subscriber(broker.port) as heard, desk(tmp_path, to(broker)) as ours:
        await until(lambda: ours.delivery.connected, 10)
        ours.outbox.put({f"a/e{number}/o": b'{"standing":"met"}' for number in range(5000)}, [])
        ids = await ours.put("a/e1/o")
        await heard.until(lambda: heard.ids == set(ids))
        assert len(heard.states) < 5000
        await heard.until(lambda: len(heard.states) == 5001)


async def test_a_password_changed_on_disk_counts_at_the_next_connection(tmp_path: Path) -> None:
    passwords, secret = tmp_path / "passwords", tmp_path / "secret"
    done = await asyncio.create_subprocess_exec("mosquitto_passwd", "-b", "-c", str(passwords), "netsla", "new")
    assert await done.wait() == 0
    secret.write_text("old\n")
    broker = Broker(tmp_path, ("allow_anonymous false", f"password_file {passwords}")).start()
    try:
        async with desk(tmp_path, to(broker, username="netsla", password=Secret("old", str(secret)))) as ours:
            await ours.put()
            await ours.troubled("Not authorized: see username and password")
            secret.write_text("new\n")
            await ours.drained()
    finally:
        broker.end()
