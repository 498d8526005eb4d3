"""Who may hold a connection, and how long: slow and silent clients never crowd out the others.

Rules: a bounded number of connections; a newcomer beyond it takes the place of whoever has been idle
longest, never of one that is being answered. A connection without a whole request in `FIRST_SECONDS`,
or idle for `IDLE_SECONDS` after one, is cut.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from netsla.web.stream import hang_up

CONNECTIONS = 64
FIRST_SECONDS = 10.0
IDLE_SECONDS = 150.0  # Prometheus keeps a connection between two scrapes, usually 15 to 60 s
SWEEP_SECONDS = 2.0

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Gate:
    """A protocol factory in front of aiohttp's, and the middleware that tells it who is being answered."""

    def __init__(self, server: web.Server, limit: int = CONNECTIONS) -> None:
        self._server = server
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        self._deadline: dict[RequestHandler, float] = {}  # of everybody idle; those being answered are not here

    def __call__(self) -> asyncio.Protocol:
        """For a new connection."""
        if len(self._server.connections) >= self._limit and not self._make_room():
            return _Refusal()
        handler: RequestHandler = self._server()
        self._deadline[handler] = self._loop.time() + FIRST_SECONDS
        return handler

    async def answering(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """The middleware: whoever is in here is not idle."""
        self._deadline.pop(request.protocol, None)
        try:
            return await handler(request)
        finally:
            self._deadline[request.protocol] = self._loop.time() + IDLE_SECONDS

    def sweep(self) -> None:
        """Cut whoever is overdue; forget who has left."""
        now = self._loop.time()
        alive = set(self._server.connections)
        for handler, deadline in list(self._deadline.items()):
            if deadline <= now:
                self._cut(handler)
            elif handler not in alive and deadline > now + FIRST_SECONDS:  # a newcomer may not be there yet
                del self._deadline[handler]

    def _make_room(self) -> bool:
        """Cut whoever has been idle longest; False if everybody is being answered."""
        idle = [handler for handler in self._server.connections if handler in self._deadline]
        if not idle:
            return False
        self._cut(min(idle, key=self._deadline.__getitem__))
        return True

    def _cut(self, handler: RequestHandler) -> None:
        self._deadline.pop(handler, None)
        hang_up(handler.transport)


class _Refusal(asyncio.Protocol):
    """Hangs up."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        hang_up(transport)
