"""What is measured and promised at one endpoint: probes, uptime rule and objectives, merged from all levels.

Rules: plan, then agreement, then endpoint; objectives merge by id and then key by key, the uptime rule key
by key, the set of probes as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netsla.config import objective, probe, uptime
from netsla.config.layers import Layers
from netsla.config.plan_tables import TermsTable
from netsla.config.source import Faults, Place
from netsla.model import Objective, ProbeSpec, UptimeRule


@dataclass(frozen=True, slots=True)
class Terms:
    """Merged terms, where each objective's target stands, and every id that was written, even wrongly."""

    probes: tuple[ProbeSpec, ...]
    uptime: UptimeRule
    objectives: tuple[Objective, ...]
    places: dict[str, Place]
    ids: frozenset[str]


def resolve(layers: Sequence[TermsTable], library: probe.Library, whose: str, faults: Faults) -> Terms:
    """The terms that hold where these tables meet, the special ones last; `whose` goes into messages."""
    chosen = probe.choose(layers, library, whose, faults)
    rule = uptime.merge(Layers((t.uptime for t in layers), layers[-1].place("probes")), chosen, faults)
    promised, places = objective.merge(layers, objective.Setting(chosen, rule, whose), faults)
    return Terms(chosen or (), rule, promised, places, objective.written(layers))
