"""An agreement back to YAML: complete, with the plan's keys written in, as an evidence pack holds it.

Rules: `load_agreement(dump_agreement(a)) == a`. What most endpoints share stands once, on the agreement; an
endpoint that differs writes its own. Nothing that has its default is written, except the terms themselves.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import date, timedelta
from typing import Any, TypeAlias, TypeVar

import yaml

from netsla.config.quantity import WEEKDAYS, clock_text, decimal_text, duration_text, percent_text
from netsla.config.service import nanoseconds
from netsla.model import (
    Agreement,
    Chronic,
    CreditRule,
    Credits,
    Endpoint,
    Hours,
    Maintenance,
    MaintenanceWindow,
    Measurement,
    Metric,
    Objective,
    ProbeSpec,
    ProbeType,
    Reaction,
    UptimeRule,
)

Keys: TypeAlias = dict[str, Any]
T = TypeVar("T")

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_-]*", re.ASCII)
_SPECIAL = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}


def dump_agreement(agreement: Agreement) -> str:
    """YAML that `load_agreement` reads back to an equal value."""
    value = _agreement(agreement)
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110, default_flow_style=None)


class _Dumper(yaml.CSafeDumper):
    """Quotes every text that is not plainly a word, so that no reader of YAML can turn it into something else."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


class _Plain(str):
    """A number, true or false: written without quotes."""

    __slots__ = ()


def _text(dumper: _Dumper, value: str) -> yaml.ScalarNode:
    style = None if _WORD.fullmatch(value) and value.casefold() not in _SPECIAL else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


def _number(dumper: _Dumper, value: _Plain) -> yaml.ScalarNode:
    return dumper.represent_scalar(f"tag:yaml.org,2002:{'int' if value.isdigit() else 'float'}", str(value))


_Dumper.add_representer(str, _text)
_Dumper.add_representer(_Plain, _number)


def _given(**keys: Any) -> Keys:
    """Keys that say something; a key that Python reserves ends in `_`."""
    return {key.rstrip("_"): value for key, value in keys.items() if value not in (None, "", [], {}, ())}


def _agreement(one: Agreement) -> Keys:
    shared = _Shared(one.endpoints)
    document = dict(one.document)
    last = one.term_to - timedelta(1) if one.term_to else None
    term = _given(from_=_day(one.term_from), to=_day(last), review=document.pop("review", None))
    return {
        "id": one.id,
        **_given(title=document.pop("title", None), based_on=one.plan),
        "version": _Plain(one.version),
        "kind": str(one.kind),
        **_given(
            parties={party.role: {"name": party.name, **dict(party.contacts)} for party in one.parties},
            timezone=one.timezone,
            launch=document.pop("launch", None),
            term=term,
            service=_service(one, document),
            maintenance=_maintenance(one.maintenance),
            depends_on=list(one.depends_on),
        ),
        **shared.keys(),
        "measurement": _measurement(one.measurement),
        **_given(credits=_credits(one.credits) if one.credits else None),
        **document,
        "endpoints": [_endpoint(endpoint, shared) for endpoint in one.endpoints],
    }


class _Shared:
    """The terms that stand on the agreement: the commonest ones; objectives only when all have the same.

    Objectives merge by id, so an endpoint could not say that it has fewer, or others in another order.
    """

    def __init__(self, endpoints: tuple[Endpoint, ...]) -> None:
        self.probes = _commonest([one.probes for one in endpoints])
        self.uptime = _commonest([one.uptime for one in endpoints])
        objectives = {id(one.objectives): one.objectives for one in endpoints}
        first, *others = objectives.values()
        self.objectives = first if all(one == first for one in others) else None

    def keys(self) -> Keys:
        """What stands on the agreement."""
        keys: Keys = {"probes": {spec.name: _probe(spec) for spec in self.probes}, "uptime": _uptime(self.uptime)}
        if self.objectives:
            keys["objectives"] = [_objective(one) for one in self.objectives]
        return keys

    def own(self, one: Endpoint) -> Keys:
        """What an endpoint must write itself."""
        keys: Keys = {}
        if one.probes != self.probes:
            keys["probes"] = {spec.name: _probe(spec) for spec in one.probes}
        if one.uptime != self.uptime:
            keys["uptime"] = _uptime(one.uptime)
        if self.objectives is None and one.objectives:
            keys["objectives"] = [_objective(objective) for objective in one.objectives]
        if one.measurement is not None:
            keys["measurement"] = {
                name: value for name, value in _measurement(one.measurement).items() if name != "combine"
            }
        return keys


def _commonest(values: list[T]) -> T:
    return Counter(values).most_common(1)[0][0]


def _endpoint(one: Endpoint, shared: _Shared) -> Keys:
    active = _given(
        from_=one.active_from.isoformat() if one.active_from else None,
        to=one.active_to.isoformat() if one.active_to else None,
    )
    family = one.family if one.family != "any" else None
    rest = _given(address=one.address, family=family, active=active, labels=dict(one.labels))
    return {"id": one.id, **rest, **shared.own(one)}


def _probe(spec: ProbeSpec) -> Keys:
    keys = _given(
        type=str(spec.type),
        interval=duration_text(spec.interval_ns),
        timeout=duration_text(spec.timeout_ns),
        port=_whole(spec.port),
        dscp=_whole(spec.dscp),
        ttl=_whole(spec.ttl),
        source=spec.source,
    )
    if spec.type is ProbeType.ICMP:
        return keys | {"size": _whole(spec.size), "df": spec.df}
    return keys | {"rst": "up" if spec.rst_is_up else "down"}


def _uptime(rule: UptimeRule) -> Keys:
    return _given(
        profile=rule.profile,
        method=rule.method,
        n=_whole(rule.n) if rule.method == "sliding" else None,
        min=duration_text(rule.minimum_ns) if rule.method == "outage" else None,
        interval=duration_text(rule.interval_ns),
        loss_over=None if rule.all_lost else percent_text(rule.loss_over),
        min_samples=_whole(rule.min_samples),
        feed=rule.feed,
    )


def _objective(one: Objective) -> Keys:
    statistic = None if one.metric is Metric.LATENCY and one.statistic == "mean" else one.statistic
    aggregate = one.aggregate if one.metric is Metric.PACKET_DELIVERY else None
    return _given(
        id=one.id,
        metric=str(one.metric),
        statistic=statistic,
        target=one.target.text,
        window=one.window.name,
        severity=one.severity,
        probe=one.probe,
        scope=one.scope,
        aggregate=aggregate,
        reaction=_reaction(one.reaction),
        no_data_after=None if one.no_data_after_ns is None else duration_text(one.no_data_after_ns),
    )


def _reaction(one: Reaction) -> Keys:
    shape = {"immediate": (), "consecutive": ("count",), "xofy": ("x", "y"), "average": ("n",)}.get(one.type, ())
    keys = ("x", "y") if one.clear.x else ("count",)
    below = one.clear.below
    clear = {key: _whole(getattr(one.clear, key)) for key in keys} if below is None else {"below": percent_text(below)}
    return {
        "type": one.type,
        **{key: _whole(getattr(one, key)) for key in shape},
        **({"min_bad_intervals": _whole(one.count)} if one.type == "burn" else {}),
        "clear": clear,
        **({"budget": [percent_text(share) for share in one.budget]} if one.budget else {}),
    }


def _measurement(one: Measurement) -> Keys:
    fixed = one.fixed_denominator_ns
    return {
        "unknown": one.unknown,
        "denominator": "actual" if fixed is None else f"fixed:{duration_text(fixed)}",
        "exclusions": one.exclusions,
        "min_coverage": percent_text(one.min_coverage),
        "percentile_lost": one.percentile_lost,
        "combine": one.combine,
    }


def _service(one: Agreement, document: Keys) -> Keys:
    return _given(
        description=document.pop("description", None),
        demarcation=document.pop("demarcation", None),
        technologies=document.pop("technologies", None),
        hours=_hours(one.hours),
        monthly_charge=None if one.monthly_charge is None else _Plain(f"{one.monthly_charge:f}"),
    )


def _hours(one: Hours) -> Keys:
    weekly = [
        {"days": [WEEKDAYS[day]], "from": clock_text(begin), "to": clock_text(end)} for day, begin, end in one.weekly
    ]
    return _given(weekly=weekly, holidays=[day.isoformat() for day in sorted(one.holidays)])


def _maintenance(one: Maintenance) -> Keys:
    allowed = None if one.allowed is None else "-".join(map(clock_text, one.allowed))
    return _given(
        notice=_span(one.notice) if one.notice else None,
        allowed=allowed,
        max_per_month=None if one.max_per_month_ns is None else duration_text(one.max_per_month_ns),
        windows=[_window(window) for window in one.windows],
    )


def _window(one: MaintenanceWindow) -> Keys:
    return _given(
        rrule=one.rrule,
        start=clock_text(one.start_minute) if one.rrule else None,
        at=one.at.isoformat() if one.at else None,
        duration=duration_text(one.duration_ns),
        announced=one.announced.isoformat() if one.announced else None,
        reason=one.reason,
        reference=one.reference,
        endpoint=one.endpoint,
    )


def _credits(one: Credits) -> Keys:
    claim = _given(
        ticket_within=None if one.ticket_within is None else _span(one.ticket_within),
        by=None if one.claim_by is None else _span(one.claim_by),
    )
    return _given(
        currency=one.currency,
        rules=[_rule(rule) for rule in one.rules],
        combine={"rule": one.combine, "per_incident": one.per_incident},
        cap=None if one.cap is None else percent_text(one.cap),
        claim=claim,
        chronic=[_chronic(rule) for rule in one.chronic],
    )


def _rule(one: CreditRule) -> Keys:
    keys: Keys = {"objective": one.objective, "basis": one.basis}
    if one.basis == "days_per_started_hour":
        return keys | {"days": _Plain(decimal_text(one.days))}
    if one.basis == "per_step":
        return keys | {"step": percent_text(one.step), "credit": percent_text(one.credit)}
    below = one.basis == "availability"
    tiers = [
        {
            "below" if below else "over": percent_text(tier.limit) if below else duration_text(int(tier.limit)),
            "credit": percent_text(tier.credit),
        }
        for tier in one.tiers
    ]
    return keys | {"tiers": tiers}


def _chronic(one: Chronic) -> Keys:
    within = {"within": one.within.name}
    if one.outages:
        return {"outages": _whole(one.outages), "each_over": duration_text(one.each_over_ns), **within}
    return {"downtime_over": duration_text(one.downtime_over_ns), **within}


def _whole(value: int | None) -> _Plain | None:
    return None if value is None else _Plain(value)


def _day(value: date | None) -> str | None:
    return None if value is None else value.isoformat()


def _span(value: timedelta) -> str:
    return duration_text(nanoseconds(value))
