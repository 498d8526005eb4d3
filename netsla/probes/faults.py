"""Whose fault is silence? What our own host did while a probe was out, so that it is not called lost.

Rules: only evidence excuses, and only who is concerned: a socket that could not hear, a send to the same row that our
own host refused, the link it left by (as the transmit stamp tells) or its source address gone, no route to its target.
Asked only for probes that are about to be called lost, a batch at a time.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from netsla.model import IntArray, Reason, RowArray
from netsla.probes.channel import Options
from netsla.probes.flight import Flights, Records
from netsla.probes.links import SETTLE_NS, Links
from netsla.probes.netlink import Ask, Neighbour, is_near

NOT_OURS = 0xFFFF  # in place of a Reason: nothing of ours excuses it
_CHANNELS = 1 << 16
_ENOUGH = 128  # routes asked for, 7 us each, when a mass is lost at once and its packets have left
_IP_HEADER = 20  # bytes, at least: what is as long as the link now takes is not excused
CUT_OFF = (Reason.NO_ROUTE, Reason.PROHIBITED, Reason.INTERFACE_DOWN, Reason.SOURCE_GONE)
"""What refuses a packet out also keeps its answer from coming in; a full buffer or a large packet does not."""
REFUSALS: dict[int, Reason] = {
    -errno.ENETUNREACH: Reason.NO_ROUTE,
    -errno.EHOSTUNREACH: Reason.NO_ROUTE,
    -errno.EACCES: Reason.PROHIBITED,
}
_UNSENT: dict[Neighbour, Reason] = {Neighbour.TAKES: Reason.OTHER, Neighbour.UNKNOWN: Reason.BUFFER_FULL}
_PROTOCOL = {4: socket.IPPROTO_ICMP, 6: socket.IPPROTO_ICMPV6}

Reasons = npt.NDArray[np.uint16]


class OwnFaults:
    """Everything of ours that a probe's silence may be due to."""

    def __init__(self, flights: Flights, options_of: Callable[[int], Options]) -> None:
        """`options_of` gives the options of a channel by its number."""
        self._flights, self._options_of = flights, options_of
        self.links = Links()
        self._deaf_ns = np.full(_CHANNELS, -1, np.int64)  # by channel: when it last could not hear, monotonic
        self._deaf_why = np.zeros(_CHANNELS, np.uint16)
        self._refused_ns = np.zeros(0, np.int64)  # by row: when our own host last refused a send
        self._refused_why = np.zeros(0, np.uint16)
        self._stamping: set[int] = set()  # links

    def open(self, mono_ns: int) -> None:
        """Begin to watch, in the network namespace of the calling thread."""
        self.links.open(mono_ns)

    def cover(self, rows: int) -> None:
        """Make room for more rows."""
        more = rows - len(self._refused_ns)
        if more > 0:
            self._refused_ns = np.pad(self._refused_ns, (0, more), constant_values=-1)
            self._refused_why = np.pad(self._refused_why, (0, more))

    def deafen(self, number: int, why: Reason, mono_ns: int) -> None:
        """What is in flight on this channel now and is not answered cannot be called lost: we may not have heard."""
        self._deaf_ns[number], self._deaf_why[number] = mono_ns, why

    def refuse(self, rows: RowArray, reasons: Reasons, mono_ns: int) -> None:
        """Our own host refused to send to these rows: what is out to them may not find back either."""
        cut = np.isin(reasons, CUT_OFF)
        self._refused_ns[rows[cut]], self._refused_why[rows[cut]] = mono_ns, reasons[cut]

    def reasons_for(self, place: IntArray, mono_ns: int) -> Reasons:
        """Why each of these flights is unmeasured rather than lost; NOT_OURS where nothing speaks for that."""
        self.links.poll(mono_ns)
        ours = self._flights.records(place)
        sent, row, channel = ours["mono_ns"], ours["row"], ours["channel"]
        why = np.full(len(ours), NOT_OURS, np.uint16)
        deaf, refused = self._deaf_ns[channel] >= sent, self._refused_ns[row] >= sent
        why[refused] = self._refused_why[row[refused]]
        why[deaf] = self._deaf_why[channel[deaf]]
        self._by_link(ours, ours["link"], why, mono_ns)
        for i in np.flatnonzero((ours["link"] != 0) & np.isin(ours["source"], self.links.narrow)).tolist():
            if why[i] == NOT_OURS and not is_near(self._target(ours[i])):
                why[i] = Reason.SOURCE_GONE  # the host has no address at which it could be answered
        open_ones = np.flatnonzero(why == NOT_OURS)
        if len(open_ones):
            self._by_route(ours, open_ones, why, mono_ns)
        return why

    def _by_link(
        self, ours: Records, link: npt.NDArray[np.uint32], why: Reasons, mono_ns: int, after_ns: int = 0
    ) -> None:
        """A link or an address was gone while they were out; or just before, for what never left."""
        self.links.look(np.unique(link).tolist(), mono_ns)
        sent = ours["mono_ns"]
        for fault in self.links.since(int(sent.min())):
            hit = fault.concerns(link, ours["source"]) & fault.during(sent, sent + ours["timeout_ns"], after_ns)
            if fault.over:
                hit &= ours["length"] > fault.over - _IP_HEADER
            why[hit & (why == NOT_OURS)] = fault.reason

    def _by_route(self, ours: Records, chosen: IntArray, why: Reasons, mono_ns: int) -> None:
        """No route now; or, where no stamp tells the link it left by, its route leads to one that was down."""
        some = ours[chosen]
        keys = list(zip(some["channel"].tolist(), some["high"].tolist(), some["low"].tolist(), strict=True))
        # of a link-local target there is no route to ask for: its link is known from the start
        distinct = [key for key in dict.fromkeys(keys) if self._options_of(key[0]).zone is None]
        way = self._ways(distinct, all_of_them=not some["link"].all())
        ways = np.array([way.get(key, 0) for key in keys])
        for code in REFUSALS.keys() & set(ways.tolist()):
            why[chosen[ways == code]] = REFUSALS[code]
        unstamped = some["link"] == 0
        if unstamped.any():
            link = np.where(unstamped & (ways > 0), ways, 0).astype(np.uint32)
            part = why[chosen]
            self._by_link(some, link, part, mono_ns, SETTLE_NS)
            self._by_neighbour(keys, link, part)
            why[chosen] = part

    def _by_neighbour(self, keys: Sequence[tuple[int, int, int]], link: npt.NDArray[np.uint32], why: Reasons) -> None:
        """By a link that stamps what leaves, what has no stamp never left, unless it waited for a silent neighbour.

        Nothing else tells it: a ping socket's send succeeds over IPv6 though a firewall of ours, or a full queue, drops
        the packet (net/ipv6/ping.c).
        """
        found: dict[tuple[int, int, int], Neighbour] = {}
        for i in np.flatnonzero((link != 0) & (why == NOT_OURS)).tolist():
            if self._stamps(int(link[i])):
                key = keys[i]
                if key not in found:
                    found[key] = self.links.neighbour(self._ask(*key))
                why[i] = _UNSENT.get(found[key], NOT_OURS)

    def _stamps(self, link: int) -> bool:
        """Whether a link ever told when a packet left: not every driver does."""
        if link not in self._stamping and (self._flights.link == link).any():
            self._stamping.add(link)
        return link in self._stamping

    def _ways(self, keys: list[tuple[int, int, int]], *, all_of_them: bool) -> dict[tuple[int, int, int], int]:
        """The ways to these targets; of a mass, only of some of them, as long as all those have one."""
        some = keys if all_of_them else keys[:: max(len(keys) // _ENOUGH, 1)]
        found = dict(zip(some, self.links.ways([self._ask(*key) for key in some]), strict=True))
        if len(some) < len(keys) and min(found.values()) < 0:
            return self._ways(keys, all_of_them=True)
        return found

    def _target(self, one: np.void) -> bytes:
        return self._packed(int(one["channel"]), int(one["high"]), int(one["low"]))

    def _packed(self, channel: int, high: int, low: int) -> bytes:
        return low.to_bytes(4, "little") if self._options_of(channel).family == 4 else pack_words(high, low)

    def _ask(self, channel: int, high: int, low: int) -> Ask:
        options = self._options_of(channel)
        source = _packed(options.source) if options.source is not None else b""
        return Ask(self._packed(channel, high, low), source, options.dscp, 0, _PROTOCOL[options.family])

    def close(self) -> None:
        """Stop watching."""
        self.links.close()


def pack_words(high: int, low: int) -> bytes:
    """An IPv6 address from its two machine words."""
    return high.to_bytes(8, "little") + low.to_bytes(8, "little")


@lru_cache(256)
def _packed(address: str) -> bytes:
    return ipaddress.ip_address(address.partition("%")[0]).packed
