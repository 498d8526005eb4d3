"""Everything that has to do with telling: the outbox, alerts on their way into it, path snapshots, and who asks.

Rules: the outbox has its own thread, so has every snapshot; `turn`, `restore` and `load` are called from the engine's
thread and wait for nothing. A disk that is away at the start is not waited for longer than a moment: what was open
then is opened again, and said so.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import TimeoutError as LateError
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from netsla import paths
from netsla.alerting import Alerting, open_since
from netsla.control import Peer, name_of
from netsla.errors import AgentError
from netsla.model import Plan
from netsla.sinks import sinks_of
from netsla.sinks.delivery import Delivery
from netsla.sla.engine import Engine
from netsla.sla.fleet import Fleet, FleetObjective
from netsla.store.backlog import Event
from netsla.store.ledger import Ledger
from netsla.store.outbox import Outbox
from netsla.wire import event as wire

log = logging.getLogger("netsla")

OUTBOX = "outbox.db"  # in the state folder
_OPEN_S = 5.0  # to open the outbox; probing does not wait for it
_MOST_EVENTS = 200_000  # in one answer


class Telling:
    """Alerts of one agent, from the engine to whoever is to be told."""

    def __init__(self, plan: Plan, ledger: Ledger, address_of: Callable[[FleetObjective], str]) -> None:
        sinks = sinks_of(plan)
        self.outbox = Outbox(Path(plan.agent.state_dir) / OUTBOX, [one.name for one in sinks], _collapse)
        self._deliveries = [Delivery(one, self.outbox) for one in sinks]
        self._tasks: list[asyncio.Task[None]] = []
        self._settings = _settings(plan)
        self._ledger, self._address_of = ledger, address_of
        self._paths = paths.Paths(self._path_taken)
        self._alerting = Alerting(self.outbox, plan.agent.name, address_of, self._breach_opened)
        self._alerting.retaining = plan.mqtt is not None
        self._states: dict[str, bytes] = {}

    # --- life ---------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Open the outbox; what it kept is gone on with by `restore`."""
        opening = self.outbox.start()
        self._paths.start()
        try:
            self._states = await asyncio.wait_for(asyncio.wrap_future(opening), _OPEN_S)
        except (TimeoutError, LateError, sqlite3.Error):
            log.warning("%s cannot be read: breaches that were open are opened anew", OUTBOX)
        self._begin()

    def _begin(self) -> None:
        self._tasks = [asyncio.create_task(one.run(), name=one.sink.name) for one in self._deliveries]

    async def reload(self, plan: Plan) -> None:
        """Tell the sinks of this plan from now on; those that did not change are left alone only if none did."""
        if _settings(plan) == self._settings:
            return
        await self._stop()
        self._settings = _settings(plan)
        self._alerting.retaining = plan.mqtt is not None
        self._deliveries = [Delivery(one, self.outbox) for one in sinks_of(plan)]
        self.outbox.set_sinks([one.sink.name for one in self._deliveries])
        self._begin()

    async def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def close(self) -> None:
        """Say goodbye, write what waits."""
        self._paths.close()
        await self._stop()
        await asyncio.to_thread(self.outbox.close)

    def troubles(self) -> dict[str, tuple[str, ...]]:
        """Problems by part; a delivery that died of a bug says so."""
        found = {"outbox": self.outbox.problems()}
        for one, task in zip(self._deliveries, self._tasks, strict=False):
            part = one.sink.name.split(" ", 1)[0]
            words = f"{part}: {one.problem}" if one.problem else ""
            if task.done() and not task.cancelled():
                words = f"{part}: the delivery ended: {task.exception()!r}: restart the agent"
            found[part] = (*found.get(part, ()), *([words] if words else []))
        return found

    def pending(self) -> int:
        """Events that some sink has still to be told."""
        return sum(self.outbox.pending(one.sink.name) for one in self._deliveries)

    def mqtt_connected(self) -> bool | None:
        """Whether the broker takes what we publish; None without one."""
        return next((one.connected for one in self._deliveries if one.sink.name == "mqtt"), None)

    # --- the engine's thread ------------------------------------------------------------------------

    def restore(self, engine: Engine, fleet: Fleet) -> None:
        """Go on with what another agent left."""
        self._alerting.restore(engine, fleet, self._states)
        self._states = {}

    def open_since(self, fleet: Fleet) -> dict[int, int]:
        """When the breaches began that another agent left open: UTC ns, by objective number."""
        return open_since(fleet, self._states)

    def load(self, fleet: Fleet, digest: str) -> None:
        """Take a new layout."""
        self._alerting.load(fleet, digest)

    def turn(self, engine: Engine, now_ns: int) -> None:
        """Tell what has changed."""
        self._alerting.turn(engine, now_ns)

    def acknowledge(self, engine: Engine, request: Mapping[str, Any], peer: Peer) -> dict[str, str]:
        """A person sees to a breach."""
        return {"said": self._alerting.acknowledge(engine, request, name_of(peer.uid), time.time_ns())}

    # --- paths --------------------------------------------------------------------------------------

    def _breach_opened(self, event_id: str, one: FleetObjective) -> None:
        agreement, endpoint = one.endpoint.agreement.id, one.endpoint.endpoint.id
        self._paths.want(event_id, agreement, endpoint, self._address_of(one), time.time_ns())

    def _path_taken(self, snapshot: paths.Snapshot) -> None:
        detail = asdict(snapshot)
        hops = [[hop.distance, hop.address, hop.rtt_ms] for hop in snapshot.hops]
        agreement = detail.pop("agreement")
        self._ledger.note("path", {**detail, "event": detail.pop("event_id"), "hops": hops}, agreement=agreement)

    # --- who asks -----------------------------------------------------------------------------------

    async def answer_breaches(self, request: Mapping[str, Any]) -> bytes:
        """Events since an instant, and of what stands open; and the paths that were taken for them."""
        since_ns = int(request.get("since_ns") or 0)
        return await asyncio.to_thread(self.breaches, since_ns)

    def breaches(self, since_ns: int) -> bytes:
        """The same, for a thread of its own; raises AgentError."""
        try:
            standing = wire.standing_since(self.outbox.states())
            events = self.outbox.history(since_ns, standing)[-_MOST_EVENTS:]
            first_ns = min((since_ns, *standing.values()))
            with self._ledger.archive.open() as look:
                found = {note.detail["event"]: note.detail for note in look.notes(("path",), start_ns=first_ns)}
        except sqlite3.Error as error:
            raise AgentError(f"what was told cannot be read: {error}", "see `netsla status` for the disk") from error
        payloads = b",".join(event.payload for event in events)
        return b'{"events":[' + payloads + b'],"paths":' + orjson.dumps(found) + b"}"


def _settings(plan: Plan) -> tuple[object, ...]:
    """What the sinks are made of."""
    return plan.mqtt, plan.webhooks, plan.alertmanagers


def _collapse(objective: str, events: Sequence[Event]) -> Event:
    """One event that says for how many it stands."""
    event_id = wire.uuid7(time.time_ns() // 1_000_000, os.urandom(10))
    payload = wire.collapsed([orjson.loads(one.payload) for one in events], event_id)
    return Event(event_id, objective, wire.dump(payload), events[-1].at_ns)
