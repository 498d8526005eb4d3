"""What can be shown while a long past is read back: the figures of the last hour, by an engine that is thrown away.

Rules: pure. It counts the same samples as the engine that it stands in for, judges packets in rolling windows of at
most an hour, and nothing else: longer windows are absent, and so is uptime, which depends on what lies before the hour;
what is promised of them has no data. It opens and closes no alert: breaches stand as they were left.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from netsla.model import Reaction, Samples
from netsla.sla.engine import Engine
from netsla.sla.exclusion import Exclusion
from netsla.sla.fleet import Fleet, FleetObjective
from netsla.sla.objective import OF_TIME
from netsla.sla.snapshot import AgentView, Snapshot
from netsla.sla.view import Viewer
from netsla.sla.windows import ReadCell

_SECONDS = 3600  # of the longest window


class StandIn:
    """Shows the whole `fleet`, and judges the part that an hour is enough for; not thread-safe."""

    def __init__(
        self,
        whole: Fleet,
        given: Mapping[str, tuple[Exclusion, ...]],
        open_since: Mapping[int, int],
        now_ns: int,
        read_cell: ReadCell | None = None,
    ) -> None:
        """`given` are exclusions by agreement, `open_since` breaches as they were left: onset in UTC ns, by number."""
        self.fleet, self.engine = _within_an_hour(whole), Engine(read_cell, scoped=False)
        self._viewer = Viewer(self.engine, whole)
        self._counted = 0
        self.made_ns = now_ns
        self._open_since = open_since
        self.engine.load(self.fleet, now_ns)
        for agreement, some in given.items():
            self.engine.exclude(agreement, some, now_ns)

    def turn(self, waiting: list[Samples], now_ns: int) -> None:
        """Count and judge; `waiting` is all that came since the start, in order."""
        new, self._counted = waiting[self._counted :], len(waiting)
        self.engine.count(new)
        self.engine.step(now_ns)
        self.engine.changes()  # told by whom it stands in for

    def view(self, now_ns: int, agent: AgentView, addresses: dict[int, str]) -> Snapshot:
        """What is known at this instant."""
        shot = self._viewer.view(now_ns, agent, addresses)
        windows = tuple(replace(window, uptime=np.full_like(window.uptime, np.nan)) for window in shot.windows)
        since = [self._open_since.get(one.number, -1) for one in self._viewer.fleet.objectives]
        objectives = replace(
            shot.objectives, breach_since_ns=np.array(since, np.int64), breaches=np.zeros_like(shot.objectives.breaches)
        )
        return replace(shot, windows=windows, objectives=objectives)


def _within_an_hour(whole: Fleet) -> Fleet:
    """The same rows, places and numbers; short windows, and what is promised of packets in them."""
    windows = {name: span for name, span in whole.windows.items() if not span.calendar and span.seconds <= _SECONDS}
    plain = Reaction()
    objectives = tuple(
        replace(one, objective=replace(one.objective, reaction=plain))
        for one in whole.objectives
        if one.objective.window.name in windows and _needs_no_past(one)
    )
    return replace(whole, windows=windows, objectives=objectives)


def _needs_no_past(one: FleetObjective) -> bool:
    return one.objective.metric not in OF_TIME and one.objective.scope == "all"
