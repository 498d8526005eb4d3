"""`netsla report`, `export` and `verify`: settle a period, hand over the evidence, hold it against its chain.

Rules: work from the ledger file or from a pack alone, with or without a running agent. Progress is shown on a
terminal only, on stderr; what is printed on stdout is the document and nothing else.
"""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import typer

import netsla
from netsla import config
from netsla.cli.output import complain, write
from netsla.config.quantity import meant
from netsla.errors import Exit, NetslaError
from netsla.model import Agreement, Plan, Standing
from netsla.sla.calendar import Period, parse_period
from netsla.sla.recorded import Recorded
from netsla.sla.report import Report
from netsla.sla.report_json import to_json
from netsla.sla.trend import Tap, Trend
from netsla.store.archive import Archive
from netsla.store.evidence import links_of_ledger, verify_pack, write_pack
from netsla.store.source import Source, context, open_ledger, open_pack, running_period
from netsla.store.verify import verify as verify_ledger
from netsla.wire import report_csv, report_html, report_text

LEDGER = "ledger.db"
_EXITS = {Standing.MET: Exit.OK, Standing.BREACHED: Exit.BREACHED}


@dataclass(frozen=True, slots=True)
class Where:
    """What is settled: an agreement of the configuration, or a pack; and for which period."""

    config: Path
    agreement: str | None
    evidence: Path | None
    period: str | None


# --- report -------------------------------------------------------------------------------------------


def report(where: Where, form: str, output: Path | None) -> int:
    """Print or write the report; exit 0 met, 1 breached, 4 not enough data."""
    with _source(where) as source:
        tap = Tap(source.period, source.read)
        tapped = replace(source, read=tap.read)
        with progress(f"settling {source.agreement.id}") as tell:
            settled = tapped.settle(tell)
        text = _rendered(settled, tap.trend(settled), form, source.unchained)
    _put(text, output)
    return _EXITS.get(settled.standing, Exit.UNKNOWN)


def _rendered(settled: Report, trend: Trend, form: str, unchained: str) -> bytes:
    document = to_json(settled, chained=not unchained)
    if form == "json":
        return orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n"
    if form == "csv":
        return report_csv.render(document).encode()
    if form == "html":
        return report_html.render(document, settled, trend, netsla.__version__, unchained).encode()
    return report_text.render(document, unchained).encode() + b"\n"


def _put(text: bytes, output: Path | None) -> None:
    if output is None:
        write(text)
        return
    try:
        output.write_bytes(text)
    except OSError as error:
        raise NetslaError(f"cannot write {output}: {error.strerror}", "name another file with -o") from error


@contextmanager
def _source(where: Where) -> Iterator[Source]:
    if where.evidence is not None:
        source = open_pack(where.evidence, where.period)
        if where.agreement not in (None, source.agreement.id):
            raise NetslaError(
                f"the pack is of {source.agreement.id!r}, not of {where.agreement!r}", "leave the name out"
            )
        if source.unchained and (where.evidence / "chain.json").exists():
            complain(f"netsla: the chain of {where.evidence} is broken: {source.unchained}")
        yield source
        return
    plan = _plan(where.config)
    agreement = _agreement(plan, where.agreement)
    period = _period(agreement, where.period)
    with _reading(plan), open_ledger(_ledger(plan), agreement, period, time.time_ns()) as source:
        yield source


def _plan(path: Path) -> Plan:
    plan, warnings = config.load(path)
    for warning in warnings:
        complain(str(warning))
    return plan


def _agreement(plan: Plan, name: str | None) -> Agreement:
    known = {one.id: one for one in plan.agreements}
    if name in known:
        return known[name]
    if name is None:
        raise NetslaError("no agreement is named", f"name one of {', '.join(sorted(known)[:10])}, or --evidence PACK/")
    raise NetslaError(f"there is no agreement {name!r}", meant(name, known))


def _period(agreement: Agreement, text: str | None) -> Period:
    if text is None:
        return running_period(agreement, time.time_ns())
    return parse_period(text, ZoneInfo(agreement.timezone))


def _ledger(plan: Plan) -> Path:
    return Path(plan.agent.state_dir) / LEDGER


@contextmanager
def _reading(plan: Plan) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        remedy = "has the agent run with this configuration, and may you read its state folder?"
        raise NetslaError(f"cannot read {_ledger(plan)}: {error}", remedy) from error


# --- export -------------------------------------------------------------------------------------------


def export(where: Where, folder: Path) -> int:
    """Write an evidence pack of one agreement and period."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise NetslaError(f"{folder} is there already and not empty", "name a new folder with -o")
    plan = _plan(where.config)
    agreement = _agreement(plan, where.agreement)
    period = _period(agreement, where.period)
    start_ns, end_ns = context(agreement, period)
    try:
        with _reading(plan), open_ledger(_ledger(plan), agreement, period, time.time_ns()) as source:
            endpoints = sorted(one.id for one in agreement.endpoints)
            with progress(f"exporting {agreement.id}") as tell:
                records: list[Recorded] = []
                for number, endpoint in enumerate(endpoints, 1):
                    records += source.read(endpoint)
                    tell(number, len(endpoints))
            with Archive(_ledger(plan)).open() as look:
                links = links_of_ledger(look.links(agreement.id, start_ns, end_ns))
            made = write_pack(
                folder, agreement, records, source.exclusions, period=period.name, until_ns=source.until_ns,
                links=links or None, latencies=source.latencies,
            )  # fmt: skip
    except OSError as error:
        raise NetslaError(f"cannot write {folder}: {error.strerror}", "name another folder with -o") from error
    intervals = sum(len(part) for part in records)
    complain(
        f"{folder}: {intervals} intervals, {len(made.links)} sealed hours; `netsla verify --evidence {folder}` holds it"
    )
    return Exit.OK


# --- verify -------------------------------------------------------------------------------------------


def verify(where: Where) -> int:
    """Hold ledger or pack against its chain, and settle the figures again; says where it breaks."""
    if where.evidence is not None:
        checked = verify_pack(where.evidence)
        breaks, what = (
            list(checked.breaks),
            f"{checked.links} sealed hours, {int(checked.loose)} intervals not sealed yet",
        )
        if not breaks:
            open_pack(where.evidence, where.period).settle()
    else:
        breaks, what = _verify_ledger(where)
    for one in breaks:
        write(f"broken: {one}\n".encode())
    write(f"{'broken' if breaks else 'intact'}: {what}\n".encode())
    return Exit.FAILED if breaks else Exit.OK


def _verify_ledger(where: Where) -> tuple[list[str], str]:
    plan = _plan(where.config)
    agreement = _agreement(plan, where.agreement) if where.agreement is not None else None
    with _reading(plan), Archive(_ledger(plan)).open() as look, progress("verifying") as tell:
        found = verify_ledger(look, agreement.id if agreement else None, tell)
    if agreement is not None and where.period is not None and found.intact:
        with _reading(plan), _source(where) as source:
            source.settle()
    return [str(one) for one in found.breaks], f"{found.blocks} sealed blocks, {found.notes} notes"


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
