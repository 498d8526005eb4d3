"""The /metrics page: rendered once per Snapshot in a worker thread, shared by all who ask.

Rules: the event loop never renders. Requests that come while a page is being made wait for that one.
A page's memory (6 kB a probe) is used again as soon as nobody reads it; while slow readers hold
`PAGES` of them, newcomers get the newest page there is, so that they never wait and memory never grows.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from dataclasses import dataclass

from netsla.sla.snapshot import Snapshot
from netsla.web.own import OwnMetrics
from netsla.wire.exposition import Exposition, unmeasured
from netsla.wire.labelling import NO_LABELS, Labelling

PAGES = 3  # at once in memory


@dataclass(slots=True, eq=False)
class Page:
    """A rendered text in pieces, and how many are reading it."""

    snapshot: Snapshot
    layout: Exposition
    body: bytearray
    tail: bytes
    readers: int = 0

    @property
    def pieces(self) -> tuple[bytearray, bytes]:
        """What to send, in order."""
        return self.body, self.tail

    @property
    def length(self) -> int:
        """Bytes in all."""
        return len(self.body) + len(self.tail)


class Scrapes:
    """Makes pages and lends them out."""

    def __init__(
        self,
        own: OwnMetrics,
        worker: Executor,
        compat: Sequence[str] = (),
        labels: Callable[[], Labelling] = lambda: NO_LABELS,
    ) -> None:
        """`worker` runs one job at a time; `labels` gives the same object until they change."""
        self._labels = labels
        self._own = own
        self._worker = worker
        self._compat = compat
        self._newest: Page | None = None
        self._held: list[Page] = []  # older pages that somebody still reads, or read
        self._making: asyncio.Task[Page] | None = None

    @asynccontextmanager
    async def page(self, snapshot: Snapshot) -> AsyncIterator[Page]:
        """A page at least as new as `snapshot`, unchanged while the context lasts."""
        page = await self._page(snapshot)
        page.readers += 1
        try:
            yield page
        finally:
            page.readers -= 1

    async def _page(self, snapshot: Snapshot) -> Page:
        while True:
            newest = self._newest
            if newest is not None and (newest.snapshot.at_ns >= snapshot.at_ns or self._exhausted()):
                return newest
            if self._making is None:
                self._making = asyncio.create_task(self._make(snapshot))
                self._making.add_done_callback(self._made)
            await asyncio.shield(self._making)  # whoever leaves early does not take the page from the others

    def _exhausted(self) -> bool:
        return sum(page.readers > 0 for page in (*self._held, self._newest) if page is not None) >= PAGES

    async def _make(self, snapshot: Snapshot) -> Page:
        spare = self._spare()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._worker, self._render, snapshot, spare, self._newest)

    def _spare(self) -> Page | None:
        """A page that nobody reads, taken out of use; other unread ones are let go."""
        idle = [page for page in self._held if not page.readers]
        self._held = [page for page in self._held if page.readers]
        newest = self._newest
        if newest is not None and not newest.readers:
            self._newest = None
            return newest
        return idle[0] if idle else None

    def _made(self, task: asyncio.Task[Page]) -> None:
        self._making = None
        if task.cancelled() or task.exception() is not None:
            return  # whoever waits for it is told
        if self._newest is not None:
            self._held.append(self._newest)
        self._newest = task.result()

    def _render(self, snapshot: Snapshot, spare: Page | None, newest: Page | None) -> Page:
        """In the worker thread."""
        mine = self._labels()
        fitting = [page.layout for page in (newest, spare) if page is not None and page.layout.fits(snapshot, mine)]
        layout = fitting[0] if fitting else Exposition(snapshot, self._compat, mine)
        body = spare.body if spare is not None and spare.layout is layout else None
        tail = unmeasured(snapshot, mine) + self._own.text(snapshot.agent, mine.agent)
        return Page(snapshot, layout, layout.write(snapshot, body), tail)
