"""What aiomqtt leaves out, trap by trap."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from netsla.model import MqttSettings
from netsla.sinks import connection as module
from netsla.sinks.base import SinkError
from netsla.sinks.connection import PIPELINE, TOO_LARGE, Connection, UnsupportedError
from netsla.sinks.mqtt import MqttSink
from tests.sinks.broker import Broker, free_port
from tests.sinks.receiver import until

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
CONNACK_V5, CONNACK_V311 = b"\x20\x03\x00\x00\x00", b"\x20\x02\x00\x00"


def connection(port: int, **more: Any) -> Connection:
    how = {"identifier": "test", "protocol": aiomqtt.ProtocolVersion.V5, "timeout": 1.0, "keepalive": 10} | more
    return Connection("127.0.0.1", port, **how)


@asynccontextmanager
async def broker_that(serve: Serve) -> AsyncIterator[int]:
    """A broker of a few bytes."""
    served: set[asyncio.Task[None]] = set()

    async def remember(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        served.add(task)
        try:
            await serve(reader, writer)
        except (asyncio.CancelledError, OSError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(remember, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        for task in served:
            task.cancel()


async def packet(reader: asyncio.StreamReader) -> bytes:
    """One packet shorter than 128 bytes; b"" at the end."""
    head = await reader.read(2)
    return head + await reader.readexactly(head[1]) if len(head) == 2 else b""


async def hang(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await packet(reader)
    await asyncio.sleep(3600)


async def accept_and_hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await packet(reader)
    writer.write(CONNACK_V5)
    await asyncio.sleep(3600)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_failed_attempts_leave_no_socket_behind() -> None:
    async with broker_that(hang) as port:
        before = open_files()
        for _ in range(3):
            with pytest.raises(SinkError, match="timed out"):
                await connection(port, timeout=0.05).open()
        await until(lambda: open_files() <= before + 3)  # the broker's own ends
        sockets = [one for one in asyncio.all_tasks() if "_misc_loop" in repr(one) and not one.cancelling()]
        assert sockets == []


async def test_a_connection_closed_before_it_is_accepted_is_noticed_at_once() -> None:
    async def close(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await packet(reader)

    async with broker_that(close) as port:
        with pytest.raises(SinkError, match="closed the connection before it answered"):
            await connection(port, timeout=60).open()


async def test_a_connection_ended_in_the_breath_in_which_it_was_accepted_is_lost(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever comes first: the end before aiomqtt has looked, or after it, or after the socket was made."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await packet(reader)
        writer.write(CONNACK_V5)
        await reader.read()

    enter = Connection.__aenter__

    async def enter_and_end(self: Connection) -> Connection:
        await enter(self)
        self._client._sock_close()
        self._on_disconnect(self._client, None, None, ReasonCode(PacketTypes.DISCONNECT, "Unspecified error"))
        return self

    monkeypatch.setattr(Connection, "__aenter__", enter_and_end)
    async with broker_that(serve) as port:
        one = connection(port)
        await one.open()
        with pytest.raises(SinkError, match="the connection was lost"):
            await one.put("a", b"b")
        monkeypatch.setattr(Connection, "__aenter__", enter)
        monkeypatch.setattr(aiomqtt.client, "_set_client_socket_defaults", lambda *_: None.x)  # type: ignore[attr-defined]  # the very error
        with pytest.raises(SinkError, match="closed the connection before it answered"):
            await connection(port).open()
    assert not caplog.records


async def test_nobody_there() -> None:
    with pytest.raises(SinkError, match=r"^Connection refused$"):
        await connection(free_port()).open()


@pytest.mark.parametrize("answer", [b"\x20\x02\x00\x01", b"\x20\x03\x00\x84\x00"])
async def test_only_a_broker_that_says_so_is_asked_in_3_1_1(answer: bytes) -> None:
    levels = []

    async def old(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        levels.append((await packet(reader))[8])
        if levels[-1] == 5:
            writer.write(answer)
            await writer.drain()
            return
        writer.write(CONNACK_V311)
        while asked := await packet(reader):
            if asked[0] & 0xF0 == 0x30:
                at = 4 + int.from_bytes(asked[2:4])
                writer.write(b"\x40\x02" + asked[at : at + 2])
            elif asked[0] & 0xF0 == 0x80:
                writer.write(b"\x90\x03" + asked[2:4] + b"\x01")

    async with broker_that(old) as port:
        with pytest.raises(UnsupportedError):
            await connection(port).open()
        async with MqttSink(MqttSettings("127.0.0.1", port), "lab").open():
            assert levels == [5, 5, 4]


async def test_a_broker_that_acknowledges_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ACK_S", 0.1)
    async with broker_that(accept_and_hang) as port:
        ours = connection(port)
        await ours.open()
        with pytest.raises(SinkError, match=r"acknowledged nothing for 0\.1 s"):
            await ours.put("t", b"x")
        with pytest.raises(SinkError, match="the connection was lost"):
            await ours.put("t", b"y")


async def test_who_waits_for_an_acknowledgement_is_woken_by_the_loss() -> None:
    async def accept_and_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await packet(reader)
        writer.write(CONNACK_V5)
        await packet(reader)

    async with broker_that(accept_and_close) as port:
        ours = connection(port)
        await ours.open()
        results = await asyncio.wait_for(
            asyncio.gather(*(ours.put("t", b"x") for _ in range(300)), return_exceptions=True), 5
        )
        assert {str(one) for one in results} == {"the connection was lost"}
        with pytest.raises(SinkError):
            await ours.lost()


async def test_the_brokers_limits_are_kept() -> None:
    under_way, most = 0, 0

    async def narrow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal under_way, most
        await packet(reader)
        # Receive Maximum 3 (0x21), Maximum Packet Size 100 (0x27)
        writer.write(b"\x20\x0b\x00\x00\x08\x21\x00\x03\x27\x00\x00\x00\x64")
        waiting: list[bytes] = []
        while True:
            try:
                async with asyncio.timeout(0.02):
                    asked = await packet(reader)
            except TimeoutError:
                for number in waiting:
                    writer.write(b"\x40\x02" + number)
                under_way, waiting = 0, []
                continue
            if not asked:
                return
            at = 4 + int.from_bytes(asked[2:4])
            waiting.append(asked[at : at + 2])
            under_way += 1
            most = max(most, under_way)

    async with broker_that(narrow) as port:
        ours = connection(port)
        await ours.open()
        assert await ours.put("t", b"x" * 100) == TOO_LARGE
        assert await asyncio.gather(*(ours.put("t", b"x") for _ in range(10))) == [0] * 10
        assert most == 3
        ours.drop()


async def test_why_the_broker_disconnects_is_said() -> None:
    async def take_over(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await packet(reader)
        writer.write(CONNACK_V5 + b"\xe0\x02\x8e\x00")
        await writer.drain()

    async with broker_that(take_over) as port:
        ours = connection(port)
        await ours.open()
        with pytest.raises(SinkError, match="Session taken over: another client has the same id"):
            await ours.lost()


async def test_another_client_of_the_same_name_ends_this_one(tmp_path: Path) -> None:
    broker = Broker(tmp_path).start()
    try:
        first, second = connection(broker.port), connection(broker.port)
        await first.open()
        await second.open()
        with pytest.raises(SinkError, match="the connection was lost"):
            await first.lost()
        await second.close()
    finally:
        broker.end()


async def test_a_goodbye_to_a_broker_that_hangs_ends(tmp_path: Path) -> None:
    broker = Broker(tmp_path).start()
    try:
        sink, opened = MqttSink(MqttSettings("127.0.0.1", broker.port), "lab"), asyncio.Event()

        async def hold() -> None:
            async with sink.open():
                opened.set()
                await asyncio.sleep(3600)

        task = asyncio.create_task(hold())
        await opened.wait()
        broker.send(signal.SIGSTOP)
        begin = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert time.monotonic() - begin < 5
    finally:
        broker.end()


async def test_many_at_once_are_all_acknowledged(tmp_path: Path) -> None:
    broker = Broker(tmp_path).start()
    try:
        ours = connection(broker.port)
        await ours.open()
        codes = await asyncio.gather(*(ours.put(f"t/{i}", b"x" * 500) for i in range(10 * PIPELINE)))
        assert set(codes) <= {0, 0x10}, "0x10: nobody listens"
        await ours.close()
    finally:
        broker.end()
