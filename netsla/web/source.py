"""What the web needs of the agent, and nothing more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from netsla.sla.snapshot import Snapshot
from netsla.wire.breaches import Breach
from netsla.wire.labelling import Labelling


class SnapshotSource(Protocol):
    """Where pictures of the agent come from. All answer at once: nothing is computed for a request."""

    async def snapshot(self) -> Snapshot:
        """The newest Snapshot; the same object until there is a newer one."""

    def labels(self) -> Labelling:
        """The operator's labels; the same object until the next reload."""

    def ready(self) -> bool:
        """Whether start-up is complete."""

    def health(self) -> tuple[bool, list[str]]:
        """Whether the agent measures as it should, and its standing problems."""


@dataclass(frozen=True, slots=True)
class Portrait:
    """Charts as (title, SVG), breaches newest first; `problem` says why there is nothing to show."""

    charts: Sequence[tuple[str, str]] = ()
    breaches: Sequence[Breach] = ()
    problem: str = ""


class Past(Protocol):
    """Where an endpoint's past comes from."""

    async def portrait(self, agreement: str, endpoint: str, span: str) -> Portrait:
        """Of a span of `netsla.web.asked`; takes seconds at most."""


class NoPast:
    """Of a server that has no ledger behind it."""

    async def portrait(self, agreement: str, endpoint: str, span: str) -> Portrait:
        """Nothing."""
        return Portrait()
