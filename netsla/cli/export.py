"""`netsla export`: the evidence pack of a period, from which either party settles it again."""

from __future__ import annotations

from pathlib import Path

from netsla.cli.output import complain
from netsla.cli.settling import Where, opened, progress
from netsla.errors import Exit, NetslaError
from netsla.sla.recorded import Recorded
from netsla.store.evidence import write_pack


def export(where: Where, folder: Path) -> int:
    """Write the pack into a new folder; whole hours, with as much around the period as its figures reach."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise NetslaError(f"{folder} is there already and not empty", "name a new folder with -o")
    with opened(where) as source:
        endpoints = sorted(one.id for one in source.agreement.endpoints)
        records: list[Recorded] = []
        with progress(f"exporting {source.agreement.id}") as tell:
            for number, endpoint in enumerate(endpoints, 1):
                records += source.read(endpoint)
                tell(number, len(endpoints))
        try:
            made = write_pack(
                folder, source.agreement, records, source.exclusions, period=source.period.name,
                until_ns=source.until_ns, links=source.links(), latencies=source.latencies,
            )  # fmt: skip
        except OSError as error:
            raise NetslaError(f"cannot write {folder}: {error.strerror}", "name another folder with -o") from error
    intervals = sum(map(len, records))
    complain(
        f"{folder}: {intervals} intervals, {len(made.links)} sealed hours; hold it with `netsla verify --evidence`"
    )
    return Exit.OK
