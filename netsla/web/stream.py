"""Sending a large body so that neither the loop nor anybody else is held by it.

Rules: chunks, a breath between them, a limit on how long a client may take none. Chunks are copies:
the transport may keep what it could not send, and the page it came from is written over later.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Sequence
from contextlib import suppress

from aiohttp import web

CHUNK = 131_072  # bytes; about 50 µs of the loop's time
STALL_SECONDS = 10.0  # a client that takes nothing for so long is cut off
WHOLE_SECONDS = 120.0  # and one that is not through by then

_RESET = struct.pack("ii", 1, 0)  # struct linger: on, no time: a reset instead of a farewell


async def stream(request: web.Request, content_type: str, pieces: Sequence[bytes | bytearray]) -> web.StreamResponse:
    """Answer with `pieces`, one after the other. A client that stalls or leaves ends it quietly."""
    response = web.StreamResponse(headers={"Content-Type": content_type})
    response.content_length = sum(map(len, pieces))
    try:
        async with asyncio.timeout(WHOLE_SECONDS):
            await response.prepare(request)
            for piece in () if request.method == "HEAD" else pieces:
                await _send(response, memoryview(piece))
    except TimeoutError:
        hang_up(request.transport)
    except ConnectionError:
        pass  # it left
    return response


async def _send(response: web.StreamResponse, view: memoryview) -> None:
    for start in range(0, len(view), CHUNK):
        async with asyncio.timeout(STALL_SECONDS):
            await response.write(bytes(view[start : start + CHUNK]))
        await asyncio.sleep(0)


def hang_up(transport: asyncio.BaseTransport | None) -> None:
    """Cut a connection at once: what is still buffered, here and in the kernel, goes with it."""
    if not isinstance(transport, asyncio.Transport):
        return
    sock = transport.get_extra_info("socket")
    with suppress(OSError):  # closed meanwhile
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    transport.abort()
