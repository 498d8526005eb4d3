"""What a sink is: somewhere that events are told.

Rules: a sink is one file. It opens a link, and a link takes events until it breaks: then it raises SinkError, and is
opened anew after a pause. A link says of each event whether it was taken; what is refused stays pending. One that holds
its own state (retained topics, alerts to repeat) brings it up to date in `tend`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from netsla.store.backlog import Event


class SinkError(Exception):
    """The link is broken, in words an operator can act on; `taken` are ids that were taken before it broke."""

    def __init__(self, why: str, taken: frozenset[str] = frozenset()) -> None:
        super().__init__(why)
        self.taken = taken


class Link(Protocol):
    """An open sink."""

    async def deliver(self, events: Sequence[Event]) -> Mapping[str, str]:
        """Tell these, each of another objective; returns why by id of those that were refused."""

    async def tend(self, states: Mapping[str, bytes], *, changed: bool) -> str:
        """Bring up to date what is kept at the other end; called at least once a second. `states` counts if `changed`.

        Returns why some of it was refused, or "".
        """

    async def broken(self) -> None:
        """Return, or raise SinkError, when the link is of no use any more; may wait for ever."""


class Sink(Protocol):
    """Where events go."""

    name: str

    def open(self) -> AbstractAsyncContextManager[Link]:
        """A link; raises SinkError."""
