"""Events to a URL by HTTP POST: the same payload as over MQTT, one event per request.

Rules: headers and signature are those of Standard Webhooks (github.com/standard-webhooks): `webhook-id` is the event's
id on every try, beside it `Idempotency-Key`; `webhook-signature` is HMAC-SHA256 over `id.timestamp.body`. A receiver
that is ill for one event only (500 for this, 200 for others) holds up that event alone. The URL may hold a token: only
its host is ever shown.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from netsla.model import SECOND, WebhookSettings
from netsla.sinks.base import Link, SinkError
from netsla.sinks.post import Poster, Refused, label, poster
from netsla.sinks.secret import current
from netsla.store.backlog import Event

_BASE64_KEY = "whsec_"  # such a secret is a key in base64, as Standard Webhooks writes it
_AT_ONCE = 8  # requests under way


class WebhookLink:
    """A session with a receiver."""

    def __init__(self, to: Poster, settings: WebhookSettings) -> None:
        self._to, self._settings = to, settings

    async def deliver(self, events: Sequence[Event]) -> Mapping[str, str]:
        """All of them, some at a time; raises SinkError when the receiver took none and is ill."""
        key = _key(await current(self._settings.secret)) if self._settings.secret else None
        batch = _Batch()
        await asyncio.gather(*(self._post(one, key, batch) for one in events))
        if batch.ill and not batch.taken:
            raise batch.ill
        return batch.refused

    async def _post(self, event: Event, key: bytes | None, batch: _Batch) -> None:
        async with batch.room:
            if batch.ill and not batch.taken:
                batch.refused[event.id] = str(batch.ill)
                return
            try:
                await self._to.post(event.payload, headers(event, key, int(time.time())))
                batch.taken = True
            except SinkError as error:
                batch.ill = error
                batch.refused[event.id] = str(error)
            except Refused as refused:
                batch.refused[event.id] = str(refused)

    async def tend(self, states: Mapping[str, bytes], *, changed: bool) -> str:
        """A receiver of events keeps its own state."""
        return ""

    async def broken(self) -> None:
        """There is no connection to lose; requests fail."""
        await asyncio.Event().wait()


class _Batch:
    """What becomes of one batch."""

    def __init__(self) -> None:
        self.room = asyncio.Semaphore(_AT_ONCE)
        self.refused: dict[str, str] = {}
        self.taken = False
        self.ill: SinkError | None = None


class WebhookSink:
    """One receiver."""

    def __init__(self, settings: WebhookSettings) -> None:
        self._settings = settings
        self.name = label("webhook", settings.url)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Link]:
        """A session; whether anybody is there shows with the first event."""
        async with poster(self._settings.url, self._settings.timeout_ns / SECOND) as to:
            yield WebhookLink(to, self._settings)


def headers(event: Event, key: bytes | None, now_s: int) -> dict[str, str]:
    """The headers of a request; `now_s` is the Unix time of this try."""
    found = {
        "Content-Type": "application/json",
        "User-Agent": "netsla",
        "Idempotency-Key": event.id,
        "webhook-id": event.id,
        "webhook-timestamp": str(now_s),
    }
    if key is not None:
        signed = b".".join((event.id.encode(), str(now_s).encode(), event.payload))
        mac = hmac.new(key, signed, hashlib.sha256).digest()
        found["webhook-signature"] = f"v1,{base64.b64encode(mac).decode()}"
    return found


def _key(secret: str) -> bytes:
    if secret.startswith(_BASE64_KEY):
        try:
            return base64.b64decode(secret.removeprefix(_BASE64_KEY), validate=True)
        except binascii.Error as error:
            raise SinkError(f"the secret begins with {_BASE64_KEY} and is not base64: see secret_file") from error
    return secret.encode()
