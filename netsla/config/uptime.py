"""The uptime rule: a named profile, or parts of one, merged over the levels.

Rules: key by key; naming a profile sets aside what more general levels said of its parts, except `feed`,
which belongs to no profile. A rule that names no profile but sets a part is called `custom`.
"""

from __future__ import annotations

from dataclasses import replace

from netsla.config.layers import Layers
from netsla.config.profile import CUSTOM, OUTAGE_MINIMUM_NS, PROFILES, SLIDING_N
from netsla.config.quantity import duration_text, meant
from netsla.config.source import Faults
from netsla.model import SECOND, ProbeSpec, UptimeRule

GRID_NS = 900 * SECOND  # Δt must divide it (SLA §1), so that the midnights of all zones lie on the grid
_PARTS = ("method", "n", "min", "interval", "loss_over", "min_samples")


def merge(layers: Layers, chosen: tuple[ProbeSpec, ...] | None, faults: Faults) -> UptimeRule:
    """The uptime rule of these levels; `chosen` are the probes there, None when they are wrong already."""
    feed = layers.get("feed", "any")
    named = layers.top("profile")
    parts = layers.since(named)
    given = {key for key in _PARTS if parts.gives(key)}
    profile = parts.get("profile", CUSTOM if given else "commercial")
    base = PROFILES[profile]
    method = parts.get("method", base.method)
    rule = replace(
        base,
        method=method,
        n=parts.get("n", (base.n if base.method == method else SLIDING_N)) if method == "sliding" else 1,
        minimum_ns=parts.get("min", base.minimum_ns or OUTAGE_MINIMUM_NS) if method == "outage" else 0,
        interval_ns=parts.get("interval", base.interval_ns),
        loss_over=parts.get("loss_over", base.loss_over),
        all_lost=base.all_lost and not parts.gives("loss_over"),
        min_samples=parts.get("min_samples", base.min_samples),
        feed=feed,
    )
    _check(rule, parts, layers, chosen, faults)
    return rule


def _check(
    rule: UptimeRule, parts: Layers, layers: Layers, chosen: tuple[ProbeSpec, ...] | None, faults: Faults
) -> None:
    step = duration_text(rule.interval_ns)
    if GRID_NS % rule.interval_ns or rule.interval_ns % SECOND:
        remedy = "it must divide 15m, in whole seconds: 1s, 5s, 10s, 30s, 60s, 5m …"
        faults.add(parts.place("interval"), f"interval: {step} is no interval of the time grid", remedy)
    if rule.loss_over == 1:
        faults.add(parts.place("loss_over"), "loss_over: more than 100 % is never lost", "write less than 100%")
    for key, method in (("n", "sliding"), ("min", "outage")):
        if rule.method != method and _speaks_of(parts, key):
            faults.add(parts.place(key), f"{key} has no meaning with method {rule.method}", f"write method: {method}")
    if chosen is None:
        return
    if rule.feed not in {"any", "all", *(spec.name for spec in chosen)}:
        remedy = meant(rule.feed, ["any", "all", *(spec.name for spec in chosen)])
        faults.add(layers.place("feed"), f"feed: no probe {rule.feed!r} here", remedy)
    for spec in chosen:
        if spec.interval_ns > rule.interval_ns:
            problem = f"probe {spec.name!r} runs every {duration_text(spec.interval_ns)}, uptime is judged every {step}"
            faults.add(layers.place("interval"), problem, "probe more often, or lengthen uptime.interval")


def _speaks_of(parts: Layers, key: str) -> bool:
    """Whether a key was written by the level that chose the method, or above it."""
    if not parts.gives(key) or parts.get(key) is None:
        return False
    chooser = next((t for t in reversed(parts.tables) if t.gives("method") or t.gives("profile")), None)
    return parts.since(chooser).gives(key)
