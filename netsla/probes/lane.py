"""Lanes: targets laid out so that a slice of the timetable leaves in one call.

Rules: built beside the running prober, never touched by it but for the channel a lane is given. Everything is in
timetable order, so that what is due is always a contiguous slice and nothing has to be gathered.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from netsla.model import SECOND, RowArray, Target
from netsla.probes.batch import Outbox
from netsla.probes.channel import Options
from netsla.probes.flight import OUT, RECORD, Records, words_of
from netsla.probes.schedule import Timetable, pace_ns, tick_ns
from netsla.probes.sockets import NOWHERE
from netsla.wire import icmp

AT_ONCE = 1024  # packets laid out at once
HORIZON_NS = 10 * SECOND  # how long after its time limit a late reply is still known


@dataclass(slots=True)
class Lane:
    """Targets that share socket options, interval, time limit and size; columns are in timetable order."""

    options: Options | None  # None: the name is unresolved
    timetable: Timetable
    rows: RowArray
    high: npt.NDArray[np.uint64]
    low: npt.NDArray[np.uint64]
    timeout_ns: int
    size: int
    names: npt.NDArray[np.uint8] | None  # where to send, as socket addresses
    outbox: Outbox | None  # room for a turn: small, so that it stays in the processor's caches
    channel: int = NOWHERE
    checksum: bool = False

    flights: Records = field(init=False)  # as they enter the ring, but for what each send decides
    words: npt.NDArray[np.uint64] = field(init=False)  # the same memory
    fields: Records | None = field(init=False)  # of the packets: what each send decides

    def __post_init__(self) -> None:
        self.fields = None if self.outbox is None else icmp.fields(self.outbox.packets)
        self.flights = np.zeros(len(self.rows), RECORD)
        self.flights["row"], self.flights["high"], self.flights["low"] = self.rows, self.high, self.low
        self.flights["timeout_ns"], self.flights["length"] = self.timeout_ns, icmp.HEADER + self.size
        self.flights["state"] = OUT
        self.words = words_of(self.flights)

    def aim(self, scope: int) -> None:
        """The interface of link-local targets: known before any stamp tells it."""
        assert self.names is not None
        self.names[:, 24:28] = np.frombuffer(scope.to_bytes(4, "little"), np.uint8)  # sin6_scope_id
        self.flights["link"] = scope


@dataclass(slots=True)
class Layout:
    """Everything that a load makes anew, built beside the running one."""

    lanes: list[Lane]
    targets: dict[int, Target]
    rows: int
    in_flight: int
    tick_ns: int
    pace_ns: int
    packet_bytes: int


def address_words(address: str) -> tuple[int, int, int]:
    """(family, high, low): an address as the kernel lays it out, in two machine words."""
    packed = ipaddress.ip_address(address).packed
    if len(packed) == 4:
        return 4, 0, int.from_bytes(packed, "little")
    return 6, int.from_bytes(packed[:8], "little"), int.from_bytes(packed[8:], "little")


def _socket_names(family: int, high: npt.NDArray[np.uint64], low: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint8]:
    """Struct sockaddr_in, or sockaddr_in6, one a row."""
    if family == 4:
        names = np.zeros((len(low), 16), np.uint8)
        names[:, 4:8] = low.astype("<u4").view(np.uint8).reshape(-1, 4)
    else:
        names = np.zeros((len(low), 28), np.uint8)
        names[:, 8:16] = high.view(np.uint8).reshape(-1, 8)
        names[:, 16:24] = low.view(np.uint8).reshape(-1, 8)
    names[:, 0] = {4: 2, 6: 10}[family]
    return names


def lay_out(targets: Sequence[Target], generations: dict[int, int]) -> Layout:
    """Sort targets into lanes."""
    groups: dict[tuple[Options | None, int, int, int], list[tuple[Target, int, int]]] = {}
    for target in targets:
        spec, options, high, low = target.spec, None, 0, 0
        if target.address is not None:
            family, high, low = address_words(target.address)
            options = options_of(target, family, generations)
        key = (options, spec.interval_ns, spec.timeout_ns, spec.size)
        groups.setdefault(key, []).append((target, high, low))
    lanes = [_lane(*key, members) for key, members in groups.items()]
    waits = [(t.spec.timeout_ns + HORIZON_NS) / t.spec.interval_ns for t in targets]
    return Layout(
        lanes,
        {target.row: target for target in targets},
        max((target.row for target in targets), default=-1) + 1,
        int(sum(waits)) + 4 * len(targets),
        tick_ns({target.spec.interval_ns for target in targets}),
        pace_ns(sum(SECOND / target.spec.interval_ns for target in targets)),
        max((target.spec.size for target in targets), default=56) + 128,
    )


def options_of(target: Target, family: int, generations: dict[int, int]) -> Options:
    """The socket that a target needs; `generations` says which rows left an old id behind."""
    spec, zone = target.spec, (target.address or "").partition("%")[2] or None
    return Options(family, spec.dscp, spec.ttl, spec.df, spec.source, generations.get(target.row, 0), zone)


def _lane(
    options: Options | None, interval_ns: int, timeout_ns: int, size: int, members: list[tuple[Target, int, int]]
) -> Lane:
    timetable = Timetable([target.key for target, _, _ in members], interval_ns)
    rows = np.array([target.row for target, _, _ in members], np.int32)[timetable.order]
    high = np.array([high for _, high, _ in members], np.uint64)[timetable.order]
    low = np.array([low for _, _, low in members], np.uint64)[timetable.order]
    outbox = names = None
    if options is not None:
        names = _socket_names(options.family, high, low)
        most = min(len(members), AT_ONCE)
        outbox = Outbox(np.zeros_like(names[:most]), icmp.requests(options.family, size, most))
    return Lane(options, timetable, rows, high, low, timeout_ns, size, names, outbox)
