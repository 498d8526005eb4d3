"""Who is measured: the agreements in force, laid out as numbered rows and columns.

Rules: three numberings, each stable over reloads: *rows* of probes, *places* of endpoints, and objectives.
An identity keeps its number while what it measures is unchanged (address apart: names move); a changed
probe or endpoint begins anew. Our own references are rows without an agreement.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import reduce
from math import gcd

import numpy as np

from netsla.model import (
    SECOND,
    Agreement,
    Endpoint,
    IntArray,
    Measurement,
    Metric,
    Objective,
    Plan,
    ProbeSpec,
    ProbeType,
    Reference,
    RowArray,
    Span,
)
from netsla.sla.numbering import Numbering

ALWAYS = (Span("5m", seconds=300), Span("1h", seconds=3600))  # every endpoint has these windows
_CELL_SECONDS = 60


@dataclass(frozen=True, slots=True)
class FleetProbe:
    """One probe of one endpoint, on its row."""

    row: int
    key: str
    address: str
    family: str
    spec: ProbeSpec
    endpoint: int  # place of its endpoint; -1 for a reference
    thresholds_us: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class FleetEndpoint:
    """One endpoint: `deciding` are the rows that its uptime rule looks at."""

    place: int
    agreement: Agreement
    endpoint: Endpoint
    probes: tuple[FleetProbe, ...]
    deciding: tuple[int, ...]

    @property
    def measurement(self) -> Measurement:
        """How its figures are accounted."""
        return self.agreement.measurement_of(self.endpoint)


@dataclass(frozen=True, slots=True)
class FleetObjective:
    """One objective of one endpoint, with the rows that feed it."""

    number: int
    endpoint: FleetEndpoint
    objective: Objective
    rows: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Fleet:
    """The layout of one plan: capacities, and who sits where. Sequences are in the plan's order."""

    rows: int
    places: int
    numbers: int
    seconds: int  # of a cell
    probes: tuple[FleetProbe, ...]
    references: tuple[FleetProbe, ...]
    endpoints: tuple[FleetEndpoint, ...]
    objectives: tuple[FleetObjective, ...]
    windows: dict[str, Span]
    window_rows: dict[str, RowArray]
    thresholds_us: IntArray  # (thresholds, rows), -1 where there is none
    timeout_ns: int  # the longest of all probes
    fresh_rows: RowArray
    gone_rows: RowArray
    fresh_places: RowArray
    gone_places: RowArray
    gone_numbers: tuple[int, ...] = ()

    @property
    def watched(self) -> tuple[FleetProbe, ...]:
        """Everything that is probed."""
        return self.probes + self.references

    @property
    def slots_in_flight(self) -> int:
        """The most probes of one row that may be undecided at once, and some more."""
        return max((p.spec.timeout_ns // p.spec.interval_ns for p in self.watched), default=1) + 3


def identity(agreement: Agreement, endpoint: Endpoint, spec: ProbeSpec) -> str:
    """The name of a probe: the same on every start."""
    return f"{agreement.id}/{endpoint.id}/{spec.name}"


def feeds(objective: Objective, spec: ProbeSpec) -> bool:
    """Whether a probe can feed an objective: TCP hides loss, so it feeds uptime and latency only."""
    if objective.probe is not None and objective.probe != spec.name:
        return False
    counts_packets = objective.metric in (Metric.PACKET_DELIVERY, Metric.JITTER)
    return not (counts_packets and spec.type is ProbeType.TCP)


def threshold_us(objective: Objective) -> int | None:
    """The counter that an exact verdict needs, in microseconds; None if it needs none."""
    if objective.metric is Metric.LATENCY and objective.statistic != "mean":
        return int(objective.target.value) // 1000
    return None


def thresholds_of(endpoint: Endpoint, spec: ProbeSpec) -> tuple[int, ...]:
    """Every latency threshold in force for one probe, ascending."""
    limits = {threshold_us(o) for o in endpoint.objectives if feeds(o, spec)}
    return tuple(sorted(limit for limit in limits if limit is not None))


def deciding(endpoint: Endpoint) -> list[ProbeSpec]:
    """The probes that decide whether the endpoint is up."""
    if endpoint.uptime.feed in ("any", "all"):
        return list(endpoint.probes)
    return [spec for spec in endpoint.probes if spec.name == endpoint.uptime.feed]


@dataclass(slots=True)
class Roster:
    """Lays out one plan after another and keeps the numbers steady in between."""

    _rows: Numbering[tuple[object, ...]] = field(default_factory=Numbering)
    _places: Numbering[tuple[object, ...]] = field(default_factory=Numbering)
    _numbers: Numbering[tuple[object, ...]] = field(default_factory=Numbering)
    _terms: dict[Objective, int] = field(default_factory=dict)  # ever promised

    def lay_out(self, plan: Plan, now_ns: int) -> Fleet:
        """The fleet of a plan at this instant."""
        named = [(a, e) for a in plan.agreements for e in a.endpoints]
        references = [_reference_probe(reference) for reference in plan.references]
        row_names = {_row_name(a, e, s): None for a, e in named for s in e.probes}
        row_names |= {(probe.key, probe.spec): None for probe in references}
        place_names = [_place_name(a, e) for a, e in named]
        term = self._terms_of(named)
        number_names = [(a.id, e.id, term[id(o)]) for a, e in named for o in e.objectives]
        for numbering in (self._rows, self._places, self._numbers):
            numbering.release(now_ns - 60 * SECOND)
        fresh_rows, gone_rows = self._rows.assign(row_names, now_ns)
        fresh_places, gone_places = self._places.assign(place_names, now_ns)
        _, gone_numbers = self._numbers.assign(number_names, now_ns)
        row, number = self._rows.numbers, self._numbers.numbers
        endpoints = tuple(self._endpoint(a, e) for a, e in named)
        objectives = tuple(
            FleetObjective(number[one.agreement.id, one.endpoint.id, term[id(o)]], one, o, _feeding(one, o))
            for one in endpoints
            for o in one.endpoint.objectives
        )
        probes = tuple(probe for one in endpoints for probe in one.probes)
        seated = tuple(replace(probe, row=row[probe.key, probe.spec]) for probe in references)
        return Fleet(
            rows=self._rows.size,
            places=self._places.size,
            numbers=self._numbers.size,
            seconds=_cell_seconds(plan),
            probes=probes,
            references=seated,
            endpoints=endpoints,
            objectives=objectives,
            windows=_spans(endpoints),
            window_rows=_window_rows(endpoints),
            thresholds_us=_threshold_table(probes, self._rows.size),
            timeout_ns=max((probe.spec.timeout_ns for probe in probes + seated), default=3 * SECOND),
            fresh_rows=np.array(fresh_rows, np.int32),
            gone_rows=np.array(gone_rows, np.int32),
            fresh_places=np.array(fresh_places, np.int32),
            gone_places=np.array(gone_places, np.int32),
            gone_numbers=tuple(gone_numbers),
        )

    def _terms_of(self, named: list[tuple[Agreement, Endpoint]]) -> dict[int, int]:
        """A number for each objective object, equal for equal ones: fractions are slow to hash, and most are shared."""
        objects = {id(o): o for _, endpoint in named for o in endpoint.objectives}
        return {at: self._terms.setdefault(one, len(self._terms)) for at, one in objects.items()}

    def _endpoint(self, agreement: Agreement, endpoint: Endpoint) -> FleetEndpoint:
        place = self._places.numbers[_place_name(agreement, endpoint)]
        probes = tuple(
            FleetProbe(
                self._rows.numbers[_row_name(agreement, endpoint, spec)],
                identity(agreement, endpoint, spec),
                endpoint.address,
                endpoint.family,
                spec,
                place,
                thresholds_of(endpoint, spec),
            )
            for spec in endpoint.probes
        )
        names = {spec.name for spec in deciding(endpoint)}
        return FleetEndpoint(place, agreement, endpoint, probes, tuple(p.row for p in probes if p.spec.name in names))


def _row_name(agreement: Agreement, endpoint: Endpoint, spec: ProbeSpec) -> tuple[object, ...]:
    return identity(agreement, endpoint, spec), spec, thresholds_of(endpoint, spec)


def _place_name(agreement: Agreement, endpoint: Endpoint) -> tuple[object, ...]:
    return agreement.id, endpoint.id, endpoint.uptime, tuple(spec.name for spec in deciding(endpoint))


def _reference_probe(reference: Reference) -> FleetProbe:
    return FleetProbe(-1, f"reference/{reference.name}", reference.address, "any", reference.spec, -1)


def _feeding(one: FleetEndpoint, objective: Objective) -> tuple[int, ...]:
    return tuple(probe.row for probe in one.probes if feeds(objective, probe.spec))


def _cell_seconds(plan: Plan) -> int:
    """One grid for all: the greatest that every contract's interval is a multiple of, at most a minute."""
    wanted = [e.uptime.interval_ns // SECOND for a in plan.agreements for e in a.endpoints]
    return reduce(gcd, wanted, _CELL_SECONDS)


def _endpoint_spans(one: FleetEndpoint) -> Iterator[Span]:
    yield from ALWAYS
    yield from (objective.window for objective in one.endpoint.objectives)


def _spans(endpoints: tuple[FleetEndpoint, ...]) -> dict[str, Span]:
    found = {span.name: span for one in endpoints for span in _endpoint_spans(one)}
    return dict(sorted(found.items(), key=lambda item: (bool(item[1].calendar), item[1].seconds)))


def _window_rows(endpoints: tuple[FleetEndpoint, ...]) -> dict[str, RowArray]:
    rows: dict[str, list[int]] = {}
    for one in endpoints:
        for name in {span.name for span in _endpoint_spans(one)}:
            rows.setdefault(name, []).extend(probe.row for probe in one.probes)
    return {name: np.array(sorted(members), np.int32) for name, members in rows.items()}


def _threshold_table(probes: tuple[FleetProbe, ...], rows: int) -> IntArray:
    deepest = max((len(probe.thresholds_us) for probe in probes), default=0)
    table = np.full((deepest, rows), -1, np.int64)
    for probe in probes:
        table[: len(probe.thresholds_us), probe.row] = probe.thresholds_us
    return table
