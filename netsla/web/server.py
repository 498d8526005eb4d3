"""The web server: metrics, status API and page, in the agent's own loop.

Rules: read only; GET and HEAD. Whatever takes time is rendered in one worker thread and streamed
(`scrape`, `stream`), whoever is slow is bounded (`gate`), whoever must log in does (`access`, `login`).
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from prometheus_client import CollectorRegistry

from netsla import ports
from netsla.errors import AgentError, ConfigError
from netsla.model import WebSettings
from netsla.web import access, endpoint, overview
from netsla.web.asked import Asked
from netsla.web.gate import SWEEP_SECONDS, Gate
from netsla.web.login import Login
from netsla.web.own import OwnMetrics
from netsla.web.scrape import Scrapes
from netsla.web.source import NoPast, Past, SnapshotSource
from netsla.web.stream import stream
from netsla.wire.exposition import CONTENT_TYPE
from netsla.wire.status import Only, pieces

log = logging.getLogger("netsla")
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
TLS_HANDSHAKE_SECONDS = 10.0
SHUTDOWN_SECONDS = 1.0  # for answers under way when the agent ends
_STATIC = Path(__file__).parent / "static"


class _Malformed(logging.Filter):
    """What a client sends wrong is no bug of ours: it is told, the journal is spared. Bugs stay in it."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


_MALFORMED = _Malformed()
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class WebServer:
    """Listens as `WebSettings` says, tells what the source shows."""

    def __init__(
        self,
        settings: WebSettings,
        source: SnapshotSource,
        past: Past | None = None,
        *,
        lateness_bounds: Sequence[float] = (),
        registry: CollectorRegistry | None = None,
    ) -> None:
        """`lateness_bounds` are those of `AgentView.lateness_counts`, in seconds.

        Reads the web-config file: :class:`ConfigError` if it is wrong, before anything listens.
        """
        self.registry = registry or CollectorRegistry()
        self._settings = settings
        self._source = source
        self._past: Past = past or NoPast()
        self._worker = ThreadPoolExecutor(1, "netsla-web")
        self._scrapes = Scrapes(
            OwnMetrics(self.registry, lateness_bounds, settings.compat), self._worker, settings.compat, source.labels
        )
        self._access = access.load(settings.config_file) if settings.config_file else access.Access()
        self._login = Login(self._access.users)
        self._runner: web.AppRunner | None = None
        self._servers: list[asyncio.Server] = []
        self.problems: tuple[str, ...] = ()
        self._renewing = asyncio.Lock()
        self._sweeping: asyncio.Task[None] | None = None

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Where it really listens, once started (a port 0 has become a real one)."""
        names = [sock.getsockname() for server in self._servers for sock in server.sockets]
        return [(name[0], name[1]) for name in names]

    @property
    def scheme(self) -> str:
        """`http` or `https`."""
        return "https" if self._access.tls else "http"

    @property
    def urls(self) -> list[str]:
        """Where it listens, for people."""
        places = [(f"[{host}]" if ":" in host else host, port) for host, port in self.addresses]
        return [f"{self.scheme}://{host}:{port}/" for host, port in places]

    async def start(self, listening: Sequence[socket.socket] | None = None) -> None:
        """Listen everywhere, at sockets that were opened before if there are some.

        :class:`HostError` if a port or an address is not to be had.
        """
        if listening is None:
            listening = await asyncio.to_thread(ports.open_all, self._settings.listen)
        self._runner = web.AppRunner(
            self._application(), access_log=None, shutdown_timeout=SHUTDOWN_SECONDS, lingering_time=SHUTDOWN_SECONDS
        )
        logging.getLogger("aiohttp.server").addFilter(_MALFORMED)
        await self._runner.setup()
        assert self._runner.server is not None
        self._gate = Gate(self._runner.server)
        for sock in listening:
            self._servers.append(await self._listen(sock))
        self._sweeping = asyncio.create_task(self._sweep())

    async def prepare(self) -> None:
        """Lay the metrics page out before anybody asks: the first scrape after a reload need not wait for it."""
        async with self._scrapes.page(await self._source.snapshot()):
            pass

    async def close(self) -> None:
        """Stop listening, give answers under way a moment, and end."""
        if self._sweeping is not None:
            self._sweeping.cancel()
        for server in self._servers:
            server.close()
        self._servers.clear()
        if self._runner is not None:
            await self._runner.cleanup()
        self._login.close()
        self._worker.shutdown(wait=False, cancel_futures=True)

    async def renew(self) -> None:
        """Take up files of the web-config that changed; :class:`ConfigError` if they are wrong, and no change."""
        async with self._renewing:  # a reload and the sweep may come at once
            file = self._settings.config_file
            if file is not None and (self.problems or self._access.changed()):
                await self._renew(file)

    async def _renew(self, file: str) -> None:
        try:
            found = await asyncio.get_running_loop().run_in_executor(self._worker, access.load, file)
        except ConfigError as error:
            self.problems = (f"the web goes on as before: {'; '.join(map(str, error.faults))}",)
            raise
        old, self._access, self.problems = self._access, found, ()
        self._login.close()
        self._login = Login(found.users)
        if old.tls is not None or found.tls is not None:
            await self._listen_anew()
        log.info("web: %s is in force as it is now", file)

    async def _listen_anew(self) -> None:
        """The same sockets, so that nobody is refused meanwhile; connections there are go on."""
        kept = [sock.dup() for server in self._servers for sock in server.sockets]
        for server in self._servers:
            server.close()
        self._servers = [await self._listen(sock) for sock in kept]

    async def _listen(self, sock: socket.socket) -> asyncio.Server:
        tls = self._access.tls
        patience = TLS_HANDSHAKE_SECONDS if tls else None
        loop = asyncio.get_running_loop()
        return await loop.create_server(
            self._gate, sock=sock, backlog=ports.BACKLOG, ssl=tls, ssl_handshake_timeout=patience
        )

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self._gate.sweep()
            known = self.problems
            try:
                await self.renew()
            except ConfigError as error:
                if self.problems != known:  # said once
                    log.warning("web: what was in force stays: %s", error)

    def _application(self) -> web.Application:
        app = web.Application(middlewares=[self._around])
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/api/v1/status", self._status)
        app.router.add_get("/-/healthy", self._healthy)
        app.router.add_get("/-/ready", self._ready)
        app.router.add_get("/", self._overview)
        app.router.add_get("/agreements/{agreement}", self._agreement)
        app.router.add_get("/agreements/{agreement}/endpoints/{endpoint}", self._endpoint)
        app.router.add_static("/static", _STATIC)
        app.on_response_prepare.append(self._protect)
        return app

    @web.middleware
    async def _around(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        async def admitted(request: web.Request) -> web.StreamResponse:
            await self._login.check(request)
            try:
                return await handler(request)
            except AgentError as error:
                return web.Response(text=f"netsla: {error}\n", status=503)

        return await self._gate.answering(request, admitted)

    async def _protect(self, request: web.Request, response: web.StreamResponse) -> None:
        for name, value in (SECURITY_HEADERS | dict(self._access.headers)).items():
            response.headers.setdefault(name, value)
        response.headers["Server"] = "netsla"

    async def _metrics(self, request: web.Request) -> web.StreamResponse:
        snapshot = await self._source.snapshot()
        async with self._scrapes.page(snapshot) as text:
            return await stream(request, CONTENT_TYPE, text.pieces)

    async def _status(self, request: web.Request) -> web.StreamResponse:
        body = await self._rendered(pieces, await self._source.snapshot(), Only.of(request.query))
        return await stream(request, "application/json; charset=utf-8", body)

    async def _overview(self, request: web.Request) -> web.StreamResponse:
        return await self._page(request, overview.overview)

    async def _agreement(self, request: web.Request) -> web.StreamResponse:
        return await self._page(request, overview.agreement, request.match_info["agreement"])

    async def _endpoint(self, request: web.Request) -> web.StreamResponse:
        names = request.match_info["agreement"], request.match_info["endpoint"]
        if not await self._rendered(endpoint.exists, await self._source.snapshot(), *names):
            raise web.HTTPNotFound(text="no such endpoint\n")
        past = await self._past.portrait(*names, Asked.of(request.query).span)
        return await self._page(request, partial(endpoint.render, past=past), *names)

    async def _page(self, request: web.Request, render: Callable[..., str | None], *names: str) -> web.StreamResponse:
        text = await self._rendered(render, await self._source.snapshot(), *names, asked=Asked.of(request.query))
        if text is None:
            raise web.HTTPNotFound(text="no such agreement\n")
        return await stream(request, "text/html; charset=utf-8", [text.encode()])

    async def _healthy(self, request: web.Request) -> web.StreamResponse:
        healthy, problems = self._source.health()
        lines = ["netsla is healthy." if healthy else "netsla is not healthy.", *problems]
        return web.Response(text="\n".join(lines) + "\n", status=200 if healthy else 503)

    async def _ready(self, request: web.Request) -> web.StreamResponse:
        ready = self._source.ready()
        return web.Response(
            text="netsla is ready.\n" if ready else "netsla is starting.\n", status=200 if ready else 503
        )

    async def _rendered(self, render: Callable[..., Any], *given: object, **asked: object) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._worker, partial(render, *given, **asked))
