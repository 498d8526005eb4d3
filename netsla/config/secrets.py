"""Secrets: where they are said to be, and fetching them from there.

Rules: a configuration never holds a secret, only its place: a file, a systemd credential, an environment
variable. Nothing here puts a secret, or what was written in its stead, into a message.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netsla.config.quantity import Wrong
from netsla.config.source import Map, Scalar, contents
from netsla.model import Secret

_ENV = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}", re.ASCII)
_CREDENTIAL = re.compile(r"credential:\s*([A-Za-z0-9._-]+)", re.ASCII)
_REMEDY = "write ${VARIABLE}, credential:NAME, or use the _file key"


@dataclass(frozen=True, slots=True)
class Where:
    """The place of a secret: kind is `env` or `credential`."""

    kind: str
    name: str


def read_where(node: Any) -> Where:
    """`${NAME}`, `credential:NAME` or {credential: NAME}."""
    if isinstance(node, Map) and list(node) == ["credential"] and isinstance(node["credential"], Scalar):
        return read_where(Scalar(f"credential:{node['credential'].text}", False, *node.place))
    if not isinstance(node, Scalar):
        raise Wrong("the place of a secret is expected", _REMEDY)
    if match := _ENV.fullmatch(node.text):
        return Where("env", match[1])
    if (match := _CREDENTIAL.fullmatch(node.text)) and match[1] not in {".", ".."}:
        return Where("credential", match[1])
    raise Wrong("secrets do not stand in the configuration", _REMEDY)


def fetch(where: Where) -> Secret:
    """The secret itself; raises Wrong when it is not there."""
    if where.kind == "env":
        value = os.environ.get(where.name)
        if not value:
            raise Wrong(f"environment variable {where.name} is not set", "set it for the service, or use a file")
        return Secret(value)
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        remedy = f"start netsla by systemd with LoadCredential={where.name}:/path, or use a file"
        raise Wrong("there is no credentials directory", remedy)
    return from_file(Path(folder) / where.name)


def from_file(path: Path) -> Secret:
    """The first line of a file."""
    try:
        lines = contents(path).decode("utf-8").splitlines()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "not UTF-8 text"
        raise Wrong(f"cannot read the secret in {path}: {why}", "check the path and who may read it") from error
    if not lines or not lines[0]:
        raise Wrong(f"the secret in {path} is empty", "put the secret in the file's first line")
    return Secret(lines[0], str(path))
