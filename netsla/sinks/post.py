"""JSON by HTTP POST: one session, and a judgement of what was answered.

Rules: redirects are not followed. An answer is about the event (400, 413, 422 …: `Refused`) or about the receiver
(SinkError); no message repeats the URL, which may hold a token, beyond its host.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from urllib.parse import urlsplit

import aiohttp

from netsla.sinks.base import SinkError

_CONNECTIONS = 10  # to one receiver
_ABOUT_THE_EVENT = frozenset({400, 409, 413, 415, 422, 431})  # RFC 9110, section 15.5: this request, not every one
_REMEDIES = {
    401: "see the secret",
    403: "see the receiver's access rules",
    404: "see the URL",
    405: "see the URL",
    410: "see the URL",
}


class Refused(Exception):  # noqa: N818 - an answer, not an error
    """The receiver does not want this request; why."""


class Poster:
    """Posts to one URL; every request ends within the time limit."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session, self._url = session, url
        self._host = urlsplit(url).hostname or ""

    async def post(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Return when it was taken; raises Refused, or SinkError."""
        try:
            async with self._session.post(self._url, data=body, headers=headers, allow_redirects=False) as answer:
                said = await answer.content.read(1000)
        except TimeoutError as error:
            seconds = self._session.timeout.total
            raise SinkError(f"{self._host} did not answer within {seconds:g} s") from error
        except aiohttp.ClientError as error:
            raise SinkError(f"{self._host}: {_why(error)}") from error
        self._judge(answer.status, said)

    def _judge(self, status: int, said: bytes) -> None:
        if 200 <= status < 300:
            return
        words = f"{self._host} answers {status} {_phrase(status)}".rstrip()
        if status in _ABOUT_THE_EVENT:
            text = _excerpt(said)
            raise Refused(f"{words}: {text}" if text else words)
        remedy = "write the URL it leads to" if 300 <= status < 400 else _REMEDIES.get(status, "")
        raise SinkError(f"{words}: {remedy}" if remedy else words)


@asynccontextmanager
async def poster(url: str, seconds: float) -> AsyncIterator[Poster]:
    """A poster whose connections are kept until the end."""
    limit = aiohttp.ClientTimeout(total=seconds)
    connector = aiohttp.TCPConnector(limit=_CONNECTIONS)
    async with aiohttp.ClientSession(
        connector=connector, timeout=limit, cookie_jar=aiohttp.DummyCookieJar()
    ) as session:
        yield Poster(session, url)
        await asyncio.sleep(0)  # transports close on the next turn of the loop


def label(kind: str, url: str) -> str:
    """A name for logs and the outbox, that shows the host and keeps the rest."""
    return f"{kind} {urlsplit(url).hostname}:{hashlib.sha256(url.encode()).hexdigest()[:8]}"


def _why(error: aiohttp.ClientError) -> str:
    """The cause without the address, which names what the URL leads to."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"its certificate is not trusted: {error.certificate_error}"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "the connection was cut"
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    number = getattr(cause, "errno", None) or 0
    return os.strerror(number) if number > 0 else getattr(cause, "strerror", None) or type(error).__name__


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _excerpt(said: bytes) -> str:
    """What the receiver says, fit for a line of a log."""
    return "".join(c for c in " ".join(said.decode("utf-8", "replace").split()) if c.isprintable())[:120]
