"""How figures are accounted (`measurement`, SLA R5): merged key by key, plan, then agreement, then endpoint."""

from __future__ import annotations

from collections.abc import Iterable

from netsla.config.layers import Layers
from netsla.config.plan_tables import AccountingTable, MeasurementTable
from netsla.config.quantity import Wrong, duration
from netsla.config.source import Faults, Place
from netsla.model import Measurement


def merge(levels: Iterable[AccountingTable | None], place: Place, faults: Faults) -> Measurement:
    """What these tables, from the general to the special, come to."""
    tables = list(levels)
    keys = Layers(tables, place)
    whole = Layers((table for table in tables if isinstance(table, MeasurementTable)), place)  # not an endpoint's
    base = Measurement()
    fixed = None
    text = keys.get("denominator", "actual")
    if text != "actual":
        kind, _, length = text.partition(":")
        try:
            fixed = duration(length.strip())
        except Wrong:
            fixed = 0
        if kind != "fixed" or not fixed:
            faults.add(keys.place("denominator"), f"denominator: {text!r} is not known", "write actual or fixed:43200m")
    return Measurement(
        unknown=keys.get("unknown", base.unknown),
        fixed_denominator_ns=fixed,
        exclusions=keys.get("exclusions", base.exclusions),
        min_coverage=keys.get("min_coverage", base.min_coverage),
        percentile_lost=keys.get("percentile_lost", base.percentile_lost),
        combine=whole.get("combine", base.combine),
    )
