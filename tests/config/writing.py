"""Writes small configurations for the tests of this folder and reads them."""

from __future__ import annotations

import textwrap
from pathlib import Path

from netsla.config import load
from netsla.errors import ConfigError
from netsla.model import Agreement, Plan

PROMISE = 'objectives: [{id: up, metric: uptime, target: ">= 99%", window: month}]'
AGREEMENT = f"agreements: [{{id: a, endpoints: [{{id: e, address: 192.0.2.1}}], {PROMISE}}}]\n"


def write(folder: Path, text: str, name: str = "netsla.yaml") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text), "utf-8")
    return path


def plan(folder: Path, text: str) -> Plan:
    return load(write(folder, text))[0]


def agreement(folder: Path, keys: str, top: str = "") -> Agreement:
    """The only agreement; `keys` stand beside its id."""
    body = textwrap.indent(textwrap.dedent(keys), "    ")
    text = f"{textwrap.dedent(top)}\nagreements:\n  - id: a\n{body}"
    if "endpoints:" not in keys:
        text += "\n    endpoints: [{id: e, address: 192.0.2.1}]\n"
    return plan(folder, text).agreements[0]


def mistakes(folder: Path, text: str) -> list[str]:
    """Every fault as text, without the folder."""
    path = write(folder, text)
    try:
        load(path)
    except ConfigError as error:
        return [str(fault).replace(f"{folder}/", "") for fault in error.faults]
    return []


def warnings(folder: Path, text: str) -> list[str]:
    return [str(fault).replace(f"{folder}/", "") for fault in load(write(folder, text))[1]]
