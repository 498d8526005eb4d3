"""The same faults (broker.py), on a whole agent that probes endpoints which come and go.

    python -m tests.chaos.whole --cycles 200 --seed 1

The agent runs in a namespace, the broker outside; endpoints go dark and come back at random all the while, so that
breaches open and close. It is also ended in order, and its configuration reloaded with an endpoint less. At the end,
beside what broker.py asks: every event keeps to its schema, of each objective `opened` and `closed` take turns, and
when all endpoints are back the retained states say so, and say `offline` when the agent has gone.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar

import jsonschema  # type: ignore[import-untyped]  # ships no types

from netsla.sla.alerts import REMOVED
from netsla.store.outbox import read_history
from netsla.store.readonly import connect_readonly
from netsla.wire.event import schema
from tests.chaos.broker import Report, Stage, staged, suffer
from tests.netlab.lab import Lab, netlab, run
from tests.netlab.veth import join, restore
from tests.scenarios.test_031_mqtt import HOST, reachable
from tests.sinks.receiver import until

ENDPOINTS = 240
_DARK = 6  # at once, at most: more would be a mass failure
_GUEST = ENDPOINTS - 1  # comes and goes with reloads

_CONFIG = """
agent: {{name: chaos, state_dir: {folder}, socket: {folder}/netsla.sock}}
web: {{listen: []}}
mqtt: {{url: "mqtts://{host}:{port}", ca_file: {folder}/ca.pem, username: netsla, password_file: {folder}/secret}}
probes: {{ping: {{type: icmp, interval: 500ms, timeout: 300ms}}}}
agreements:
  - id: acme
    probes: [ping]
    uptime: {{method: interval, interval: 1s, loss_over: 50%}}
    objectives:
      - {{id: delivery, metric: packet_delivery, target: ">= 99.9%", window: 1m}}
      - {{id: up, metric: uptime, target: ">= 93%", window: 1m}}
    endpoints:
"""


class Whole(Stage):
    """The agent is all of it."""

    lab: ClassVar[Lab]
    living: asyncio.Task[None]
    denied_part: ClassVar[str] = "acme/"
    denial_s: ClassVar[float] = 5.0  # so that something is decided meanwhile

    def start_agent(self) -> None:
        self.configure()
        (self.folder / "secret").write_text("right\n")
        command = ["ip", "netns", "exec", self.lab.near, sys.executable, "-m", "netsla", "run"]
        with (self.folder / "agent.log").open("ab") as log:
            self.agent = subprocess.Popen(
                [*command, "--config", str(self.folder / "netsla.yaml")], stdout=log, stderr=log
            )

    def configure(self, *, guest: bool = True) -> None:
        text = _CONFIG.format(folder=self.folder, host=HOST, port=self.proxy.port)
        for number in range(ENDPOINTS if guest else _GUEST):
            text += f"      - {{id: e{number}, address: 10.99.{number}.1}}\n"
        fresh = self.folder / "netsla.yaml.new"
        fresh.write_text(text)
        fresh.replace(self.folder / "netsla.yaml")

    # --- what becomes of the endpoints --------------------------------------------------------------

    def turn(self, number: int, act: str) -> None:
        """`add`: the endpoint is dark; `del`: no more."""
        network = f"10.99.{number}.0/24"
        run("ip", "-n", self.lab.far, "route", act, "blackhole", network, "table", "local")

    async def live(self) -> None:
        """Endpoints go dark and come back, until cancelled; then all are back."""
        dark: set[int] = set()
        try:
            while True:
                number = self.chance.choice(sorted(dark) if len(dark) == _DARK else range(ENDPOINTS))
                self.turn(number, "del" if number in dark else "add")
                dark ^= {number}
                await asyncio.sleep(self.chance.uniform(0.1, 0.8))
        finally:
            for number in dark:
                self.turn(number, "del")

    # --- faults -------------------------------------------------------------------------------------

    async def restart_agent(self) -> None:
        await asyncio.to_thread(self.end_agent, signal.SIGTERM)
        self.start_agent()

    async def reload_agent(self) -> None:
        assert self.agent is not None
        self.configure(guest=False)
        self.agent.send_signal(signal.SIGHUP)  # one that is only starting dies of it
        await asyncio.sleep(self.chance.uniform(0.1, 3))
        if self.agent.poll() is not None:
            self.start_agent()
        else:
            self.configure()
            self.agent.send_signal(signal.SIGHUP)

    @property
    def faults(self) -> list[Callable[[], Awaitable[None]]]:
        return [*super().faults, self.restart_agent, self.reload_agent]

    # --- the end ------------------------------------------------------------------------------------

    async def finish(self) -> None:
        self.living.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.living
        names = [f"e{number}/{what}" for number in range(ENDPOINTS) for what in ("delivery", "up")]
        states = [f"netsla/chaos/state/acme/{name}" for name in names]
        heard = self.heard.states
        await until(
            lambda: all((one := heard.get(name)) and one["standing"] == "met" and not one["breach"] for name in states),
            120,
        )
        await until(lambda: not self.pending, 90)
        await asyncio.to_thread(self.end_agent, signal.SIGTERM)
        await until(lambda: heard["netsla/chaos/status"] == "offline", 10)

    @property
    def pending(self) -> int:
        with closing(connect_readonly(self.outbox)) as outbox:
            return int(outbox.execute("SELECT count(*) FROM pending").fetchone()[0])

    @property
    def decided(self) -> set[str]:
        """Without those that nobody need be told of."""
        return {str(one["id"]) for one in self.events if one.get("caused_by") in (None, REMOVED)}

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(one.payload) for one in read_history(self.outbox, 0)]

    def wrong_turns(self) -> list[str]:
        """Objectives that were opened or closed twice in a row, or stand open."""
        turns: dict[str, list[str]] = {}
        for one in self.events:
            jsonschema.validate(one, schema("event"))
            turns.setdefault(f"{one['endpoint']['id']}/{one['objective']['id']}", []).append(one["kind"])
        return [name for name, kinds in turns.items() if kinds != ["opened", "closed"] * (len(kinds) // 2)]


async def torment(folder: Path, cycles: int, seed: int) -> tuple[Report, list[str]]:
    """So many faults; what came of them, and of which objectives begin and end do not match."""
    with netlab(folder, wire=False) as lab:
        join(lab)
        restore(lab, ["10.99.0.0/16"])
        Whole.lab = lab
        with reachable(lab):
            async with staged(folder, random.Random(seed), Whole, HOST) as stage:
                assert isinstance(stage, Whole)
                stage.living = asyncio.create_task(stage.live())
                try:
                    report = await suffer(stage, cycles, 2.0)
                finally:
                    stage.living.cancel()
                return report, stage.wrong_turns()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cycles", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report, wrong = asyncio.run(torment(Path(folder), wanted.cycles, wanted.seed))
    print(report)
    print(f"begin and end do not match: {wrong}")
    return 0 if report.sound and not wrong else 1


if __name__ == "__main__":
    sys.exit(main())
