"""`netsla export`: the evidence pack of a period, from which either party settles it again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from netsla.cli.output import complain
from netsla.cli.settling import Where, opened, progress
from netsla.errors import Exit, NetslaError
from netsla.sla.recorded import Recorded
from netsla.store.evidence import stream_pack
from netsla.store.source import Source


def export(where: Where, folder: Path) -> int:
    """Write the pack into a new folder; whole hours, with as much around the period as its figures reach."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise NetslaError(f"{folder} is there already and not empty", "name a new folder with -o")
    with opened(where, whole=True) as source, progress(f"exporting {source.agreement.id}") as tell:
        reading = _Reading(source, tell)
        try:
            made = stream_pack(
                folder, source.agreement, reading.records(), source.exclusions, thresholds=source.thresholds(),
                period=source.period.name, until_ns=source.until_ns, links=source.links, latencies=source.latencies,
            )  # fmt: skip
        except OSError as error:
            raise NetslaError(f"cannot write {folder}: {error.strerror}", "name another folder with -o") from error
    hours = len({link.hour for link in made.links})  # a large agreement has several links in each
    complain(f"{folder}: {reading.intervals} intervals, {hours} sealed hours; hold it with `netsla verify --evidence`")
    return Exit.OK


@dataclass(slots=True)
class _Reading:
    """Records of one endpoint after the other; they are never all in memory."""

    source: Source
    tell: Callable[[int, int], None]
    intervals: int = 0

    def records(self) -> Iterator[Recorded]:
        """In order of (endpoint, probe)."""
        endpoints = sorted(one.id for one in self.source.agreement.endpoints)
        for number, endpoint in enumerate(endpoints, 1):
            yield from self._of(endpoint)  # which holds no record while the next is read
            self.tell(number, len(endpoints))

    def _of(self, endpoint: str) -> Iterator[Recorded]:
        for part in sorted(self.source.read(endpoint), key=lambda one: one.probe):
            self.intervals += len(part)
            yield part
