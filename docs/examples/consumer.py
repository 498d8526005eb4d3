"""Prints every breach event once: python consumer.py HOST [PORT] (pip install aiomqtt)."""
# ruff: noqa: INP001 - a script, not a package

import asyncio
import json
import sys
from collections import OrderedDict

import aiomqtt

SEEN: OrderedDict[str, bool] = (
    OrderedDict()
)  # the newest ids; an event may come again after a lost connection, under the same id


async def consume(host: str, port: int) -> None:
    """Until it is interrupted."""
    while True:
        try:
            async with aiomqtt.Client(host, port, identifier="my-consumer", clean_session=False) as client:
                await client.subscribe("netsla/+/breach/#", qos=1)
                async for message in client.messages:
                    event = json.loads(message.payload)
                    if event["id"] not in SEEN:
                        SEEN[event["id"]] = True
                        print(event["kind"], message.topic, event["onset"], event["value"], flush=True)
                    while len(SEEN) > 100_000:
                        SEEN.popitem(last=False)
        except aiomqtt.MqttError as error:
            print(f"{error}; again in 5 s", file=sys.stderr)
            await asyncio.sleep(5)


if __name__ == "__main__":
    asyncio.run(consume(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1883))
