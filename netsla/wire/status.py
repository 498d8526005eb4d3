"""Snapshot -> status JSON, schema `netsla.status/1`: what `netsla status` and `/api/v1/status` give.

Rules: pure. Columns become lists at once and are walked together: no element access into arrays.
A fleet is rendered `CHUNK` entries at a time, so that memory stays small and no single call holds
the interpreter for more than some milliseconds: other threads are measuring.
A value that does not exist is null, never 0 or 100 %. Field names are promises (SemVer).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import orjson

from netsla.model import MILLISECOND, SECOND, IntArray
from netsla.sla.snapshot import NEVER, STANDINGS, AgentView, FloatArray, ObjectiveView, Roll, Snapshot, WindowView
from netsla.wire import words

SCHEMA = "netsla.status/1"
PROBE_STANDINGS = {1: "good", 0: "bad", -1: "unknown"}

Json = dict[str, Any]
CHUNK = 200  # entries


@dataclass(frozen=True, slots=True)
class Only:
    """What of the fleet to show; nothing named shows all.

    `breached`: endpoints with a breached objective. `windows` names the windows wanted, None all.
    """

    agreement: str | None = None
    endpoint: str | None = None
    breached: bool = False
    windows: tuple[str, ...] | None = None

    @classmethod
    def of(cls, request: Mapping[str, Any]) -> Only:
        """From the keys of a control request or of a query; what is missing or odd leaves nothing out."""
        agreement, endpoint, windows = (request.get(key) for key in ("agreement", "endpoint", "windows"))
        return cls(
            agreement if isinstance(agreement, str) else None,
            endpoint if isinstance(endpoint, str) else None,
            breached=request.get("breached") in (True, "1", "true"),
            windows=tuple(map(str, windows)) if isinstance(windows, list | tuple) else None,
        )

    @property
    def everything(self) -> bool:
        """Whether nothing is left out."""
        return self.agreement is None and self.endpoint is None and not self.breached


def render(snapshot: Snapshot, only: Only = Only()) -> bytes:
    """The document as bytes."""
    return b"".join(pieces(snapshot, only))


def pieces(snapshot: Snapshot, only: Only = Only()) -> list[bytes]:
    """The document as bytes, in parts that make it up in order."""
    probes, objectives = positions(snapshot, only)
    head = {"schema": SCHEMA, "agent": agent(snapshot.agent, len(snapshot.roll.agreement))}
    return [
        orjson.dumps(head)[:-1],
        b',"probes":[',
        *_parts(lambda chosen: probes_json(snapshot, chosen, only.windows), probes),
        b'],"objectives":[',
        *_parts(lambda chosen: objectives_json(snapshot.roll, snapshot.objectives, chosen), objectives),
        b"]}",
    ]


def _parts(entries: Callable[[IntArray], list[Json]], chosen: IntArray) -> Iterator[bytes]:
    """The inside of a JSON array, a chunk at a time."""
    for start in range(0, len(chosen), CHUNK):
        inside = orjson.dumps(entries(chosen[start : start + CHUNK]))[1:-1]
        yield b"," + inside if start else inside


def agent(view: AgentView, probes: int) -> Json:
    """The agent's own part."""
    return {
        "name": view.name,
        "version": view.version,
        "started": _instant(view.started_ns),
        "config_digest": view.config_digest,
        "probes": probes,
        "healthy": not view.problems,
        "problems": list(view.problems),
    }


def positions(snapshot: Snapshot, only: Only) -> tuple[IntArray, IntArray]:
    """Where the probes and the objectives to show stand in the Roll."""
    roll = snapshot.roll
    if only.everything:
        return np.arange(len(roll.agreement)), np.arange(len(roll.objective))
    standing = snapshot.objectives.standing == STANDINGS.index("breached")
    owners = list(zip(roll.objective_agreement, roll.objective_endpoint, strict=True))
    breached = {owner for owner, bad in zip(owners, standing.tolist(), strict=True) if bad} if only.breached else set()

    def wanted(owner: tuple[str, str]) -> bool:
        return (
            only.agreement in (None, owner[0])
            and only.endpoint in (None, owner[1])
            and (not only.breached or owner in breached)
        )

    probes = [at for at, owner in enumerate(zip(roll.agreement, roll.endpoint, strict=True)) if wanted(owner)]
    objectives = [at for at, owner in enumerate(owners) if wanted(owner) and (not only.breached or standing[at])]
    return np.asarray(probes, np.int64), np.asarray(objectives, np.int64)


def probes_json(snapshot: Snapshot, chosen: IntArray, windows: tuple[str, ...] | None = None) -> list[Json]:
    """The entries of some probes, by their positions; NaN where the JSON has null."""
    roll = snapshot.roll
    addresses = _names(roll.address, chosen)
    return [
        {
            "agreement": agreement,
            "endpoint": endpoint,
            "probe": probe,
            "type": kind,
            "address": address,
            "standing": PROBE_STANDINGS[standing],
            "totals": totals,
            "last": last,
            "windows": views,
        }
        for agreement, endpoint, probe, kind, address, standing, totals, last, views in zip(
            _names(roll.agreement, chosen),
            _names(roll.endpoint, chosen),
            _names(roll.probe, chosen),
            _names(roll.type, chosen),
            addresses,
            snapshot.standing[chosen].tolist(),
            _totals(snapshot, chosen),
            _lasts(snapshot, chosen, addresses),
            _windows(snapshot, chosen, windows),
            strict=True,
        )
    ]


def _totals(snapshot: Snapshot, chosen: IntArray) -> list[Json]:
    columns = (
        snapshot.sent,
        snapshot.received,
        snapshot.sent - snapshot.received,
        snapshot.unmeasured,
        snapshot.late,
        snapshot.duplicate,
    )
    return [
        {
            "sent": sent,
            "received": received,
            "lost": lost,
            "unmeasured": unmeasured,
            "late": late,
            "duplicate": duplicate,
        }
        for sent, received, lost, unmeasured, late, duplicate in zip(*_lists(columns, chosen), strict=True)
    ]


def _lasts(snapshot: Snapshot, chosen: IntArray, addresses: Sequence[str]) -> list[Json]:
    """The last decided probe of each; all null before the first."""
    outcome = snapshot.last_outcome[chosen].tolist()
    detail = snapshot.last_detail[chosen].tolist()
    instants = _instants(snapshot.last_at_ns[chosen])
    rtts = snapshot.last_rtt_ns[chosen]
    seconds = np.where(rtts >= 0, rtts / SECOND, np.nan).tolist()
    return [
        _last(*each) if each[1] != NEVER else {"at": None, "outcome": None, "rtt_seconds": None}
        for each in zip(instants, outcome, seconds, detail, addresses, strict=True)
    ]


def _last(instant: str, outcome: int, seconds: float, detail: int, address: str) -> Json:
    last: Json = {"at": instant, "outcome": words.outcome_name(outcome), "rtt_seconds": seconds}
    why = words.detail(outcome, detail, address)
    return last if why is None else last | {"detail": why}


def _windows(snapshot: Snapshot, chosen: IntArray, names: tuple[str, ...] | None) -> list[Json]:
    """For each chosen probe its windows by name."""
    every: list[Json] = [{} for _ in range(len(chosen))]
    place = np.full(len(snapshot.roll.agreement), -1)
    place[chosen] = np.arange(len(chosen))
    for view in snapshot.windows:
        if names is not None and view.name not in names:
            continue
        mine = np.flatnonzero(place[view.member] >= 0)
        for at, figures in zip(place[view.member[mine]].tolist(), _window(view, mine), strict=True):
            every[at][view.name] = figures
    return every


def _window(view: WindowView, chosen: IntArray) -> list[Json]:
    counts = (view.sent, view.received, view.sent - view.received, view.unmeasured, view.delivery, view.coverage)
    times = (view.mean, view.min, view.p50, view.p95, view.p99, view.max)
    columns = _lists((*counts, *times, view.jitter, view.variation), chosen)
    return [
        {
            "sent": sent,
            "received": received,
            "lost": lost,
            "unmeasured": unmeasured,
            "packet_delivery_ratio": delivery,
            "coverage_ratio": coverage,
            "latency_seconds": {"mean": mean, "min": least, "p50": p50, "p95": p95, "p99": p99, "max": most},
            "jitter_seconds": jitter,
            "pdv_seconds": pdv,
        }
        for sent, received, lost, unmeasured, delivery, coverage, mean, least, p50, p95, p99, most, jitter, pdv in zip(
            *columns, strict=True
        )
    ]


def objectives_json(roll: Roll, view: ObjectiveView, chosen: IntArray) -> list[Json]:
    """The entries of some objectives, by their positions; NaN where the JSON has null."""
    figures = (view.value, view.low, view.high, view.coverage)
    return [
        {
            "agreement": agreement,
            "endpoint": endpoint,
            "objective": objective.id,
            "metric": objective.metric,
            "window": objective.window.name,
            "target": objective.target.text,
            "standing": STANDINGS[standing],
            "value": value,
            "low": low,
            "high": high,
            "coverage_ratio": coverage,
            "evidence": _evidence(STANDINGS[standing], conclusive=conclusive),
            "severity": objective.severity,
            "breach": {"since": _instant(since)} if since >= 0 else None,
        }
        for agreement, endpoint, objective, (standing, conclusive, since), (value, low, high, coverage) in zip(
            _names(roll.objective_agreement, chosen),
            _names(roll.objective_endpoint, chosen),
            _names(roll.objective, chosen),
            zip(*_lists((view.standing, view.conclusive, view.breach_since_ns), chosen), strict=True),
            zip(*_lists(figures, chosen), strict=True),
            strict=True,
        )
    ]


def _evidence(standing: str, *, conclusive: bool) -> str | None:
    if standing == "no_data":
        return None
    return "conclusive" if conclusive else "inconclusive"


def _lists(columns: Sequence[IntArray | FloatArray | np.ndarray[Any, Any]], chosen: IntArray) -> list[list[Any]]:
    return [column[chosen].tolist() for column in columns]


def _names(names: Sequence[Any], chosen: IntArray) -> Sequence[Any]:
    return [names[at] for at in chosen.tolist()]


def _instant(ns: int) -> str:
    """UTC nanoseconds as ISO 8601 with milliseconds."""
    whole = datetime.fromtimestamp(ns // SECOND, UTC)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{ns // MILLISECOND % 1000:03d}Z"


def _instants(ns: IntArray) -> list[str]:
    """The same for a column; of what never was, some text nobody shows.

    Not for objectives: numpy gives up the interpreter lock for an instant here, and a thread that does so
    every half millisecond starves those that wait for it, by 20 ms as measured with the event loop.
    """
    return [f"{text}Z" for text in np.datetime_as_string(ns.astype("datetime64[ns]"), unit="ms").tolist()]
