"""The digest of a plan: of what it means, not of how it is written, and never of a secret.

Rules: an endpoint is one line, in which its shared terms (probes, uptime rule, objectives) stand for
themselves once, so that 50,000 endpoints cost 50,000 short lines.
"""

from __future__ import annotations

import dataclasses
import hashlib
from datetime import date
from typing import Any

from netsla.model import Plan, Secret


def digest(plan: Plan) -> str:
    """64 hex digits of SHA-256, equal for plans of equal meaning; `files` and secrets are left out."""
    total = hashlib.sha256()
    known: dict[tuple[int, int, int], str] = {}
    for agreement in plan.agreements:
        total.update(_told(dataclasses.replace(agreement, endpoints=())).encode())
        for one in agreement.endpoints:
            key = (id(one.probes), id(one.uptime), id(one.objectives))
            if key not in known:
                terms = _told((one.probes, one.uptime, one.objectives))
                known[key] = hashlib.sha256(terms.encode()).hexdigest()
            when = (one.active_from and one.active_from.isoformat(), one.active_to and one.active_to.isoformat())
            total.update(repr((one.id, one.address, one.family, one.labels, when, known[key])).encode())
    total.update(_told(dataclasses.replace(plan, agreements=(), digest="", files=())).encode())
    return total.hexdigest()


def _told(value: Any) -> str:
    """A value in full, in an order that does not depend on how it was written."""
    if isinstance(value, Secret):
        return "secret"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = (f"{f.name}={_told(getattr(value, f.name))}" for f in dataclasses.fields(value))
        return f"{type(value).__name__}({','.join(parts)})"
    if isinstance(value, dict):
        return "{" + ",".join(f"{key!r}:{_told(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, (tuple, list)):
        return "[" + ",".join(map(_told, value)) + "]"
    if isinstance(value, frozenset):
        return "{" + ",".join(sorted(map(_told, value))) + "}"
    return value.isoformat() if isinstance(value, date) else repr(value)
