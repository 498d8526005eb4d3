"""The consumer of docs/mqtt.md does what is said of it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import aiomqtt

from tests.sinks.broker import Broker
from tests.sinks.receiver import payload

CONSUMER = Path(__file__).parents[2] / "docs" / "examples" / "consumer.py"


async def test_it_prints_every_event_once(tmp_path: Path) -> None:
    broker = Broker(tmp_path).start()
    command = (sys.executable, "-u", str(CONSUMER), "127.0.0.1", str(broker.port))
    consumer = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert consumer.stdout is not None
    try:
        async with aiomqtt.Client("127.0.0.1", broker.port) as client, asyncio.timeout(20):
            first: asyncio.Future[bytes] = asyncio.ensure_future(consumer.stdout.readline())
            while not first.done():  # until it is subscribed; repeats are dropped
                await client.publish("netsla/lab/breach/acme/hq/latency", payload(1, "acme/hq/latency"), 1)
                await asyncio.wait({first}, timeout=0.1)
            for number in (1, 1, 2, 1, 2, 3):
                kind = "closed" if number == 3 else "updated"
                await client.publish("netsla/lab/breach/acme/hq/latency", payload(number, "acme/hq/latency", kind), 1)
            lines = [await first, await consumer.stdout.readline(), await consumer.stdout.readline()]
        assert [line.split()[0] for line in lines] == [b"opened", b"updated", b"closed"]
        assert lines[0].split()[1:] == [
            b"netsla/lab/breach/acme/hq/latency", b"2026-10-01T12:00:00.000000Z", b"0.061",
        ]  # fmt: skip
    finally:
        consumer.kill()
        await consumer.wait()
        broker.end()
