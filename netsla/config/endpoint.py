"""The endpoints of one agreement: single ones, and files of thousands.

Rules: endpoints without terms of their own share one `Terms`, so that 50,000 of them cost 50,000 addresses and
no more. A probe's `source` holds for targets of its own family; where the family is known to be the other, the
endpoint is probed without it, and a warning says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from netsla.config import accounting, address, service, terms
from netsla.config.plan_tables import PlanTable, TermsTable
from netsla.config.probe import Library
from netsla.config.source import Faults, Place, read_text
from netsla.config.tables import AgreementTable, EndpointTable
from netsla.config.terms import Terms
from netsla.model import Endpoint, Measurement, ProbeSpec

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Shelf:
    """What agreements refer to: probes, plans, and the folders in which an addresses_file may lie.

    `declared_plans`: the names written, rightly or wrongly; None when the whole key is wrong.
    """

    library: Library
    plans: dict[str, PlanTable] = field(default_factory=dict)
    declared_plans: frozenset[str] | None = frozenset()
    folders: tuple[Path, ...] = ()
    terms: dict[int, Terms] = field(default_factory=dict)  # of plans that an agreement takes as they are
    standalone: bool = False  # an evidence pack: `plan` is only a name, endpoints may lack an address


class Yard:
    """Collects the endpoints of one agreement, with their places; `promises` takes the faults of terms."""

    def __init__(
        self,
        table: AgreementTable,
        layers: Sequence[PlanTable],
        shelf: Shelf,
        where: ZoneInfo,
        faults: Faults,
        promises: Faults,
    ) -> None:
        self.table = table
        self.layers = layers
        self.shelf = shelf
        self.where = where
        self.faults = faults
        self.promises = promises
        self.terms: dict[int, Terms] = {}  # by id(endpoint table), 0: the agreement's own
        self.seen: dict[str, Place] = {}
        self.places: list[Place] = []

    def endpoints(self) -> tuple[Endpoint, ...]:
        """All of them, in the order of the file; rows of an addresses_file in its order."""
        if not self.table.endpoints and not self.table.node["endpoints"].cut:
            self.faults.add(self.table.place("endpoints"), "endpoints: nothing to measure", "add at least one endpoint")
            self._resolve(self.layers, f"agreement {self.table.id!r}")  # for what is wrong there, too
        found: list[Endpoint] = []
        for one in self.table.endpoints:
            found += self._group(one) if one.gives("addresses_file") else self._single(one)
        return tuple(found)

    def _single(self, one: EndpointTable) -> Iterator[Endpoint]:
        if not self._is_new(one.id, one.place("id")):
            return
        make = self._mould(one)
        if one.address is None and not self.shelf.standalone:
            if not one.gives("address") and not one.node.cut:
                self.faults.add(one.place(), f"endpoint {one.id!r} has no address", "add address: 192.0.2.1")
            return
        place = one.place("address")
        self.places.append(place)
        yield make.endpoint(one.id, one.address or "", one.labels, place)

    def _group(self, one: EndpointTable) -> Iterator[Endpoint]:
        if one.gives("address"):
            self.faults.add(one.place("address"), "address and addresses_file exclude each other", "remove one of them")
        make = self._mould(one)
        base = dict(one.labels)
        for row, place in self._rows(one):
            if self._is_new(row.id, place):
                self.places.append(place)
                labels = tuple(sorted((base | dict(row.labels)).items())) if row.labels else one.labels
                yield make.endpoint(row.id, row.address, labels, place)

    def _rows(self, one: EndpointTable) -> Iterator[tuple[address.Row, Place]]:
        if one.addresses_file is None:
            return
        path = self._file(one.addresses_file, one)
        text = read_text(path, one.place("addresses_file"), self.faults)
        if text is None:
            return
        rows = address.rows(text, str(path), self.faults)
        for row in rows:
            yield row, Place(str(path), row.line, row.column)
        if not rows and not self.faults.any_in(str(path)):
            self.faults.add(Place(str(path)), "no endpoint in this file", "add lines such as: berlin,192.0.2.1")

    def _file(self, name: str, one: EndpointTable) -> Path:
        """Beside the file that names it, else beside the main configuration."""
        own = Path(one.place().file).parent / name
        others = (folder / name for folder in self.shelf.folders)
        return next((path for path in (own, *others) if _exists(path)), own)

    def _mould(self, one: EndpointTable) -> Mould:
        begin, end = service.active(one.active, self.where, self.faults)
        return Mould(one.family, self._terms(one), self._measurement(one), begin, end, self.faults)

    def _measurement(self, one: EndpointTable) -> Measurement | None:
        """Its own accounting; None: the agreement's."""
        if not one.gives("measurement"):
            return None
        levels = [*(level.measurement for level in self.layers), one.measurement]
        return accounting.merge(levels, one.place("measurement"), self.promises)

    def _terms(self, one: EndpointTable) -> Terms:
        own = _has_terms(one)
        key = id(one) if own else 0
        if key not in self.terms:
            layers = [*self.layers, one] if own else self.layers
            self.terms[key] = self._resolve(layers, f"endpoint {one.id!r}" if own else f"agreement {self.table.id!r}")
        return self.terms[key]

    def _resolve(self, layers: Sequence[TermsTable], whose: str) -> Terms:
        """Merged terms; those of a plan that nobody changes are merged, and complained of, once."""
        plan = layers[0]
        if plan is self.table or any(_has_terms(table) for table in layers[1:]):
            return terms.resolve(layers, self.shelf.library, whose, self.promises)
        if id(plan) not in self.shelf.terms:
            whose = f"plan {self.table.plan!r}"
            self.shelf.terms[id(plan)] = terms.resolve([plan], self.shelf.library, whose, self.promises)
        return self.shelf.terms[id(plan)]

    def _is_new(self, name: str, place: Place) -> bool:
        first = self.seen.setdefault(name, place)
        if first is place:
            return True
        problem = f"endpoint {name!r} is there already, at {first.file}:{first.line}:{first.column}"
        self.faults.add(place, problem, "give every endpoint of an agreement its own id")
        return False


def _has_terms(table: TermsTable) -> bool:
    return any(table.gives(key) for key in ("probes", "uptime", "objectives"))


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


@dataclass(slots=True)
class Mould:
    """Makes endpoints that differ only in id, address and labels."""

    family: str
    terms: Terms
    measurement: Measurement | None
    begin: datetime | None
    end: datetime | None
    faults: Faults
    fitted: dict[str, tuple[ProbeSpec, ...]] = field(default_factory=dict)

    def endpoint(self, name: str, where: str, labels: Labels, place: Place) -> Endpoint:
        """One endpoint; `place` is for complaints about its address."""
        here = self.terms
        return Endpoint(
            id=name,
            address=where,
            family=self.family,
            probes=self._probes(where, place),
            uptime=here.uptime,
            objectives=here.objectives,
            measurement=self.measurement,
            active_from=self.begin,
            active_to=self.end,
            labels=labels,
        )

    def _probes(self, where: str, place: Place) -> tuple[ProbeSpec, ...]:
        """The probes, without a source that this address cannot be reached from."""
        specs = self.terms.probes
        if self.family == "any" and all(spec.source is None for spec in specs):
            return specs
        family = address.family_of(where)
        if "any" not in (family, self.family) and family != self.family:
            self.faults.add(place, f"{where} is not an {self.family} address", "change family, or the address")
        wanted = self.family if family == "any" else family
        if wanted not in self.fitted:
            self.fitted[wanted] = tuple(_fit(spec, wanted, place, self.faults) for spec in specs)
            if self.fitted[wanted] == specs:
                self.fitted[wanted] = specs
        return self.fitted[wanted]


def _fit(spec: ProbeSpec, family: str, place: Place, faults: Faults) -> ProbeSpec:
    if spec.source is None or family in ("any", address.family_of(spec.source)):
        return spec
    problem = f"the source {spec.source} of probe {spec.name!r} does not fit an {family} target: it is left out here"
    faults.add(place, problem, f"give this endpoint a probe with an {family} source", warning=True)
    return replace(spec, source=None)
