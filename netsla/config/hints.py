"""What to write instead: keys by the names that other tools give them, and what each table looks like.

Rules: only words, no judgement. A wrong key that means a known one says so (`did you mean 'address'?`), so that
the known one is not called missing as well.
"""

from __future__ import annotations

import types
import typing
from functools import lru_cache
from typing import Any, TypeAlias

from netsla.config import plan_tables, tables
from netsla.config.quantity import meant
from netsla.config.source import Map, Node, Scalar
from netsla.config.table import Table

Path: TypeAlias = tuple[int | str, ...]

_TIERS = "tiers are thresholds without holes: {below: 99.9%, credit: 5%}, worse ones after it"
_SAID: dict[tuple[type[Table], str], str] = {
    (plan_tables.TierTable, "from"): _TIERS,
    (plan_tables.TierTable, "to"): _TIERS,
    (plan_tables.ProbeTable, "count"): "a probe never ends: say how often by interval, how many by the window",
    (plan_tables.ObjectiveTable, "threshold"): "did you mean 'target'? Write target: \">= 99.9%\"",
    (tables.ConfigTable, "endpoints"): "endpoints belong to an agreement: agreements: [{id: …, endpoints: […]}]",
    (tables.ConfigTable, "objectives"): "objectives belong to a plan or an agreement",
    (tables.MqttTable, "host"): "did you mean 'url'? Write url: mqtts://broker.example.net:8883",
    (tables.MqttTable, "port"): "it stands in the URL: url: mqtts://broker.example.net:8883",
    (tables.MqttTable, "tls"): "the URL says it: url: mqtts://…",
    (tables.AgreementTable, "review"): "it belongs to term: {review: …}",
}
ALSO: dict[type[Table], dict[str, str]] = {
    tables.EndpointTable: {
        "host": "address", "hostname": "address", "ip": "address", "target": "address", "name": "id",
        "file": "addresses_file",
    },
    tables.ReferenceTable: {"host": "address", "ip": "address", "target": "address", "id": "name"},
    tables.AgreementTable: {"name": "id", "targets": "endpoints", "hosts": "endpoints", "tz": "timezone"},
    tables.TermTable: {"start": "from", "begin": "from", "end": "to", "until": "to"},
    tables.ActiveTable: {"start": "from", "begin": "from", "end": "to", "until": "to"},
    tables.WeeklyTable: {"start": "from", "end": "to", "day": "days"},
    tables.MqttTable: {"user": "username", "topic": "prefix", "topic_prefix": "prefix", "broker": "url"},
    tables.WebTable: {"address": "listen", "port": "listen", "bind": "listen"},
    plan_tables.ObjectiveTable: {"name": "id", "slo": "target", "goal": "target", "period": "window"},
    plan_tables.ProbeTable: {"every": "interval", "period": "interval", "tos": "dscp"},
    plan_tables.UptimeTable: {"step": "interval", "minimum": "min"},
    plan_tables.CreditRuleTable: {"id": "objective"},
}  # fmt: skip

# What a table looks like, for who wrote something else in its place.
SHAPES: dict[type[Table], str] = {
    tables.AgentTable: "{name: probe-1}",
    tables.WebTable: '{listen: ["127.0.0.1:9469"]}',
    tables.MqttTable: "{url: mqtts://broker.example.net:8883}",
    tables.WebhookTable: "{url: https://hooks.example.net/netsla}",
    tables.AlertmanagerTable: "{url: http://alertmanager.example.net:9093}",
    tables.ReferenceTable: "{address: 192.0.2.1, name: gateway}",
    tables.PartyTable: "{name: Example ISP}",
    tables.TermTable: "{from: 2026-02-01, to: 2029-01-31}",
    tables.WeeklyTable: '{days: [mon-fri], from: "08:00", to: "18:00"}',
    tables.ServiceTable: "{description: …}",
    tables.MaintenanceTable: "{notice: 5d, windows: […]}",
    tables.MaintenanceWindowTable: "{at: 2026-03-01T02:00, duration: 1h}",
    tables.ActiveTable: "{from: 2026-03-15}",
    tables.EndpointTable: "{id: berlin, address: 192.0.2.1}",
    tables.SeverityTable: "{respond: 15m, restore: 4h}",
    tables.AgreementTable: "{id: …, plan: …, endpoints: […]}",
    plan_tables.ProbeTable: "{type: icmp}",
    plan_tables.ReferenceProbe: "{type: icmp}",
    plan_tables.PlanTable: "{probes: [ping], objectives: […]}",
    plan_tables.UptimeTable: "{profile: commercial}",
    plan_tables.MeasurementTable: "{min_coverage: 95%}",
    plan_tables.ObjectiveTable: '{id: uptime-month, metric: uptime, target: ">= 99.9%", window: month}',
    plan_tables.ReactionTable: "{type: consecutive, count: 3}",
    plan_tables.ClearTable: "{count: 3}",
    plan_tables.CreditsTable: "{currency: EUR, rules: […]}",
    plan_tables.CreditRuleTable: "{objective: uptime-month, tiers: […]}",
    plan_tables.TierTable: "{below: 99.9%, credit: 5%}",
    plan_tables.CombineTable: "{rule: sum}",
    plan_tables.ClaimTable: "{by: 30d}",
    plan_tables.ChronicTable: "{outages: 3, each_over: 30m, within: 30d}",
}


@lru_cache(1024)
def unknown(table: type[Table] | None, name: str) -> str:
    """What to do about a key that the table does not know."""
    if table is None:
        return "remove it"
    if said := _SAID.get((table, name)):
        return said
    known = {field.alias or key: field for key, field in table.model_fields.items()}
    if other := ALSO.get(table, {}).get(name.casefold()):
        return f"did you mean {other!r}?"
    key, colon, _ = name.partition(":")
    if colon and key.strip() in known:
        return f"a blank belongs after the colon: {key}: …"
    guess = meant(name, known)
    if not guess.startswith("known: "):
        return guess
    below = [key for key, field in known.items() if (inner := inside(field.annotation)) and name in _names(inner)]
    return f"it belongs to {below[0]}: {{{name}: …}}" if len(below) == 1 else guess


def misspelt(table: type[Table], node: Map, key: str) -> bool:
    """Whether some unknown key of the node means this one."""
    return any(f"{key!r}?" in unknown(table, name) for name in node.keys_at if name not in _names(table))


def keys_wanted(kind: type[Table], path: Path) -> str:
    """The remedy where a group of keys should stand."""
    table = table_at(kind, path)
    at = annotation_at(kind, path)
    if table is None and typing.get_origin(at) is dict and (inner := inside(typing.get_args(at)[1])):
        return f"write names with their keys: {path[-1]}: {{NAME: {SHAPES.get(inner, '{…}')}}}"
    if table not in SHAPES or not path:
        return "write `key: value` lines, indented below it"
    return f"write {SHAPES[table]}" if isinstance(path[-1], int) else f"write {path[-1]}: {SHAPES[table]}"


def list_wanted(kind: type[Table], path: Path, node: Node | None) -> str:
    """The remedy where a list should stand: one value is put into one; what may be a secret is not repeated."""
    args = typing.get_args(annotation_at(kind, path))
    inner = inside(args[0]) if args else None
    if inner is not None:
        return f"write {path[-1]}: [{SHAPES.get(inner, '{…}')}], or lines that begin with '- '"
    if not isinstance(node, Scalar) or len(node.text) > 60 or not node.text.isprintable():
        return "write [one, two], or lines that begin with '- '"
    plain = node.plain and not set(node.text) & set(",:[]{}")
    return f"write [{node.text}]" if plain else f'write ["{node.text}"]'


def needed(kind: type[Table], path: Path) -> str:
    """The remedy for a key that must be there."""
    table = table_at(kind, path[:-1])
    field = next((f for n, f in table.model_fields.items() if (f.alias or n) == path[-1]), None) if table else None
    if field is None:
        return ""
    inner = inside(typing.get_args(field.annotation)[0]) if typing.get_origin(field.annotation) is list else None
    if inner in SHAPES:
        return f"add {path[-1]}: [{SHAPES[inner]}]"
    return f"add {path[-1]}: {field.description}".rstrip(".") if field.description else ""


def table_at(kind: type[Table], path: Path) -> type[Table] | None:
    """The class of the table that stands at a path below a table."""
    return inside(annotation_at(kind, path))


def annotation_at(kind: type[Table], path: Path) -> Any:
    """What may stand at a path below a table; None where nothing is known."""
    inner: Any = kind
    for part in path:
        table = inside(inner)
        if table is not None:
            field = next((f for n, f in table.model_fields.items() if (f.alias or n) == part), None)
            inner = _bare(field.annotation) if field else None
        else:
            inner = _bare(typing.get_args(inner)[-1]) if typing.get_args(inner) else None
    return inner


def inside(annotation: Any) -> type[Table] | None:
    """The table that an annotation stands for, if it is one."""
    inner = _bare(annotation)
    return inner if isinstance(inner, type) and issubclass(inner, Table) else None


def _names(table: type[Table]) -> list[str]:
    return [field.alias or name for name, field in table.model_fields.items()]


def _bare(annotation: Any) -> Any:
    """An annotation without Annotated and without None."""
    while True:
        origin = typing.get_origin(annotation)
        if origin is typing.Annotated:
            annotation = typing.get_args(annotation)[0]
        elif origin in (typing.Union, types.UnionType):
            annotation = next(arg for arg in typing.get_args(annotation) if arg is not type(None))
        else:
            return annotation
