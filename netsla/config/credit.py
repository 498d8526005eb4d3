"""The credit table: merged plan to agreement, and checked so that settling it cannot surprise (SLA R17)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from datetime import timedelta
from fractions import Fraction

from netsla.config.currency import CODES
from netsla.config.layers import Layers
from netsla.config.plan_tables import ChronicTable, ClaimTable, CombineTable, CreditRuleTable, CreditsTable, TierTable
from netsla.config.quantity import duration_text, meant, percent_text
from netsla.config.source import Faults
from netsla.model import Chronic, CreditRule, Credits, Metric, Tier

# Which keys a basis reads, and the metrics it can speak of.
_KEYS = {
    "availability": ("tiers",),
    "cumulative_downtime": ("tiers",),
    "per_outage": ("tiers",),
    "days_per_started_hour": ("days",),
    "per_step": ("step", "credit"),
}
_METRICS = {
    "availability": {Metric.UPTIME, Metric.PACKET_DELIVERY},
    "cumulative_downtime": {Metric.UPTIME},
    "per_outage": {Metric.UPTIME, Metric.TIME_TO_REPAIR},
    "days_per_started_hour": {Metric.UPTIME},
    "per_step": {Metric.UPTIME, Metric.PACKET_DELIVERY},
}


def merge(
    tables: Sequence[CreditsTable | None], metrics: Mapping[str, Metric], written: frozenset[str], faults: Faults
) -> Credits | None:
    """The credits of these levels; `metrics` by objective id, `written` the ids that stand in the file."""
    given = [table for table in tables if table is not None]
    if not given:
        return None
    keys = Layers(given, given[-1].place())
    rules = (_rule(table, metrics, written, faults) for table in keys.get("rules", ()))
    combine: CombineTable = keys.get("combine", CombineTable())
    claim: ClaimTable = keys.get("claim", ClaimTable())
    chronic = (_chronic(table, faults) for table in keys.get("chronic", ()))
    return Credits(
        currency=_currency(keys, faults),
        rules=tuple(rule for rule in rules if rule is not None),
        combine=combine.rule,
        per_incident=combine.per_incident,
        cap=keys.get("cap"),
        ticket_within=_delta(claim.ticket_within),
        claim_by=_delta(claim.by),
        chronic=tuple(rule for rule in chronic if rule is not None),
    )


def _delta(nanoseconds: int | None) -> timedelta | None:
    return None if nanoseconds is None else timedelta(microseconds=nanoseconds // 1_000)


def _currency(keys: Layers, faults: Faults) -> str:
    code = str(keys.get("currency", "EUR"))
    if code not in CODES:
        remedy = meant(code.upper()[:3] if code.upper()[:3] in CODES else code, CODES)
        faults.add(keys.place("currency"), f"currency: {code!r} is no ISO 4217 code", remedy)
    return code


def _rule(
    table: CreditRuleTable, metrics: Mapping[str, Metric], written: frozenset[str], faults: Faults
) -> CreditRule | None:
    name, basis = table.objective, table.basis
    if table.gives("basis") and table.node.get("basis") is None:
        return None  # a wrong basis is reported already: what fits it is not known
    if name not in metrics:
        if name not in written:
            remedy = meant(name, written) or "add it to objectives:"
            faults.add(table.place("objective"), f"unknown objective {name!r}", remedy)
    elif metrics[name] not in _METRICS[basis]:
        problem = f"basis {basis} cannot be worked out for {metrics[name]} ({name!r})"
        faults.add(table.place("basis"), problem, f"it speaks of {' or '.join(sorted(_METRICS[basis]))}")
    for key in ("tiers", "days", "step", "credit"):
        if key in _KEYS[basis] and not table.gives(key) and not table.node.cut:
            faults.add(table.place(), f"basis {basis} needs {key}", f"add {key}: {_EXAMPLES[key]}")
        elif key not in _KEYS[basis] and table.gives(key):
            faults.add(table.place(key), f"{key} has no meaning with basis {basis}", "remove it")
    if table.step == 0 and "step" in _KEYS[basis]:
        faults.add(table.place("step"), "step: a step of nothing has no end", "write for instance 0.1%")
    return CreditRule(
        objective=name,
        basis=basis,
        tiers=_tiers(table, faults),
        days=table.days or Fraction(0),
        step=table.step or Fraction(0),
        credit=table.credit or Fraction(0),
    )


_EXAMPLES = {"tiers": "[{below: 99.9%, credit: 5%}]", "days": "1", "step": "0.1%", "credit": "1%"}


def _tiers(table: CreditRuleTable, faults: Faults) -> tuple[Tier, ...]:
    """Strict thresholds from mild to severe: lower and lower (`below`), or longer and longer (`over`)."""
    key = "below" if table.basis == "availability" else "over"
    other = "over" if key == "below" else "below"
    if table.tiers == [] and not table.node["tiers"].cut:
        faults.add(table.place("tiers"), "tiers: a credit table without steps", f"add {_EXAMPLES['tiers']}")
    steps: list[TierTable] = []
    for tier in table.tiers or ():
        if tier.gives(other):
            faults.add(tier.place(other), f"{other} has no meaning with basis {table.basis}", f"write {key}: …")
        elif not tier.gives(key) and not tier.node.cut:
            faults.add(tier.place(), f"this tier has no {key}", f"write {key}: … and credit: …")
        elif getattr(tier, key) is not None:
            steps.append(tier)
    for mild, severe in itertools.pairwise(steps):
        _check_order(mild, severe, key, faults)
    return tuple(Tier(Fraction(getattr(tier, key)), tier.credit) for tier in steps)


def _check_order(mild: TierTable, severe: TierTable, key: str, faults: Faults) -> None:
    first, second = getattr(mild, key), getattr(severe, key)
    show = percent_text if key == "below" else duration_text
    if first == second:
        faults.add(severe.place(key), f"two tiers with {key} {show(second)} overlap", "remove one of them")
    elif (second > first) if key == "below" else (second < first):
        problem = f"tiers are in the wrong order: {key} {show(second)} after {show(first)}"
        faults.add(severe.place(key), problem, "write them from mild to severe; the last that applies counts")
    elif severe.credit <= mild.credit:
        problem = (
            f"the worse tier gives {percent_text(severe.credit)}, no more than the milder {percent_text(mild.credit)}"
        )
        faults.add(severe.place("credit"), problem, "credits grow from tier to tier")


def _chronic(table: ChronicTable, faults: Faults) -> Chronic | None:
    counted = table.gives("outages") or table.gives("each_over")
    if counted == table.gives("downtime_over"):
        faults.add(
            table.place(), "a chronic rule counts outages, or adds up downtime", "write outages, or downtime_over"
        )
        return None
    if counted and not table.gives("outages"):
        faults.add(table.place(), "this chronic rule has no number of outages", "add outages: 3")
    return Chronic(table.within, table.outages or 0, table.each_over or 0, table.downtime_over or 0)
