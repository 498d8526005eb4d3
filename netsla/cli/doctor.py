"""`netsla doctor`: what limits this host, with the fix."""

from __future__ import annotations

import socket
from pathlib import Path

from netsla import config
from netsla.cli.output import say
from netsla.cli.places import DEFAULT_CONFIG
from netsla.doctor import examine
from netsla.errors import Exit
from netsla.model import AgentSettings, Plan, WebSettings


def doctor(path: Path) -> int:
    """0 if nothing limits the plan, 1 with a line for each finding. Without any configuration: for the defaults."""
    plan = config.load(path)[0] if path != DEFAULT_CONFIG or path.exists() else _defaults()
    findings = examine(plan)
    for finding in findings:
        say(str(finding))
    if not findings:
        say("nothing limits this host")
    return Exit.FAILED if findings else Exit.OK


def _defaults() -> Plan:
    return Plan(AgentSettings(socket.gethostname() or "netsla"), WebSettings(), ())
