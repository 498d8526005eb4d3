"""One agreement: its table and its plan's, merged into the frozen value that everything else reads.

Rules: nothing is checked twice; places are kept beside the values for the checks that come later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from netsla.config import accounting, credit, service
from netsla.config.endpoint import Shelf, Yard
from netsla.config.plan_tables import PlanTable
from netsla.config.quantity import Wrong, meant
from netsla.config.reading import read_text as text_value
from netsla.config.source import Faults, Map, Place, Scalar
from netsla.config.tables import AgreementTable, PartyTable
from netsla.config.terms import Terms
from netsla.model import Agreement, Kind, Party


@dataclass(frozen=True, slots=True)
class Built:
    """An agreement, and where its parts stand: `places` are those of its endpoints' addresses, in order."""

    agreement: Agreement
    table: AgreementTable
    terms: tuple[Terms, ...]  # each distinct one once
    places: tuple[Place, ...]


def build(table: AgreementTable, shelf: Shelf, faults: Faults) -> Built:
    """The agreement of a table; mistakes go to `faults`, and what is returned then is not to be used."""
    where = service.zone(table, faults)
    plan = _plan(table, shelf, faults)
    layers = [level for level in (plan, table) if level is not None]
    promises = (
        Faults() if table.plan and plan is None and not shelf.standalone else faults
    )  # half a plan proves nothing
    yard = Yard(table, layers, shelf, where, faults, promises)
    endpoints = yard.endpoints()
    all_terms = tuple(yard.terms.values())
    first, after = service.term(table, faults)
    written = frozenset().union(*(one.ids for one in all_terms))
    metrics = {promise.id: promise.metric for one in all_terms for promise in one.objectives}
    agreement = Agreement(
        id=table.id,
        endpoints=endpoints,
        version=table.version,
        kind=Kind(table.kind),
        plan=table.plan or table.based_on or "",
        parties=tuple(_party(role, party, table, faults) for role, party in table.parties.items()),
        timezone=table.timezone,
        term_from=first,
        term_to=after,
        hours=service.hours(table.service.hours if table.service else None, faults),
        monthly_charge=table.service.monthly_charge if table.service else None,
        maintenance=service.maintenance(table.maintenance, where, set(yard.seen), faults),
        measurement=accounting.merge([level.measurement for level in layers], table.place(), faults),
        credits=credit.merge([level.credits for level in layers], metrics, written, promises),
        depends_on=tuple(table.depends_on),
        document=_document(table, faults),
    )
    return Built(agreement, table, all_terms, tuple(yard.places))


def _plan(table: AgreementTable, shelf: Shelf, faults: Faults) -> PlanTable | None:
    if table.plan is None or shelf.standalone:
        return None
    declared = shelf.declared_plans
    if declared is not None and table.plan not in declared:
        remedy = meant(table.plan, declared) or "write it under plans:, or write its keys in here"
        faults.add(table.place("plan"), f"unknown plan {table.plan!r}", remedy)
    return shelf.plans.get(table.plan)


def _party(role: str, table: PartyTable, agreement: AgreementTable, faults: Faults) -> Party:
    contacts = []
    for key, node in (table.model_extra or {}).items():
        try:
            contacts.append((key, text_value(node)))
        except Wrong as wrong:
            faults.add(table.place(key), f"{key}: {wrong.problem}", wrong.remedy)
    return Party(role, table.name, tuple(contacts))


def _document(table: AgreementTable, faults: Faults) -> dict[str, Any]:
    """The texts that only the document shows, as plain JSON values; durations as written."""
    served, dates = table.service, {"launch": table.launch, "review": table.term.review if table.term else None}
    texts: dict[str, Any] = {
        "title": table.title,
        "description": served.description if served else None,
        "demarcation": served.demarcation if served else None,
        "technologies": list(served.technologies) if served else None,
        "exclusions": list(table.exclusions),
        "reports": table.reports,
        "changes": table.changes,
        "severities": _severities(table, faults),
    }
    texts |= {key: value.isoformat() for key, value in dates.items() if value}
    return {key: value for key, value in texts.items() if value}


def _severities(table: AgreementTable, faults: Faults) -> dict[str, dict[str, str]]:
    node = table.node.get("severities")
    found = {}
    for name, severity in table.severities.items():
        if name not in {"P1", "P2", "P3"} and isinstance(node, Map):
            faults.add(node.keys_at[name].place, f"unknown severity {name!r}", "severities are P1, P2 and P3")
        found[name] = {
            key: value.text.strip()
            for key in ("description", "respond", "restore")
            if isinstance(value := severity.node.get(key), Scalar)
        }
    return found
