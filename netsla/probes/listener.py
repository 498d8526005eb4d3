"""What comes in on ICMP sockets, and what it decides: stamps, errors, replies, drops.

Rules: a reply is ours only if its number and nonce are those of a probe in flight, it comes from the address that was
asked, has the right type and length, and is the first. Everything else is a stranger: counted, and without effect.
Whole batches; only ICMP errors are taken one by one.
"""

from __future__ import annotations

import ipaddress

import numpy as np
import numpy.typing as npt

from netsla.model import IntArray, Outcome, Reason, SampleFlag
from netsla.probes import flight
from netsla.probes.audit import Audit, Clock
from netsla.probes.batch import EE_ORIGIN_ICMP, EE_ORIGIN_ICMP6, EE_ORIGIN_TIMESTAMPING, Inbox
from netsla.probes.channel import Channel
from netsla.probes.flight import Flights
from netsla.probes.outlet import Outlet
from netsla.probes.session import Sessions
from netsla.wire import icmp

_INBOX = 1024  # packets read at once
STEP_NS = 1_000_000  # wall and monotonic clock part by more only when the wall was set
_CHANNELS = 256


class Listener:
    """Reads channels, decides flights."""

    def __init__(self, flights: Flights, outlet: Outlet, sessions: Sessions, audit: Audit, clock: Clock) -> None:
        self._flights, self._outlet, self._sessions = flights, outlet, sessions
        self._audit, self._clock = audit, clock
        self._inbox = Inbox(_INBOX, 256)
        self._order = np.arange(_INBOX)
        self._mark = np.zeros(flights.size, np.int64)
        self._drop_mono = np.full(_CHANNELS, -1, np.int64)
        self.offenders: dict[int, str] = {}

    def prepare(self, packet_bytes: int) -> None:
        """Make room for packets of this size, and for a ring that has grown."""
        self._mark = np.zeros(self._flights.size, np.int64)
        if packet_bytes > self._inbox.packets.shape[1]:
            self._inbox = Inbox(_INBOX, packet_bytes)

    def read(self, number: int, channel: Channel) -> None:
        """Take in everything that waits on a channel; its number finds its drops again."""
        inbox = self._inbox
        while count := inbox.receive(channel.fd, errors=True):
            self._take_stamps(count, channel)
            if count < inbox.size:
                break
        while count := inbox.receive(channel.fd):
            self._take_replies(count, channel)
            if count < inbox.size:
                break
        dropped = channel.new_drops()
        if dropped:
            self._audit.drops += dropped
            self._drop_mono[number] = self._clock.mono()

    def _take_stamps(self, count: int, channel: Channel) -> None:
        inbox, flights = self._inbox, self._flights
        stamps = inbox.stamps(count)
        is_tx = (stamps > 0) & (inbox.control[:count, 84] == EE_ORIGIN_TIMESTAMPING)
        lengths = inbox.lengths[:count]
        place, known = flights.find(*icmp.tokens(inbox.packets[:count], lengths))
        known &= is_tx
        flights.tx_ns[place[known]] = stamps[known]
        for i in np.flatnonzero(~is_tx):
            self._take_error(int(i), 64 if stamps[i] else 0, channel)

    def _take_error(self, i: int, base: int, channel: Channel) -> None:
        """An ICMP error, or an error of our own stack, from the error queue: rare, so one by one."""
        control, packet = self._inbox.control[i], self._inbox.packets[i]
        origin, kind, code = (int(x) for x in control[base + 20 : base + 23])
        if origin not in (EE_ORIGIN_ICMP, EE_ORIGIN_ICMP6):
            return  # an error of our own send: the send itself has told it
        high, low = self._source(i, channel.options.family)
        place = self._find_quoted(int(packet[6]) << 8 | int(packet[7]), high, low)
        if place is None:
            return
        self._flights.state[place] = flight.ANSWERED
        row = int(self._flights.row[place])
        name = control[base + 32 : base + 60]
        offender = name[4:8] if channel.options.family == 4 else name[8:24]
        self.offenders[row] = str(ipaddress.ip_address(offender.tobytes()))
        self._outlet.tell(np.array([place]), Outcome.REFUSED, detail=np.array([kind << 8 | code], np.uint16))

    def _source(self, i: int, family: int) -> tuple[int, int]:
        name = self._inbox.names[i]
        if family == 4:
            return 0, int.from_bytes(name[4:8].tobytes(), "little")
        return int.from_bytes(name[8:16].tobytes(), "little"), int.from_bytes(name[16:24].tobytes(), "little")

    def _find_quoted(self, sequence: int, high: int, low: int) -> int | None:
        """The newest probe in flight to this address with this 16-bit sequence: all that an error may quote."""
        flights = self._flights
        number = flights.head - 1 - ((flights.head - 1 - sequence) & 0xFFFF)
        while number >= 0 and number >= flights.head - flights.size:
            at = number & (flights.size - 1)
            if flights.state[at] == flight.OUT and flights.low[at] == low and flights.high[at] == high:
                return at
            number -= 0x10000
        return None

    def _take_replies(self, count: int, channel: Channel) -> None:
        inbox, flights = self._inbox, self._flights
        packets, lengths = inbox.packets[:count], inbox.lengths[:count]
        place, valid = flights.find(*icmp.tokens(packets, lengths))
        family = channel.options.family
        if channel.raw and family == 4:
            start = (packets[:, 0] & 15).astype(np.int64) * 4
            kind = packets[np.arange(count), start]
            valid &= lengths - start == flights.length[place]
        else:
            kind = packets[:, 0]
            valid &= lengths == flights.length[place]
        valid &= kind == icmp.ECHO_REPLY[family]
        names = inbox.names[:count]
        if family == 4:
            valid &= np.ascontiguousarray(names[:, 4:8]).view("<u4")[:, 0] == flights.low[place]
        else:
            words = np.ascontiguousarray(names[:, 8:24]).view("<u8")
            valid &= (words[:, 0] == flights.high[place]) & (words[:, 1] == flights.low[place])
        self._audit.strangers += count - int(valid.sum())
        self._accept(place[valid], inbox.stamps(count)[valid])

    def _accept(self, place: IntArray, stamps: IntArray) -> None:
        """Replies to our probes, in order of arrival."""
        if not len(place):
            return
        flights = self._flights
        self._mark[place[::-1]] = self._order[: len(place)][::-1]
        first = self._mark[place] == self._order[: len(place)]
        state = flights.state[place]
        rtt, flags = self._round_trips(place, stamps)
        fresh = first & (state == flight.OUT)
        in_time = fresh & (rtt <= flights.timeout_ns[place])
        late = (fresh & ~in_time) | (first & (state == flight.LOST))
        again = ~in_time & ~late
        if in_time.all():
            flights.state[place] = flight.ANSWERED
            self._outlet.tell(place, Outcome.ANSWERED, rtt, flags)
            self._sessions.heard(flights.row[place])
            return
        flights.state[place[in_time]] = flight.ANSWERED
        self._outlet.tell(place[in_time], Outcome.ANSWERED, rtt[in_time], flags[in_time])
        self._sessions.heard(flights.row[place[in_time]])
        self._outlet.tell(place[fresh & ~in_time], Outcome.LOST)
        flights.state[place[late]] = flight.TOLD
        self._outlet.tell(place[late], Outcome.LATE, rtt[late], flags[late])
        self._outlet.tell(place[again], Outcome.DUPLICATE)

    def _round_trips(self, place: IntArray, stamps: IntArray) -> tuple[IntArray, npt.NDArray[np.uint8]]:
        """RTT in ns by kernel stamps; where the wall clock was set in flight, put right by the monotonic one."""
        flights = self._flights
        mono, wall = self._clock.mono(), self._clock.wall()
        sent = flights.tx_ns[place]
        unstamped = (sent == 0) | (stamps == 0)
        sent = np.where(sent == 0, flights.wall_ns[place], sent)
        rtt = np.where(stamps == 0, wall, stamps) - sent
        flags = np.where(unstamped, SampleFlag.USER_STAMP, 0).astype(np.uint8)
        elapsed = mono - flights.mono_ns[place]
        stepped = (rtt < 0) | (rtt > elapsed + STEP_NS)
        if stepped.any():
            shift = (wall - mono) - (flights.wall_ns[place] - flights.mono_ns[place])
            rtt = np.where(stepped, np.clip(rtt - shift, 0, elapsed), rtt)
            flags[stepped] |= SampleFlag.CLOCK_STEP
        return rtt, flags

    def lose(self, place: IntArray) -> None:
        """These are overdue: lost, or unheard because our own buffer was full while they were out."""
        flights = self._flights
        flights.state[place] = flight.LOST
        if self._audit.drops:
            dropped = self._drop_mono[flights.channel[place]] >= flights.mono_ns[place]
            full = np.full(int(dropped.sum()), Reason.RECEIVE_DROP, np.uint16)
            flights.state[place[dropped]] = flight.ANSWERED
            self._outlet.tell(place[dropped], Outcome.UNMEASURED, detail=full)
            place = place[~dropped]
        self._outlet.tell(place, Outcome.LOST)
        self._sessions.missed(flights.row[place], self._clock.mono())
