"""How long an event loop is held."""

from __future__ import annotations

import asyncio
import time
from typing import Self

_EVERY_S = 0.005


class Lag:
    """Watches the loop that it is entered in."""

    def __init__(self) -> None:
        self.longest_ms = 0.0

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._task.cancel()
        await asyncio.wait({self._task})

    async def _watch(self) -> None:
        while True:
            begin = time.monotonic()
            await asyncio.sleep(_EVERY_S)
            self.longest_ms = max(self.longest_ms, (time.monotonic() - begin - _EVERY_S) * 1000)
