"""What comes in on ICMP sockets, and what it decides: stamps, errors, replies, drops.

Rules: a reply is ours only if its number and nonce are those of a probe in flight, it comes from the address that was
asked, has the right type, length and checksum, and is the first. Everything else is a stranger: counted, and without
effect. An ICMP error is believed if what it quotes is a probe in flight, but it waits for the time limit: a reply in
time is a reply (errors can be forged, and are read before replies). Whole batches; only errors are taken singly.
"""

from __future__ import annotations

import ipaddress
import struct

import numpy as np
import numpy.typing as npt

from netsla.model import IntArray, Outcome, Reason, SampleFlag
from netsla.probes import flight
from netsla.probes.audit import Audit, Clock
from netsla.probes.batch import (
    EE_ORIGIN_ICMP,
    EE_ORIGIN_ICMP6,
    EE_ORIGIN_LOCAL,
    EE_ORIGIN_TIMESTAMPING,
    Inbox,
    every,
)
from netsla.probes.channel import Channel
from netsla.probes.faults import NOT_OURS, OwnFaults
from netsla.probes.flight import Flights, Records
from netsla.probes.netlink import word_of
from netsla.probes.outlet import Outlet
from netsla.probes.session import Sessions
from netsla.wire import icmp

_INBOX = 1024  # packets read at once
_ROUNDS = 128  # batches read before the tick goes on: a flood must not keep us from sending
STEP_NS = 1_000_000  # wall and monotonic clock part by more only when the wall was set
_LINK_HEAD = {4: 8 << 32 | 0, 6: 50 << 32 | 41}  # level and type of IP_PKTINFO, IPV6_PKTINFO, as one number
_RECVERR = ((0, 11), (41, 25))
_LINK_AT, _BARE_ORIGIN = 64, 84  # bytes of control messages: of the link, behind the stamp; of the origin without one
_ORIGIN = {4: _LINK_AT + 52, 6: _LINK_AT + 60}
_FATAL = {EE_ORIGIN_ICMP: (3, 11, 12), EE_ORIGIN_ICMP6: (1, 2, 3, 4)}
"""ICMP types that end a probe: unreachable, (too big,) time exceeded, parameter problem. A redirect does not."""


class Listener:
    """Reads channels, decides flights."""

    def __init__(
        self, flights: Flights, outlet: Outlet, sessions: Sessions, audit: Audit, clock: Clock, faults: OwnFaults
    ) -> None:
        self._flights, self._outlet, self._sessions, self._faults = flights, outlet, sessions, faults
        self._audit, self._clock = audit, clock
        self._inbox = Inbox(_INBOX, 256)
        self._order = np.arange(_INBOX)
        self._mark = np.zeros(flights.size, np.int64)
        self.offenders: dict[int, str] = {}

    def prepare(self, packet_bytes: int) -> None:
        """Make room for packets of this size, and for a ring that has grown."""
        self._mark = np.zeros(self._flights.size, np.int64)
        if packet_bytes > self._inbox.packets.shape[1]:
            self._inbox = Inbox(_INBOX, packet_bytes)

    def read(self, number: int, channel: Channel) -> None:
        """Take in everything that waits on a channel."""
        channel.unread = 0
        dropped = channel.new_drops()
        if dropped:
            self._audit.drops += dropped
            self._faults.deafen(number, Reason.RECEIVE_DROP, self._clock.mono())
        self.read_errors(channel)
        for _ in range(_ROUNDS):
            count = self._inbox.receive(channel.fd)
            if not count:
                return
            self._take_replies(count, channel)
        # more comes in than we can read
        self._faults.deafen(number, Reason.RECEIVE_DROP, self._clock.mono())

    def read_errors(self, channel: Channel) -> bool:
        """Take in transmit stamps and ICMP errors; returns whether there was an error that a later send may raise."""
        inbox, troubled = self._inbox, False
        for _ in range(_ROUNDS):
            count = inbox.receive(channel.fd, errors=True)
            if count:
                troubled |= self._take_stamps(count, channel)
            if count < inbox.size:
                break
        return troubled

    def _take_stamps(self, count: int, channel: Channel) -> bool:
        inbox, flights, family = self._inbox, self._flights, channel.options.family
        stamps = inbox.stamps(count)
        linked = inbox.control_u64[:count, _LINK_AT // 8 + 1] == _LINK_HEAD[family]
        origin = inbox.control[:count, _ORIGIN[family]]
        tokens = icmp.tokens(inbox.packets[:count], inbox.lengths[:count])
        run = flights.run(*tokens) if every(linked & (stamps > 0) & (origin == EE_ORIGIN_TIMESTAMPING)) else None
        if run is not None:
            flights.tx_ns[run] = stamps
            self._take_ways(run, slice(count), family)
            return False
        origin = np.where(linked, origin, inbox.control[:count, _BARE_ORIGIN])
        is_tx = (stamps > 0) & (origin == EE_ORIGIN_TIMESTAMPING)
        place, _, known = flights.find(*tokens)
        known &= is_tx
        flights.tx_ns[place[known]] = stamps[known]
        known &= linked
        self._take_ways(place[known], np.flatnonzero(known), family)
        errors = np.flatnonzero(~is_tx)
        raised = [self._take_error(int(i), channel) for i in errors]
        return any(raised)

    def _take_ways(self, place: slice | IntArray, which: slice | IntArray, family: int) -> None:
        """By which link, and from which address, these left."""
        flights, words = self._flights, self._inbox.control_u32
        if family == 4:
            flights.link[place], flights.source[place] = words[which, 20], words[which, 21]
        else:
            halves = self._inbox.control_u64
            flights.link[place], flights.source[place] = words[which, 24], halves[which, 18] ^ halves[which, 19]

    def _take_error(self, i: int, channel: Channel) -> bool:
        """An ICMP error, or an error of our own stack, from the error queue: rare, so one by one.

        Returns whether a later send may raise it. An error of our own stack is raised by the send it is of, and by no
        other: with DF, each try of a packet that is too long leaves one here (ip_local_error).
        """
        control = self._inbox.control[i]
        base = error_at(control.tobytes(), int(self._inbox.control_lengths[i]))
        if base is None:
            return True
        self._take_icmp_error(i, base, channel)
        return bool(control[base + 20] != EE_ORIGIN_LOCAL)

    def _take_icmp_error(self, i: int, base: int, channel: Channel) -> None:
        control, packet = self._inbox.control[i], self._inbox.packets[i]
        origin, kind, code = (int(x) for x in control[base + 20 : base + 23])
        if kind not in _FATAL.get(origin, ()):
            return  # not the end of a probe, or an error of our own send, which the send itself has told
        if channel.raw and int(packet[4]) << 8 | int(packet[5]) != channel.identifier:
            return  # a raw socket is told of everybody's errors
        place = self._find_quoted(i, channel.options.family)
        if place is None:
            self._audit.strangers += 1
            return
        row = int(self._flights.row[place])
        name = control[base + 32 : base + 60]
        offender = (name[4:8] if channel.options.family == 4 else name[8:24]).tobytes()
        if self._faults.links.owns(word_of(offender)) and not len(self._excuse(np.array([place]))):
            return  # our own host could not hand it on, since a link of ours was down
        self.offenders[row] = str(ipaddress.ip_address(offender))
        if not self._flights.refused[place]:
            self._flights.refused[place] = kind << 8 | code

    def _source(self, i: int, family: int) -> tuple[int, int]:
        name = self._inbox.names[i]
        if family == 4:
            return 0, int.from_bytes(name[4:8].tobytes(), "little")
        return int.from_bytes(name[8:16].tobytes(), "little"), int.from_bytes(name[16:24].tobytes(), "little")

    def _find_quoted(self, i: int, family: int) -> int | None:
        """The probe in flight that an error quotes: by its token if it is quoted in full (no forger knows that).

        Else the newest to this address with this 16-bit sequence: the 8 bytes that every router quotes.
        """
        flights, packet, length = self._flights, self._inbox.packets[i], int(self._inbox.lengths[i])
        if length < icmp.HEADER or packet[0] != icmp.ECHO_REQUEST[family]:
            return None
        sequence = int(packet[6]) << 8 | int(packet[7])
        high, low = self._source(i, family)
        number = flights.head - 1 - ((flights.head - 1 - sequence) & 0xFFFF)
        while number >= 0 and number >= flights.head - flights.size:
            at = number & (flights.size - 1)
            if flights.state[at] == flight.OUT and flights.low[at] == low and flights.high[at] == high:
                return at if self._quotes(packet, length, number) else None
            number -= 0x10000
        return None

    def _quotes(self, packet: npt.NDArray[np.uint8], length: int, number: int) -> bool:
        """Whether a quotation does not contradict the probe of this number."""
        at = number & (self._flights.size - 1)
        whole = int(self._flights.length[at])
        if length < whole:
            return True
        token = number.to_bytes(8, "little") + int(self._flights.nonce[at]).to_bytes(8, "little")
        return packet[whole - icmp.TOKEN : whole].tobytes() == token

    def _take_replies(self, count: int, channel: Channel) -> None:
        inbox, flights = self._inbox, self._flights
        packets, lengths = inbox.packets[:count], inbox.lengths[:count]
        place, ours, valid = flights.find(*icmp.tokens(packets, lengths))
        family = channel.options.family
        if channel.raw and family == 4:
            start = (packets[:, 0] & 15).astype(np.int64) * 4
            kind = packets[np.arange(count), start]
            valid &= lengths - start == ours["length"]
            valid &= icmp.intact(packets, start, lengths)  # for a raw socket the kernel does not check it
        else:
            kind = packets[:, 0]
            valid &= lengths == ours["length"]
        valid &= kind == icmp.ECHO_REPLY[family]
        if family == 4:
            valid &= inbox.names_u32[:count, 1] == ours["low"]
        else:
            words = np.ascontiguousarray(inbox.names[:count, 8:24]).view("<u8")
            valid &= (words[:, 0] == ours["high"]) & (words[:, 1] == ours["low"])
        stamps = inbox.stamps(count)
        if not every(valid):
            self._audit.strangers += count - int(valid.sum())
            place, ours, stamps = place[valid], ours[valid], stamps[valid]
        self._accept(place, ours, stamps)

    def _accept(self, place: IntArray, ours: Records, stamps: IntArray) -> None:
        """Replies to our probes, in order of arrival."""
        if not len(place):
            return
        flights = self._flights
        self._mark[place[::-1]] = self._order[: len(place)][::-1]
        first = self._mark[place] == self._order[: len(place)]
        state = ours["state"]
        rtt, flags = self._round_trips(ours, stamps)
        fresh = first & (state == flight.OUT)
        in_time = fresh & (rtt <= ours["timeout_ns"])
        if every(in_time):
            flights.state[place] = flight.ANSWERED
            self._outlet.tell_records(ours, Outcome.ANSWERED, rtt, flags)
            self._sessions.heard(ours["row"], self._clock.mono())
            return
        overdue = fresh & ~in_time
        again = ~in_time & ~overdue & ~(first & (state == flight.LOST)) & (state != flight.UNHEARD)
        flights.state[place[in_time]] = flight.ANSWERED
        self._outlet.tell(place[in_time], Outcome.ANSWERED, rtt[in_time], flags[in_time])
        self._sessions.heard(flights.row[place[in_time]], self._clock.mono())
        self._outlet.tell(self._excuse(self._tell_refused(place[overdue])), Outcome.LOST)
        late = (overdue & (flights.state[place] != flight.UNHEARD)) | (first & (state == flight.LOST))
        flights.state[place[late]] = flight.TOLD
        self._outlet.tell(place[late], Outcome.LATE, rtt[late], flags[late])
        self._outlet.tell(place[again], Outcome.DUPLICATE)

    def _round_trips(self, ours: Records, stamps: IntArray) -> tuple[IntArray, npt.NDArray[np.uint8]]:
        """RTT in ns by kernel stamps; where the wall clock was set in flight, put right by the monotonic one."""
        mono, wall = self._clock.both()
        sent, flags = ours["tx_ns"], np.zeros(len(ours), np.uint8)
        if not (every(sent) and every(stamps)):
            flags[(sent == 0) | (stamps == 0)] = SampleFlag.USER_STAMP
            sent = np.where(sent == 0, ours["wall_ns"], sent)
            stamps = np.where(stamps == 0, wall, stamps)
        rtt = stamps - sent
        elapsed = mono - ours["mono_ns"]
        stepped = (rtt < 0) | (rtt > elapsed + STEP_NS)
        if np.count_nonzero(stepped):
            shift = (wall - mono) - (ours["wall_ns"] - ours["mono_ns"])
            rtt = np.where(stepped, np.clip(rtt - shift, 0, elapsed), rtt)
            flags[stepped] |= np.uint8(SampleFlag.CLOCK_STEP)
        return rtt, flags

    def lose(self, place: IntArray) -> None:
        """These are overdue: lost, or unheard because our own host could not hear while they were out."""
        place = self._excuse(self._tell_refused(place))
        if len(place):
            self._flights.state[place] = flight.LOST
            self._outlet.tell(place, Outcome.LOST)
            self._sessions.missed(self._flights.row[place], self._clock.mono())

    def _tell_refused(self, place: IntArray) -> IntArray:
        """Tell those of which an error has come; returns the others."""
        detail = self._flights.refused[place]
        refused = detail > 0
        if not refused.any():
            return place
        self._flights.state[place[refused]] = flight.LOST
        self._outlet.tell(place[refused], Outcome.REFUSED, detail=detail[refused])
        others: IntArray = place[~refused]
        return others

    def _excuse(self, place: IntArray) -> IntArray:
        """Tell those that are our own fault as unmeasured; returns the others."""
        if not len(place):
            return place
        why = self._faults.reasons_for(place, self._clock.mono())
        ours = why != NOT_OURS
        self._flights.state[place[ours]] = flight.UNHEARD
        self._outlet.tell(place[ours], Outcome.UNMEASURED, detail=why[ours])
        others: IntArray = place[~ours]
        return others


def error_at(control: bytes, length: int) -> int | None:
    """Where the extended error stands among the control messages of an entry of the error queue."""
    at = 0
    while at + 16 <= min(length, len(control)):
        size, level, kind = struct.unpack_from("qii", control, at)
        if (level, kind) in _RECVERR:
            return at
        at += max(size + 7 & ~7, 16)
    return None
