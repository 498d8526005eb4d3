"""`netsla report`: settle a period and print it, as text, CSV, JSON or HTML.

Rules: what is printed on stdout is the document and nothing else. The exit code is the verdict.
"""

from __future__ import annotations

from pathlib import Path

import orjson

import netsla
from netsla.cli.output import write
from netsla.cli.settling import Where, opened, progress
from netsla.errors import Exit, NetslaError
from netsla.model import Standing
from netsla.sla.report import Report
from netsla.sla.report_json import to_json
from netsla.sla.trend import Steps, Trend
from netsla.wire import report_csv, report_text

_EXITS = {Standing.MET: Exit.OK, Standing.BREACHED: Exit.BREACHED}


def report(where: Where, form: str, output: Path | None) -> int:
    """Print or write the report; exit 0 met, 1 breached, 4 not enough data."""
    with opened(where) as source:
        steps = Steps(source.agreement, source.period)
        with progress(f"settling {source.agreement.id}") as tell:
            settled = source.settle(tell, steps.add)
        text = rendered(settled, steps.trend(), form, source.unchained)
    _put(text, output)
    return _EXITS.get(settled.standing, Exit.UNKNOWN)


def rendered(settled: Report, trend: Trend, form: str, unchained: str) -> bytes:
    """The document in one of its forms; `unchained` says why no chain stands behind it, "" if one does."""
    if form == "json":
        return as_json(settled, unchained)
    document = to_json(settled, chained=not unchained)
    if form == "csv":
        return report_csv.render(document).encode()
    if form == "html":
        from netsla.wire import report_html  # noqa: PLC0415 - Jinja2 takes a while, and only HTML needs it

        return report_html.render(document, settled, trend, netsla.__version__, unchained).encode()
    return report_text.render(document, trend, unchained).encode() + b"\n"


def as_json(settled: Report, unchained: str) -> bytes:
    """The document that both sides compare, to the byte."""
    document = to_json(settled, chained=not unchained)
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _put(text: bytes, output: Path | None) -> None:
    if output is None:
        write(text)
        return
    try:
        output.write_bytes(text)
    except OSError as error:
        raise NetslaError(f"cannot write {output}: {error.strerror}", "name another file with -o") from error
