"""A receiver over HTTP on loopback, whose answers a test decides, and a delivery on its way to it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from netsla.model import AlertmanagerSettings, WebhookSettings
from netsla.sinks import delivery as deliveries
from netsla.sinks.alertmanager import AlertmanagerSink
from netsla.sinks.base import Sink
from netsla.sinks.delivery import Delivery
from netsla.sinks.webhook import WebhookSink
from netsla.store.backlog import Event
from netsla.store.outbox import Outbox
from tests.sinks.broker import free_port


@dataclass
class Request:
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def well(_request: Request) -> int:
    return 200


@dataclass
class Receiver:
    """Answers each POST with what `judge` says; None: never."""

    port: int = field(default_factory=free_port)
    judge: Callable[[Request], int | None] = well
    asked: list[Request] = field(default_factory=list)
    taken: list[Request] = field(default_factory=list)
    _runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        app = web.Application()
        app.router.add_post("/{path:.*}", self._hear)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _hear(self, request: web.Request) -> web.Response:
        one = Request(dict(request.headers), await request.read())
        self.asked.append(one)
        status = self.judge(one)
        if status is None:
            await asyncio.sleep(3600)
        if status is not None and 200 <= status < 300:
            self.taken.append(one)
        return web.Response(status=status or 500, text="because the test says so")


def payload(number: int, objective: str, kind: str = "opened", **more: Any) -> bytes:
    agreement, endpoint, name = objective.split("/")
    body = {
        "id": f"id-{number:05d}", "sequence": number, "kind": kind, "agent": "lab",
        "agreement": {"id": agreement, "version": 1, "customer": "ACME GmbH"},
        "endpoint": {"id": endpoint, "address": "192.0.2.1"}, "probe": "ping",
        "objective": {"id": name, "metric": "latency", "statistic": "p95", "target": "<= 50ms", "window": "5m"},
        "severity": "P2", "value": 0.061, "evidence": "conclusive", "onset": "2026-10-01T12:00:00.000000Z",
        "ended_at": "2026-10-01T12:05:00.000000Z" if kind in ("closed", "data_back") else None, **more,
    }  # fmt: skip
    return json.dumps(body).encode()


@dataclass
class Desk:
    """An outbox with one sink, and what is put there."""

    outbox: Outbox
    delivery: Delivery
    task: asyncio.Task[None]
    number: int = 0
    order: dict[str, list[str]] = field(default_factory=dict)  # ids as they were put, by objective

    @property
    def sink(self) -> str:
        return self.delivery.sink.name

    async def put(self, objective: str = "acme/hq/latency", kind: str = "opened", **more: Any) -> str:
        self.number += 1
        event = Event(f"id-{self.number:05d}", objective, payload(self.number, objective, kind, **more), self.number)
        await asyncio.wrap_future(self.outbox.put({}, [event]))
        self.order.setdefault(objective, []).append(event.id)
        return event.id

    async def drained(self) -> None:
        await until(lambda: not self.outbox.pending(self.sink))


async def until(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    """Look until it holds: these are facts of other threads and processes."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def desk(folder: Path, sink: Sink) -> AsyncIterator[Desk]:
    outbox = Outbox(folder / "outbox.db", [sink.name], lambda _objective, events: events[-1])
    await asyncio.wrap_future(outbox.start())
    delivery = Delivery(sink, outbox)
    task = asyncio.create_task(delivery.run())
    try:
        yield Desk(outbox, delivery, task)
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait_for(task, 10)
        await asyncio.to_thread(outbox.close)


def webhook(url: str, seconds: float = 5.0, **more: Any) -> WebhookSink:
    return WebhookSink(WebhookSettings(f"{url}/hook/t0ken", timeout_ns=int(seconds * 1e9), **more))


def alertmanager(url: str) -> AlertmanagerSink:
    return AlertmanagerSink(AlertmanagerSettings(url))


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses of a hundredth of what they are in the field."""
    for name in ("_FIRST_S", "_LONGEST_S", "_REFUSED_S", "_REFUSED_LONGEST_S"):
        monkeypatch.setattr(deliveries, name, getattr(deliveries, name) / 100)
