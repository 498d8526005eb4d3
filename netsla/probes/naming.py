"""Names and where they point: asked again as long as they are wanted.

Rules: a numeric address is itself and is never asked for. A name that never resolved has no address, and its
probes are unmeasured; one that fails later keeps its last address, and that is said. The present address is kept
as long as it is among the answers, so that a round robin does not make the endpoint jump.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from netsla.probes.address import is_numeric
from netsla.probes.resolve import Resolution, Resolver

Wanted = tuple[str, str]  # name, family
Moved = Callable[[str, str | None, str | None], None]
"""Told (name, old address, new address) whenever one changes."""


@dataclass(slots=True)
class _Entry:
    address: str | None = None
    error: str | None = None
    task: asyncio.Task[None] | None = field(default=None, repr=False)


class Names:
    """Addresses of all names in use."""

    def __init__(self, moved: Moved, resolve: Callable[[str, str], Awaitable[Resolution]] | None = None) -> None:
        self._moved = moved
        self._resolve = resolve or Resolver().resolve
        self._entries: dict[Wanted, _Entry] = {}

    def want(self, wanted: set[Wanted]) -> None:
        """Follow these names from now on, and no others; needs the running loop."""
        names = {one for one in wanted if not is_numeric(one[0])}
        for gone in set(self._entries) - names:
            task = self._entries.pop(gone).task
            if task is not None:
                task.cancel()
        for fresh in names - set(self._entries):
            entry = self._entries[fresh] = _Entry()
            entry.task = asyncio.get_running_loop().create_task(self._follow(fresh, entry))

    async def _follow(self, wanted: Wanted, entry: _Entry) -> None:
        while True:
            answer = await self._resolve(*wanted)
            self._take(wanted[0], entry, answer)
            await asyncio.sleep(answer.ttl)

    def _take(self, name: str, entry: _Entry, answer: Resolution) -> None:
        entry.error = answer.error
        if not answer.addresses or entry.address in answer.addresses:
            return
        old, entry.address = entry.address, answer.addresses[0]
        self._moved(name, old, entry.address)

    def address(self, name: str, family: str) -> str | None:
        """Where to probe now; None while a name has never resolved."""
        entry = self._entries.get((name, family))
        return entry.address if entry else name

    def resolved(self, name: str, family: str) -> str | None:
        """The address that a name (not a numeric address) has now."""
        entry = self._entries.get((name, family))
        return entry.address if entry else None

    def all_resolved(self) -> dict[tuple[str, str], str]:
        """The address that each (name, family) has now, of those that have one."""
        return {key: entry.address for key, entry in self._entries.items() if entry.address is not None}

    def problems(self) -> list[str]:
        """Names that do not resolve, said once each."""
        return [
            f"{name} does not resolve ({entry.error}): "
            + (f"still probing {entry.address}" if entry.address else "its probes are unmeasured")
            for (name, _), entry in sorted(self._entries.items())
            if entry.error
        ]

    def close(self) -> None:
        """Stop asking."""
        self.want(set())
