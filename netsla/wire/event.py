"""What is told of alerts: events and states as JSON, and the topics they go to (docs/interface.md, section 5).

Rules: pure; a figure that does not exist is null. An event's id is given once, when it is decided. States hold all that
an agent needs to go on with an open breach after a restart. Schemas of both payloads are in `schemas/`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from importlib import resources
from typing import Any

import orjson

from netsla.model import OWN_ALERTS, Metric
from netsla.sla.alerts import REMOVED, Breach, Change
from netsla.sla.budgets import Warned
from netsla.sla.fleet import FleetObjective
from netsla.sla.silence import Silence
from netsla.sla.snapshot import STANDINGS

EVENT, STATE = "netsla.event/1", "netsla.state/1"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNSAFE = re.compile(r"[/+#\x00-\x1f\x7f-\x9f]")
Json = dict[str, Any]


def uuid7(at_ms: int, random: bytes) -> str:
    """A UUID of version 7 (RFC 9562): `at_ms` Unix milliseconds and ten random bytes, so that ids sort by time."""
    body = bytearray((at_ms & 0xFFFF_FFFF_FFFF).to_bytes(6, "big") + random[:10])
    body[6] = body[6] & 0x0F | 0x70
    body[8] = body[8] & 0x3F | 0x80
    text = body.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def key_of(one: FleetObjective) -> str:
    """An objective's name in the outbox."""
    return f"{one.endpoint.agreement.id}/{one.endpoint.endpoint.id}/{one.objective.id}"


def topic(prefix: str, agent: str, kind: str, key: str) -> str:
    """`kind` is state or breach; `key` names the objective."""
    return "/".join((prefix, _safe(agent), kind, *(_safe(part) for part in key.split("/", 2))))


def status_topic(prefix: str, agent: str) -> str:
    """Where the agent says that it is online."""
    return f"{prefix}/{_safe(agent)}/status"


def _safe(name: str) -> str:
    return _UNSAFE.sub("_", name) or "_"


# --- events -------------------------------------------------------------------------------------------


def event(
    change: Change, one: FleetObjective | None, *, event_id: str, sequence: int, agent: str, address: str, digest: str
) -> Json:
    """The payload of a change; `one` None for the agent's own alerts."""
    return {
        "schema": EVENT,
        "id": event_id,
        "sequence": sequence,
        "kind": change.kind,
        "agent": agent,
        **(_whose(one, address) if one is not None else _own(change.name, agent)),
        "value": _number(change.value),
        "low": _number(change.low),
        "high": _number(change.high),
        "coverage_ratio": _number(change.coverage),
        "evidence": "conclusive" if change.conclusive else "inconclusive",
        "onset": instant(change.onset_ns),
        "decided_at": instant(change.now_ns),
        "ended_at": None if change.ended_ns is None else instant(change.ended_ns),
        "provisional": _is_provisional(one, change),
        "config_digest": digest,
        **({"caused_by": change.cause} if change.cause else {}),
        **({"acknowledged": _seen(change.acknowledged)} if change.acknowledged else {}),
        **({"details": dict(change.details)} if change.details else {}),
    }


def _is_provisional(one: FleetObjective | None, change: Change) -> bool:
    """Under a sliding rule the newest intervals may still turn (SLA R4)."""
    if one is None or one.objective.metric is not Metric.UPTIME or change.kind == "closed":
        return False
    return one.endpoint.endpoint.uptime.method == "sliding"


def _whose(one: FleetObjective, address: str) -> Json:
    agreement, endpoint, objective = one.endpoint.agreement, one.endpoint.endpoint, one.objective
    feeding = [probe.spec.name for probe in one.endpoint.probes if probe.row in one.rows]
    return {
        "agreement": {"id": agreement.id, "version": agreement.version, "customer": agreement.customer},
        "endpoint": {"id": endpoint.id, "address": address},
        "probe": objective.probe or (feeding[0] if len(feeding) == 1 else None),
        "objective": {
            "id": objective.id,
            "metric": str(objective.metric),
            "statistic": objective.statistic or None,
            "target": objective.target.text,
            "window": objective.window.name,
        },
        "severity": objective.severity,
    }


def _own(name: str, agent: str) -> Json:
    return {
        "agreement": {"id": OWN_ALERTS, "version": 1, "customer": ""},
        "endpoint": {"id": agent, "address": ""},
        "probe": None,
        "objective": {"id": name, "metric": "agent", "statistic": None, "target": "", "window": ""},
        "severity": "P1",
    }


def collapsed(events: Sequence[Json], event_id: str) -> Json:
    """The newest of waiting events, saying for how many it stands."""
    count = sum(int(one.get("collapsed", 1)) for one in events)
    return {**events[-1], "id": event_id, "kind": "updated", "collapsed": count}


# --- states -------------------------------------------------------------------------------------------


def state(
    one: FleetObjective, standing: int, breach: Breach | None, *, event_id: str, sequence: int, silence: Silence | None,
    agent: str, address: str, digest: str, now_ns: int, warned: Warned | None = None,
) -> Json:  # fmt: skip
    """The retained payload of an objective."""
    return {
        "schema": STATE,
        "agent": agent,
        **_whose(one, address),
        "standing": STANDINGS[standing],
        "breach": None if breach is None else _breach(breach, event_id),
        "silent_since": None if silence is None else instant(silence.since_ns),
        **({"silence_caused_by": silence.cause} if silence and silence.cause else {}),
        **({"budget": _budget(warned)} if warned else {}),
        "sequence": sequence,
        "at": instant(now_ns),
        "config_digest": digest,
    }


def orphaned(state: Json, digest: str) -> list[tuple[Json, bool]]:
    """What ends with an objective that is gone after a restart, and whether it is told; ids and times are to follow."""
    whose = {key: state[key] for key in ("agent", "agreement", "endpoint", "probe", "objective", "severity")}
    unknown = dict.fromkeys(("value", "low", "high", "coverage_ratio")) | {"evidence": "inconclusive"}
    tail = {"provisional": False, "config_digest": digest, "caused_by": REMOVED}
    breach, since = state["breach"], state["silent_since"]
    ends = [("closed", breach["onset"], breach["told"])] if breach else []
    ends += [("data_back", since, "silence_caused_by" not in state)] if since else []
    return [
        ({"schema": EVENT, "kind": kind, **whose, **unknown, "onset": onset, **tail}, told)
        for kind, onset, told in ends
    ]


def own_state(change: Change, event_id: str, sequence: int, agent: str, digest: str) -> Json:
    """The retained payload of one of the agent's own alerts."""
    is_open = change.kind != "closed"
    breach = Breach(change.onset_ns, change.now_ns, math.nan, change.now_ns)
    return {
        "schema": STATE,
        "agent": agent,
        **_own(change.name, agent),
        "standing": "breached" if is_open else "met",
        "breach": _breach(breach, event_id) if is_open else None,
        "silent_since": None,
        "sequence": sequence,
        "at": instant(change.now_ns),
        "config_digest": digest,
    }


def _breach(breach: Breach, event_id: str) -> Json:
    return {
        "id": event_id,
        "onset": instant(breach.onset_ns),
        "decided_at": instant(breach.decided_ns),
        "worst": _number(breach.worst),
        "updated_at": instant(breach.updated_ns),
        "told": breach.told,
        "caused_by": breach.cause or None,
        "acknowledged": _seen(breach.acknowledged),
        "muted_until": instant(breach.muted_until_ns) if breach.muted_until_ns else None,
        **({"details": dict(breach.details)} if breach.details else {}),
    }


def standing_since(states: Mapping[str, bytes]) -> dict[str, int]:
    """What stands open, by objective: since when there may be events of it (UTC ns)."""
    found: dict[str, int] = {}
    for key, body in states.items():
        if b'"breach":null' in body and b'"silent_since":null' in body:
            continue  # most of them: not worth parsing
        payload = orjson.loads(body)
        breach, silent = payload["breach"], payload["silent_since"]
        found[key] = min(ns_of(at) for at in (breach and breach["onset"], silent) if at)
    return found


def breach_of(told: Mapping[str, Any]) -> Breach:
    """An open breach from its state payload."""
    seen = told["acknowledged"]
    return Breach(
        ns_of(told["onset"]),
        ns_of(told["decided_at"]),
        math.nan if told["worst"] is None else told["worst"],
        ns_of(told["updated_at"]),
        told["caused_by"] or "",
        told["told"],
        None if seen is None else (seen["by"], seen["why"], ns_of(seen["at"])),
        ns_of(told["muted_until"]) if told["muted_until"] else 0,
        told.get("details", {}),
    )


def silence_of(state: Mapping[str, Any]) -> Silence | None:
    """Missing data that stands, from a state payload."""
    since = state["silent_since"]
    return Silence(ns_of(since), state.get("silence_caused_by", "")) if since else None


def warned_of(state: Mapping[str, Any]) -> Warned | None:
    """What was told of the error budget, from a state payload."""
    told = state.get("budget")
    return Warned(told["spent_ratio"], ns_of(told["at"]), ns_of(told["until"]), told["told"]) if told else None


def _budget(warned: Warned) -> Json:
    at, until = instant(warned.at_ns), instant(warned.end_ns)
    return {"spent_ratio": warned.share, "at": at, "until": until, "told": warned.told}


def told_of(event: Mapping[str, Any]) -> str:
    """What an event speaks of: breach, no data, forecast (of a breach) or budget (a share of it is spent)."""
    details = event.get("details", {})
    if event["kind"] in ("no_data", "data_back"):
        return "no data"
    if "budget_warning_percent" in details and "collapsed" not in event:
        return "budget"
    return "forecast" if "projected_down_seconds" in details else "breach"


def _seen(acknowledged: tuple[str, str, int] | None) -> Json | None:
    if acknowledged is None:
        return None
    by, why, at_ns = acknowledged
    return {"by": by, "why": why, "at": instant(at_ns)}


# --- values -------------------------------------------------------------------------------------------


@lru_cache(4096)
def instant(at_ns: int) -> str:
    """ISO 8601 UTC with microseconds."""
    return (_EPOCH + timedelta(microseconds=at_ns // 1000)).isoformat(timespec="microseconds").replace("+00:00", "Z")


def ns_of(text: str) -> int:
    """The instant that was written, UTC ns."""
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(microseconds=1) * 1000


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def dump(payload: Json) -> bytes:
    """As it goes out; copied, because orjson's own bytes hold on to 4 kB each and these are kept."""
    return bytes(memoryview(orjson.dumps(payload)))


def schema(name: str) -> Json:
    """The JSON Schema of `event` or `state`."""
    found: Json = orjson.loads((resources.files("netsla.wire") / "schemas" / f"{name}.schema.json").read_bytes())
    return found
