"""One task per sink that takes events from the outbox and hands them over, for as long as it takes.

Rules: an event is done only when the sink has taken it. What was refused is tried again after a pause of its own, and
holds up nobody but its own objective. A broken link is opened anew with full jitter (AWS, "Exponential Backoff And
Jitter"). The cause is said once in the log and stands in `problem` until it clears. A sink never waits for another.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Mapping, Sequence
from typing import Any

from netsla.sinks.base import Link, Sink, SinkError
from netsla.store.backlog import Event
from netsla.store.outbox import Outbox

log = logging.getLogger("netsla")

BATCH = 100  # events under way at once
_TEND_S = 1.0
_FIRST_S, _LONGEST_S = 0.5, 60.0  # before a link is opened again
_STEADY_S = 10.0  # a link that stood for so long was a good one
_AGAIN_S = 600.0  # before the log says a cause again that comes and goes
_REFUSED_S, _REFUSED_LONGEST_S = 2.0, 300.0  # before a refused event is tried again


class Delivery:
    """Keeps one sink supplied."""

    def __init__(self, sink: Sink, outbox: Outbox) -> None:
        self.sink, self._outbox = sink, outbox
        self.problem = ""
        self.connected = False
        self._wake = asyncio.Event()
        self._refused: dict[str, tuple[float, float, str]] = {}  # objective -> not before, pause, why
        self._version = -1
        self._took = False  # whether the present link has taken anything
        self._said: dict[str, float] = {}  # causes, and when they were said last

    async def run(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()

        def wake() -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self._wake.set)

        self._outbox.listen(wake)
        pause = _FIRST_S
        try:
            while True:
                began, self._took = loop.time(), False
                try:
                    async with self.sink.open() as link:
                        await self._serve(link)
                except SinkError as error:
                    self._trouble(str(error))
                except Exception as bug:  # a sink's bug must end neither the measuring nor the telling
                    log.exception("%s: the link failed in an unforeseen way", self.sink.name)
                    self._trouble(f"the link failed in an unforeseen way: {bug!r}")
                self.connected = False
                if self._took or loop.time() - began > _STEADY_S:
                    pause = _FIRST_S
                await asyncio.sleep(random.uniform(0, pause))
                pause = min(2 * pause, _LONGEST_S)
        finally:
            self._outbox.ignore(wake)

    async def _serve(self, link: Link) -> None:
        """Hand over until the link breaks."""
        self._version = -1
        broken = asyncio.ensure_future(link.broken())
        try:
            while not broken.done():
                self._wake.clear()
                refusal = await self._tend(link)
                self.connected = True
                events = self._due()
                if events:
                    await self._hand_over(link, events)
                self._well(refusal)
                if not events:
                    await self._pause(broken)
            broken.result()
        finally:
            broken.cancel()
            await asyncio.wait({broken})  # not by awaiting it: our own end must not be taken for its
            if not broken.cancelled():
                broken.exception()

    async def _hand_over(self, link: Link, events: Sequence[Event]) -> None:
        try:
            self._settle(events, await link.deliver(events))
        except SinkError as error:
            # What came after the one that broke the link goes before it next time: it may break it again.
            self._settle([one for one in events if one.id in error.taken], {})
            self._outbox.failed(self.sink.name, [one.id for one in reversed(events) if one.id not in error.taken])
            raise

    async def _tend(self, link: Link) -> str:
        version = self._outbox.version
        changed, self._version = version != self._version, version
        return await link.tend(self._outbox.states() if changed else {}, changed=changed)

    async def _pause(self, broken: asyncio.Future[None]) -> None:
        waking: asyncio.Future[Any] = asyncio.ensure_future(self._wake.wait())
        ends: set[asyncio.Future[Any]] = {waking, broken}
        try:
            await asyncio.wait(ends, timeout=_TEND_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waking.cancel()

    def _due(self) -> list[Event]:
        now = asyncio.get_running_loop().time()
        limit = BATCH + len(self._refused)
        found = self._outbox.next(self.sink.name, limit)
        if self._refused and len(found) < limit:  # all there is: what is not among it waits no more
            there = {one.objective for one in found}
            self._refused = {name: held for name, held in self._refused.items() if name in there}
        return [one for one in found if self._refused.get(one.objective, (0.0,))[0] <= now][:BATCH]

    def _settle(self, events: Sequence[Event], refused: Mapping[str, str]) -> None:
        now = asyncio.get_running_loop().time()
        for one in events:
            if one.id in refused:
                pause = min(2 * self._refused.get(one.objective, (0, _REFUSED_S / 2, ""))[1], _REFUSED_LONGEST_S)
                self._refused[one.objective] = (now + random.uniform(pause / 2, pause), pause, refused[one.id])
            else:
                self._refused.pop(one.objective, None)
        self._outbox.failed(self.sink.name, [one.id for one in events if one.id in refused])
        done = [one.id for one in events if one.id not in refused]
        if done:
            self._took = True
            self._outbox.done(self.sink.name, done)

    # --- how it is ----------------------------------------------------------------------------------

    def _well(self, refusal: str) -> None:
        """The link stands and takes what it is given, but for what it refuses."""
        if self._refused:
            why = next(iter(self._refused.values()))[2]
            of = "one objective" if len(self._refused) == 1 else f"{len(self._refused)} objectives"
            self._trouble(f"events of {of} are refused: {why}", "events are refused")
        elif refusal:
            self._trouble(f"states are refused: {refusal}", "states are refused")
        elif self.problem:
            log.info("%s: telling again", self.sink.name)
            self.problem = ""

    def _trouble(self, why: str, cause: str = "") -> None:
        """Say a cause once, for as long as it lasts; `cause` is what makes it the same in other words."""
        now = asyncio.get_running_loop().time()
        self._said = {one: at for one, at in self._said.items() if now - at < _AGAIN_S}
        if (cause or why) not in self._said:
            log.error("%s: %s", self.sink.name, why)
        self._said[cause or why] = now
        self.problem = why
