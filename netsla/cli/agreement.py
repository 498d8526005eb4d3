"""`netsla agreement`: what is agreed, as a list, as a document, as a template, side by side.

Rules: from the configuration alone; an agreement may also be named by its file, or by the folder of an evidence pack.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path

import orjson

import netsla
from netsla import config
from netsla.cli.output import complain, room, say, table, write
from netsla.config.quantity import Wrong, meant
from netsla.config.reading import read_id
from netsla.config.source import Faults, Map, Place, Scalar, parse
from netsla.errors import Exit, NetslaError
from netsla.model import Agreement, Kind
from netsla.wire import comparison, document_page

_HEAD = ("AGREEMENT", "VERSION", "KIND", "CUSTOMER", "PLAN", "ENDPOINTS", "FROM", "UNTIL", "REVIEW")
_SPARE = ("REVIEW", "VERSION", "PLAN", "FROM", "CUSTOMER")  # least missed first
_COMPARED = ("QUESTION", "A", "B", "STRICTER")


def listing(path: Path, form: str) -> int:
    """All agreements in force."""
    found = _load(path)
    today = datetime.now(UTC).date().isoformat()
    if form == "json":
        write(orjson.dumps([_entry(one) for one in found], option=orjson.OPT_INDENT_2) + b"\n")
        return Exit.OK
    rows = [_listed(one, today) for one in found]
    say(table(_HEAD, rows, spare=_SPARE, width=room()) if rows else "no agreement is configured")
    return Exit.OK


def _entry(one: Agreement) -> dict[str, object]:
    """For programs: null where there is nothing."""
    return {
        "agreement": one.id,
        "version": one.version,
        "kind": str(one.kind),
        "customer": one.customer or None,
        "plan": one.plan or None,
        "endpoints": len(one.endpoints),
        "from": str(one.term_from) if one.term_from else None,
        "until": str(one.term_to - timedelta(days=1)) if one.term_to else None,
        "review": str(one.document.get("review") or "") or None,
    }


def _listed(one: Agreement, today: str) -> list[str]:
    review = str(one.document.get("review") or "-")
    overdue = " (overdue)" if review != "-" and review < today else ""
    until = str(one.term_to - timedelta(days=1)) if one.term_to else "-"
    begin = str(one.term_from) if one.term_from else "-"
    who = one.customer or "-"
    count = str(len(one.endpoints))
    return [one.id, str(one.version), str(one.kind), who, one.plan or "-", count, begin, until, review + overdue]


def show(path: Path, name: str, form: str, output: Path | None) -> int:
    """The document of one agreement."""
    one = find(path, name)
    now_ns = time.time_ns()
    text = (
        document_page.html(one, now_ns, netsla.__version__) if form == "html" else document_page.markdown(one, now_ns)
    )
    put(text, output)
    return Exit.OK


def new(kind: str, name: str, output: Path | None) -> int:
    """A commented template that `netsla check` takes as it is."""
    try:
        read_id(Scalar(name, False, *Place("")))
    except Wrong as wrong:
        raise NetslaError(wrong.problem, wrong.remedy) from wrong
    text = (resources.files("netsla.cli") / "templates" / f"{Kind(kind)}.yaml").read_text(encoding="utf-8")
    if output is not None and output.exists():
        raise NetslaError(f"{output} is there already", "name another file with -o")
    put(text.replace("AGREEMENT-ID", name), output)
    return Exit.OK


def compare(path: Path, first: str, second: str, form: str) -> int:
    """Two agreements side by side."""
    rows = comparison.compare(find(path, first), find(path, second))
    if form == "json":
        write(orjson.dumps(comparison.to_json(rows), option=orjson.OPT_INDENT_2) + b"\n")
        return Exit.OK
    words = {"a": first, "b": second, "same": "same", "incomparable": "not comparable"}
    cells = [[row.question, row.a, row.b, words[row.stricter]] for row in rows]
    head = (_COMPARED[0], first, second, _COMPARED[3])
    say(_markdown(head, cells) if form == "markdown" else table(head, cells))
    return Exit.OK


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]
    return "\n".join(lines)


def find(path: Path, name: str) -> Agreement:
    """An agreement by id, by file, or by the folder of a pack."""
    at = Path(name)
    if at.is_dir():
        return config.load_agreement(at / "agreement.yaml")
    if at.is_file():
        return _in_force(path, at) or config.load_agreement(at)
    known = {one.id: one for one in _load(path)}
    if name not in known:
        raise NetslaError(f"there is no agreement {name!r}", meant(name, known) or "name a file or a pack")
    return known[name]


def _in_force(path: Path, file: Path) -> Agreement | None:
    """The agreement of a file that the configuration reads, with its plan; None where the file stands alone."""
    try:
        plan, _ = config.load(path)
    except NetslaError:
        return None
    if os.path.normpath(file.absolute()) not in plan.files:
        return None
    node = parse(file.read_text("utf-8"), str(file), Faults())
    name = node.get("id") if isinstance(node, Map) else None
    return next((one for one in plan.agreements if isinstance(name, Scalar) and one.id == name.text), None)


def _load(path: Path) -> tuple[Agreement, ...]:
    plan, _ = config.load(path)
    return plan.agreements


def put(text: str, output: Path | None) -> None:
    """To a file, or to stdout."""
    if output is None:
        write(text.encode())
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise NetslaError(f"cannot write {output}: {error.strerror}", "name another file with -o") from error
    complain(f"{output} is written")
