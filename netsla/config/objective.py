"""Objectives: merged by id over the levels, then checked against the probes that must feed them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from netsla.config.layers import Layers
from netsla.config.plan_tables import ObjectiveTable, ReactionTable, TermsTable
from netsla.config.quantity import Wrong, duration_text, meant, percentile
from netsla.config.source import Faults, Map, Place, Scalar, Seq
from netsla.model import SECOND, Bound, Clear, Metric, Objective, ProbeSpec, ProbeType, Reaction, Span, UptimeRule
from netsla.sla.burn import CLEAR_BELOW, MIN_BAD_INTERVALS

# Which probes can tell which metric: TCP hides loss, because the kernel repeats a lost SYN (SLA §1).
FEEDS = {
    Metric.UPTIME: {ProbeType.ICMP, ProbeType.TCP},
    Metric.TIME_TO_REPAIR: {ProbeType.ICMP, ProbeType.TCP},
    Metric.LATENCY: {ProbeType.ICMP, ProbeType.TCP},
    Metric.PACKET_DELIVERY: {ProbeType.ICMP},
    Metric.JITTER: {ProbeType.ICMP},
}
RATIOS = {Metric.UPTIME, Metric.PACKET_DELIVERY}
_STATISTICS = {Metric.LATENCY: ("mean", "min", "max"), Metric.TIME_TO_REPAIR: ("mean", "max")}


@dataclass(frozen=True, slots=True)
class Setting:
    """Where objectives are to hold: the probes (None: already wrong), the uptime rule, and whose they are."""

    probes: tuple[ProbeSpec, ...] | None
    uptime: UptimeRule
    whose: str


def written(layers: Sequence[TermsTable]) -> frozenset[str]:
    """Every id that the file gives to an objective, even where the objective itself is wrong."""
    found = set()
    for table in layers:
        node = table.node.get("objectives")
        for item in node if isinstance(node, Seq) else ():
            name = item.get("id") if isinstance(item, Map) else None
            if isinstance(name, Scalar):
                found.add(name.text)
    return frozenset(found)


def merge(
    layers: Sequence[TermsTable], setting: Setting, faults: Faults
) -> tuple[tuple[Objective, ...], dict[str, Place]]:
    """The objectives that hold, and the place of each one's target."""
    levels: dict[str, list[ObjectiveTable]] = {}
    for table in layers:
        _add_level(table, levels, faults)
    found = []
    places = {}
    for name, tables in levels.items():
        keys = Layers(tables, tables[-1].place())
        promise = _build(name, keys, setting, faults)
        if promise is not None:
            found.append(promise)
            places[name] = keys.place("target")
    return tuple(found), places


def _add_level(table: TermsTable, levels: dict[str, list[ObjectiveTable]], faults: Faults) -> None:
    first: dict[str, Place] = {}
    for one in table.objectives or ():
        place = one.place("id")
        if one.id in first:
            at = first[one.id]
            problem = f"objective {one.id!r} is there already, at {at.file}:{at.line}:{at.column}"
            faults.add(place, problem, "give every objective its own id")
            continue
        first[one.id] = place
        if not one.drop:
            levels.setdefault(one.id, []).append(one)
        elif levels.pop(one.id, None) is None:
            faults.add(place, f"no objective {one.id!r} to drop", meant(one.id, levels) or "remove the entry")


def _build(name: str, keys: Layers, setting: Setting, faults: Faults) -> Objective | None:
    cut = any(table.node.cut for table in keys.tables)  # a misspelt key is reported already
    missing = [key for key in ("metric", "target", "window") if not keys.gives(key) and not cut]
    for key in missing:
        faults.add(keys.place("id"), f"objective {name!r} has no {key}", f"add {key}: {_EXAMPLES[key]}")
    metric_name, target, window = keys.get("metric"), keys.get("target"), keys.get("window")
    if metric_name is None:
        return None
    metric = Metric(metric_name)
    statistic, percent = _statistic(metric, keys, faults)
    if target is not None:
        _check_target(metric, target, keys.place("target"), faults)
    if window is not None:
        _check_window(metric, window, setting, keys.place("window"), faults)
    _check_aggregate(metric, keys, faults)
    _check_feed(name, metric, keys, setting, faults)
    if target is None or window is None:
        return None
    return Objective(
        id=name,
        metric=metric,
        target=target,
        window=window,
        severity=keys.get("severity", "P2"),
        statistic=statistic,
        percent=percent,
        probe=keys.get("probe"),
        scope=keys.get("scope", "available" if window.calendar else "all"),
        aggregate=keys.get("aggregate", "pooled"),
        reaction=_reaction(keys, faults),
        no_data_after_ns=keys.get("no_data_after"),
    )


_EXAMPLES = {"metric": "uptime", "target": '">= 99.9%"', "window": "month"}


def _statistic(metric: Metric, keys: Layers, faults: Faults) -> tuple[str, Fraction | None]:
    """Statistic and, for a percentile, its ratio. The mean is what latency promises unless said otherwise."""
    text = keys.get("statistic")
    allowed = _STATISTICS.get(metric, ())
    if text is None:
        return ("mean" if metric is Metric.LATENCY else ""), None
    if not allowed:
        faults.add(keys.place("statistic"), f"{metric} has no statistic", "remove the key")
    elif metric is Metric.LATENCY:
        try:
            ratio = percentile(text)
        except Wrong as wrong:
            faults.add(keys.place("statistic"), f"statistic: {wrong.problem}", wrong.remedy)
            return text, None
        if ratio is not None:
            return text, ratio
    if allowed and text not in allowed:
        known = ", ".join(allowed) + (", p95, p99.9 …" if metric is Metric.LATENCY else "")
        likely = _likely_statistic(text) if metric is Metric.LATENCY else ""
        faults.add(
            keys.place("statistic"), f"statistic: {text!r} is not known for {metric}", likely or f"write {known}"
        )
    return text, None


def _likely_statistic(text: str) -> str:
    """What `95`, `95th`, `avg` or `median` was meant to be."""
    number = re.fullmatch(r"(?:p|q)?-?(\d{1,2}(?:\.\d+)?)(?:th|%|th percentile)?", text.casefold())
    word = {"avg": "mean", "average": "mean", "median": "p50", "maximum": "max", "minimum": "min"}.get(text.casefold())
    likely = f"p{number[1]}" if number else word
    return f"did you mean {likely!r}?" if likely else ""


def _check_target(metric: Metric, target: Bound, place: Place, faults: Faults) -> None:
    ratio = "%" in target.text
    if metric in RATIOS:
        if not ratio:
            faults.add(place, f"target: {metric} is a percentage", 'write for instance ">= 99.9%"')
        elif not target.at_least:
            turned = target.text.replace("<=", ">=")
            faults.add(place, f"target: {metric} is promised as a minimum", f'write "{turned}"')
    elif ratio:
        faults.add(place, f"target: {metric} is a time", 'write for instance "<= 50ms"')
    elif target.at_least:
        turned = target.text.replace(">=", "<=")
        faults.add(place, f"target: {metric} is promised as a maximum", f'write "{turned}"')
    elif not target.value:
        faults.add(place, f"target: a {metric} of nothing cannot be met", 'write for instance "<= 50ms"')


def _check_window(metric: Metric, window: Span, setting: Setting, place: Place, faults: Faults) -> None:
    step = setting.uptime.interval_ns
    if metric is Metric.UPTIME and window.seconds * SECOND % step:
        problem = f"window {window.name} is not a whole number of uptime intervals ({duration_text(step)})"
        faults.add(place, problem, "choose a multiple")


def _check_aggregate(metric: Metric, keys: Layers, faults: Faults) -> None:
    if keys.get("aggregate") and metric is not Metric.PACKET_DELIVERY:
        faults.add(keys.place("aggregate"), f"{metric} has no aggregate", "remove the key")


def _check_feed(name: str, metric: Metric, keys: Layers, setting: Setting, faults: Faults) -> None:
    """A promise that no probe can tell anything about is an error (SLA §5)."""
    if setting.probes is None:
        return
    wanted = keys.get("probe")
    chosen = [spec for spec in setting.probes if wanted in (None, spec.name)]
    if not chosen:
        problem = f"objective {name!r} needs probe {wanted!r}, which {setting.whose} does not use"
        names = [spec.name for spec in setting.probes]
        guess = meant(wanted, names)
        remedy = (
            f"{guess}{'' if guess.endswith('?') else '.'} Or leave the objective out there: {{id: {name}, drop: true}}"
        )
        faults.add(keys.place("probe"), problem, remedy)
    elif not any(spec.type in FEEDS[metric] for spec in chosen):
        which = "probe " + repr(wanted) if wanted else f"the probes of {setting.whose}"
        problem = f"no probe can feed objective {name!r}: {which} cannot tell {metric}"
        faults.add(keys.place("probe" if wanted else "metric"), problem, "use a probe of type icmp, or drop it")


def _reaction(keys: Layers, faults: Faults) -> Reaction:
    table = keys.get("reaction")
    if table is None:
        return Reaction()
    needs = {"immediate": (), "consecutive": ("count",), "xofy": ("x", "y"), "average": ("n",)}.get(table.type, ())
    may = ("min_bad_intervals",) if table.type == "burn" else ()
    for key in ("count", "x", "y", "n", "min_bad_intervals"):
        if key in may:
            continue
        if key in needs and not table.gives(key):
            faults.add(table.place(), f"reaction {table.type} needs {key}", f"add {key}: 3")
        elif key not in needs and table.gives(key):
            faults.add(table.place(key), f"{key} has no meaning in reaction {table.type}", "remove it")
    if table.x and table.y and table.x > table.y:
        faults.add(table.place("x"), f"{table.x} of the last {table.y} cannot be", "x is at most y")
    least = table.min_bad_intervals or MIN_BAD_INTERVALS
    if table.type == "burn" and keys.get("metric") != "uptime":
        faults.add(table.place(), "reaction burn speaks of uptime only", "use consecutive, xofy or average")
    if table.type == "forecast" and not _has_period(keys):
        faults.add(table.place(), "reaction forecast speaks of uptime in a calendar window only", _NO_PERIOD)
    return Reaction(
        type=table.type,
        count=least if table.type == "burn" else table.count or 1,
        x=table.x or 0,
        y=table.y or 0,
        n=table.n or 0,
        clear=_clear_forecast(table, faults) if table.type == "forecast" else _clear(table, faults),
        budget=_budget(table, keys, faults),
    )


_NO_PERIOD = "choose day, week, month, quarter or year, or another reaction"


def _has_period(keys: Layers) -> bool:
    """Whether there is a period with an end to look forward to; what is missing is reported already."""
    metric, window = keys.get("metric"), keys.get("window")
    return metric in (None, "uptime") and (window is None or bool(window.calendar))


def _budget(table: ReactionTable, keys: Layers, faults: Faults) -> tuple[Fraction, ...]:
    """Shares of the error budget to warn at, ascending."""
    shares = table.budget or ()
    place = table.place("budget")
    if table.gives("budget") and not _has_period(keys):
        faults.add(place, "budget warnings speak of uptime in a calendar window only", "remove the key")
    elif len(set(shares)) < len(shares) or 0 in shares:
        faults.add(place, "budget: a share is zero, or there twice", "write [50%, 75%, 100%]")
    return tuple(sorted(shares))


def _clear_forecast(table: ReactionTable, faults: Faults) -> Clear:
    """It ends when the projection has come back under a share of the budget, which keeps it from flapping."""
    own = table.clear
    for key in ("count", "x", "y"):
        if own is not None and own.gives(key):
            faults.add(own.place(key), f"{key} has no meaning in reaction forecast", "write {below: 90%}")
    below = CLEAR_BELOW if own is None or own.below is None else own.below
    return Clear(below=below)


def _clear(table: ReactionTable, faults: Faults) -> Clear:
    """When the alert ends; unless said, as it began: so many in a row, or x of y, the other way."""
    own = table.clear
    if own is not None and own.gives("below"):
        faults.add(own.place("below"), f"below has no meaning in reaction {table.type}", "write {count: 3}")
    if own is None:
        return Clear(count=table.count or 1, x=table.x or 0, y=table.y or 0)
    if own.gives("x") != own.gives("y") or (own.gives("count") and own.gives("x")):
        faults.add(own.place(), "clear is either count, or x and y", "write {count: 3} or {x: 3, y: 5}")
    if own.x and own.y and own.x > own.y:
        faults.add(own.place("x"), f"{own.x} of the last {own.y} cannot be", "x is at most y")
    return Clear(count=own.count or 1, x=own.x or 0, y=own.y or 0)
