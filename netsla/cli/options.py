"""What several commands take: where the configuration is, which agreement and period, how to print."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class StatusFormat(StrEnum):
    """How `netsla status` prints."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"


class CheckFormat(StrEnum):
    """How `netsla check` prints."""

    TEXT = "text"
    JSON = "json"


class ReportFormat(StrEnum):
    """How `netsla report` prints."""

    TEXT = "text"
    JSON = "json"
    CSV = "csv"
    HTML = "html"


class DocumentFormat(StrEnum):
    """How `netsla agreement show` prints."""

    MARKDOWN = "markdown"
    HTML = "html"


class CompareFormat(StrEnum):
    """How `netsla agreement compare` prints."""

    TABLE = "table"
    MARKDOWN = "markdown"
    JSON = "json"


class AgreementKind(StrEnum):
    """Who promises what to whom."""

    CUSTOMER = "customer"
    INTERNAL = "internal"
    VENDOR = "vendor"
    MULTIPARTY = "multiparty"
    COMMITMENT = "commitment"


class ListFormat(StrEnum):
    """How a list prints."""

    TABLE = "table"
    JSON = "json"


class ProbeKind(StrEnum):
    """How `netsla probe` asks."""

    ICMP = "icmp"
    TCP = "tcp"


Config = Annotated[
    Path, typer.Option("--config", metavar="FILE", envvar="NETSLA_CONFIG", help="The configuration file.")
]
Unused = Annotated[
    Path,
    typer.Option(
        "--config", metavar="FILE", envvar="NETSLA_CONFIG", help="Taken as by every command; nothing is read from it."
    ),
]
Socket = Annotated[
    Path | None,
    typer.Option(
        "--socket", metavar="PATH", envvar="NETSLA_SOCKET", help="The agent's control socket (else as configured)."
    ),
]

Evidence = Annotated[
    Path | None, typer.Option("--evidence", metavar="PACK/", help="An evidence pack to work from alone.")
]
Period = Annotated[
    str | None,
    typer.Option(
        "--period", metavar="PERIOD", help="2026-10, 2026-Q4, 2026, 2026-10-05 or START/END (else the running month)."
    ),
]
Agreement = Annotated[str, typer.Argument(metavar="AGREEMENT", help="The agreement's id.")]
Settled = Annotated[str | None, typer.Argument(metavar="AGREEMENT", help="The agreement's id; a pack has its own.")]
Verified = Annotated[
    str | None, typer.Argument(metavar="AGREEMENT", help="The agreement's id (else the chain of all).")
]
Only = Annotated[str | None, typer.Argument(metavar="AGREEMENT", help="Only this agreement's.")]
Output = Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write to this file.")]
