"""Where the configuration and the control socket are.

Rules: cheap. Paths are read from the configuration without validating it: by the parser's
events, up to the end of the `agent` block.
"""
# ruff: noqa: PLC0415 - yaml only when it is needed

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from netsla.control import DEFAULT_SOCKET
from netsla.errors import NetslaError

if TYPE_CHECKING:
    import yaml

DEFAULT_CONFIG = Path("/etc/netsla/netsla.yaml")
DEFAULT_STATE_DIR = "/var/lib/netsla"


def socket_path(named: Path | None, config: Path) -> str:
    """The socket named, else as configured, else the default; NetslaError for a configuration that is not there."""
    if named is not None:
        return str(named)
    if config != DEFAULT_CONFIG:  # whoever names a file means its agent, and no other
        require(config)
    return configured_socket(config) or DEFAULT_SOCKET


def require(config: Path) -> None:
    """Raise NetslaError if a configuration that was named cannot be read."""
    try:
        config.open("rb").close()
    except OSError as error:
        raise NetslaError(f"cannot read {config}: {error.strerror}", "name the configuration with --config") from error


def state_dir(config: Path) -> Path | None:
    """The state folder as configured; None if the configuration cannot be read."""
    if not config.exists():
        return None
    return Path(_configured(config, "state_dir") or DEFAULT_STATE_DIR)


def configured_socket(config: Path) -> str | None:
    """`agent.socket` of a configuration file; None if it cannot be read or says nothing of it."""
    return _configured(config, "socket")


def _configured(config: Path, key: str) -> str | None:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        with config.open("rb") as file:
            found = _agent_value(yaml.parse(file, Loader=loader), key)
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return None  # `netsla check` is the place to complain
    return str(config.parent / found) if found else None  # as the agent reads it: relative to the file


def _agent_value(events: Iterator[yaml.Event], wanted: str) -> str | None:
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
            elif [*path, key] == ["", "agent", wanted]:
                return str(event.value)
            else:
                key = None
    return None
