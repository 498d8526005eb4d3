"""From events to breaches: each opened, grown worse, acknowledged and closed, as one line an operator can read.

Beside them stand times without data, forecasts (which open before a promise is broken) and shares of an error budget
that were spent, which begin and end at once.

Rules: pure; events are the payloads of docs/interface.md section 5, in the order in which they were decided. A
`closed` without its `opened` (it was decided before the time asked for) still makes a breach: its onset stands in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from netsla.wire.event import told_of

Json = Mapping[str, Any]
_BEGINS = ("opened", "no_data")
_ENDS = ("closed", "data_back")
BUDGET, FORECAST, NO_DATA = "budget", "forecast", "no data"


@dataclass(slots=True)
class Breach:
    """One breach (or time without data) of one objective; times are ISO 8601 UTC, `ended_at` None while it stands."""

    what: str  # breach | no data | forecast | budget
    id: str  # of the event that opened it
    agreement: str
    customer: str
    endpoint: str
    address: str
    objective: str
    metric: str
    target: str
    window: str
    severity: str
    onset: str
    decided_at: str
    ended_at: str | None = None
    value: float | None = None  # the newest while it stood
    evidence: str = ""
    caused_by: str | None = None
    acknowledged: dict[str, Any] | None = None
    details: dict[str, int] = field(default_factory=dict)
    path: dict[str, Any] | None = None
    events: list[str] = field(default_factory=list)

    @property
    def open(self) -> bool:
        """Whether it still stands."""
        return self.ended_at is None

    def seconds(self, now: datetime) -> float:
        """How long it lasted, or has lasted until now."""
        end = datetime.fromisoformat(self.ended_at) if self.ended_at else now
        return max((end - datetime.fromisoformat(self.onset)).total_seconds(), 0.0)


def fold(events: Iterable[Json], paths: Mapping[str, dict[str, Any]] | None = None) -> list[Breach]:
    """Breaches in the order of their onset; `paths` are snapshots by the id of the opening event."""
    found: list[Breach] = []
    standing: dict[tuple[str, ...], Breach] = {}
    for event in events:
        kind, what = str(event["kind"]), told_of(event)
        if what == BUDGET:
            found.append(_spent(event))
            continue
        where = (str(event[part]["id"]) for part in ("agreement", "endpoint", "objective"))
        key = (NO_DATA if what == NO_DATA else "breach", *where)
        breach = standing.get(key)
        if breach is not None and kind in _BEGINS and breach.onset == event["onset"]:
            breach.id, breach.caused_by = str(event["id"]), None  # its cause is gone: now it is told
        elif breach is None or kind in _BEGINS:
            breach = standing[key] = _begun(what, event)
            found.append(breach)
        _go_on(breach, kind, event)
        if kind in _ENDS:
            del standing[key]
    for breach in found:
        breach.path = (paths or {}).get(breach.id)
    return sorted(found, key=lambda one: (one.onset, one.agreement, one.endpoint, one.objective))


def _spent(event: Json) -> Breach:
    """It is over when it is told: the next share tells anew."""
    breach = _begun(BUDGET, event)
    _go_on(breach, "updated", event)
    breach.onset = breach.ended_at = breach.decided_at
    return breach


def _begun(what: str, event: Json) -> Breach:
    agreement, endpoint, objective = event["agreement"], event["endpoint"], event["objective"]
    return Breach(
        what,
        str(event["id"]),
        str(agreement["id"]),
        str(agreement.get("customer") or ""),
        str(endpoint["id"]),
        str(endpoint.get("address") or ""),
        str(objective["id"]),
        str(objective["metric"]),
        str(objective["target"]),
        str(objective["window"]),
        str(event["severity"]),
        str(event["onset"] or event["decided_at"]),
        str(event["decided_at"]),
    )


def _go_on(breach: Breach, kind: str, event: Json) -> None:
    breach.events.append(str(event["id"]))
    if kind in _ENDS:
        breach.ended_at = str(event["ended_at"] or event["decided_at"])
    else:
        breach.value = event.get("value")
        breach.evidence = str(event.get("evidence") or "")
        breach.severity = str(event["severity"])
    breach.details = dict(event.get("details") or breach.details)
    breach.caused_by = event.get("caused_by") or breach.caused_by
    breach.acknowledged = event.get("acknowledged") or breach.acknowledged


def to_json(breach: Breach, now: datetime) -> dict[str, Any]:
    """One breach as `netsla breaches --format json` prints it."""
    return {
        "what": breach.what,
        "id": breach.id,
        "open": breach.open,
        "agreement": breach.agreement,
        "customer": breach.customer,
        "endpoint": breach.endpoint,
        "address": breach.address,
        "objective": breach.objective,
        "metric": breach.metric,
        "target": breach.target,
        "window": breach.window,
        "severity": breach.severity,
        "onset": breach.onset,
        "decided_at": breach.decided_at,
        "ended_at": breach.ended_at,
        "seconds": breach.seconds(now),
        "value": breach.value,
        "evidence": breach.evidence,
        "caused_by": breach.caused_by,
        "acknowledged": breach.acknowledged,
        "details": breach.details,
        "path": breach.path,
        "events": breach.events,
    }
