"""An agent reduced to its outbox and its broker: decides events all the time, until its input ends or it is killed."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from netsla.model import MqttSettings, Secret
from netsla.sinks import connection, delivery, mqtt
from netsla.sinks.delivery import Delivery
from netsla.sinks.mqtt import MqttSink
from netsla.store.backlog import Event
from netsla.store.outbox import Outbox

OBJECTIVES = 20
_EVERY_S = 0.01


async def tell(folder: Path, settings: MqttSettings) -> None:
    outbox = Outbox(folder / "outbox.db", ["mqtt"], lambda _objective, events: events[-1])
    await asyncio.wrap_future(outbox.start())
    task = asyncio.create_task(Delivery(MqttSink(settings, "chaos"), outbox).run())
    ended = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    number = time.time_ns()  # goes on above what an earlier one left
    while not ended.done():
        number += 1
        _decide(outbox, number)
        await asyncio.sleep(_EVERY_S)
    while outbox.pending("mqtt"):  # noqa: ASYNC110 - the outbox has no event for it
        await asyncio.sleep(0.02)
    task.cancel()
    await asyncio.wait({task})
    await asyncio.to_thread(outbox.close)


def _decide(outbox: Outbox, number: int) -> None:
    objective = f"acme/e{number % OBJECTIVES}/o"
    body = json.dumps({"id": f"id-{number}", "objective": objective, "sequence": number}).encode()
    outbox.put({objective: body}, [Event(f"id-{number}", objective, body, time.time_ns())])


def hurry() -> None:
    """Time limits and pauses of a tenth."""
    connection._ACK_S = 1.0
    mqtt._CONNECT_S = 1.0
    delivery._LONGEST_S, delivery._REFUSED_S, delivery._REFUSED_LONGEST_S = 0.5, 0.1, 0.5


if __name__ == "__main__":
    where, port, authority = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    hurry()
    to = MqttSettings(
        "127.0.0.1", port, tls=True, username="netsla", password=Secret("right"), ca_file=authority, prefix="netsla"
    )
    asyncio.run(tell(where, to))
