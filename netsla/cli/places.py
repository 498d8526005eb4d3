"""Where the configuration and the control socket are.

Rules: cheap. The socket's path is read from the configuration without validating it: by the parser's
events, up to the end of the `agent` block.
"""
# ruff: noqa: PLC0415 - yaml only when it is needed

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from netsla.control import DEFAULT_SOCKET

if TYPE_CHECKING:
    import yaml

DEFAULT_CONFIG = Path("/etc/netsla/netsla.yaml")


def socket_path(named: Path | None, config: Path) -> str:
    """The socket named, else as configured, else the default."""
    return str(named) if named is not None else configured_socket(config) or DEFAULT_SOCKET


def configured_socket(config: Path) -> str | None:
    """`agent.socket` of a configuration file; None if it cannot be read or says nothing of it."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        with config.open("rb") as file:
            found = _agent_socket(yaml.parse(file, Loader=loader))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return None  # `netsla check` is the place to complain
    return str(config.parent / found) if found else None  # as the agent reads it: relative to the file


def _agent_socket(events: Iterator[yaml.Event]) -> str | None:
    """Walk the events: `path` holds the keys down to here, `key` the one whose value comes next."""
    import yaml

    path: list[str] = []
    key: str | None = None
    for event in events:
        if isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            path.append(key or "")
            key = None
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            key = None
            if path.pop() == "agent" and len(path) == 1:
                return None
        elif isinstance(event, yaml.AliasEvent):
            key = None
        elif isinstance(event, yaml.ScalarEvent) and path:
            if key is None:
                key = event.value
            elif [*path, key] == ["", "agent", "socket"]:
                return str(event.value)
            else:
                key = None
    return None
