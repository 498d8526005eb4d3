"""Events and states to an MQTT broker: MQTT 5, or 3.1.1 where the broker says that it knows no better.

Rules: an event is told when the broker acknowledges it with a code below 0x80. Retained states are made true after
every connect: what the broker holds is read, what differs is published, what is gone is cleared. The will says
`offline`, so does an orderly goodbye. Certificates and password are read anew for every connection. The client's id is
always the same, so that a half-dead connection of ours ends (and its will is told) before the next one begins.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager

import aiomqtt

from netsla.model import MqttSettings
from netsla.sinks.base import Link, SinkError
from netsla.sinks.connection import PIPELINE, TOO_LARGE, Connection, UnsupportedError
from netsla.sinks.secret import current
from netsla.store.backlog import Event
from netsla.wire import event as wire

log = logging.getLogger("netsla")

ONLINE, OFFLINE = b"online", b"offline"
_KEEPALIVE_S = 10
_CONNECT_S = 10.0
_QUIET_S, _READ_S = 0.5, 15.0  # the broker's retained states are read when it falls silent, or time is up
_REFUSED = 0x80  # and above (MQTT 5, section 2.4)
_LEAVE_S = 2.0
_SLICE_S = 0.5  # for states at a time, so that events need not wait for many of them
_STATE_AGAIN_S = 60.0  # before refused states are tried again
_V5, _V311 = aiomqtt.ProtocolVersion.V5, aiomqtt.ProtocolVersion.V311
_WORDS = {0x87: "not authorized", 0x90: "topic name invalid", TOO_LARGE: "packet too large", 0x97: "quota exceeded"}


class MqttLink:
    """An open connection."""

    def __init__(self, connection: Connection, prefix: str, agent: str) -> None:
        self._connection, self._prefix, self._agent = connection, prefix, agent
        self._status = wire.status_topic(prefix, agent)
        self._topics: dict[str, str] = {}  # of states, by objective
        self._wrong: dict[str, bytes] = {}  # states that have still to be published, by topic; b"": cleared
        self._unacceptable: dict[str, bytes] = {}  # those that were refused
        self._mute, self._refusal, self._again = "", "", 0.0

    async def greet(self) -> None:
        """Say that we are online, and read what the broker holds of us."""
        code = await self._connection.put(self._status, ONLINE, retain=True)
        if code >= _REFUSED:  # no reason not to tell breaches
            self._mute = f"the broker refuses {self._status} ({_words(code)}): see its access rules"
        topics = wire.topic(self._prefix, self._agent, "state", "x/x/x").removesuffix("x/x/x") + "#"
        await self._connection.read_retained(topics, _QUIET_S, _READ_S)

    async def deliver(self, events: Sequence[Event]) -> Mapping[str, str]:
        """Each with QoS 1, all under way at once."""
        topics = [wire.topic(self._prefix, self._agent, "breach", one.objective) for one in events]
        puts = (self._connection.put(topic, one.payload) for topic, one in zip(topics, events, strict=True))
        codes, error = await _all(puts)
        if error is not None:
            taken = (one.id for one, code in zip(events, codes, strict=True) if code is not None and code < _REFUSED)
            raise SinkError(str(error), taken=frozenset(taken)) from error
        return {
            one.id: f"the broker refuses {topic} ({_words(code)})"
            for one, topic, code in zip(events, topics, codes, strict=True)
            if code is not None and code >= _REFUSED
        }

    async def tend(self, states: Mapping[str, bytes], *, changed: bool) -> str:
        """Make the retained states true, some at a time."""
        now = asyncio.get_running_loop().time()
        if changed:
            self._compare(states)
        elif self._unacceptable and now >= self._again:
            self._wrong, self._unacceptable = self._unacceptable | self._wrong, {}
            self._refusal = ""
        while self._wrong and asyncio.get_running_loop().time() - now < _SLICE_S:
            await self._publish_states(list(self._wrong.items())[:PIPELINE])
        return self._refusal or self._mute

    def _compare(self, states: Mapping[str, bytes]) -> None:
        held = self._connection.retained
        wanted = {self._topic(key): body for key, body in states.items()}
        wanted |= {topic: b"" for topic in held if topic not in wanted}
        self._unacceptable = {
            topic: body for topic, body in self._unacceptable.items() if wanted.get(topic, b"") == body
        }
        self._wrong = {
            topic: body
            for topic, body in wanted.items()
            if held.get(topic, b"") != body and topic not in self._unacceptable
        }
        self._refusal = self._refusal if self._unacceptable else ""

    def _topic(self, key: str) -> str:
        if key not in self._topics:
            self._topics[key] = wire.topic(self._prefix, self._agent, "state", key)
        return self._topics[key]

    async def _publish_states(self, some: Sequence[tuple[str, bytes]]) -> None:
        codes, error = await _all(self._connection.put(topic, body, retain=True) for topic, body in some)
        if error is not None:
            raise error
        held = self._connection.retained
        for (topic, body), code in zip(some, codes, strict=True):
            del self._wrong[topic]
            if code is not None and code >= _REFUSED:
                self._unacceptable[topic] = body
                self._refusal = f"the broker refuses {topic} ({_words(code)})"
                self._again = asyncio.get_running_loop().time() + _STATE_AGAIN_S
            elif body:
                held[topic] = body
            else:
                held.pop(topic, None)

    async def broken(self) -> None:
        """Until the connection is lost."""
        await self._connection.lost()

    async def leave(self) -> None:
        """An orderly goodbye, for which a broker that hangs is not waited."""
        with contextlib.suppress(SinkError, TimeoutError):
            async with asyncio.timeout(_LEAVE_S):
                await self._connection.put(self._status, OFFLINE, retain=True)
            await self._connection.close()


class MqttSink:
    """The broker of a configuration."""

    name = "mqtt"

    def __init__(self, settings: MqttSettings, agent: str) -> None:
        self._settings, self._agent = settings, agent
        self._said_old = False

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Link]:
        """A connection that has greeted; raises SinkError."""
        try:
            connection = await self._connect()
            try:
                link = MqttLink(connection, self._settings.prefix, self._agent)
                try:
                    await link.greet()
                    yield link
                except asyncio.CancelledError:
                    await link.leave()
                    raise
            finally:
                connection.drop()
        except SinkError as error:
            where = f"{self._settings.host}:{self._settings.port}"
            raise SinkError(f"{where}: {error}", taken=error.taken) from error

    async def _connect(self) -> Connection:
        if self._settings.version != 5:
            return await self._connect_with(_V311)
        try:
            return await self._connect_with(_V5)
        except UnsupportedError:
            found = await self._connect_with(_V311)
            if not self._said_old:
                log.warning("mqtt: the broker knows no MQTT 5: with 3.1.1 it cannot say that it refuses an event")
            self._said_old = True
            return found

    async def _connect_with(self, protocol: aiomqtt.ProtocolVersion) -> Connection:
        settings = self._settings
        connection = Connection(
            settings.host,
            settings.port,
            username=settings.username,
            password=await current(settings.password) if settings.password else None,
            identifier=f"netsla-{self._agent}",
            protocol=protocol,
            will=aiomqtt.Will(wire.status_topic(settings.prefix, self._agent), OFFLINE, 1, retain=True),
            keepalive=_KEEPALIVE_S,
            timeout=_CONNECT_S,
            tls_context=await asyncio.to_thread(_tls, settings) if settings.tls else None,
        )
        await connection.open()
        return connection


def _tls(settings: MqttSettings) -> ssl.SSLContext:
    what = "ca_file"
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
        what = "cert_file or key_file"
        if settings.cert_file:
            context.load_cert_chain(settings.cert_file, settings.key_file, password=_no_password)
    except (OSError, ValueError) as error:
        raise SinkError(f"{what} cannot be used: {getattr(error, 'reason', None) or error}") from error
    return context


def _no_password() -> str:
    raise ValueError("the key is encrypted: store it without a password")


async def _all(puts: Iterable[Awaitable[int]]) -> tuple[list[int | None], SinkError | None]:
    """Every code, None where there is none, once all are decided; and the first error."""
    results = await asyncio.gather(*puts, return_exceptions=True)
    codes: list[int | None] = []
    first: SinkError | None = None
    for one in results:
        if isinstance(one, BaseException) and not isinstance(one, SinkError):
            raise one
        codes.append(one if isinstance(one, int) else None)
        first = first or (one if isinstance(one, SinkError) else None)
    return codes, first


def _words(code: int) -> str:
    return _WORDS.get(code, f"code {code:#x}")
