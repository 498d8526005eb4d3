"""A TCP proxy whose connections can be cut: at once, after so many bytes, and for as long as it is shut."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Self

from tests.sinks.broker import free_port


class Cutter:
    """Between a client, which comes to `host`, and a server on loopback."""

    def __init__(self, target: int, host: str = "127.0.0.1") -> None:
        self.port, self.host, self._target = free_port(), host, target
        self.shut = False
        self._writers: list[asyncio.StreamWriter] = []
        self._left: int | None = None  # bytes to the server until the next cut

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._join, self.host, self.port)
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._server.close()
        self.cut()

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    def cut_after(self, size: int) -> None:
        """Once so many bytes have gone to the server."""
        self._left = size

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        if self.shut:
            self.cut()
            return
        with contextlib.suppress(OSError):
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
            self._writers.append(far_writer)
            await asyncio.gather(self._pump(reader, far_writer, counted=True), self._pump(far_reader, writer))
        writer.close()

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, counted: bool = False) -> None:
        while data := await source.read(4096):
            if counted and self._left is not None:
                data = data[: self._left]
                self._left -= len(data)
            target.write(data)
            await target.drain()
            if counted and self._left == 0:
                self._left = None
                self.cut()
        target.close()
