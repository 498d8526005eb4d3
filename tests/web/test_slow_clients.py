"""Clients that read slowly, never read, or never ask: nobody else notices, and memory does not grow."""

from __future__ import annotations

import asyncio
import logging
import resource
import select
import socket
import struct
from dataclasses import replace

import aiohttp
import pytest

from netsla.sla.snapshot import Snapshot
from netsla.web import gate, scrape, server, stream
from tests.synthetic import snapshot
from tests.web.conftest import Serve, Source

REQUEST = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"


async def connect(base: str, send: bytes = b"") -> socket.socket:
    """A raw client with a small receive buffer that reads nothing."""
    host, port = base.removeprefix("http://").split(":")
    client = socket.socket()
    client.setblocking(False)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    await asyncio.get_running_loop().sock_connect(client, (host, int(port)))
    await asyncio.get_running_loop().sock_sendall(client, send)
    return client


async def hung_up(client: socket.socket) -> bool:
    """Whether the server cuts the connection within five seconds."""
    poll = select.poll()
    poll.register(client, select.POLLRDHUP)
    return bool(await asyncio.to_thread(poll.poll, 5_000))


async def scraped(client: aiohttp.ClientSession, base: str) -> bytes:
    async with client.get(f"{base}/metrics") as answer:
        assert answer.status == 200
        return await answer.read()


def newer(source: Source) -> None:
    source.shown = replace(source.shown, at_ns=source.shown.at_ns + 1, sent=source.shown.sent + 1)


@pytest.fixture
def large(source: Source) -> Source:
    source.shown = snapshot(2_000, ("5m", "1h", "24h", "30d"))  # 12 MB a page
    return source


async def test_readers_that_never_read_neither_block_nor_fill_memory(
    serve: Serve, large: Source, client: aiohttp.ClientSession
) -> None:
    _, base = await serve()
    whole = await scraped(client, base)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    lazy = [await connect(base, REQUEST) for _ in range(20)]
    for _ in range(5):
        newer(large)
        assert len(await scraped(client, base)) == pytest.approx(len(whole), rel=0.01)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert grown < (scrape.PAGES + 2) * len(whole)  # pages, and the client's own copy; not twenty of them
    for each in lazy:
        each.close()


async def test_a_slow_reader_gets_one_whole_page(serve: Serve, large: Source, client: aiohttp.ClientSession) -> None:
    _, base = await serve()
    sent = int(large.shown.sent[0])
    async with client.get(f"{base}/metrics") as answer:
        first = await answer.content.readexactly(100_000)
        for _ in range(scrape.PAGES + 2):
            newer(large)
            await scraped(client, base)
        text = first + await answer.content.read()
    lines = [line for line in text.decode().splitlines() if line.startswith("netsla_probe_sent_total{")]
    assert len(lines) == 2_000
    assert [int(line.split()[-1]) for line in lines] == snapshot(2_000, ("5m", "1h", "24h", "30d")).sent.tolist()
    assert int(lines[0].split()[-1]) == sent


async def test_a_reader_that_stalls_is_cut_off(serve: Serve, large: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "STALL_SECONDS", 0.1)
    _, base = await serve()
    client = await connect(base, REQUEST)
    with client:
        assert await hung_up(client)


async def test_whoever_never_asks_is_cut_off(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "FIRST_SECONDS", 0.05)
    monkeypatch.setattr(server, "SWEEP_SECONDS", 0.01)
    _, base = await serve()
    for beginning in (b"", b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: "):
        with await connect(base, beginning) as client:
            assert await hung_up(client)


async def test_idle_connections_make_room_for_newcomers(
    serve: Serve, client: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    running, base = await serve()
    running._gate._limit = 5
    idle = [await connect(base) for _ in range(30)]
    assert b"netsla_probe_sent_total" in await scraped(client, base)
    assert len(running._gate._server.connections) <= 6
    for each in idle:
        each.close()


async def test_concurrent_scrapes_share_one_rendering(
    serve: Serve, source: Source, client: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered: list[object] = []
    render = scrape.Scrapes._render

    def counted(self: scrape.Scrapes, *arguments: object) -> scrape.Page:
        rendered.append(arguments[0])
        return render(self, *arguments)  # type: ignore[arg-type]  # passed through

    monkeypatch.setattr(scrape.Scrapes, "_render", counted)
    _, base = await serve()
    texts = await asyncio.gather(*(scraped(client, base) for _ in range(10)))
    assert len(set(texts)) == 1
    assert rendered == [source.shown]
    newer(source)
    assert await scraped(client, base) != texts[0]
    assert rendered[1:] == [source.shown]


async def test_a_client_that_leaves_takes_no_page_from_the_others(
    serve: Serve, large: Source, client: aiohttp.ClientSession
) -> None:
    _, base = await serve()
    (await connect(base, REQUEST)).close()
    assert b"netsla_probe_sent_total" in await scraped(client, base)


async def test_the_loop_is_never_held(serve: Serve, source: Source, client: aiohttp.ClientSession) -> None:
    """The goal is 20 ms; 100 are for machines under load. The client runs elsewhere, as clients do."""
    source.shown = snapshot(10_000, ("5m", "1h"))
    _, base = await serve()
    loop, lags, ended = asyncio.get_running_loop(), [0.0], asyncio.Event()

    async def watch() -> None:
        while not ended.is_set():
            began = loop.time()
            await asyncio.sleep(0.001)
            lags.append(loop.time() - began)

    watching = asyncio.create_task(watch())
    for _ in range(3):
        newer(source)
        curl = await asyncio.create_subprocess_exec("curl", "-sf", "-o", "/dev/null", f"{base}/metrics")
        assert await curl.wait() == 0
    ended.set()
    await watching
    assert max(lags) < 0.1


async def test_who_leaves_before_the_answer_begins_is_no_error_in_the_log(
    serve: Serve, source: Source, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked, left, told = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def snapshot_once_it_left() -> Snapshot:
        asked.set()
        await left.wait()
        told.set()
        return source.shown

    monkeypatch.setattr(source, "snapshot", snapshot_once_it_left)
    web_server, base = await serve()
    client = await connect(base, b"GET /api/v1/status HTTP/1.1\r\nHost: x\r\n\r\n")
    await asked.wait()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    await asyncio.sleep(0)  # the reset is read
    left.set()
    await told.wait()
    await web_server.close()  # waits for its requests
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
