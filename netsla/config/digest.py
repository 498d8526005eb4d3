"""The digest of a plan: of what it means, not of how it is written, and never of a secret."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from netsla.model import Plan, Secret


def digest(plan: Plan) -> str:
    """64 hex digits of SHA-256, equal for plans of equal meaning; `files` and secrets are left out."""
    shared: dict[int, str] = {}

    def told(value: Any) -> str:
        if dataclasses.is_dataclass(value) and not isinstance(value, (type, Secret)):
            names = [f.name for f in dataclasses.fields(value)]
            return f"{type(value).__name__}({','.join(told(getattr(value, name)) for name in names)})"
        if isinstance(value, tuple) and value:
            if id(value) not in shared:
                text = f"({','.join(told(one) for one in value)})"
                shared[id(value)] = text if len(text) < 100 else hashlib.sha256(text.encode()).hexdigest()
            return shared[id(value)]
        return _leaf(value, told)

    meaning = dataclasses.replace(plan, digest="", files=())
    return hashlib.sha256(told(meaning).encode()).hexdigest()


def _leaf(value: Any, told: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key!r}:{told(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, (frozenset, list)):
        items: Iterable[Any] = sorted(value) if isinstance(value, frozenset) else value
        return "[" + ",".join(told(one) for one in items) + "]"
    if isinstance(value, date):
        return value.isoformat()
    return repr(value)
