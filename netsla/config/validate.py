"""Nodes to tables: every mistake becomes a fault with its place, and what is left is still usable.

Rules: a wrong value is reported and cut out, then the rest is read again, so that the checks that follow can
find their own mistakes in the same run. What is cut out stays *given* (`Table.gives`): nobody complains twice.
"""

from __future__ import annotations

import types
import typing
from typing import Any, TypeAlias, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from netsla.config import plan_tables, tables
from netsla.config.quantity import Wrong, meant
from netsla.config.source import Faults, Map, Node, Place, Scalar, Seq
from netsla.config.table import Table

T = TypeVar("T", bound=Table)
Path: TypeAlias = tuple[int | str, ...]

MAX_ROUNDS = 5  # each round cuts one level further up; tables nest four deep

_TIERS = "tiers are thresholds without holes: {below: 99.9%, credit: 5%}, worse ones after it"
_HINTS: dict[tuple[type[Table], str], str] = {
    (
        plan_tables.TierTable,
        "from",
    ): _TIERS,
    (
        plan_tables.TierTable,
        "to",
    ): _TIERS,
    (tables.ConfigTable, "endpoints"): "endpoints belong to an agreement: agreements: [{id: …, endpoints: […]}]",
    (tables.ConfigTable, "objectives"): "objectives belong to a plan or an agreement",
    (tables.AgreementTable, "monthly_charge"): "it belongs to service: {monthly_charge: …}",
    (tables.AgreementTable, "review"): "it belongs to term: {review: …}",
}


def read(kind: type[T], node: Node, faults: Faults) -> T | None:
    """The table in a node, without its wrong parts; None when nothing usable is left."""
    left: Node = node
    for number in range(MAX_ROUNDS):
        try:
            return kind.model_validate(left)
        except ValidationError as error:
            details = error.errors(include_url=False, include_input=False)
            if number == 0:
                for detail in _once(kind, details):
                    _report(kind, node, detail, faults)
            cut = [detail["loc"][:-1] if detail["type"] == "missing" else detail["loc"] for detail in details]
            if () in cut:
                return None
            left = _without(left, cut)
    return None


def _once(kind: type[Table], details: list[ErrorDetails]) -> list[ErrorDetails]:
    """The mistakes, without a missing key that stands there misspelt."""
    misspelt = {
        (detail["loc"][:-1], key)
        for detail in details
        if detail["type"] == "extra_forbidden"
        for key in _keys(kind, detail["loc"])
        if f"{key!r}?" in _unknown(kind, detail["loc"], str(detail["loc"][-1]))
    }
    return [d for d in details if d["type"] != "missing" or (d["loc"][:-1], d["loc"][-1]) not in misspelt]


def _without(node: Node, cut: list[Path]) -> Node:
    """A copy of the node that lacks what stands at the paths; its places stay."""
    if isinstance(node, Map):
        copy = Map(node.place, cut=any(len(path) == 1 for path in cut))
        copy.keys_at = node.keys_at
        for key, value in node.items():
            below = [path[1:] for path in cut if path[0] == key]
            if () not in below:
                copy[key] = _without(value, below) if below else value
        return copy
    if isinstance(node, Seq):
        rest = Seq(node.place, cut=any(len(path) == 1 for path in cut))
        for i, item in enumerate(node):
            below = [path[1:] for path in cut if path[0] in (i, item.text if isinstance(item, Scalar) else None)]
            if () not in below:
                rest.append(_without(item, below) if below else item)
        return rest
    return node


def _report(kind: type[Table], root: Node, detail: ErrorDetails, faults: Faults) -> None:
    path = detail["loc"]
    wrong = detail.get("ctx", {}).get("error")
    name = next((part for part in reversed(path) if isinstance(part, str)), "")
    if isinstance(wrong, Wrong):
        place = Place(*wrong.place) if wrong.place else _place(root, path)
        faults.add(place, f"{name}: {wrong.problem}" if name else wrong.problem, wrong.remedy)
    elif detail["type"] == "extra_forbidden":
        faults.add(_key_place(root, path), f"unknown key {name!r}", _unknown(kind, path, name))
    elif detail["type"] == "missing":
        holder = _walk(root, path[:-1])
        empty = isinstance(holder, Map) and name in holder.keys_at
        place = holder.at(name) if isinstance(holder, Map) else _place(root, path)
        faults.add(place, f"{name!r} has no value" if empty else f"{name!r} is missing", _describe(kind, path))
    elif detail["type"] == "list_type":
        faults.add(_place(root, path), f"{name}: a list is expected", "write [one, two], or lines that begin with '- '")
    elif _walk(root, path) is None:
        faults.add(_place(root, path), f"{name!r} is empty", "write its keys below it, indented")
    else:
        what = f"{name}: keys with values are expected" if name else "keys with values are expected"
        faults.add(_place(root, path), what, "write `key: value` lines, indented below it")


def _walk(node: Any, path: Path) -> Any:
    """The node at a path, None when there is none."""
    for part in path:
        if isinstance(node, Map):
            node = node.get(str(part))
        elif isinstance(node, Seq):
            named = [item for item in node if isinstance(item, Scalar) and item.text == part]
            node = node[part] if isinstance(part, int) else named[0] if named else None
        else:
            return None
    return node


def _place(root: Node, path: Path) -> Place:
    """The place of the deepest node there is along a path."""
    while path:
        found = _walk(root, path)
        if found is not None:
            return Place(*found.place)
        holder = _walk(root, path[:-1])
        if isinstance(holder, Map) and path[-1] in holder.keys_at:
            return holder.at(str(path[-1]))
        path = path[:-1]
    return root.place


def _key_place(root: Node, path: Path) -> Place:
    holder = _walk(root, path[:-1])
    return holder.keys_at[str(path[-1])].place if isinstance(holder, Map) else _place(root, path)


def _table_at(kind: type[Table], path: Path) -> type[Table] | None:
    """The class of the table that stands at a path below a table."""
    inner: Any = kind
    for part in path:
        if isinstance(inner, type) and issubclass(inner, Table):
            field = next((f for n, f in inner.model_fields.items() if (f.alias or n) == part), None)
            inner = _strip(field.annotation) if field else None
        else:
            inner = _strip(typing.get_args(inner)[-1]) if typing.get_args(inner) else None
    return inner if isinstance(inner, type) and issubclass(inner, Table) else None


def _strip(annotation: Any) -> Any:
    """An annotation without Annotated and without None."""
    while True:
        origin = typing.get_origin(annotation)
        if origin is typing.Annotated:
            annotation = typing.get_args(annotation)[0]
        elif origin in (typing.Union, types.UnionType):
            annotation = next(arg for arg in typing.get_args(annotation) if arg is not type(None))
        else:
            return annotation


def _unknown(kind: type[Table], path: Path, name: str) -> str:
    table = _table_at(kind, path[:-1])
    if table is None:
        return "remove it"
    return _HINTS.get((table, name)) or meant(name, _keys(kind, path))


def _keys(kind: type[Table], path: Path) -> list[str]:
    """The keys that the table around a path knows."""
    table = _table_at(kind, path[:-1])
    return [] if table is None else [f.alias or n for n, f in table.model_fields.items()]


def _describe(kind: type[Table], path: Path) -> str:
    table = _table_at(kind, path[:-1])
    if table is None:
        return ""
    field = next((f for n, f in table.model_fields.items() if (f.alias or n) == path[-1]), None)
    return f"add {path[-1]}: {field.description}".rstrip(".") if field and field.description else ""
