from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import pytest

from netsla.model import WebSettings
from netsla.probes.prober import LATENESS_BOUNDS
from netsla.sla.snapshot import Snapshot
from netsla.web import WebServer
from netsla.wire.labelling import NO_LABELS, Labelling
from tests.synthetic import snapshot


class Source:
    """A SnapshotSource that shows what the test puts there."""

    def __init__(self, shown: Snapshot) -> None:
        self.shown = shown
        self.is_ready = True
        self.labelling = NO_LABELS
        self.problems: list[str] = []

    async def snapshot(self) -> Snapshot:
        return self.shown

    def labels(self) -> Labelling:
        return self.labelling

    def ready(self) -> bool:
        return self.is_ready

    def health(self) -> tuple[bool, list[str]]:
        return not self.problems, self.problems


Serve = Callable[..., Awaitable[tuple[WebServer, str]]]


@pytest.fixture
def source() -> Source:
    return Source(snapshot(30))


@pytest.fixture
async def serve(source: Source) -> AsyncIterator[Serve]:
    """Starts a server on a free port of the loopback; gives it and its base address."""
    async with AsyncExitStack() as stack:

        async def start(**settings: Any) -> tuple[WebServer, str]:
            server = await stack.enter_async_context(_running(source, WebSettings(**{"listen": _LOOPBACK, **settings})))
            host, port = server.addresses[0]
            return server, f"{server.scheme}://{host}:{port}"

        yield start


_LOOPBACK = (("127.0.0.1", 0),)


@asynccontextmanager
async def _running(source: Source, settings: WebSettings) -> AsyncIterator[WebServer]:
    server = WebServer(settings, source, lateness_bounds=LATENESS_BOUNDS)
    await server.start()
    try:
        yield server
    finally:
        await server.close()


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session
