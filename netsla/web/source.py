"""What the web needs of the agent, and nothing more."""

from __future__ import annotations

from typing import Protocol

from netsla.sla.snapshot import Snapshot
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
