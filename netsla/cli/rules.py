"""`netsla rules`: Prometheus recording and alerting rules for the agreements in force."""

from __future__ import annotations

from pathlib import Path

from netsla import config
from netsla.cli.agreement import put
from netsla.errors import Exit
from netsla.wire.rules import render


def rules(path: Path, *, alerts: bool, output: Path | None) -> int:
    """Print or write the rule file."""
    plan, _ = config.load(path)
    put(render(plan.agreements, alerts=alerts), output)
    return Exit.OK
