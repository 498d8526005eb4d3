"""Named ways to probe, and which of them an endpoint uses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from netsla.config.plan_tables import ObjectiveTable, ProbeTable, ReferenceProbe, TermsTable
from netsla.config.quantity import duration_text, meant
from netsla.config.source import Faults, Map, Place, Scalar, Seq
from netsla.model import SECOND, ProbeSpec, ProbeType

RESERVED = ("any", "all")  # words of uptime.feed
TIMEOUT_NS = {ProbeType.ICMP: 3 * SECOND, ProbeType.TCP: 900 * SECOND // 1000}  # below 1 s: one SYN (SLA §1)
SECOND_SYN_NS = SECOND  # Linux sends the second SYN after 1 s (RFC 6298 §2.1)
_ONLY = {"size": ProbeType.ICMP, "df": ProbeType.ICMP, "port": ProbeType.TCP, "rst": ProbeType.TCP}
_TCP_NAME = re.compile(r"(^|[._-])(tcp|https?|tls|ssh|smtps?|imaps?|web|connect)([._-]|\d|$)")


@dataclass(slots=True)
class Library:
    """The probes defined for all. `declared` are the names written there, rightly or wrongly.

    `lenient`: an evidence pack need not define the probes it names: nothing is probed from it.
    """

    probes: dict[str, ProbeSpec] = field(default_factory=dict)
    declared: set[str] = field(default_factory=set)
    lenient: bool = False
    made: dict[int, ProbeSpec | None] = field(default_factory=dict)  # by id(table): one complaint, one value

    def spec(self, name: str, table: ProbeTable, place: Place, faults: Faults) -> ProbeSpec | None:
        """The value of one table, checked once."""
        if id(table) not in self.made:
            self.made[id(table)] = _checked(name, table, place, faults)
        return self.made[id(table)]


def library(node: Map | None, tables: dict[str, ProbeTable] | None, faults: Faults) -> Library:
    """The probes of the top level; with none written, `ping` (icmp, every second)."""
    if node is None or tables is None:
        ping = ProbeSpec("ping", ProbeType.ICMP)
        return Library({"ping": ping}, {"ping"} if node is None else set(node.keys_at))
    found = Library(declared=set(node.keys_at))
    for name, table in tables.items():
        spec = found.spec(name, table, node.keys_at[name].place, faults)
        if spec is not None:
            found.probes[name] = spec
    return found


def _checked(name: str, table: ProbeTable, place: Place, faults: Faults) -> ProbeSpec | None:
    wrong = valid_name(name)
    if wrong:
        faults.add(place, f"probe {name!r}: {wrong}", "name it by letters, digits, dot, underscore and hyphen")
        return None
    kind = ProbeType(table.type)
    for key, only in _ONLY.items():
        if kind is not only and table.gives(key):
            faults.add(
                table.place(key), f"{key} has no meaning for a probe of type {kind}", f"remove it, or type: {only}"
            )
    if kind is ProbeType.TCP and table.port is None:
        if not table.gives("port"):
            faults.add(table.place(), f"probe {name!r} of type tcp has no port", "add port: 443")
        return None
    return spec_of(name, table, faults)


def spec_of(name: str, table: ProbeTable, faults: Faults) -> ProbeSpec:
    """The value of a table whose keys fit its type."""
    kind = ProbeType(table.type)
    timeout = TIMEOUT_NS[kind] if table.timeout is None else table.timeout
    if kind is ProbeType.TCP and timeout >= SECOND_SYN_NS:
        problem = f"timeout {duration_text(timeout)} leaves time for a second SYN, which hides a loss"
        faults.add(table.place("timeout"), problem, "keep the timeout of tcp probes below 1s", warning=True)
    return ProbeSpec(
        name=name,
        type=kind,
        interval_ns=table.interval,
        timeout_ns=timeout,
        size=ProbeSpec("", kind).size if table.size is None else table.size,
        dscp=table.dscp,
        ttl=table.ttl,
        df=bool(table.df),
        source=table.source,
        port=table.port,
        rst_is_up=table.rst == "up",
    )


def reference_spec(name: str, table: ReferenceProbe, place: Place, faults: Faults) -> ProbeSpec:
    """How a reference is probed."""
    return _checked(name, table, place, faults) or ProbeSpec(name, ProbeType.ICMP)


def valid_name(name: str) -> str:
    """What is wrong with a probe's name; empty when nothing is."""
    if name in RESERVED:
        return "the name is taken by uptime.feed"
    return "" if re.fullmatch(r"[A-Za-z0-9._-]{1,128}", name, re.ASCII) and name not in {".", ".."} else "not a name"


def choose(layers: Sequence[TermsTable], shelf: Library, whose: str, faults: Faults) -> tuple[ProbeSpec, ...] | None:
    """The probes of the most special level that names some; None when that is wrong (and reported)."""
    top = next((table for table in reversed(layers) if table.gives("probes")), None)
    if top is None:
        return _unnamed(layers, shelf, whose, faults)
    if top.probes is None:
        return None
    if not top.probes and not _dropped(top):
        faults.add(top.place("probes"), f"no probe watches {whose}", "name at least one: probes: [ping]")
    found = [_named(name, top, layers, shelf, faults) for name in top.probes]
    specs = tuple(spec for spec in found if spec is not None)
    return specs if specs and len(specs) == len(found) and not _dropped(top) else None


def _dropped(table: TermsTable) -> bool:
    """Whether wrong entries were cut out of what the table names."""
    written = table.node.get("probes")
    return isinstance(written, (Map, Seq)) and written.cut


def _named(
    name: str, top: TermsTable, layers: Sequence[TermsTable], shelf: Library, faults: Faults
) -> ProbeSpec | None:
    """One probe by name: defined on this level, on a more general one, or for all."""
    place = _name_place(top, name)
    for table in reversed(layers[: layers.index(top) + 1]):
        own = (table.probes or {}).get(name)
        if own is not None:
            return shelf.spec(name, own, _name_place(table, name), faults)
    if name in shelf.probes:
        return shelf.probes[name]
    if shelf.lenient and not valid_name(name):
        return _guessed(name, shelf)
    if name not in shelf.declared:
        faults.add(place, f"unknown probe {name!r}", meant(name, shelf.declared) or "define it under probes:")
    return None


def _name_place(table: TermsTable, name: str) -> Place:
    written = table.node.get("probes")
    if isinstance(written, Map) and name in written.keys_at:
        return written.keys_at[name].place
    if isinstance(written, Seq):
        return next((i.place for i in written if isinstance(i, Scalar) and i.text == name), written.place)
    return table.place("probes")


def _unnamed(layers: Sequence[TermsTable], shelf: Library, whose: str, faults: Faults) -> tuple[ProbeSpec, ...] | None:
    """Nobody names probes: the only one there is; in a pack, those that objectives speak of."""
    if shelf.lenient:
        spoken = dict.fromkeys(o.probe for o in _objectives(layers) if o.probe)
        return tuple(_guessed(name, shelf) for name in spoken or ("ping",))
    if len(shelf.probes) == 1:
        return tuple(shelf.probes.values())
    if shelf.probes:
        names = ", ".join(shelf.probes)
        faults.add(layers[-1].place(), f"no probe watches {whose}", f"name some: probes: [{names}]")
    return None


def _objectives(layers: Iterable[TermsTable]) -> list[ObjectiveTable]:
    return [objective for table in layers for objective in table.objectives or ()]


def _guessed(name: str, shelf: Library) -> ProbeSpec:
    """A probe that a pack names and does not define: TCP if its name says so, else ICMP."""
    if name not in shelf.probes:
        kind = ProbeType.TCP if _TCP_NAME.search(name.casefold()) else ProbeType.ICMP
        shelf.probes[name] = ProbeSpec(name, kind, timeout_ns=TIMEOUT_NS[kind])
    return shelf.probes[name]
