"""Events by HTTP POST: the payload as it is, signed, under one id on every try."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from netsla.model import Secret, WebhookSettings
from netsla.sinks.webhook import WebhookSink, headers
from netsla.store.backlog import Event
from tests.sinks.receiver import Receiver, Request, desk, hurry, until, webhook


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    found = Receiver()
    await found.start()
    yield found
    await found.stop()


def test_the_signature_is_that_of_standard_webhooks() -> None:
    # The example of the specification: github.com/standard-webhooks, README of the reference libraries.
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    event = Event("msg_p5jXN8AQM9LWM0D4loKWxJek", "a/e/o", b'{"test": 2432232314}')
    assert headers(event, key, 1614265330) == {
        "Content-Type": "application/json",
        "User-Agent": "netsla",
        "Idempotency-Key": event.id,
        "webhook-id": event.id,
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


async def test_what_is_posted_is_the_payload_and_it_is_signed(tmp_path: Path, receiver: Receiver) -> None:
    async with desk(tmp_path, webhook(receiver.url, secret=Secret("s3cret"))) as ours:
        event_id = await ours.put()
        await ours.drained()
    (one,) = receiver.taken
    assert one.json["id"] == event_id
    assert one.headers["Idempotency-Key"] == one.headers["webhook-id"] == event_id
    signed = f"{event_id}.{one.headers['webhook-timestamp']}.".encode() + one.body
    mac = hmac.new(b"s3cret", signed, hashlib.sha256).digest()
    assert one.headers["webhook-signature"] == f"v1,{base64.b64encode(mac).decode()}"


async def test_a_secret_changed_on_disk_signs_the_next_event(tmp_path: Path, receiver: Receiver) -> None:
    file = tmp_path / "secret"
    file.write_text("one\n")
    async with desk(tmp_path, webhook(receiver.url, secret=Secret("one", str(file)))) as ours:
        await ours.put()
        await ours.drained()
        file.write_text("whsec_dHdv\n")  # base64 of "two"
        await ours.put()
        await ours.drained()
    for one, key in zip(receiver.taken, (b"one", b"two"), strict=True):
        signed = f"{one.headers['webhook-id']}.{one.headers['webhook-timestamp']}.".encode() + one.body
        mac = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        assert one.headers["webhook-signature"] == f"v1,{mac}"


async def test_without_a_secret_nothing_is_signed(tmp_path: Path, receiver: Receiver) -> None:
    async with desk(tmp_path, webhook(receiver.url)) as ours:
        await ours.put()
        await ours.drained()
    assert "webhook-signature" not in receiver.taken[0].headers


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (302, "127.0.0.1 answers 302 Found: write the URL it leads to"),
        (401, "127.0.0.1 answers 401 Unauthorized: see the secret"),
        (404, "127.0.0.1 answers 404 Not Found: see the URL"),
        (429, "127.0.0.1 answers 429 Too Many Requests"),
        (503, "127.0.0.1 answers 503 Service Unavailable"),
    ],
)
async def test_a_receiver_that_is_ill_is_said_and_waited_for(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, status: int, said: str
) -> None:
    hurry(monkeypatch)
    receiver.judge = lambda _request: status
    async with desk(tmp_path, webhook(receiver.url)) as ours:
        event_id = await ours.put()
        await until(lambda: said == ours.delivery.problem)
        assert "t0ken" not in ours.delivery.problem
        await until(lambda: len(receiver.asked) >= 3)
        assert ours.outbox.pending(ours.sink) == 1
        receiver.judge = lambda _request: 204
        await ours.drained()
        await until(lambda: not ours.delivery.problem)
    assert {one.headers["webhook-id"] for one in receiver.asked} == {event_id}


async def test_what_makes_a_receiver_ill_holds_up_nobody_else(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)

    def poisoned(request: Request) -> int:
        return 500 if request.json["endpoint"]["id"] == "bad" else 200

    receiver.judge = poisoned
    async with desk(tmp_path, webhook(receiver.url)) as ours:
        bad = await ours.put("acme/bad/latency")
        good = [await ours.put(f"acme/e{i}/latency") for i in range(50)]
        await until(lambda: {one.json["id"] for one in receiver.taken} == set(good))
        assert [one.id for one in ours.outbox.next(ours.sink)] == [bad]


async def test_a_secret_that_is_no_base64_is_said(tmp_path: Path, receiver: Receiver) -> None:
    sink = WebhookSink(WebhookSettings(receiver.url, Secret("whsec_???")))
    async with desk(tmp_path, sink) as ours:
        await ours.put()
        await until(lambda: "not base64" in ours.delivery.problem)
        assert "???" not in ours.delivery.problem


def test_a_name_tells_the_host_and_keeps_the_token() -> None:
    name = WebhookSink(WebhookSettings("https://hooks.example.net/t0ken")).name
    assert name.startswith("webhook hooks.example.net:")
    assert "t0ken" not in name
    assert name != WebhookSink(WebhookSettings("https://hooks.example.net/other")).name
