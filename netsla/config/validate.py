"""Nodes to tables: every mistake becomes a fault with its place, and what is left is still usable.

Rules: a wrong value is reported and cut out, then the rest is read again, so that the checks that follow can
find their own mistakes in the same run. What is cut out stays *given* (`Table.gives`): nobody complains twice.
"""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from netsla.config import hints
from netsla.config.hints import Path
from netsla.config.quantity import Wrong
from netsla.config.source import Faults, Map, Node, Place, Scalar, Seq, shown
from netsla.config.table import Table

T = TypeVar("T", bound=Table)

MAX_ROUNDS = 5  # each round cuts one level further up; tables nest four deep


def read(kind: type[T], node: Node, faults: Faults) -> T | None:
    """The table in a node, without its wrong parts; None when nothing usable is left."""
    left: Node = node
    for number in range(MAX_ROUNDS):
        try:
            return kind.model_validate(left)
        except ValidationError as error:
            details = error.errors(include_url=False, include_input=False)
            if number == 0:
                for detail in _once(kind, node, details):
                    _report(kind, node, detail, faults)
            cut = [detail["loc"][:-1] if detail["type"] == "missing" else detail["loc"] for detail in details]
            if () in cut:
                return None
            left = _without(left, cut)
    return None


def _once(kind: type[Table], root: Node, details: list[ErrorDetails]) -> list[ErrorDetails]:
    """The mistakes, without a missing key that stands there misspelt."""
    return [d for d in details if d["type"] != "missing" or not _misspelt(kind, root, d["loc"])]


def _misspelt(kind: type[Table], root: Node, path: Path) -> bool:
    holder, table = _walk(root, path[:-1]), hints.table_at(kind, path[:-1])
    return isinstance(holder, Map) and table is not None and hints.misspelt(table, holder, str(path[-1]))


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
        faults.add(
            _key_place(root, path), f"unknown key {shown(name)}", hints.unknown(hints.table_at(kind, path[:-1]), name)
        )
    elif detail["type"] == "missing":
        holder = _walk(root, path[:-1])
        empty = isinstance(holder, Map) and name in holder.keys_at
        place = holder.at(name) if isinstance(holder, Map) else _place(root, path)
        faults.add(place, f"{name!r} has no value" if empty else f"{name!r} is missing", hints.needed(kind, path))
    elif detail["type"] == "list_type":
        faults.add(_place(root, path), f"{name}: a list is expected", hints.list_wanted(kind, path, _walk(root, path)))
    elif _walk(root, path) is None:
        faults.add(_place(root, path), f"{name!r} is empty", "write its keys below it, indented")
    else:
        what = f"{name}: keys with values are expected" if name else "keys with values are expected"
        faults.add(_place(root, path), what, hints.keys_wanted(kind, path))


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
