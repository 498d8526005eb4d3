"""What an answer means: for the event, or for the receiver."""

from __future__ import annotations

import asyncio
import ssl

import pytest
import trustme
from aiohttp import web

from netsla.sinks.base import SinkError
from netsla.sinks.post import Refused, label, poster
from tests.sinks.broker import free_port
from tests.sinks.receiver import Receiver


async def ask(status: int | None, seconds: float = 5.0) -> None:
    receiver = Receiver(judge=lambda _request: status)
    await receiver.start()
    try:
        async with poster(f"{receiver.url}/t0ken", seconds) as to:
            await to.post(b"{}", {})
    finally:
        await receiver.stop()


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_taken(status: int) -> None:
    await ask(status)


@pytest.mark.parametrize("status", [400, 409, 413, 415, 422, 431])
async def test_about_the_event(status: int) -> None:
    with pytest.raises(Refused, match=rf"127\.0\.0\.1 answers {status} .*: because the test says so"):
        await ask(status)


@pytest.mark.parametrize("status", [301, 308, 401, 403, 404, 405, 408, 410, 425, 429, 500, 502, 503, 504, 599])
async def test_about_the_receiver(status: int) -> None:
    with pytest.raises(SinkError, match=rf"127\.0\.0\.1 answers {status}"):
        await ask(status)


async def test_a_receiver_that_hangs_is_left_in_time() -> None:
    with pytest.raises(SinkError, match=r"127\.0\.0\.1 did not answer within 0\.1 s"):
        await ask(None, 0.1)


async def test_nobody_there() -> None:
    async with poster(f"http://127.0.0.1:{free_port()}/t0ken", 5) as to:
        with pytest.raises(SinkError, match=r"^127\.0\.0\.1: Connection refused$"):
            await to.post(b"{}", {})


async def test_a_name_that_does_not_exist() -> None:
    async with poster("http://nowhere.invalid/t0ken", 5) as to:
        with pytest.raises(SinkError, match=r"^nowhere\.invalid: .+"):
            await to.post(b"{}", {})


async def test_a_connection_cut_before_the_answer() -> None:
    async def cut(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(cut, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, poster(f"http://127.0.0.1:{port}/", 5) as to:
        with pytest.raises(SinkError, match=r"^127\.0\.0\.1: "):
            await to.post(b"{}", {})


async def test_a_certificate_that_nobody_vouches_for() -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    runner = web.AppRunner(web.Application())
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=context).start()
    try:
        async with poster(f"https://127.0.0.1:{port}/t0ken", 5) as to:
            with pytest.raises(SinkError, match=r"its certificate is not trusted: .*self-signed|unable to get"):
                await to.post(b"{}", {})
    finally:
        await runner.cleanup()


def test_a_label_shows_the_host_and_keeps_the_rest() -> None:
    assert label("webhook", "https://h.example/t0ken").startswith("webhook h.example:")
    assert "t0ken" not in label("webhook", "https://h.example/t0ken")
    assert label("webhook", "https://h.example/a") != label("webhook", "https://h.example/b")
