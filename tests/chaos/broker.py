"""Random faults between an agent and its broker, and what came of it.

    python -m tests.chaos.broker --cycles 1000 --seed 1

Each cycle one fault: the agent killed, also while another fault lasts; the broker killed, ended, stopped; the
connection cut, also in the middle of a packet; topics denied; the password changed; the certificate expired. Whatever
is decided while its topic is denied must still be pending when the denial ends. At the end: what a subscriber received
is what the outbox decided, in order per objective, and repeats are the same. The broker sends to its subscriber what it
acknowledges without a limit of messages under way, so that what it loses when it is killed is not taken for ours.

Here the agent is its outbox and its sink (teller.py), which decides a hundred events a second; whole.py does the same
to a whole agent that probes.
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
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

import trustme

from netsla.store.outbox import read_history
from netsla.store.readonly import connect_readonly
from tests.sinks.broker import Broker, Heard, free_port, subscriber
from tests.sinks.cutter import Cutter
from tests.sinks.receiver import until

ROOT = Path(__file__).parents[2]
_EFFECTIVE_S = 0.15  # after which the broker has read its rules anew


@dataclass
class Stage:
    """The agent, the broker, what lies between them, and who listens."""

    folder: Path
    broker: Broker
    proxy: Cutter  # where the agent comes through
    heard: Heard
    chance: random.Random
    authority: trustme.CA = field(default_factory=trustme.CA)
    agent: subprocess.Popen[bytes] | None = None
    let_through: list[str] = field(default_factory=list)  # ids that were done while the broker refused them
    denied: int = 0  # events that were decided while it did
    denied_part: ClassVar[str] = "acme/e1/"  # whose events are denied, where not all of ours are
    denial_s: ClassVar[float] = 0.3  # how long, beside what it takes to begin

    def start_agent(self) -> None:
        command = [sys.executable, "-m", "tests.chaos.teller", str(self.folder), str(self.proxy.port)]
        self.agent = subprocess.Popen([*command, str(self.folder / "ca.pem")], stdin=subprocess.PIPE, cwd=ROOT)

    def end_agent(self, how: signal.Signals = signal.SIGKILL) -> None:
        if self.agent is not None:
            self.agent.send_signal(how)
            self.agent.wait(10)
            if self.agent.stdin is not None:
                self.agent.stdin.close()

    async def finish(self) -> None:
        """Peace, until everything was told; then an orderly end."""
        assert self.agent is not None
        await asyncio.to_thread(self.agent.communicate, timeout=60)

    @property
    def outbox(self) -> Path:
        return self.folder / "outbox.db"

    @property
    def decided(self) -> set[str]:
        """What was to be told."""
        return {one.id for one in read_history(self.outbox, 0)}

    # --- faults -------------------------------------------------------------------------------------

    async def kill_agent(self) -> None:
        await asyncio.to_thread(self.end_agent)
        self.start_agent()

    async def kill_agent_in_another_fault(self) -> None:
        other = self.chance.choice((self.deny, self.change_password, self.expire, self.stop_broker, self.kill_broker))
        lasting = asyncio.create_task(other())
        await asyncio.sleep(self.chance.uniform(0.0, 0.5))
        await self.kill_agent()
        await lasting

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
        topics = f"topic deny netsla/chaos/breach/{self.denied_part}#", "topic deny netsla/chaos/#"
        await self._reload(lambda: self.permit(*topics))
        begin_ns = time.time_ns()
        await asyncio.sleep(self.denial_s)
        await asyncio.to_thread(self.look_for_let_through, begin_ns)
        await self._reload(self.permit)

    def look_for_let_through(self, begin_ns: int) -> None:
        """What was decided since its topic was denied must be pending."""
        with closing(connect_readonly(self.outbox)) as outbox:
            rows = outbox.execute(
                "SELECT event.id, pending.id FROM event LEFT JOIN pending ON pending.id = event.id"
                " WHERE objective LIKE ? AND at_ns >= ?",
                (f"{self.denied_part}%", begin_ns),
            ).fetchall()
        self.denied += len(rows)
        self.let_through += [one for one, pending in rows if pending is None]

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
        await asyncio.sleep(self.chance.uniform(_EFFECTIVE_S, 0.6))

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
        leaf = self.authority.issue_cert("127.0.0.1", self.proxy.host, not_after=until_when)
        leaf.private_key_pem.write_to_path(self.folder / "server.key")
        leaf.cert_chain_pems[0].write_to_path(self.folder / "server.pem")

    @property
    def faults(self) -> list[Callable[[], Awaitable[None]]]:
        return [
            self.kill_agent, self.kill_broker, self.end_broker, self.stop_broker, self.cut, self.cut_in_a_packet,
            self.deny, self.change_password, self.expire, self.kill_agent_in_another_fault,
        ]  # fmt: skip


@dataclass
class Report:
    """What came of a run."""

    faults: Counter[str]
    decided: set[str]
    received: Counter[str]
    out_of_order: list[str]
    changed_repeats: list[str]
    let_through: list[str]
    denied: int
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
            f"out of order {len(self.out_of_order)}; while their topic was denied: decided {self.denied}, "
            f"of which counted as told {len(self.let_through)}"
        )

    @property
    def sound(self) -> bool:
        return not (self.missing or self.unknown or self.out_of_order or self.changed_repeats or self.let_through)


async def run(folder: Path, cycles: int, seed: int) -> Report:
    """So many faults, then peace until everything was told."""
    async with staged(folder, random.Random(seed)) as stage:
        return await suffer(stage, cycles)


async def suffer(stage: Stage, cycles: int, most_s: float = 0.4) -> Report:
    """So many faults on a stage, up to so many seconds apart; what came of them."""
    begin, done = time.monotonic(), Counter[str]()
    stage.start_agent()
    for cycle in range(cycles):
        some = stage.faults
        fault = some[cycle % len(some)] if cycle < len(some) else stage.chance.choice(some)
        await asyncio.sleep(stage.chance.uniform(0.05, most_s))
        await fault()
        done[fault.__name__] += 1
    await stage.finish()
    decided = stage.decided
    with contextlib.suppress(TimeoutError):
        await until(lambda: decided <= stage.heard.ids, 20)
    return _judge(stage, decided, done, time.monotonic() - begin)


@contextlib.asynccontextmanager
async def staged(
    folder: Path, chance: random.Random, make: type[Stage] = Stage, host: str = "127.0.0.1"
) -> AsyncIterator[Stage]:
    """A stage of this kind; the agent comes through to the broker at `host`."""
    plain = free_port()
    files = {name: folder / name for name in ("ca.pem", "server.pem", "server.key", "acl", "passwords")}
    rules = (
        "max_inflight_messages 0", "allow_anonymous false", f"acl_file {files['acl']}",
        f"password_file {files['passwords']}", f"cafile {files['ca.pem']}", f"certfile {files['server.pem']}",
        f"keyfile {files['server.key']}", f"listener {plain} 127.0.0.1",
    )  # fmt: skip
    broker = Broker(folder, rules)
    proxy = Cutter(broker.port, host)
    stage = make(folder, broker, proxy, Heard(), chance)
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


def _judge(stage: Stage, decided: set[str], faults: Counter[str], seconds: float) -> Report:
    bodies: dict[str, object] = {}
    last: dict[str, int] = {}
    out_of_order, changed = [], []
    for topic, one in stage.heard.told:
        if one["id"] in bodies:
            if bodies[one["id"]] != one:
                changed.append(one["id"])
            continue
        bodies[one["id"]] = one
        if one["sequence"] <= last.get(topic, 0):
            out_of_order.append(one["id"])
        last[topic] = one["sequence"]
    received = Counter(one["id"] for one in stage.heard.events)
    return Report(faults, decided, received, out_of_order, changed, stage.let_through, stage.denied, seconds)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cycles", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = asyncio.run(run(Path(folder), wanted.cycles, wanted.seed))
    print(report)
    return 0 if report.sound else 1


if __name__ == "__main__":
    sys.exit(main())
