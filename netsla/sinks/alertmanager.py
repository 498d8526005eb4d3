"""Open breaches as alerts of a Prometheus Alertmanager (API v2), repeated while they stand, ended when they close.

Rules: an alert is named by its labels alone, so the same breach is the same alert after every restart; `endsAt` of an
open one lies a few minutes ahead and moves with every repetition, as Prometheus itself does it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import orjson

from netsla.model import AlertmanagerSettings
from netsla.sinks.base import Link, SinkError
from netsla.store.outbox import Event

_REPEAT_S = 60.0
_AHEAD = timedelta(minutes=4)
_TIMEOUT_S = 10.0
_AT_ONCE = 1000  # alerts in a request
_NAMES = {"opened": "NetslaBreach", "updated": "NetslaBreach", "closed": "NetslaBreach", "no_data": "NetslaNoData",
          "data_back": "NetslaNoData"}  # fmt: skip
_ENDS = ("closed", "data_back")
Json = dict[str, Any]


def alert(event: Mapping[str, Any], now: datetime) -> Json:
    """The alert of an event."""
    ends = event["ended_at"] or event["decided_at"] if event["kind"] in _ENDS else (now + _AHEAD).isoformat()
    return {
        "labels": _labels(event, _NAMES[event["kind"]]),
        "annotations": {
            "summary": f"{event['agreement']['id']}/{event['endpoint']['id']}: {event['objective']['id']} "
            f"{event['objective']['target']} {event['kind'].replace('_', ' ')}",
            "value": "" if event.get("value") is None else str(event["value"]),
            "customer": event["agreement"]["customer"],
            "address": event["endpoint"]["address"],
        },
        "startsAt": event["onset"],
        "endsAt": ends,
    }


def _labels(payload: Mapping[str, Any], name: str) -> dict[str, str]:
    return {
        "alertname": name,
        "agent": payload["agent"],
        "agreement": payload["agreement"]["id"],
        "endpoint": payload["endpoint"]["id"],
        "objective": payload["objective"]["id"],
        "severity": payload["severity"],
    }


def standing(states: Mapping[str, bytes], now: datetime) -> list[Json]:
    """The alerts of every breach that is open and told."""
    found = []
    for body in states.values():
        payload = orjson.loads(body)
        breach = payload["breach"]
        if breach and breach["told"]:
            event = {**payload, "kind": "opened", "onset": breach["onset"], "value": breach["worst"]}
            found.append(alert(event, now))
    return found


class AlertmanagerLink:
    """A session with one Alertmanager."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session, self._url = session, url
        self._states: Mapping[str, bytes] = {}
        self._repeat_at = 0.0

    async def deliver(self, events: Sequence[Event]) -> Mapping[str, str]:
        """All in one request; it is taken or refused as a whole."""
        why = await self._post([alert(orjson.loads(one.payload), datetime.now(UTC)) for one in events])
        return {one.id: why for one in events} if why else {}

    async def tend(self, states: Mapping[str, bytes], *, changed: bool) -> None:
        """Repeat what stands, once a minute."""
        self._states = states if changed else self._states
        now = asyncio.get_running_loop().time()
        if now < self._repeat_at:
            return
        self._repeat_at = now + _REPEAT_S
        alerts = standing(self._states, datetime.now(UTC))
        for begin in range(0, len(alerts), _AT_ONCE):
            await self._post(alerts[begin : begin + _AT_ONCE])

    async def _post(self, alerts: Sequence[Json]) -> str:
        where = f"{self._url.rstrip('/')}/api/v2/alerts"
        try:
            async with self._session.post(where, data=orjson.dumps(alerts)) as answer:
                if answer.status < 300:
                    return ""
                said = (await answer.text())[:200]
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise SinkError(f"{where}: {str(error) or 'no answer in time'}") from error
        if answer.status in (400, 401, 403, 404, 413, 422):
            return f"{where} answered {answer.status}: {said}"
        raise SinkError(f"{where} answered {answer.status}")

    async def broken(self) -> None:
        """There is no connection to lose."""
        await asyncio.Event().wait()


class AlertmanagerSink:
    """One Alertmanager."""

    def __init__(self, settings: AlertmanagerSettings) -> None:
        self.name = f"alertmanager {settings.url}"
        self._url = settings.url

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Link]:
        """A session; whether anybody is there shows with the first alert."""
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
        headers = {"Content-Type": "application/json", "User-Agent": "netsla"}
        async with aiohttp.ClientSession(timeout=timeout, headers=headers) as session:
            yield AlertmanagerLink(session, self._url)
