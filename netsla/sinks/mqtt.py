"""Events and states to an MQTT broker, by aiomqtt: MQTT 5, or 3.1.1 where the broker knows no better.

Rules: one client per connection. An event is told when the broker acknowledges it with a code below 0x80; aiomqtt looks
at no code and is not woken by a lost connection, so both are watched here. Retained states are made true after every
connect: what the broker holds is read, what differs is published, what is gone is cleared. The will says `offline`,
so does an orderly goodbye. Certificates are read anew for every connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiomqtt
from paho.mqtt.reasoncodes import ReasonCode

from netsla.model import MqttSettings
from netsla.sinks.base import Link, SinkError
from netsla.store.outbox import Event
from netsla.wire import event as wire

ONLINE, OFFLINE = b"online", b"offline"
_KEEPALIVE_S = 10
_ACK_S = 10.0  # without an acknowledgement for so long the broker hangs
_CONNECT_S = 10.0
_QUIET_S, _READ_S = 0.5, 15.0  # the broker's retained states are read when it falls silent, or time is up
_REFUSED = 0x80  # and above (MQTT 5, section 2.4)
_NO_SUCH_VERSION = (1, 0x84)  # CONNACK of 3.1.1 and of 5: the protocol's version is not known
_PIPELINE = 100
_QUIET = logging.getLogger("netsla.mqtt")  # what paho says of every packet; the delivery says what matters, once
_QUIET.setLevel(logging.CRITICAL)


class _Client(aiomqtt.Client):
    """aiomqtt, with the codes of acknowledgements, and without waiting for one on a dead connection."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._waiting: dict[int, asyncio.Future[int]] = {}
        self._early: dict[int, int] = {}  # acknowledged before we could wait

    def _on_publish(self, client: Any, userdata: Any, mid: int, reason_code: ReasonCode, properties: Any) -> None:
        waiting = self._waiting.pop(mid, None)
        if waiting is None:
            self._early[mid] = reason_code.value
        elif not waiting.done():
            waiting.set_result(reason_code.value)

    @property
    def gone(self) -> asyncio.Future[None]:
        """Done when the connection is lost."""
        return self._disconnected

    async def put(self, topic: str, payload: bytes, *, retain: bool = False) -> int:
        """Publish with QoS 1; returns the code of the acknowledgement."""
        info = self._client.publish(topic, payload, 1, retain)
        if info.rc != 0:
            raise SinkError(f"the broker takes nothing more (code {info.rc})")
        if info.mid in self._early:
            return self._early.pop(info.mid)
        waiting: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting[info.mid] = waiting
        ends: set[asyncio.Future[Any]] = {waiting, self.gone}
        done, _ = await asyncio.wait(ends, timeout=_ACK_S, return_when=asyncio.FIRST_COMPLETED)
        if waiting in done:
            return waiting.result()
        waiting.cancel()
        raise SinkError("the connection was lost" if done else f"the broker acknowledged nothing for {_ACK_S:g} s")


class MqttLink:
    """An open connection."""

    def __init__(self, client: _Client, prefix: str, agent: str) -> None:
        self._client, self._prefix, self._agent = client, prefix, agent
        self._held: dict[str, bytes] = {}  # what the broker retains, by topic
        self._unacceptable: dict[str, str] = {}  # topics of states that it refuses, and why

    async def greet(self) -> None:
        """Say that we are online, and read what the broker holds of us."""
        code = await self._client.put(wire.status_topic(self._prefix, self._agent), ONLINE, retain=True)
        if code >= _REFUSED:
            raise SinkError(f"the broker refuses our status topic ({_words(code)}): see its access rules")
        topics = wire.topic(self._prefix, self._agent, "state", "x/x/x").removesuffix("x/x/x") + "#"
        try:
            await self._client.subscribe(topics, qos=1)
            await asyncio.wait_for(self._read_states(), _READ_S)
            await self._client.unsubscribe(topics)
        except TimeoutError:
            return
        except aiomqtt.MqttError:
            return  # not allowed to read: then everything is published

    async def _read_states(self) -> None:
        messages = aiter(self._client.messages)
        while True:
            try:
                message = await asyncio.wait_for(anext(messages), _QUIET_S)
            except TimeoutError:
                return
            if message.retain and isinstance(message.payload, bytes):
                self._held[str(message.topic)] = message.payload

    async def deliver(self, events: Sequence[Event]) -> Mapping[str, str]:
        """Each with QoS 1, all under way at once."""
        topics = [wire.topic(self._prefix, self._agent, "breach", one.objective) for one in events]
        codes = await _all(self._client.put(topic, one.payload) for topic, one in zip(topics, events, strict=True))
        return {
            one.id: f"the broker refuses {topic} ({_words(code)})"
            for one, topic, code in zip(events, topics, codes, strict=True)
            if code >= _REFUSED
        }

    async def tend(self, states: Mapping[str, bytes], *, changed: bool) -> None:
        """Make the retained states true."""
        if not changed:
            return
        wanted = {wire.topic(self._prefix, self._agent, "state", key): body for key, body in states.items()}
        wanted |= {topic: b"" for topic in self._held if topic not in wanted}
        wrong = [(topic, body) for topic, body in wanted.items() if self._held.get(topic, b"") != body]
        for begin in range(0, len(wrong), _PIPELINE):
            some = wrong[begin : begin + _PIPELINE]
            codes = await _all(self._client.put(topic, body, retain=True) for topic, body in some)
            for (topic, body), code in zip(some, codes, strict=True):
                if code < _REFUSED and body:
                    self._held[topic] = body
                elif code < _REFUSED:
                    self._held.pop(topic, None)

    async def broken(self) -> None:
        """Until the connection is lost."""
        await asyncio.wait({self._client.gone})
        raise SinkError("the connection was lost")

    async def leave(self) -> None:
        """An orderly goodbye."""
        with contextlib.suppress(SinkError):
            await self._client.put(wire.status_topic(self._prefix, self._agent), OFFLINE, retain=True)


class MqttSink:
    """The broker of a configuration."""

    name = "mqtt"

    def __init__(self, settings: MqttSettings, agent: str) -> None:
        self._settings, self._agent = settings, agent
        v5 = settings.version == 5
        self._protocol = aiomqtt.ProtocolVersion.V5 if v5 else aiomqtt.ProtocolVersion.V311

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Link]:
        """A connection that has greeted; raises SinkError."""
        try:
            async with self._client() as client:
                link = MqttLink(client, self._settings.prefix, self._agent)
                try:
                    await link.greet()
                    yield link
                except asyncio.CancelledError:
                    await asyncio.wait_for(asyncio.shield(asyncio.ensure_future(link.leave())), 2.0)
                    raise
        except aiomqtt.MqttCodeError as error:
            code = getattr(error.rc, "value", error.rc)
            if code in _NO_SUCH_VERSION and self._protocol is aiomqtt.ProtocolVersion.V5:
                self._protocol = aiomqtt.ProtocolVersion.V311
            raise SinkError(self._where(str(error))) from error
        except (aiomqtt.MqttError, TimeoutError, OSError, ValueError) as error:
            raise SinkError(self._where(str(error) or "no answer in time")) from error

    def _where(self, why: str) -> str:
        return f"{self._settings.host}:{self._settings.port}: {why}"

    def _client(self) -> _Client:
        settings = self._settings
        return _Client(
            settings.host,
            settings.port,
            username=settings.username,
            password=settings.password.value if settings.password else None,
            identifier=f"netsla-{self._agent}",
            protocol=self._protocol,
            logger=_QUIET,
            will=aiomqtt.Will(wire.status_topic(settings.prefix, self._agent), OFFLINE, 1, retain=True),
            keepalive=_KEEPALIVE_S,
            timeout=_CONNECT_S,
            max_inflight_messages=_PIPELINE,
            tls_context=self._tls() if settings.tls else None,
        )

    def _tls(self) -> ssl.SSLContext:
        settings = self._settings
        context = ssl.create_default_context(cafile=settings.ca_file)
        if settings.cert_file:
            context.load_cert_chain(settings.cert_file, settings.key_file)
        return context


async def _all(puts: Iterable[Awaitable[int]]) -> list[int]:
    """Every code, once all are decided; raises the first error."""
    results = await asyncio.gather(*puts, return_exceptions=True)
    for one in results:
        if isinstance(one, BaseException):
            raise one
    return [one for one in results if isinstance(one, int)]


def _words(code: int) -> str:
    return {0x87: "not authorized", 0x97: "quota exceeded", 0x90: "topic name invalid"}.get(code, f"code {code:#x}")
