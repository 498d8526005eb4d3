"""Events by HTTP POST: the same payload, signed, under the same id on every retry.

Rules: `Idempotency-Key` is the event's id. `X-Netsla-Signature` is `t=<unix seconds>,v1=<hex>`: HMAC-SHA256 by the shared
secret over `<t>.<body>`, so that neither body nor time can be changed. 2xx takes the event; 4xx but 408, 425 and 429
refuses it (it stays pending and is tried again much later); everything else breaks the link.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import aiohttp

from netsla.model import WebhookSettings
from netsla.sinks.base import Link, SinkError
from netsla.store.outbox import Event

_AT_ONCE = 8  # requests under way
_AGAIN = (408, 425, 429)


def signature(secret: str, body: bytes, at_s: int) -> str:
    """The header's value."""
    digest = hmac.new(secret.encode(), f"{at_s}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at_s},v1={digest}"


class WebhookLink:
    """A session with the receiver."""

    def __init__(self, session: aiohttp.ClientSession, settings: WebhookSettings) -> None:
        self._session, self._settings = session, settings
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def deliver(self, events: Sequence[Event]) -> Mapping[str, str]:
        """Some at a time."""
        results = await asyncio.gather(*(self._post(one) for one in events), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return {one.id: str(why) for one, why in zip(events, results, strict=True) if why}

    async def _post(self, event: Event) -> str:
        """Why it was refused, or "" if it was taken."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": event.id}
        if self._settings.secret is not None:
            headers["X-Netsla-Signature"] = signature(self._settings.secret.value, event.payload, int(time.time()))
        async with self._slots:
            try:
                async with self._session.post(self._settings.url, data=event.payload, headers=headers) as answer:
                    status = answer.status
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                raise SinkError(f"{self._settings.url}: {str(error) or 'no answer in time'}") from error
        if 200 <= status < 300:
            return ""
        if 400 <= status < 500 and status not in _AGAIN:
            return f"{self._settings.url} answered {status}"
        raise SinkError(f"{self._settings.url} answered {status}")

    async def tend(self, states: Mapping[str, bytes], *, changed: bool) -> None:
        """A receiver of events keeps its own state."""

    async def broken(self) -> None:
        """There is no connection to lose."""
        await asyncio.Event().wait()


class WebhookSink:
    """One receiver."""

    def __init__(self, settings: WebhookSettings) -> None:
        self.name = f"webhook {settings.url}"
        self._settings = settings

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Link]:
        """A session; whether anybody is there shows with the first event."""
        timeout = aiohttp.ClientTimeout(total=self._settings.timeout_ns / 1e9)
        async with aiohttp.ClientSession(timeout=timeout, headers={"User-Agent": "netsla"}) as session:
            yield WebhookLink(session, self._settings)
