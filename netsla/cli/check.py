"""`netsla check` and `netsla schema`: the configuration, by the real path of the agent."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from netsla import config
from netsla.cli.output import complain, say
from netsla.errors import ConfigError, Exit, Fault
from netsla.model import Plan
from netsla.web import access
from netsla.wire.amounts import counted


def check(path: Path, *, as_json: bool) -> int:
    """Load everything the file names; errors and warnings with their places, 0 or 2."""
    plan, faults = _examined(path)
    if as_json:
        found = [asdict(fault) for fault in faults]
        say(
            json.dumps(
                {"schema": "netsla.check/1", "file": str(path), "ok": plan is not None, "faults": found}, indent=2
            )
        )
        return Exit.OK if plan else Exit.CONFIG
    for fault in faults:
        complain(str(fault))
    if plan is None:
        return Exit.CONFIG
    endpoints = [endpoint for agreement in plan.agreements for endpoint in agreement.endpoints]
    probes = sum(len(endpoint.probes) for endpoint in endpoints)
    what = counted(len(plan.agreements), "agreement"), counted(len(endpoints), "endpoint"), counted(probes, "probe")
    say(f"{path}: good: {', '.join(what)}")
    return Exit.OK


def schema() -> int:
    """Print the JSON Schema."""
    say(json.dumps(config.schema(), indent=2))
    return Exit.OK


def _examined(path: Path) -> tuple[Plan | None, Sequence[Fault]]:
    """The plan, None if there is none, and what was found."""
    try:
        plan, warnings = config.load(path)
        if plan.web.config_file is not None:
            access.load(plan.web.config_file)
    except ConfigError as error:
        return None, error.faults
    return plan, warnings
