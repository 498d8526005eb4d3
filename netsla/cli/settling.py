"""What `report`, `export` and `verify` share: which agreement, which period, from where; and the progress of long work.

Rules: work from the ledger file or from a pack alone, with or without a running agent. Progress is shown on a
terminal only, on stderr.
"""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import typer

from netsla import config
from netsla.cli.output import complain
from netsla.config.quantity import meant
from netsla.errors import NetslaError
from netsla.model import Agreement, Plan
from netsla.sla.calendar import Period, parse_period
from netsla.store.evidence import CHAIN
from netsla.store.pack_check import Checked
from netsla.store.press import BrokenError
from netsla.store.pressed import Records
from netsla.store.source import Source, open_ledger, open_pack, running_period

LEDGER = "ledger.db"
Known = tuple[Checked, Records | None]
_HOST_SAYS_NO = {
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_AUTH,
}


@dataclass(frozen=True, slots=True)
class Where:
    """What is settled: an agreement of the configuration, or a pack; and for which period."""

    config: Path
    agreement: str | None
    evidence: Path | None
    period: str | None


@contextmanager
def opened(where: Where, *, whole: bool = False, known: Known | None = None) -> Iterator[Source]:
    """The pack or the ledger that is meant; raises NetslaError with place and remedy.

    `whole`: the links of all that is read will be asked for. `known`: what verifying the pack gave.
    """
    if where.evidence is not None:
        yield _pack(where.evidence, where, known)
        return
    plan = read_plan(where.config)
    agreement = find(plan, where.agreement)
    now_ns = time.time_ns()
    period = period_of(agreement, where.period, now_ns)
    if period.start_ns > now_ns:
        complain(f"netsla: {period.name} has not begun: there is nothing to settle yet")
    with reading(plan), open_ledger(ledger_of(plan), agreement, period, now_ns, whole=whole) as source:
        yield source


def _pack(folder: Path, where: Where, known: Known | None) -> Source:
    source = open_pack(folder, where.period, progress, known)
    if where.agreement not in (None, source.agreement.id):
        raise NetslaError(f"the pack is of {source.agreement.id!r}, not of {where.agreement!r}", "leave the name out")
    if source.unchained and (folder / CHAIN).exists():
        complain(f"netsla: unchained: {source.unchained}")
    for what in source.lacking:
        complain(f"netsla: {what}")
    return source


def read_plan(path: Path) -> Plan:
    """The configuration; its advice on how to measure is for `netsla check`: here the measuring is over."""
    return config.load(path)[0]


def find(plan: Plan, name: str | None) -> Agreement:
    """An agreement by its id; raises NetslaError."""
    known = {one.id: one for one in plan.agreements}
    if name in known:
        return known[name]
    if name is None:
        raise NetslaError("no agreement is named", f"name one of {', '.join(sorted(known)[:10])}, or --evidence PACK/")
    raise NetslaError(f"there is no agreement {name!r}", meant(name, known))


def period_of(agreement: Agreement, text: str | None, now_ns: int) -> Period:
    """The period named, else the running month; both in the agreement's zone."""
    if text is None:
        return running_period(agreement, now_ns)
    return parse_period(text, ZoneInfo(agreement.timezone))


def ledger_of(plan: Plan) -> Path:
    """Where the agent keeps its ledger."""
    return Path(plan.agent.state_dir) / LEDGER


@contextmanager
def reading(plan: Plan) -> Iterator[None]:
    """Faults of the ledger file become errors for users."""
    path = ledger_of(plan)
    try:
        yield
    except BrokenError as error:
        raise NetslaError(f"{path}: {error}", "`netsla verify` tells what else is broken") from error
    except (sqlite3.Error, UnicodeDecodeError) as error:
        if cannot_open(error):
            remedy = "has the agent run with this configuration, and may you read its state folder?"
            raise NetslaError(f"cannot read {path}: {error}", remedy) from error
        raise NetslaError(f"{path} is damaged: {error}", "`netsla verify` tells where; restore a copy") from error


def cannot_open(error: Exception) -> bool:
    """Whether it is the host that stands between us and the file, not damage (which may garble SQLite's own words)."""
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF in _HOST_SAYS_NO


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr while a terminal looks on; yields `tell(done, of)`."""
    if not sys.stderr.isatty():
        yield lambda _done, _of: None
        return
    bar: Any = typer.progressbar(length=1, label=what, file=sys.stderr)
    with bar:

        def tell(done: int, of: int) -> None:
            bar.length = of
            bar.update(done - bar.pos)

        yield tell
