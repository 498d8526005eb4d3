"""Configuration: YAML that remembers file, line and column, to a frozen Plan.

Rules: nothing heavy is imported before it is used, so that `netsla --help` may pass here.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netsla.errors import Fault
    from netsla.model import Agreement, Plan

# ruff: noqa: PLC0415 - pydantic and our tables take 0.2 s to import


def load(path: Path, *, again: bool = False) -> tuple[Plan, list[Fault]]:
    """The plan of a configuration file, and warnings; raises ConfigError with every mistake.

    A pipe is read as well, but not `again`: nobody writes into it any more, and one would wait for ever.
    """
    from netsla.config import loading

    return loading.load(path, again=again)


def load_agreement(path: Path) -> Agreement:
    """The agreement of a file that stands alone, as in an evidence pack; raises ConfigError."""
    from netsla.config import loading

    return loading.load_agreement(path)


def dump_agreement(agreement: Agreement) -> str:
    """YAML that `load_agreement` reads back to an equal value."""
    from netsla.config import dump

    return dump.dump_agreement(agreement)


def schema() -> dict[str, Any]:
    """The JSON Schema of a configuration file, as users write it."""
    from netsla.config import tables

    return tables.document()
