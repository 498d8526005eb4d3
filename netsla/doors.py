"""Where the agent is asked: the control socket, and the web server.

Rules: async-only. Both are open before anybody is told that the agent is ready. What a reload cannot open leaves open
what was.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

from netsla import doctor
from netsla.control import ControlServer, Handler
from netsla.errors import HostError
from netsla.model import Plan, WebSettings
from netsla.probes.prober import LATENESS_BOUNDS
from netsla.web import WebServer
from netsla.web.source import Past, SnapshotSource


class Doors:
    """Those of one agent; `answers` are what the control socket is asked."""

    def __init__(self, answers: Mapping[str, Handler], source: SnapshotSource, past: Past) -> None:
        self._answers, self._source, self._past = answers, source, past
        self._control: ControlServer | None = None
        self._web: WebServer | None = None
        self._settings: WebSettings | None = None
        self._preparing: asyncio.Task[None] | None = None

    async def open(self, plan: Plan, listening: Sequence[socket.socket] | None = None) -> None:
        """Open both, the page at sockets that listen already; HostError where one cannot be, ConfigError."""
        doctor.make_folder(Path(plan.agent.socket).parent)
        self._control = ControlServer(plan.agent.socket, self._answers)
        await self._control.start()
        self._web, self._settings = self._server(plan.web), plan.web
        await self._web.start(listening)

    async def renew(self, settings: WebSettings) -> None:
        """Listen by these settings, and take up certificates and users that changed."""
        assert self._web is not None
        if settings == self._settings:
            await self._web.renew()
        else:
            await self._move(self._web, settings)

    async def _move(self, old: WebServer, settings: WebSettings) -> None:
        """Listen elsewhere; if that fails, listen as before."""
        new = self._server(settings)
        await old.close()
        try:
            await new.start()
        except HostError:
            assert self._settings is not None
            self._web = self._server(self._settings)
            await self._web.start()
            raise
        self._web, self._settings = new, settings

    def _server(self, settings: WebSettings) -> WebServer:
        return WebServer(settings, self._source, self._past, lateness_bounds=LATENESS_BOUNDS)

    def prepare(self) -> None:
        """Lay out the page of metrics before somebody asks."""
        if self._web is not None:
            self._preparing = asyncio.create_task(self._web.prepare())

    @property
    def urls(self) -> list[str]:
        """Where the page is."""
        return self._web.urls if self._web else []

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with the web server's files."""
        return self._web.problems if self._web else ()

    async def close(self) -> None:
        """Answer nobody any more."""
        if self._preparing is not None:
            self._preparing.cancel()
            await asyncio.gather(self._preparing, return_exceptions=True)
        if self._web is not None:
            await self._web.close()
        if self._control is not None:
            await self._control.close()
