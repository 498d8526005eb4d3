"""Open breaches as alerts of a Prometheus Alertmanager (API v2), repeated while they stand, ended when they close.

Rules: an alert is known by its labels, which are the same when it begins and when it ends, also after a restart. It is
repeated each minute while it is open, and carries an end a few minutes ahead, so that nothing stays open for ever when
the agent is gone (prometheus.io/docs/alerting/clients). Events that stand for several (`collapsed`) are not told here:
the states say what became of them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from typing import Any

import orjson

from netsla.model import OWN_ALERTS, SECOND, AlertmanagerSettings
from netsla.sinks.base import Link, SinkError
from netsla.sinks.post import Poster, Refused, label, poster
from netsla.store.backlog import Event
from netsla.wire import event as wire

_API = "/api/v2/alerts"
_TIMEOUT_S = 10.0
_REPEAT_S = 60.0
_OPEN_FOR_S = 4 * _REPEAT_S  # three repeats in a row may be lost before it ends by itself, as with Prometheus
_CHUNK = 500  # alerts in one request
_HEADERS = {"Content-Type": "application/json", "User-Agent": "netsla"}
_BREACH, _NO_DATA, _OWN, _BUDGET = "NetslaBreach", "NetslaNoData", "NetslaAgent", "NetslaBudget"
_NAMES = {"breach": _BREACH, "no data": _NO_DATA, "forecast": "NetslaForecast", "budget": _BUDGET}
Json = dict[str, Any]


class AlertmanagerLink:
    """A session with one Alertmanager."""

    def __init__(self, to: Poster) -> None:
        self._to = to
        self._states: Mapping[str, bytes] = {}
        self._repeated = float("-inf")  # monotonic

    async def deliver(self, events: Sequence[Event]) -> Mapping[str, str]:
        """All in one request; one by one when it is refused, to find the one that is wrong."""
        now_ns = time.time_ns()
        payloads = [(one.id, orjson.loads(one.payload)) for one in events]
        alerts = [(name, alert_of(payload, now_ns)) for name, payload in payloads if "collapsed" not in payload]
        if not alerts:
            return {}
        try:
            await self._post([alert for _, alert in alerts])
        except Refused:
            return await self._one_by_one(alerts)
        return {}

    async def _one_by_one(self, alerts: Sequence[tuple[str, Json]]) -> dict[str, str]:
        refused = {}
        for name, alert in alerts:
            try:
                await self._post([alert])
            except Refused as why:
                refused[name] = str(why)
        return refused

    async def tend(self, states: Mapping[str, bytes], *, changed: bool) -> str:
        """Repeat what stands, once a minute; raises SinkError."""
        self._states = states if changed else self._states
        if time.monotonic() - self._repeated < _REPEAT_S:
            return ""
        found = (alert for body in self._states.values() for alert in open_alerts(body, time.time_ns()))
        while some := list(islice(found, _CHUNK)):
            try:
                await self._post(some)
            except Refused as why:
                raise SinkError(str(why)) from why
        self._repeated = time.monotonic()
        return ""

    async def _post(self, alerts: Sequence[Json]) -> None:
        await self._to.post(orjson.dumps(alerts), _HEADERS)

    async def broken(self) -> None:
        """There is no connection to lose; requests fail."""
        await asyncio.Event().wait()


class AlertmanagerSink:
    """One Alertmanager."""

    def __init__(self, settings: AlertmanagerSettings) -> None:
        self._url = settings.url + _API
        self.name = label("alertmanager", settings.url)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Link]:
        """A session; whether anybody is there shows with the first alert."""
        async with poster(self._url, _TIMEOUT_S) as to:
            yield AlertmanagerLink(to)


# --- alerts -------------------------------------------------------------------------------------------


def alert_of(payload: Json, now_ns: int) -> Json:
    """The alert of an event."""
    kind = payload["kind"]
    what = wire.told_of(payload)
    onset = payload["decided_at"] if what == "budget" else payload["onset"]
    ended = payload["ended_at"] or wire.instant(now_ns) if kind in ("closed", "data_back") else None
    notes = {
        "value": payload["value"],
        "evidence": payload["evidence"],
        "event_id": payload["id"],
        "acknowledged": _seen(payload.get("acknowledged")),
        **payload.get("details", {}),
    }
    return _alert(payload, _NAMES[what], onset, ended, notes, now_ns)


def open_alerts(state: bytes, now_ns: int) -> list[Json]:
    """What a state says is open and was told: a breach (or a forecast of one), missing data, a budget being spent."""
    if b'"breach":null' in state and b'"silent_since":null' in state and b'"budget":{' not in state:
        return []  # most of them: not worth parsing
    payload = orjson.loads(state)
    found, breach = [], payload["breach"]
    if breach and breach["told"]:
        notes = {"value": breach["worst"], "event_id": breach["id"], "acknowledged": _seen(breach["acknowledged"])}
        details = breach.get("details", {})
        name = _NAMES[wire.told_of({"kind": "opened", "details": details})]
        found.append(_alert(payload, name, breach["onset"], None, {**notes, **details}, now_ns))
    budget = payload.get("budget")
    if budget and budget["told"] and wire.ns_of(budget["until"]) > now_ns:
        notes = {"budget_warning_percent": int(budget["spent_ratio"] * 100)}
        found.append(_alert(payload, _BUDGET, budget["at"], None, notes, now_ns))
    if payload["silent_since"] and "silence_caused_by" not in payload:
        found.append(_alert(payload, _NO_DATA, payload["silent_since"], None, {}, now_ns))
    return found


def _alert(payload: Json, name: str, onset: str, ended: str | None, notes: Json, now_ns: int) -> Json:
    """`ended` None: it is open."""
    agreement, endpoint, objective = payload["agreement"], payload["endpoint"], payload["objective"]
    own = agreement["id"] == OWN_ALERTS
    labels = {
        "alertname": _OWN if own else name,
        "agent": payload["agent"],
        "agreement": agreement["id"],
        "endpoint": endpoint["id"],
        "objective": objective["id"],
        "severity": payload["severity"],
    }
    asked = " ".join(str(objective[key]) for key in ("metric", "statistic", "target") if objective[key])
    where = objective["id"].replace("_", " ") if own else f"{agreement['id']} {endpoint['id']}: {objective['id']}"
    told = {
        "summary": where if own else f"{where} ({asked})",
        "customer": agreement["customer"],
        "address": endpoint["address"],
        "target": objective["target"],
        "window": objective["window"],
        **notes,
    }
    return {
        "labels": labels,
        "annotations": {key: str(value) for key, value in told.items() if value not in (None, "")},
        "startsAt": onset,
        "endsAt": ended or wire.instant(now_ns + int(_OPEN_FOR_S * SECOND)),
    }


def _seen(acknowledged: Mapping[str, str] | None) -> str | None:
    return f"{acknowledged['by']}: {acknowledged['why']}" if acknowledged else None
