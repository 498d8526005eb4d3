"""`netsla verify`: every link of the chain made again from what lies there, then the figures.

Rules: the first broken place of each chain is named. The figures of an agreement are settled again, and the digest
of their report is printed: both parties compare one line.
"""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path

from netsla.cli.output import say
from netsla.cli.report import as_json
from netsla.cli.settling import Known, Where, cannot_open, find, ledger_of, opened, progress, read_plan
from netsla.errors import Exit, NetslaError
from netsla.store.archive import Archive
from netsla.store.evidence import verify_pack
from netsla.store.pack_check import Checked
from netsla.store.source import Source
from netsla.store.verify import verify as verify_ledger


def verify(where: Where) -> int:
    """Print what is broken and where, or that all is intact; exit 1 or 0."""
    known = _pack(where.evidence) if where.evidence is not None else None
    breaks, looked_at = _told(known[0]) if known is not None else _ledger(where)
    for place in breaks:
        say(f"broken: {place}")
    say(f"{'broken' if breaks else 'intact'}: {looked_at}")
    if breaks:
        return Exit.FAILED
    if where.evidence is not None or where.agreement is not None:
        with opened(where, known=known) as source:
            say(_figures(source))
    return Exit.OK


def _pack(folder: Path) -> Known:
    if not folder.is_dir():
        raise NetslaError(f"there is no folder {folder}", "name the folder that holds intervals.csv")
    return verify_pack(folder, progress)


def _told(checked: Checked) -> tuple[list[str], str]:
    return list(checked.breaks), f"{checked.hours} sealed hours, {checked.loose} intervals not sealed yet"


def _ledger(where: Where) -> tuple[list[str], str]:
    plan = read_plan(where.config)
    name = find(plan, where.agreement).id if where.agreement is not None else None
    path = ledger_of(plan)
    try:
        with Archive(path).open() as look, progress("verifying") as tell:
            found = verify_ledger(look, name, tell)
    except (sqlite3.Error, UnicodeDecodeError) as error:
        if cannot_open(error):
            remedy = "has the agent run with this configuration, and may you read its state folder?"
            raise NetslaError(f"cannot read {path}: {error}", remedy) from error
        return [f"{path}: {error}"], "the file cannot be read through"
    return [str(one) for one in found.breaks], f"{found.blocks} sealed blocks, {found.notes} notes"


def _figures(source: Source) -> str:
    with progress(f"settling {source.agreement.id}") as tell:
        settled = source.settle(tell)
    digest = hashlib.sha256(as_json(settled, source.unchained)).hexdigest()
    final = "" if settled.final else ", provisional"
    return f"figures: {source.agreement.id} {source.period.name} {settled.standing}{final}, report.json sha256 {digest}"
