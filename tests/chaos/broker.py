"""Random faults between an agent and its broker, and what came of it.

    python -m tests.chaos.broker --cycles 1000 --seed 1

Each cycle one fault: the agent killed; the broker killed, ended, stopped; the connection cut, also in the middle of a
packet; topics denied; the password changed; the certificate expired. At the end: what a subscriber received is what the
outbox decided, in order per objective, and repeats are the same to the byte. The broker sends to its subscriber what it
acknowledges without a limit of messages under way, so that what it loses when it is killed is not taken for ours.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

from netsla.store.outbox import read_history
from tests.sinks.broker import Broker, Heard, free_port, subscriber
from tests.sinks.cutter import Cutter
from tests.sinks.receiver import until

ROOT = Path(__file__).parents[2]


@dataclass
class Stage:
    """The agent, the broker, what lies between them, and who listens."""

    folder: Path
    broker: Broker
    proxy: Cutter
    heard: Heard
    chance: random.Random
    authority: trustme.CA = field(default_factory=trustme.CA)
    agent: subprocess.Popen[bytes] | None = None

    def start_agent(self) -> None:
        command = [sys.executable, "-m", "tests.chaos.teller", str(self.folder), str(self.proxy.port)]
        self.agent = subprocess.Popen([*command, str(self.folder / "ca.pem")], stdin=subprocess.PIPE, cwd=ROOT)

    # --- faults -------------------------------------------------------------------------------------

    async def kill_agent(self) -> None:
        await asyncio.to_thread(self.end_agent)
        self.start_agent()

    def end_agent(self) -> None:
        if self.agent is not None and self.agent.stdin is not None:
            self.agent.kill()
            self.agent.wait(10)
            self.agent.stdin.close()

    async def kill_broker(self) -> None:
        await self._restart(signal.SIGKILL)

    async def end_broker(self) -> None:
        await self._restart(signal.SIGTERM)

    async def _restart(self, how: signal.Signals) -> None:
        async with self.shut():
            self.heard.ready.clear()
            await asyncio.to_thread(self.broker.end, how)
            await asyncio.to_thread(self.broker.start)
            await asyncio.wait_for(self.heard.ready.wait(), 20)

    async def stop_broker(self) -> None:
        self.broker.send(signal.SIGSTOP)
        await asyncio.sleep(self.chance.choice((0.05, 0.3, 1.5)))
        self.broker.send(signal.SIGCONT)

    async def cut(self) -> None:
        self.proxy.cut()

    async def cut_in_a_packet(self) -> None:
        self.proxy.cut_after(self.chance.randrange(1, 5000))

    async def deny(self) -> None:
        await self._reload(lambda: self.permit("topic deny netsla/chaos/breach/acme/e1/#", "topic deny netsla/chaos/#"))
        await self._reload(self.permit)

    async def change_password(self) -> None:
        await self._reload(lambda: self.passwords("other"))
        await self._reload(lambda: self.passwords("right"))

    async def expire(self) -> None:
        await self._reload(lambda: self.certify(expired=True))
        await self._reload(self.certify)

    async def _reload(self, change: Callable[[], None]) -> None:
        await asyncio.to_thread(change)
        self.broker.send(signal.SIGHUP)
        self.proxy.cut()
        await asyncio.sleep(self.chance.uniform(0.2, 0.6))

    @contextlib.asynccontextmanager
    async def shut(self) -> AsyncIterator[None]:
        """Nobody comes through: the subscriber shall be back before the agent is."""
        self.proxy.shut = True
        self.proxy.cut()
        yield
        self.proxy.shut = False

    # --- what the broker reads ----------------------------------------------------------------------

    def permit(self, *denied: str) -> None:
        chosen = self.chance.choice(denied) if denied else ""
        rights = (
            "user netsla\n" + (f"{chosen}\n" if chosen else "") + "topic readwrite #\nuser listener\ntopic read #\n"
        )
        (self.folder / "acl").write_text(rights)

    def passwords(self, ours: str = "right") -> None:
        file = self.folder / "passwords"
        for name, word in (("netsla", ours), ("listener", "listener")):
            create = [] if file.exists() else ["-c"]
            subprocess.run(["mosquitto_passwd", "-b", *create, str(file), name, word], check=True, capture_output=True)

    def certify(self, *, expired: bool = False) -> None:
        until_when = datetime.now(UTC) - timedelta(days=1) if expired else None
        leaf = self.authority.issue_cert("127.0.0.1", not_after=until_when)
        leaf.private_key_pem.write_to_path(self.folder / "server.key")
        leaf.cert_chain_pems[0].write_to_path(self.folder / "server.pem")

    @property
    def faults(self) -> list[Callable[[], Awaitable[None]]]:
        return [
            self.kill_agent, self.kill_broker, self.end_broker, self.stop_broker, self.cut, self.cut_in_a_packet,
            self.deny, self.change_password, self.expire,
        ]  # fmt: skip


@dataclass
class Report:
    """What came of a run."""

    faults: Counter[str]
    decided: set[str]
    received: Counter[str]
    out_of_order: list[str]
    changed_repeats: list[str]
    seconds: float

    @property
    def missing(self) -> set[str]:
        return self.decided - set(self.received)

    @property
    def unknown(self) -> set[str]:
        return set(self.received) - self.decided

    def __str__(self) -> str:
        repeats = sum(self.received.values()) - len(self.received)
        faults = ", ".join(f"{name} {count}" for name, count in sorted(self.faults.items()))
        return (
            f"{sum(self.faults.values())} faults in {self.seconds:.0f} s ({faults})\n"
            f"decided {len(self.decided)}, received {len(self.received)}, missing {len(self.missing)}, "
            f"unknown {len(self.unknown)}, repeats {repeats}, repeats that differ {len(self.changed_repeats)}, "
            f"out of order {len(self.out_of_order)}"
        )


async def run(folder: Path, cycles: int, seed: int) -> Report:
    """So many faults, then peace until everything was told."""
    begin, done = time.monotonic(), Counter[str]()
    async with staged(folder, random.Random(seed)) as stage:
        stage.start_agent()
        for cycle in range(cycles):
            some = stage.faults
            fault = some[cycle % len(some)] if cycle < len(some) else stage.chance.choice(some)
            await asyncio.sleep(stage.chance.uniform(0.05, 0.4))
            await fault()
            done[fault.__name__] += 1
        assert stage.agent is not None
        await asyncio.to_thread(stage.agent.communicate, timeout=60)
        decided = {one.id for one in read_history(folder / "outbox.db", 0)}
        with contextlib.suppress(TimeoutError):
            await until(lambda: decided <= stage.heard.ids, 20)
        return _judge(stage.heard, decided, done, time.monotonic() - begin)


@contextlib.asynccontextmanager
async def staged(folder: Path, chance: random.Random) -> AsyncIterator[Stage]:
    plain = free_port()
    files = {name: folder / name for name in ("ca.pem", "server.pem", "server.key", "acl", "passwords")}
    rules = (
        "max_inflight_messages 0", "allow_anonymous false", f"acl_file {files['acl']}",
        f"password_file {files['passwords']}", f"cafile {files['ca.pem']}", f"certfile {files['server.pem']}",
        f"keyfile {files['server.key']}", f"listener {plain} 127.0.0.1",
    )  # fmt: skip
    broker = Broker(folder, rules)
    proxy = Cutter(broker.port)
    stage = Stage(folder, broker, proxy, Heard(), chance)
    stage.authority.cert_pem.write_to_path(files["ca.pem"])
    stage.permit()
    stage.passwords()
    stage.certify()
    broker.start()
    try:
        async with proxy, subscriber(plain, username="listener", password="listener") as stage.heard:
            try:
                yield stage
            finally:
                stage.end_agent()
    finally:
        broker.end()


def _judge(heard: Heard, decided: set[str], faults: Counter[str], seconds: float) -> Report:
    bodies: dict[str, object] = {}
    last: dict[str, int] = {}
    out_of_order, changed = [], []
    for one in heard.events:
        if one["id"] in bodies:
            if bodies[one["id"]] != one:
                changed.append(one["id"])
            continue
        bodies[one["id"]] = one
        if one["sequence"] < last.get(one["objective"], 0):
            out_of_order.append(one["id"])
        last[one["objective"]] = one["sequence"]
    received = Counter(one["id"] for one in heard.events)
    return Report(faults, decided, received, out_of_order, changed, seconds)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = asyncio.run(run(Path(folder), wanted.cycles, wanted.seed))
    print(report)
    return 1 if report.missing or report.unknown or report.out_of_order or report.changed_repeats else 0


if __name__ == "__main__":
    sys.exit(main())
