"""How the agent is: its problems by part, and whether every prober still moves."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from netsla.model import ProbeType
from netsla.probes.prober import ProberFacts
from netsla.sla.engine import Engine
from netsla.sla.snapshot import STANDINGS
from netsla.sla.tally import Column

_STALL_S = 10.0  # without a prober's tick for so long, the watchdog is not fed
_UNSAID = ("probing", "references", "names")  # parts that do not say in the log themselves what troubles them
_LINES = 5  # that are said at once; of a thousand names that do not resolve the rest is a number
Troubles = dict[str, tuple[str, ...]]


class Vitals:
    """What was found when the agent was looked at last."""

    def __init__(self) -> None:
        self.troubles: Troubles = {}  # by part; a part without problems is there, too
        self._ticks: dict[ProbeType, tuple[int, float]] = {}  # ticks, and since when there are so many
        self._said: frozenset[str] = frozenset()

    def look(self, facts: Mapping[ProbeType, ProberFacts], parts: Troubles, now: float) -> bool:
        """Take everything in, `now` in monotonic seconds; whether every prober moves."""
        for kind, fact in facts.items():
            if fact.ticks != self._ticks.get(kind, (-1, 0.0))[0]:
                self._ticks[kind] = (fact.ticks, now)
        stalled = [str(kind) for kind, (_, since) in self._ticks.items() if now - since > _STALL_S]
        probing = tuple(problem for fact in facts.values() for problem in fact.problems)
        if stalled:
            probing += (f"the {' and '.join(stalled)} prober has stalled: restart the agent",)
        self.troubles = {"probing": probing, **parts}
        return not stalled

    def news(self) -> list[str]:
        """Lines for the log: what troubles us since the last call, and whether it has all gone."""
        now = [problem for part in _UNSAID for problem in self.troubles.get(part, ())]
        fresh = [problem for problem in now if problem not in self._said]
        relieved = bool(self._said) and not now
        self._said = frozenset(now)
        more = [f"and {len(fresh) - _LINES} more: see netsla status"] if len(fresh) > _LINES else []
        return fresh[:_LINES] + more + ["what kept us from measuring is over"] * relieved

    def note(self, part: str, problems: tuple[str, ...]) -> None:
        """What became of one part since."""
        self.troubles = {**self.troubles, part: problems}

    @property
    def measuring(self) -> bool:
        """Whether all probers can do their work; a broker that is away is no reason to kill who measures on."""
        return not self.troubles.get("probing")

    @property
    def problems(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(problem for some in self.troubles.values() for problem in some)

    @property
    def parts(self) -> tuple[tuple[str, int], ...]:
        """Every part, and how many problems it has."""
        return tuple((part, len(some)) for part, some in self.troubles.items())


def live_line(engine: Engine, problems: int) -> str:
    """What a person who watches `netsla run` wants to see move."""
    sent, received = (int(engine.totals.matrix[column].sum()) for column in (Column.SENT, Column.RECEIVED))
    numbers = [one.number for one in engine.fleet.objectives] if engine.fleet else []
    count = np.bincount(engine.verdicts.standing[numbers], minlength=len(STANDINGS)).tolist()
    standings = [f"{n} {name.replace('_', ' ')}" for name, n in zip(STANDINGS, count, strict=True) if n]
    trouble = f" · {problems} problem{'s' * (problems > 1)}" if problems else ""
    return f"{sent} sent, {received} answered · objectives: {', '.join(standings) or 'none'}{trouble}"
