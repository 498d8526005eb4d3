"""A real mosquitto for one test, and a subscriber that remembers what came."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiomqtt


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@dataclass
class Broker:
    """mosquitto on a port of its own; ended by its process."""

    folder: Path
    extra: Sequence[str] = ("allow_anonymous true",)
    port: int = field(default_factory=free_port)
    host: str = "127.0.0.1"
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> Broker:
        config = self.folder / "mosquitto.conf"
        lines = ["user root", f"listener {self.port} {self.host}", "max_queued_messages 100000", *self.extra]
        lines += ["persistence true", f"persistence_location {self.folder}/", "autosave_interval 1"]
        config.write_text("\n".join(lines) + "\n")
        with (self.folder / "mosquitto.log").open("ab") as log:
            self.process = subprocess.Popen(["/usr/sbin/mosquitto", "-c", str(config)], stdout=log, stderr=log)
        limit = time.monotonic() + 10
        while True:
            with contextlib.suppress(OSError), socket.create_connection((self.host, self.port), 1):
                return self
            assert time.monotonic() < limit, (self.folder / "mosquitto.log").read_text()
            assert self.process.poll() is None, (self.folder / "mosquitto.log").read_text()
            time.sleep(0.02)

    def send(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(number)
            self.process.wait(10)


@dataclass
class Heard:
    """What a subscriber got: (topic, payload), in order; retained ones by topic."""

    messages: list[tuple[str, Any]] = field(default_factory=list)
    states: dict[str, Any] = field(default_factory=dict)
    news: asyncio.Condition = field(default_factory=asyncio.Condition)
    ready: asyncio.Event = field(default_factory=asyncio.Event)  # it is subscribed

    @property
    def events(self) -> list[Any]:
        return [payload for _, payload in self.told]

    @property
    def told(self) -> list[tuple[str, Any]]:
        """Events with their topics."""
        return [(topic, payload) for topic, payload in self.messages if "/breach/" in topic]

    @property
    def ids(self) -> set[str]:
        return {one["id"] for one in self.events}

    async def until(self, holds: Any, seconds: float = 30.0) -> None:
        """Wait until `holds()`."""
        async with self.news:
            await asyncio.wait_for(self.news.wait_for(holds), seconds)


@contextlib.asynccontextmanager
async def subscriber(port: int, *, host: str = "127.0.0.1", **how: Any) -> AsyncIterator[Heard]:
    """Subscribed to everything, over broker restarts, with a session that the broker keeps."""
    heard = Heard()

    async def listen() -> None:
        while True:
            try:
                how_to = {"identifier": "test-subscriber", "clean_session": False, "timeout": 5, **how}
                async with aiomqtt.Client(host, port, **how_to) as client:
                    await client.subscribe("#", qos=1)
                    heard.ready.set()
                    async for message in client.messages:
                        await hear(str(message.topic), bytes(message.payload))
            except aiomqtt.MqttError:
                await asyncio.sleep(0.1)

    async def hear(topic: str, body: bytes) -> None:
        payload = json.loads(body) if body.startswith(b"{") else body.decode()
        async with heard.news:
            heard.messages.append((topic, payload))
            if "/state/" in topic or topic.endswith("/status"):
                heard.states[topic] = payload
            heard.news.notify_all()

    task = asyncio.create_task(listen())
    try:
        await asyncio.wait_for(heard.ready.wait(), 10)
        yield heard
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
