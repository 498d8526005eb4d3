"""What everybody may look at: the present Snapshot, by the engine or by who stands in for it.

Rules: async-only. A Snapshot is at most a turn old, and whoever asks meanwhile shares it. Who asks before anything can
be shown waits a little; probing waits for nobody.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from netsla.errors import AgentError
from netsla.history import History
from netsla.model import SECOND, Plan
from netsla.probes.naming import Names
from netsla.sla.fleet import Fleet
from netsla.sla.snapshot import AgentView, Snapshot
from netsla.sla.view import Viewer
from netsla.vitals import Vitals
from netsla.wire.labelling import NO_LABELS, Labelling

REMEMBERING = "what was recorded is being read back: no uptime, no window longer than 1h, no alert until then"
_FRESH_NS = SECOND  # a turn
_PATIENCE_S = 4.0  # less than whoever asks waits for an answer

View = Callable[[], Snapshot]


class Showing:
    """The pictures of one agent; a `netsla.web.source.SnapshotSource`."""

    def __init__(
        self, viewer: Viewer, with_engine: Callable[[View], Awaitable[Snapshot]], history: History, vitals: Vitals,
        names: Names, about: Callable[[], AgentView],
    ) -> None:  # fmt: skip
        """`with_engine` does something on the engine's thread, `about` says how the agent itself is."""
        self._viewer, self._with_engine, self._history, self._vitals = viewer, with_engine, history, vitals
        self._names, self._about = names, about
        self._fleet: Fleet | None = None
        self._labels = NO_LABELS
        self._snapshot: Snapshot | None = None
        self._viewing: asyncio.Future[Snapshot] | None = None
        self._possible = asyncio.Event()
        self._whole = False

    def load(self, plan: Plan, fleet: Fleet) -> None:
        """Show these from now on."""
        self._labels, self._fleet, self._snapshot = Labelling.of(plan), fleet, None

    def begin(self, *, whole: bool) -> None:
        """Something can be shown: everything, if `whole`, else the last hour."""
        self._whole = whole
        self._possible.set()

    def forget(self) -> None:
        """Who asks next sees what has changed."""
        self._snapshot = None

    async def snapshot(self) -> Snapshot:
        """The present Snapshot, at most a turn old; concurrent callers share one."""
        if self._snapshot is not None and time.time_ns() - self._snapshot.at_ns < _FRESH_NS:
            return self._snapshot
        await self._patience()
        if self._viewing is None:
            self._viewing = asyncio.ensure_future(self._look())
            self._viewing.add_done_callback(self._viewed)
        return await asyncio.shield(self._viewing)

    async def _patience(self) -> None:
        try:
            await asyncio.wait_for(self._possible.wait(), _PATIENCE_S)
        except TimeoutError:
            raise AgentError(REMEMBERING, "probing goes on; ask again in a moment") from None

    async def _look(self) -> Snapshot:
        if self._whole:
            return await self._with_engine(lambda: self._view(self._viewer.view))
        return await asyncio.to_thread(self._view, self._history.view)

    def _view(self, view: Callable[[int, AgentView, dict[int, str]], Snapshot]) -> Snapshot:
        known = self._names.all_resolved()
        addresses = {
            probe.row: known[key]
            for probe in (self._fleet.probes if self._fleet and known else ())
            if (key := (probe.address, probe.family)) in known
        }
        return view(time.time_ns(), self._about(), addresses)

    def _viewed(self, done: asyncio.Future[Snapshot]) -> None:
        self._viewing = None
        if not done.cancelled() and done.exception() is None:
            self._snapshot = done.result()

    def labels(self) -> Labelling:
        """The labels of the plan in force."""
        return self._labels

    def ready(self) -> bool:
        """Whether there are figures for whoever asks, and all of them."""
        return self._whole

    def health(self) -> tuple[bool, list[str]]:
        """Whether the agent measures as it should, and everything that troubles it."""
        return self._vitals.measuring, list(self._vitals.problems)
