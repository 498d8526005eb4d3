"""What one sink has still to tell, in memory: in order per objective, within a bound.

Rules: no disk and no lock; its owner guards it. The first event of an objective may be on its way already and the
last is the present truth: what lies between is put together first. Payloads are opaque: `collapse` makes one of many.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Event:
    """Something to tell. `id` is the same on every retry; `objective` is whose order it keeps."""

    id: str
    objective: str
    payload: bytes
    at_ns: int = 0


Collapse = Callable[[str, Sequence[Event]], Event]
"""Makes one event out of an objective's waiting ones ("": of many objectives)."""


@dataclass(slots=True)
class Waiting:
    """An event that is not told yet; `since` is monotonic, in seconds."""

    event: Event
    since: float
    durable: bool


class Collapsed(NamedTuple):
    """What was put together, and what stands for it now."""

    gone: Sequence[Waiting]
    summary: Waiting


class Backlog:
    """The waiting events of one sink."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, deque[Waiting]] = OrderedDict()  # by objective
        self._objective: dict[str, str] = {}  # by event id

    def __len__(self) -> int:
        return len(self._objective)

    def add(self, waiting: Waiting) -> None:
        """Last of its objective."""
        self._waiting.setdefault(waiting.event.objective, deque()).append(waiting)
        self._objective[waiting.event.id] = waiting.event.objective

    def remove(self, event_id: str) -> None:
        """It was told; one that does not wait is nothing new."""
        objective = self._objective.pop(event_id, None)
        if objective is None:
            return
        left = deque(one for one in self._waiting[objective] if one.event.id != event_id)
        if left:
            self._waiting[objective] = left
        else:
            del self._waiting[objective]

    def postpone(self, event_id: str) -> None:
        """It was refused for now: let other objectives go first."""
        objective = self._objective.get(event_id)
        if objective is not None:
            self._waiting.move_to_end(objective)

    def replace(self, older: Sequence[Waiting]) -> None:
        """Begin anew with what was kept on the disk; what came in meanwhile follows it."""
        newer = self.every()
        self._waiting.clear()
        known = {one.event.id for one in older}
        for one in [*older, *(one for one in newer if one.event.id not in known)]:
            self.add(one)

    def heads(self) -> Iterator[Waiting]:
        """The oldest of each objective."""
        return (waiting[0] for waiting in self._waiting.values())

    def every(self) -> list[Waiting]:
        """All of them, by objective."""
        return [one for waiting in self._waiting.values() for one in waiting]

    def keep_within(self, bound: int, collapse: Collapse) -> list[Collapsed]:
        """Put together what can be: the waiting ones of one objective, where most wait first; else of many."""
        made = self._put_together(len(self) - bound, collapse) if len(self) > bound else []
        while len(self) > bound and len(self._waiting) > 1:
            made.append(self._put_half_together(collapse))
        return made

    def _put_together(self, over: int, collapse: Collapse) -> list[Collapsed]:
        made: list[Collapsed] = []
        longest = sorted(self._waiting.items(), key=lambda item: -len(item[1]))
        for objective, waiting in longest:
            if over <= 0 or len(waiting) <= 3:
                break
            gone = list(waiting)[1:-1]
            summary = self._summary(objective, gone, collapse)
            self._waiting[objective] = deque([waiting[0], summary, waiting[-1]])
            made.append(Collapsed(gone, summary))
            over -= len(gone) - 1
        return made

    def _put_half_together(self, collapse: Collapse) -> Collapsed:
        """The older half of all objectives; what is on its way may be told twice."""
        names = list(islice(self._waiting, len(self._waiting) // 2 + 1))
        gone = [one for name in names for one in self._waiting.pop(name)]
        summary = self._summary("", gone, collapse)
        self._waiting[""] = deque([summary])
        return Collapsed(gone, summary)

    def _summary(self, objective: str, gone: Sequence[Waiting], collapse: Collapse) -> Waiting:
        """One for many, in their place."""
        event = collapse(objective, [one.event for one in gone])
        for one in gone:
            del self._objective[one.event.id]
        self._objective[event.id] = event.objective
        return Waiting(event, time.monotonic(), durable=False)
