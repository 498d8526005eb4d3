"""From a blackout to a subscriber: one `opened`, one `closed`, soon, through a dead broker and a killed agent."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # ships no types

from netsla.wire.event import schema
from tests.netlab.lab import Agent, Lab, netlab, run
from tests.netlab.veth import join, restore
from tests.sinks.broker import Broker, Heard, subscriber

CONFIG = """
agent: {{name: lab, state_dir: var, socket: netsla.sock}}
mqtt: {{url: "mqtt://{host}:{port}"}}
probes: {{ping: {{type: icmp, interval: 200ms, timeout: 500ms}}}}
agreements:
  - id: lab
    parties: {{customer: {{name: ACME}}}}
    probes: [ping]
    uptime: {{method: interval, interval: 1s, loss_over: 50%}}
    measurement: {{min_coverage: 50%}}  # a minute in which the agent was killed is judged all the same
    objectives: [{{id: delivery, metric: packet_delivery, target: ">= 60%", window: 1m}}]
    endpoints: [{{id: one, address: 10.99.0.1}}, {{id: two, address: 10.99.1.1}}, {{id: three, address: 10.99.2.1}}]
"""
EVERYBODY = ("10.99.0.0/24", "10.99.1.0/24", "10.99.2.0/24")
HOST = "198.18.0.1"  # of the broker, as the agent sees it: a veth pair to the test's own namespace


@contextlib.contextmanager
def reachable(lab: Lab) -> Any:
    """Let the agent's namespace reach the test's by one address."""
    name = f"nsb{lab.near[3:]}"[:15]
    run("ip", "link", "add", name, "type", "veth", "peer", "name", "tobroker", "netns", lab.near)
    run("ip", "address", "add", f"{HOST}/30", "dev", name)
    run("ip", "link", "set", name, "up")
    run("ip", "-n", lab.near, "address", "add", "198.18.0.2/30", "dev", "tobroker")
    run("ip", "-n", lab.near, "link", "set", "tobroker", "up")
    try:
        yield
    finally:
        run("ip", "link", "delete", name)


def black(lab: Lab, act: str) -> tuple[float, float]:
    """Let the far side swallow what goes to `one` (`add`), or no more (`del`); returns between when and when."""
    before = time.time()
    run("ip", "-n", lab.far, "route", act, "blackhole", "10.99.0.0/24", "table", "local")
    return before, time.time()


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


async def started(lab: Lab, broker: Broker) -> Agent:
    agent = await asyncio.to_thread(lab.agent, CONFIG.format(host=HOST, port=broker.port))
    await asyncio.to_thread(agent.until, lambda now: min(probe["totals"]["sent"] for probe in now["probes"]) >= 30)
    return agent


def kinds(heard: Heard) -> list[str]:
    """Each event once, by id."""
    seen = {one["id"]: one for one in heard.events}
    return [one["kind"] for one in seen.values()]


async def until(holds: Callable[[], bool], heard: Heard, limit: float = 100.0) -> None:
    await heard.until(holds, limit)


async def test_a_blackout_is_told_once_through_everything(tmp_path: Path) -> None:
    with netlab(tmp_path, wire=False) as lab:
        join(lab)
        restore(lab, EVERYBODY)
        with reachable(lab):
            (tmp_path / "broker").mkdir()
            broker = Broker(tmp_path / "broker", ("allow_anonymous true",), host=HOST).start()
            try:
                async with subscriber(broker.port, host=HOST) as heard:
                    await told(lab, broker, heard)
            finally:
                broker.end()


async def told(lab: Lab, broker: Broker, heard: Heard) -> None:
    agent = await started(lab, broker)
    await until(lambda: heard.states.get("netsla/lab/status") == "online", heard)
    state = "netsla/lab/state/lab/one/delivery"
    await until(lambda: heard.states.get(state, {}).get("standing") == "met", heard)
    begin = black(lab, "add")
    await until(lambda: heard.events != [], heard)
    heard_at, opened = time.time(), heard.events[0]
    assert (opened["kind"], opened["agreement"]["customer"]) == ("opened", "ACME")
    jsonschema.validate(opened, schema("event"))
    assert begin[0] < seconds(opened["onset"]) < begin[1] + 0.25, "right to one probe interval"
    assert heard_at - seconds(opened["decided_at"]) < 2
    await until(lambda: heard.states[state]["breach"] is not None, heard)
    agent.process.send_signal(signal.SIGKILL)
    agent.process.wait()
    broker.end(signal.SIGKILL)
    end = black(lab, "del")
    restarting = asyncio.create_task(started(lab, broker))
    await asyncio.sleep(2)  # the new agent finds no broker first
    broker.start()
    agent = await restarting
    back = time.time()
    await until(lambda: "closed" in kinds(heard), heard)
    assert kinds(heard) == ["opened", "closed"]
    closed = heard.events[-1]
    assert end[0] < seconds(closed["ended_at"]) < back, "it recovered while no agent looked: right to the restart"
    await until(lambda: heard.states[state]["breach"] is None, heard)
    metrics = await asyncio.to_thread(agent.metrics)
    assert "netsla_mqtt_connected 1.0" in metrics
    assert "netsla_outbox_pending 0.0" in metrics
    assert await asyncio.to_thread(agent.end) == 0
    await until(lambda: heard.states["netsla/lab/status"] == "offline", heard)
