"""From the engine's changes to the outbox: payloads with ids that hold for ever, and the state of every objective.

Rules: called from the engine's thread. A change and the state after it go into the outbox together. An event that
nobody need be told of is kept for `netsla breaches`, and goes to no sink. States are written when standing or alert
changed.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import orjson

from netsla.errors import RequestError
from netsla.model import OWN_ALERTS, SECOND
from netsla.sla.alerts import Breach, Change
from netsla.sla.budgets import Warned
from netsla.sla.engine import Engine
from netsla.sla.fleet import Fleet, FleetObjective
from netsla.sla.own import MASS
from netsla.sla.silence import Silence
from netsla.sla.snapshot import STANDINGS
from netsla.store.backlog import Event
from netsla.wire import event as wire

log = logging.getLogger("netsla")
Json = dict[str, Any]

_OWN = f"{OWN_ALERTS}/"
_CHANCE = 10  # random bytes of an id
_UNTOLD = 255  # no standing
_AT_ONCE = 500  # states written in a turn because a standing moved: memory and the engine's time are bounded


class Box(Protocol):
    """What takes states and events: the outbox, or what stands in front of it."""

    def put(self, states: Mapping[str, bytes | None], events: Sequence[Event], quiet: Sequence[Event] = ()) -> object:
        """Keep changed states (None: gone), events for every sink, and events for none."""


@dataclass(slots=True)
class _Told:
    """What was told last of an objective."""

    standing: int = -1
    sequence: int = 0
    opened_id: str = ""  # of its open breach
    digest: str = ""  # of the plan that its state is of


class Alerting:
    """Tells an outbox what the engine's alerts have to say."""

    def __init__(
        self,
        box: Box,
        agent: str,
        address_of: Callable[[FleetObjective], str] = lambda one: one.endpoint.endpoint.address,
        opened: Callable[[str, FleetObjective], None] = lambda _id, _one: None,
    ) -> None:
        """`opened(event id, objective)` is called for every breach that is told as opened."""
        self._box, self._agent, self._address_of, self._opened = box, agent, address_of, opened
        self.retaining = True  # whether anybody keeps the standing of every objective, or only that of alerts counts
        self._digest, self._chance = "", b""
        self._told: dict[str, _Told] = {}
        self._fleet: Fleet | None = None
        self._former: dict[int, FleetObjective] = {}  # of the layout before, whose ends have still to be told
        self._keys: dict[int, str] = {}
        self._numbers = np.zeros(0, np.int64)
        self._standing = np.zeros(0, np.uint8)

    # --- layout and restart -------------------------------------------------------------------------

    def load(self, fleet: Fleet, digest: str) -> None:
        """Take a new layout, of a plan of this digest; objectives that are gone take their state along."""
        self._digest = digest
        keys = {one.number: wire.key_of(one) for one in fleet.objectives}
        gone: dict[str, bytes | None] = dict.fromkeys(set(self._keys.values()) - set(keys.values()))
        former = self._fleet.objectives if self._fleet is not None else ()
        self._former |= {one.number: one for one in former if one.number not in keys}
        self._fleet, self._keys = fleet, keys
        self._numbers = np.array([one.number for one in fleet.objectives], np.int64)
        for key in gone.keys() & self._told.keys():
            self._told[key].standing = -1  # its sequence goes on, should it come back
        self._standing = np.full(len(fleet.objectives), _UNTOLD, np.uint8)
        if gone:
            self._box.put(gone, ())

    def restore(self, engine: Engine, fleet: Fleet, states: Mapping[str, bytes]) -> None:
        """Go on with what another agent left: breaches open, sequences counted on."""
        numbers = {wire.key_of(one): one.number for one in fleet.objectives}
        breaches: dict[int, Breach] = {}
        silent: dict[int, Silence] = {}
        warned: dict[int, Warned] = {}
        own: list[tuple[str, int]] = []
        gone: dict[str, bytes | None] = {}
        ends: list[tuple[Json, bool]] = []
        mass_end_ns = 0
        for key, body in states.items():
            payload: dict[str, Any] = orjson.loads(body)
            standing, digest = STANDINGS.index(payload["standing"]), payload["config_digest"]
            told = self._told[key] = _Told(standing, payload["sequence"], digest=digest)
            breach = payload["breach"]
            if key.startswith(_OWN):
                told.opened_id, name = breach["id"] if breach else "", key.rsplit("/", 1)[1]
                own += [(name, wire.ns_of(breach["onset"]))] if breach else []
                mass_end_ns = wire.ns_of(payload["at"]) if name == MASS and not breach else mass_end_ns
            elif key not in numbers:
                gone[key], told.standing = None, -1
                ends += wire.orphaned(payload, self._digest)
            else:
                if breach:
                    told.opened_id = breach["id"]
                    breaches[numbers[key]] = wire.breach_of(breach)
                if silence := wire.silence_of(payload):
                    silent[numbers[key]] = silence
                if budget := wire.warned_of(payload):
                    warned[numbers[key]] = budget
        engine.alerts.restore(breaches, silent, own, warned, mass_end_ns=mass_end_ns)
        if gone:
            made = [(self._end(payload, told=told), told) for payload, told in ends]
            self._box.put(gone, [one for one, told in made if told], [one for one, told in made if not told])

    def _end(self, payload: Json, *, told: bool) -> Event:
        """The end of what stood open of an objective that is gone since another agent ended."""
        key, now_ns = "/".join(payload[part]["id"] for part in ("agreement", "endpoint", "objective")), time.time_ns()
        known = self._told[key]
        known.sequence += 1
        event_id = self._new_id(now_ns)
        at = wire.instant(now_ns)
        payload |= {"id": event_id, "sequence": known.sequence, "decided_at": at, "ended_at": at}
        if told:
            _log(payload["kind"], key, payload["onset"], payload["caused_by"])
        return Event(event_id, key, wire.dump(payload), now_ns)

    def _new_id(self, now_ns: int) -> str:
        """Chance is drawn in blocks: a system call for each of 10,000 ids would keep others from the interpreter.

        A thread that lets go of its lock for an instant, again and again, has it back before those who wait wake up.
        """
        if not self._chance:
            self._chance = os.urandom(_CHANCE * 1000)
        mine, self._chance = self._chance[:_CHANCE], self._chance[_CHANCE:]
        return wire.uuid7(now_ns // 1_000_000, mine)

    # --- the turn -----------------------------------------------------------------------------------

    def turn(self, engine: Engine, now_ns: int) -> None:
        """Put what has changed since the last turn."""
        fleet = self._fleet
        assert fleet is not None
        by_number = {one.number: one for one in fleet.objectives} if (changes := engine.changes()) else {}
        states: dict[str, bytes | None] = {}
        events: list[Event] = []
        quiet: list[Event] = []
        for change in changes:
            one = by_number.get(change.number)
            made = self._event(change, one or self._former.get(change.number))
            (events if change.told else quiet).append(made)
            if change.number in self._former:
                pass  # its state went with it, or is its successor's
            elif one is None:
                states[made.objective] = self._own_state(change, made.objective)
            else:
                states[made.objective] = self._state(engine, one, now_ns)
                if change.kind == "opened" and change.told:
                    self._opened(made.id, one)
            if change.told:
                _say(change, made)
        self._former.clear()
        if quiet:
            log.info("%d changes recorded that nobody need be told of, see netsla breaches", len(quiet))
        states |= self._moved(engine, fleet, now_ns, skip=states)
        if states or events or quiet:
            self._box.put(states, events, quiet)

    def _event(self, change: Change, one: FleetObjective | None) -> Event:
        key = wire.key_of(one) if one is not None else f"{_OWN}{self._agent}/{change.name}"
        told = self._told.setdefault(key, _Told())
        told.sequence += 1
        event_id = self._new_id(time.time_ns())
        if change.kind == "opened" and (change.told or not told.opened_id):  # what is told later is known by that
            told.opened_id = event_id
        address = self._address_of(one) if one is not None else ""
        payload = wire.event(
            change, one, event_id=event_id, sequence=told.sequence, agent=self._agent, address=address,
            digest=self._digest,
        )  # fmt: skip
        if change.kind == "closed":
            told.opened_id = ""
        return Event(event_id, key, wire.dump(payload), change.now_ns)

    def _state(self, engine: Engine, one: FleetObjective, now_ns: int) -> bytes:
        told = self._told.setdefault(wire.key_of(one), _Told())
        told.standing, told.digest = int(engine.verdicts.standing[one.number]), self._digest
        breach = engine.alerts.breaches.get(one.number)
        payload = wire.state(
            one, told.standing, breach, event_id=told.opened_id, sequence=told.sequence,
            silence=engine.alerts.silent.get(one.number), agent=self._agent, address=self._address_of(one),
            digest=self._digest, now_ns=now_ns, warned=engine.alerts.budgets.of(one.number, now_ns),
        )  # fmt: skip
        return wire.dump(payload)

    def _own_state(self, change: Change, key: str) -> bytes:
        """The agent's own alerts; their sequence goes on."""
        told = self._told[key]
        return wire.dump(wire.own_state(change, told.opened_id, told.sequence, self._agent, self._digest))

    def _moved(
        self, engine: Engine, fleet: Fleet, now_ns: int, skip: Mapping[str, bytes | None]
    ) -> dict[str, bytes | None]:
        """States whose standing is another than was told last; some now, the rest at the next turns."""
        if not self.retaining:
            self._standing[:] = _UNTOLD
            return {}
        standing = engine.verdicts.standing[self._numbers]
        moved = np.flatnonzero(standing != self._standing)[:_AT_ONCE]
        self._standing[moved] = standing[moved]
        found: dict[str, bytes | None] = {}
        for place in moved.tolist():
            one = fleet.objectives[place]
            key = self._keys[one.number]
            told = self._told.setdefault(key, _Told())
            if key not in skip and (told.standing, told.digest) != (int(standing[place]), self._digest):
                found[key] = self._state(engine, one, now_ns)
        return found

    # --- people -------------------------------------------------------------------------------------

    def acknowledge(self, engine: Engine, request: Mapping[str, Any], by: str, now_ns: int) -> str:
        """A person sees to an open breach; raises RequestError with the remedy."""
        names = tuple(str(request.get(name, "")) for name in ("agreement", "endpoint", "objective"))
        why = str(request.get("why") or "").strip()
        if not why:
            raise RequestError("nothing is said of what is being done", 'add --why "…"')
        if names[0] == OWN_ALERTS:
            raise RequestError("the agent's own alerts are not acknowledged", "they end when their cause is gone")
        number = engine.alerts.find(names[0], names[1], names[2])
        if number is None:
            raise RequestError(f"there is no objective {'/'.join(names)}", "see `netsla breaches` for the names")
        mute_ns = int(float(request.get("mute_seconds") or 0) * SECOND)
        if not engine.acknowledge(number, by, why, now_ns, mute_ns):
            raise RequestError(f"{'/'.join(names)} has no open breach", "see `netsla breaches --open`")
        muted = f", muted for {mute_ns // SECOND} s" if mute_ns else ""
        return f"{'/'.join(names)}: acknowledged by {by}{muted}"


def _say(change: Change, made: Event) -> None:
    level = logging.WARNING if change.kind in ("opened", "no_data") else logging.INFO
    _log(change.kind, made.objective, wire.instant(change.onset_ns), change.cause, level)


def _log(kind: str, objective: str, onset: str, cause: str, level: int = logging.INFO) -> None:
    """A log line for every event that is told, in any case."""
    because = f", caused by {cause}" if cause else ""
    log.log(level, "%s %s (onset %s%s)", kind.replace("_", " "), objective, onset, because)


def open_since(fleet: Fleet, states: Mapping[str, bytes]) -> dict[int, int]:
    """When the breaches began that stand open in these states: UTC ns, by objective number."""
    found = ((one.number, orjson.loads(states.get(wire.key_of(one), b'{"breach":null}'))) for one in fleet.objectives)
    return {number: wire.ns_of(state["breach"]["onset"]) for number, state in found if state["breach"]}
