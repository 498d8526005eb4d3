"""The operator's own labels (`agent.labels`, an endpoint's `labels`), on every metric they belong to.

Rules: pure. An endpoint's label stands before the agent's of the same name. The names in :data:`OWN` are taken:
the configuration refuses them; further names that one family takes for itself are left to that family.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from netsla.model import Plan

Pairs = tuple[tuple[str, str], ...]
_OF_PROBES = ("agreement", "endpoint", "probe", "objective", "window", "reason", "severity")
_OF_OTHERS = ("agent", "version", "part", "address", "type", "customer", "plan", "quantile", "le")
OWN = frozenset((*_OF_PROBES, *_OF_OTHERS))


@dataclass(frozen=True, slots=True, eq=False)
class Labelling:
    """`agent`: on every metric. `endpoints`: by agreement and endpoint, only those that have some."""

    agent: Pairs = ()
    endpoints: Mapping[tuple[str, str], Pairs] = field(default_factory=dict)

    @classmethod
    def of(cls, plan: Plan) -> Labelling:
        """What a plan says."""
        members = ((agreement.id, one) for agreement in plan.agreements for one in agreement.endpoints)
        return cls(plan.agent.labels, {(name, one.id): one.labels for name, one in members if one.labels})

    def pairs(self, agreement: str, endpoint: str, taken: Collection[str] = ()) -> dict[str, str]:
        """The further labels of an endpoint's metrics, without the names that are `taken`."""
        both = {**dict(self.agent), **dict(self.endpoints.get((agreement, endpoint), ()))}
        return {name: value for name, value in both.items() if name not in taken}


NO_LABELS = Labelling()
