"""A backlog: everything breached while the broker was away for long; what it costs, and how fast it is told.

    python -m tests.chaos.alerts --objectives 10000 --rounds 3

Each round opens or closes a breach of every objective while nobody listens; then the broker comes up. Memory is that of
this process (VmRSS), in which outbox and delivery run alone; the broker and the subscriber are others.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from netsla.model import MqttSettings
from netsla.sinks.delivery import Delivery
from netsla.sinks.mqtt import MqttSink
from netsla.store.backlog import Event
from netsla.store.outbox import Outbox
from tests.chaos.loop_lag import Lag
from tests.sinks.broker import Broker
from tests.sinks.receiver import payload, until


@dataclass
class Backlog:
    """What a run measured."""

    events: int
    waiting: int  # when the broker came; fewer than events above the bound
    memory_mb: list[float]  # before, and after each round
    drained_s: float
    lag_ms: float  # the longest that the loop was held while draining

    @property
    def rate(self) -> float:
        return self.waiting / self.drained_s

    def __str__(self) -> str:
        memory = " ".join(f"{one:.0f}" for one in self.memory_mb)
        return (
            f"{self.events} events decided, {self.waiting} waiting; memory {memory} MB; "
            f"drained in {self.drained_s:.1f} s = {self.rate:.0f}/s; the loop was held for {self.lag_ms:.0f} ms at most"
        )


async def run(folder: Path, objectives: int, rounds: int) -> Backlog:
    broker = Broker(folder)
    outbox = Outbox(folder / "outbox.db", ["mqtt"], lambda _objective, events: events[-1])
    await asyncio.wrap_future(outbox.start())
    task = asyncio.create_task(Delivery(MqttSink(MqttSettings("127.0.0.1", broker.port), "lab"), outbox).run())
    memory = [_memory_mb()]
    for turn in range(rounds):
        await _decide(outbox, objectives, turn)
        memory.append(_memory_mb())
    waiting = outbox.pending("mqtt")
    await asyncio.to_thread(broker.start)
    try:
        async with Lag() as lag:
            await until(lambda: outbox.pending("mqtt") < waiting, 90)
            begin, left = time.monotonic(), outbox.pending("mqtt")
            await until(lambda: not outbox.pending("mqtt"), 600)
            seconds = (time.monotonic() - begin) * waiting / left
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await asyncio.to_thread(outbox.close)
        broker.end()
    return Backlog(objectives * rounds, waiting, memory, seconds, lag.longest_ms)


async def _decide(outbox: Outbox, objectives: int, turn: int) -> None:
    kind, standing = ("opened", b"breached") if turn % 2 == 0 else ("closed", b"met")
    names = [f"acme/e{number}/latency" for number in range(objectives)]
    events = [
        Event(f"id-{turn * objectives + number:05d}", name, payload(turn * objectives + number, name, kind), turn)
        for number, name in enumerate(names)
    ]
    await asyncio.wrap_future(outbox.put(dict.fromkeys(names, b'{"standing":"%s"}' % standing), events))


def _memory_mb() -> float:
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objectives", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=1)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(run(Path(folder), wanted.objectives, wanted.rounds))
    print(found)
    return 0 if found.rate >= 500 else 1


if __name__ == "__main__":
    sys.exit(main())
