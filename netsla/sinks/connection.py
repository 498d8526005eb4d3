"""One connection to an MQTT broker: aiomqtt, with what it leaves out.

Rules: a connection is used once. aiomqtt 2.5 looks at no code of an acknowledgement, does not wake who waits for one
when the connection is lost, does not notice one that is closed before it is accepted or in the same breath, and leaves
the socket of a failed attempt open: all that is done here, and held by tests against a real broker. The broker's own
limits (Receive Maximum, Maximum Packet Size; MQTT 5, 3.2.2.3) are kept.
"""

from __future__ import annotations

import asyncio
import logging
import re
import socket
from typing import Any

import aiomqtt
from paho.mqtt.enums import LogLevel
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from netsla.sinks.base import SinkError

PIPELINE = 100  # messages under way, where the broker allows so many
TOO_LARGE = 0x95  # Packet too large (MQTT 5, 2.4)
UNSUPPORTED_VERSION = 0x84
_ACK_S = 10.0  # without an acknowledgement for so long the broker hangs
_GOODBYE_S = 1.0
_FRAME_BYTES = 16  # of a PUBLISH, around topic and payload
_SOCKET_OPTIONS = (
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
)  # paho sends packet by packet: Nagle would hold them up
_SILENT = logging.getLogger("netsla.mqtt")  # what paho says of every packet; the delivery says what matters, once
_SILENT.setLevel(logging.CRITICAL)
_REMEDIES = {
    0x86: "see username and password",
    0x87: "see username and password, and the broker's access rules",
    0x8C: "see username and password",
    0x8E: "another client has the same id: give every agent a name of its own",
}


_NUMBERS = re.compile(r"^\[[^\]]*\] | \(_ssl\.c:\d+\)$")  # [Errno 111] …, [SSL: …] … (_ssl.c:1006)


class UnsupportedError(SinkError):
    """The broker does not know this version of the protocol."""


class Connection(aiomqtt.Client):
    """A connection; every method raises SinkError once it is lost."""

    def __init__(self, host: str, port: int, **settings: Any) -> None:
        super().__init__(
            host, port, logger=_SILENT, max_inflight_messages=0, socket_options=_SOCKET_OPTIONS, **settings
        )
        self.retained: dict[str, bytes] = {}  # what the broker has sent of what it holds, by topic
        self._heard = asyncio.Event()
        self._acks: dict[int, asyncio.Future[int]] = {}
        self._room = asyncio.Semaphore(PIPELINE)
        self._largest = float("inf")
        self._end: aiomqtt.MqttCodeError | None = None
        self._overheard = ""  # why the socket failed before there was an answer

    # --- life ---------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Connect; raises SinkError."""
        self._client.on_log = self._on_log
        entering = asyncio.ensure_future(self.__aenter__())
        try:
            await asyncio.shield(entering)
        except aiomqtt.MqttCodeError as error:
            self.drop()
            code = _code(error)
            kind = UnsupportedError if code == UNSUPPORTED_VERSION else SinkError
            raise kind(_with_remedy(f"the broker says: {error.rc}", code)) from error
        except (aiomqtt.MqttError, OSError, ValueError) as error:
            self.drop()
            raise SinkError(_plain(error)) from error
        except AttributeError as error:  # the socket was gone before aiomqtt set its options
            self.drop()
            raise SinkError("the broker closed the connection before it answered") from error
        except asyncio.CancelledError:
            entering.add_done_callback(self._abandon)  # a thread connects: it cannot be stopped
            raise
        if self._client.socket() is None and not self._disconnected.done():
            # accepted and ended in one breath: aiomqtt forgets the end
            self._disconnected.set_exception(self._end or aiomqtt.MqttError("closed"))
        self._client.on_log = None
        self._disconnected.add_done_callback(self._lost)

    def _abandon(self, entering: asyncio.Future[Any]) -> None:
        if not entering.cancelled():
            entering.exception()
        self.drop()

    async def close(self) -> None:
        """Disconnect in good order, so that the will is not told; at most for a second."""
        self._client.disconnect()
        await asyncio.wait({self._disconnected}, timeout=_GOODBYE_S)
        self.drop()

    def drop(self) -> None:
        """Close the socket without a word: the broker tells the will."""
        self._client._sock_close()  # noqa: SLF001 - paho's public ways wait for a broker that may hang
        if self._misc_task is not None:
            self._misc_task.cancel()
        if not self._disconnected.done():
            self._disconnected.set_exception(aiomqtt.MqttError("closed"))
            self._disconnected.exception()  # nobody need look at it

    async def lost(self) -> None:
        """Wait until it is lost; raises SinkError."""
        await asyncio.wait({self._disconnected})
        raise self._why_lost()

    # --- messages -----------------------------------------------------------------------------------

    async def put(self, topic: str, payload: bytes, *, retain: bool = False) -> int:
        """Publish with QoS 1; returns the code of the acknowledgement (3.1.1 has none: 0)."""
        if len(topic.encode()) + len(payload) + _FRAME_BYTES > self._largest:
            return TOO_LARGE  # the broker would cut the connection
        async with self._room:
            if self._disconnected.done():
                raise self._why_lost()
            info = self._client.publish(topic, payload, 1, retain)
            if info.rc != 0:
                raise SinkError(f"the broker takes nothing more (code {info.rc})")
            ack: asyncio.Future[int] = self._loop.create_future()
            self._acks[info.mid] = ack
            try:
                async with asyncio.timeout(_ACK_S):
                    return await ack
            except TimeoutError:
                self.drop()
                raise SinkError(f"the broker acknowledged nothing for {_ACK_S:g} s") from None
            finally:
                self._acks.pop(info.mid, None)

    async def read_retained(self, topics: str, quiet_s: float, longest_s: float) -> None:
        """Fill `retained`: until the broker falls silent, or time is up."""
        try:
            await self.subscribe(topics, qos=1)
            async with asyncio.timeout(longest_s):
                while await self._hears(quiet_s):
                    self._heard.clear()
        except TimeoutError:
            pass
        except aiomqtt.MqttError as error:
            raise SinkError(_plain(error)) from error
        self._client.unsubscribe(topics)

    async def _hears(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                return await self._heard.wait()
        except TimeoutError:
            return False

    # --- what paho calls ----------------------------------------------------------------------------

    def _on_connect(
        self, client: Any, userdata: Any, flags: Any, reason_code: ReasonCode, properties: Properties | None = None
    ) -> None:
        self._room = asyncio.Semaphore(min(PIPELINE, getattr(properties, "ReceiveMaximum", PIPELINE)))
        self._largest = getattr(properties, "MaximumPacketSize", self._largest)
        super()._on_connect(client, userdata, flags, reason_code, properties)

    def _on_disconnect(
        self, client: Any, userdata: Any, flags: Any, reason_code: ReasonCode, properties: Properties | None = None
    ) -> None:
        self._end = aiomqtt.MqttCodeError(reason_code)
        if not self._connected.done():
            because = f": {self._overheard}" if self._overheard else ""
            self._connected.set_exception(
                aiomqtt.MqttError(f"the broker closed the connection before it answered{because}")
            )
        super()._on_disconnect(client, userdata, flags, reason_code, properties)
        if self._disconnected.done():
            self._disconnected.exception()  # aiomqtt may put another in its place that nobody has looked at

    def _on_log(self, client: Any, userdata: Any, level: int, text: str) -> None:
        """Only here paho tells of a TLS alert, such as that the broker wants a certificate of ours."""
        if level == LogLevel.MQTT_LOG_ERR and ": " in text:
            self._overheard = _without_numbers(text.split(": ", 1)[1])

    def _on_publish(self, client: Any, userdata: Any, mid: int, reason_code: ReasonCode, properties: Any) -> None:
        ack = self._acks.get(mid)
        if ack is not None and not ack.done():
            ack.set_result(reason_code.value)

    def _on_message(self, client: Any, userdata: Any, message: Any) -> None:
        if message.retain:
            self.retained[message.topic] = bytes(message.payload)
            self._heard.set()

    def _on_unsubscribe(self, *_what: Any) -> None:
        """Nobody waits for it."""

    def _on_socket_register_write(self, client: Any, userdata: Any, sock: Any) -> None:
        self._loop.call_soon_threadsafe(self._watch, sock)

    def _watch(self, sock: Any) -> None:
        """The socket may have been closed, or written, since; aiomqtt would then watch another one of its number."""
        if sock.fileno() >= 0 and self._client.want_write():
            self._loop.add_writer(sock.fileno(), self._client.loop_write)

    # --- loss ---------------------------------------------------------------------------------------

    def _lost(self, disconnected: asyncio.Future[None]) -> None:
        why = self._why_lost()
        for ack in self._acks.values():
            if not ack.done():
                ack.set_exception(why)
                ack.exception()  # who waited may have gone

    def _why_lost(self) -> SinkError:
        error = self._disconnected.exception()
        code = _code(error)
        said = f": {error.rc}" if isinstance(error, aiomqtt.MqttCodeError) and code not in (0, 0x80) else ""
        return SinkError(_with_remedy(f"the connection was lost{said}", code))


def _code(error: BaseException | None) -> int:
    found = getattr(error, "rc", 0)
    return int(getattr(found, "value", found) or 0)


def _with_remedy(words: str, code: int) -> str:
    return f"{words}: {_REMEDIES[code]}" if code in _REMEDIES else words


def _plain(error: BaseException) -> str:
    return _without_numbers(str(error)) or "no answer in time"


def _without_numbers(text: str) -> str:
    """What Python and OpenSSL put around the words, taken away; with what to do, where that is known."""
    words = _NUMBERS.sub("", text)
    return f"{words}: set cert_file and key_file" if words.endswith("certificate required") else words
