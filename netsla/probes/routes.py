"""Targets of TCP probes, ready to connect, in the order of their timetables."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass

from netsla.model import ProbeSpec, Target
from netsla.probes.handshake import is_plain
from netsla.probes.schedule import Timetable


@dataclass(frozen=True, slots=True)
class Route:
    """One target, ready to connect."""

    row: int
    spec: ProbeSpec
    family: int
    address: tuple[str, int] | None  # None: the name is unresolved
    zone: str  # the interface, of a link-local address
    plain: bool  # no socket option beyond the defaults


@dataclass(frozen=True, slots=True)
class Round:
    """Targets of one interval."""

    timetable: Timetable
    routes: list[Route]  # in timetable order


def route_to(target: Target) -> Route:
    """How to connect to a target."""
    spec, address = target.spec, target.address
    family = socket.AF_INET6 if address and ":" in address else socket.AF_INET
    number, _, zone = (address or "").partition("%")
    where = (number, spec.port or 0) if address else None
    return Route(target.row, spec, family, where, zone, is_plain(spec, family))


def rounds(targets: Sequence[Target]) -> list[Round]:
    """Sort targets into rounds, one for each interval."""
    groups: dict[int, list[Target]] = {}
    for target in targets:
        groups.setdefault(target.spec.interval_ns, []).append(target)
    found = []
    for interval, members in groups.items():
        timetable = Timetable([target.key for target in members], interval)
        routes = [route_to(target) for target in members]
        found.append(Round(timetable, [routes[i] for i in timetable.order]))
    return found
