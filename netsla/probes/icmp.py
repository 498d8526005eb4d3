"""The ICMP prober: one thread, shared sockets, whole batches, kernel time at both ends.

A tick reads (stamps and errors first, then replies), sends what is due, and expires what is overdue: always in
this order, because nothing may be called lost before everything that has arrived was read. Nothing here loops
over probes in Python but what is rare (errors, checks of sessions).
"""

from __future__ import annotations

import errno
import ipaddress
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from netsla.errors import HostError
from netsla.model import SECOND, IntArray, Outcome, Reason, RowArray, SampleFlag, Samples, Target
from netsla.probes import flight
from netsla.probes.batch import (
    EE_ORIGIN_ICMP,
    EE_ORIGIN_ICMP6,
    EE_ORIGIN_TIMESTAMPING,
    Inbox,
    Outbox,
    random_words,
)
from netsla.probes.channel import Channel, Options
from netsla.probes.flight import Flights
from netsla.probes.prober import LATENESS_BOUNDS, ProberFacts
from netsla.probes.schedule import Timetable, tick_ns
from netsla.probes.session import Sessions, Suspect
from netsla.wire import icmp

_HORIZON_NS = 10 * SECOND  # how long after its time limit a late reply is still known
_STALL_NS = 500_000_000  # slots older than this were missed; they are not made up for
_RETRY_NS = 10 * SECOND  # between attempts to open a socket that the host refuses
_INBOX = 1024  # packets read at once
_STEP_NS = 1_000_000  # wall and monotonic clock part by more only when the wall was set
_RETRIES = 3
_NOWHERE = 255  # channel number of a probe that has no socket

REASONS: dict[int, Reason] = {
    errno.ENETUNREACH: Reason.NO_ROUTE,
    errno.EHOSTUNREACH: Reason.NO_ROUTE,
    errno.EINVAL: Reason.NO_ROUTE,  # a blackhole route
    errno.EPERM: Reason.PROHIBITED,
    errno.EACCES: Reason.PROHIBITED,
    errno.ENOBUFS: Reason.BUFFER_FULL,
    errno.EAGAIN: Reason.BUFFER_FULL,
    errno.ENOMEM: Reason.BUFFER_FULL,
    errno.EMSGSIZE: Reason.MESSAGE_TOO_LONG,
    errno.EADDRNOTAVAIL: Reason.SOURCE_GONE,
    errno.EMFILE: Reason.NO_DESCRIPTORS,
    errno.ENFILE: Reason.NO_DESCRIPTORS,
    errno.ENETDOWN: Reason.INTERFACE_DOWN,
    errno.ENODEV: Reason.INTERFACE_DOWN,
    errno.ENXIO: Reason.INTERFACE_DOWN,
}


class Clock:
    """The seam for time: wall and monotonic, in nanoseconds."""

    wall = staticmethod(time.time_ns)
    mono = staticmethod(time.monotonic_ns)


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
    outbox: Outbox | None
    channel: int = _NOWHERE
    checksum: bool = False


@dataclass(slots=True)
class Layout:
    """Everything that a load makes anew, built beside the running one."""

    lanes: list[Lane]
    targets: dict[int, Target]
    rows: int
    in_flight: int
    tick_ns: int
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
            options = _options(target, family, generations)
        key = (options, spec.interval_ns, spec.timeout_ns, spec.size)
        groups.setdefault(key, []).append((target, high, low))
    lanes = [_lane(*key, members) for key, members in groups.items()]
    rate = sum(SECOND / target.spec.interval_ns for target in targets)
    waits = [(t.spec.timeout_ns + _HORIZON_NS) / t.spec.interval_ns for t in targets]
    return Layout(
        lanes,
        {target.row: target for target in targets},
        max((target.row for target in targets), default=-1) + 1,
        int(sum(waits)) + 4 * len(targets),
        tick_ns(rate, min((target.spec.interval_ns for target in targets), default=SECOND)),
        max((target.spec.size for target in targets), default=56) + 128,
    )


def _options(target: Target, family: int, generations: dict[int, int]) -> Options:
    spec = target.spec
    return Options(family, spec.dscp, spec.ttl, spec.df, spec.source, generations.get(target.row, 0))


def _lane(
    options: Options | None, interval_ns: int, timeout_ns: int, size: int, members: list[tuple[Target, int, int]]
) -> Lane:
    timetable = Timetable([target.key for target, _, _ in members], interval_ns)
    rows = np.array([target.row for target, _, _ in members], np.int32)[timetable.order]
    high = np.array([high for _, high, _ in members], np.uint64)[timetable.order]
    low = np.array([low for _, _, low in members], np.uint64)[timetable.order]
    outbox = None
    if options is not None:
        names = _socket_names(options.family, high, low)
        outbox = Outbox(names, names.shape[1], icmp.requests(options.family, size, len(members)))
    return Lane(options, timetable, rows, high, low, timeout_ns, size, outbox)


@dataclass(slots=True)
class Audit:
    """What the prober counts about itself."""

    lateness: list[int] = field(default_factory=lambda: [0] * (len(LATENESS_BOUNDS) + 1))
    lateness_ns: int = 0
    drops: int = 0
    clock_steps: int = 0
    strangers: int = 0  # packets that answer none of our probes: forged, corrupted, or far too late
    ticks: int = 0

    def late(self, late_ns: int, probes: int) -> None:
        """Count probes that left `late_ns` after their tick."""
        place = int(np.searchsorted(LATENESS_BOUNDS, late_ns / 1e9))
        self.lateness[place] += probes
        self.lateness_ns += late_ns * probes


class IcmpProber:
    """ICMP echo to any number of targets (see :class:`netsla.probes.prober.Prober`)."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or Clock()
        self._layout = Layout([], {}, 0, 0, 100_000_000, 256)
        self._pending: Layout | None = None
        self._flights = Flights()
        self._channels: list[Channel] = []
        self._refused: dict[Options, tuple[HostError, int]] = {}
        self._drop_mono: list[int] = []
        self._batches: dict[int, deque[tuple[int, int, int]]] = {}
        self._served: dict[int, int] = {}
        self._inbox = Inbox(_INBOX, 256)
        self._order = np.arange(_INBOX)
        self._mark = np.zeros(self._flights.size, np.int64)
        self._words = random_words(4096)
        self._out: deque[Samples] = deque()
        self._audit = Audit()
        self._offset = self._clock.wall() - self._clock.mono()  # the scale of slots: UTC at start
        self._last_offset = self._offset
        self._sessions = Sessions()
        self._generations: dict[int, int] = {}  # by row, where an id was left behind
        self._offenders: dict[int, str] = {}
        self._due = 0
        self._running = False
        self._thread = threading.Thread(target=self._run, name="icmp", daemon=True)

    # --- Prober -------------------------------------------------------------------------------------

    def load(self, targets: Sequence[Target]) -> None:
        """Build the new layout here, let the thread take it at its next tick."""
        self._pending = lay_out(targets, self._generations)

    def start(self) -> None:
        """Begin probing."""
        self._running = True
        self._thread.start()

    def stop(self) -> None:
        """End the thread and close the sockets."""
        self._running = False
        if self._thread.is_alive():
            self._thread.join()
        for channel in self._channels:
            channel.close()
        self._sessions.close()

    def drain(self) -> list[Samples]:
        """Everything decided since the last call."""
        out = self._out
        return [out.popleft() for _ in range(len(out))]

    def facts(self) -> ProberFacts:
        """The audit so far."""
        audit = self._audit
        return ProberFacts(
            tuple(audit.lateness),
            audit.lateness_ns / 1e9,
            audit.drops,
            audit.clock_steps,
            tuple(str(channel) for channel in self._channels),
            tuple(str(error) for error, _ in self._refused.values()),
            audit.ticks,
        )

    def offenders(self) -> dict[int, str]:
        """Who sent the newest ICMP error, by row."""
        return dict(self._offenders)

    # --- the thread ---------------------------------------------------------------------------------

    def _run(self) -> None:
        while self._running:
            now = self._clock.mono() + self._offset
            self._due = (now // self._layout.tick_ns + 1) * self._layout.tick_ns
            time.sleep((self._due - now) / 1e9)
            self.step()

    def step(self) -> None:
        """One tick."""
        if self._pending is not None:
            self._swap(self._pending)
        mono, wall = self._clock.mono(), self._clock.wall()
        self._watch_clock(wall - mono)
        for number in range(len(self._channels)):
            self._read(number, mono, wall)
        self._send(mono)
        self._expire(mono)
        if not self._sessions.idle:
            self._check_sessions(mono)
        self._audit.ticks += 1

    def _check_sessions(self, mono: int) -> None:
        """Ask dark endpoints from a fresh socket; those that answer there move to it."""
        targets = self._layout.targets
        while (row := self._sessions.next_row(mono)) is not None:
            target = targets.get(row)
            if target is not None and target.address is not None:
                family, _, _ = address_words(target.address)
                options = _options(target, family, self._generations)
                self._sessions.ask(Suspect(row, options, target.address), mono)
        moved = [(s, options) for s, options in self._sessions.answers(mono) if s.row in targets]
        for suspect, options in moved:
            self._generations[suspect.row] = options.generation
            self._note(suspect.row, Outcome.STALE)
        if moved:
            # Building a layout takes long enough at 50,000 targets to be late for a tick: beside, then.
            threading.Thread(target=self.load, args=(list(targets.values()),), daemon=True).start()

    def _note(self, row: int, outcome: Outcome) -> None:
        """Tell something about a row that is no probe of its timetable."""
        one, whole = np.array([row], np.int32), np.array([-1])
        now = np.array([self._clock.wall()])
        code = np.array([outcome], np.uint8)
        self._out.append(Samples(one, whole, now, whole, code, np.zeros(1, np.uint16), np.zeros(1, np.uint8)))

    def _watch_clock(self, offset: int) -> None:
        if abs(offset - self._last_offset) > _STEP_NS:
            self._audit.clock_steps += 1
        self._last_offset = offset

    def _swap(self, layout: Layout) -> None:
        self._pending = None
        old = self._layout.targets
        gone = np.ones(max(self._layout.rows, layout.rows), bool)
        gone[[row for row, target in layout.targets.items() if row not in old or old[row].key == target.key]] = False
        flights = self._flights
        flights.state[gone[flights.row]] = flight.FREE
        flights.grow(layout.in_flight)
        self._sessions.cover(layout.rows)
        self._mark = np.zeros(flights.size, np.int64)
        if layout.packet_bytes > self._inbox.packets.shape[1]:
            self._inbox = Inbox(_INBOX, layout.packet_bytes)
        self._layout = layout
        self._served = {
            lane.timetable.interval_ns: self._served.get(lane.timetable.interval_ns, -1) for lane in layout.lanes
        }
        for lane in layout.lanes:
            self._connect(lane)

    def _connect(self, lane: Lane) -> None:
        """Give a lane its socket, opened at need; without one its probes are unmeasured."""
        if lane.options is None or lane.outbox is None:
            return
        channel = next((one for one in self._channels if one.options == lane.options), None)
        if channel is None:
            channel = self._open(lane.options)
            if channel is None:
                return
            self._channels.append(channel)
            self._drop_mono.append(-1)
        lane.channel = self._channels.index(channel)
        if channel.raw:
            lane.outbox.packets[:, 4:6] = divmod(channel.identifier, 256)
            lane.checksum = lane.options.family == 4

    def _open(self, options: Options) -> Channel | None:
        error, again = self._refused.get(options, (None, 0))
        if error is not None and self._clock.mono() < again:
            return None
        try:
            channel = Channel(options)
        except HostError as refused:
            self._refused[options] = (refused, self._clock.mono() + _RETRY_NS)
            return None
        except OSError as refused:
            trouble = HostError(f"no socket for {options}: {refused.strerror}", "check the source address")
            self._refused[options] = (trouble, self._clock.mono() + _RETRY_NS)
            return None
        self._refused.pop(options, None)
        return channel

    # --- sending ------------------------------------------------------------------------------------

    def _send(self, mono: int) -> None:
        now = mono + self._offset
        ends: dict[int, int] = {}
        for lane in self._layout.lanes:
            table = lane.timetable
            first, end = self._served[table.interval_ns], table.grain_at(now) + 1
            ends[table.interval_ns] = end
            if first < 0:
                continue  # the first tick of an interval only sets the mark: no burst at start
            recent = table.grain_at(now - _STALL_NS)
            if first < recent:
                for slot, begin, stop in table.due(first, recent):
                    self._tell_unmeasured(lane, slot, begin, stop, Reason.OVERRUN)
                first = recent
            for slot, begin, stop in table.due(first, end):
                self._send_slice(lane, slot, begin, stop)
        self._served.update(ends)

    def _send_slice(self, lane: Lane, slot: int, begin: int, stop: int) -> None:
        if lane.channel == _NOWHERE or lane.outbox is None:
            self._connect(lane)
            if lane.channel == _NOWHERE:
                why = Reason.NAME_UNRESOLVED if lane.options is None else Reason.NO_SOCKET
                self._tell_unmeasured(lane, slot, begin, stop, why)
                return
        assert lane.outbox is not None
        flights, count = self._flights, stop - begin
        first = flights.head
        nonces = self._nonces(count)
        packets = lane.outbox.packets[begin:stop]
        icmp.stamp(packets, np.arange(first, first + count, dtype=np.uint64), nonces)
        if lane.checksum:
            icmp.checksum(packets)
        at = flights.places(first, count)
        mono, wall = self._clock.mono(), self._clock.wall()
        flights.row[at], flights.slot[at], flights.nonce[at] = lane.rows[begin:stop], slot, nonces
        flights.high[at], flights.low[at] = lane.high[begin:stop], lane.low[begin:stop]
        flights.length[at], flights.timeout_ns[at] = icmp.HEADER + lane.size, lane.timeout_ns
        flights.mono_ns[at], flights.wall_ns[at], flights.tx_ns[at] = mono, wall, 0
        flights.channel[at], flights.state[at] = lane.channel, flight.OUT
        flights.head = first + count
        failed = self._push_out(lane.outbox, self._channels[lane.channel].fd, begin, stop)
        after = self._clock.mono()
        self._audit.late(max(after + self._offset - self._due, 0), count)
        self._batches.setdefault(lane.timeout_ns, deque()).append((first, count, after + lane.timeout_ns))
        if failed:
            self._tell_failed(lane, slot, begin, first, failed)

    def _push_out(self, outbox: Outbox, fd: int, begin: int, stop: int) -> list[tuple[int, int]]:
        """Send packets [begin, stop); returns (index, errno) of those that did not leave."""
        failed, tries = [], 0
        while begin < stop:
            sent = outbox.send(fd, begin, stop)
            if sent > 0:
                begin, tries = begin + sent, 0
                continue
            # With IP_RECVERR a send raises the pending error of *another* probe, once: so ask again.
            tries += 1
            if tries >= _RETRIES or (tries == 2 and -sent not in (errno.EAGAIN, errno.ENOBUFS)):
                failed.append((begin, -sent))
                begin, tries = begin + 1, 0
        return failed

    def _nonces(self, count: int) -> npt.NDArray[np.uint64]:
        if count > len(self._words):
            self._words = random_words(max(4096, 2 * count))
        taken, self._words = self._words[:count], self._words[count:]
        return taken

    def _tell_failed(self, lane: Lane, slot: int, begin: int, first: int, failed: list[tuple[int, int]]) -> None:
        index = np.array([i for i, _ in failed])
        reasons = np.array([REASONS.get(error, Reason.OTHER) for _, error in failed], np.uint16)
        at = (first + index - begin) & (self._flights.size - 1)
        self._flights.state[at] = flight.FREE
        self._tell(at, Outcome.UNMEASURED, detail=reasons)

    def _tell_unmeasured(self, lane: Lane, slot: int, begin: int, stop: int, why: Reason) -> None:
        count = stop - begin
        table = lane.timetable
        times = np.array([table.time_of(slot * table.grains + int(g)) for g in np.unique(table.grain[begin:stop])])
        sent = times[np.searchsorted(np.unique(table.grain[begin:stop]), table.grain[begin:stop])]
        self._out.append(
            Samples(
                lane.rows[begin:stop],
                np.full(count, slot),
                sent + (self._last_offset - self._offset),
                np.full(count, -1),
                np.full(count, Outcome.UNMEASURED, np.uint8),
                np.full(count, why, np.uint16),
                np.zeros(count, np.uint8),
            )
        )

    # --- reading ------------------------------------------------------------------------------------

    def _read(self, number: int, mono: int, wall: int) -> None:
        channel, inbox = self._channels[number], self._inbox
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
        self._offenders[row] = str(ipaddress.ip_address(offender.tobytes()))
        self._tell(np.array([place]), Outcome.REFUSED, detail=np.array([kind << 8 | code], np.uint16))

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
            self._tell(place, Outcome.ANSWERED, rtt, flags)
            self._sessions.heard(flights.row[place])
            return
        flights.state[place[in_time]] = flight.ANSWERED
        self._tell(place[in_time], Outcome.ANSWERED, rtt[in_time], flags[in_time])
        self._sessions.heard(flights.row[place[in_time]])
        self._tell(place[fresh & ~in_time], Outcome.LOST)
        flights.state[place[late]] = flight.TOLD
        self._tell(place[late], Outcome.LATE, rtt[late], flags[late])
        self._tell(place[again], Outcome.DUPLICATE)

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
        stepped = (rtt < 0) | (rtt > elapsed + _STEP_NS)
        if stepped.any():
            shift = (wall - mono) - (flights.wall_ns[place] - flights.mono_ns[place])
            rtt = np.where(stepped, np.clip(rtt - shift, 0, elapsed), rtt)
            flags[stepped] |= SampleFlag.CLOCK_STEP
        return rtt, flags

    # --- deciding -----------------------------------------------------------------------------------

    def _expire(self, mono: int) -> None:
        flights = self._flights
        for batches in self._batches.values():
            while batches and batches[0][2] <= mono:
                first, count, _ = batches.popleft()
                at = flights.places(first, count)
                place = (first + np.flatnonzero(flights.state[at] == flight.OUT)) & (flights.size - 1)
                if len(place):
                    self._lose(place)

    def _lose(self, place: IntArray) -> None:
        flights = self._flights
        flights.state[place] = flight.LOST
        if self._audit.drops:
            dropped = np.array(self._drop_mono)[flights.channel[place]] >= flights.mono_ns[place]
            full = np.full(int(dropped.sum()), Reason.RECEIVE_DROP, np.uint16)
            flights.state[place[dropped]] = flight.ANSWERED
            self._tell(place[dropped], Outcome.UNMEASURED, detail=full)
            place = place[~dropped]
        self._tell(place, Outcome.LOST)
        self._sessions.missed(flights.row[place], self._clock.mono())

    def _tell(
        self,
        place: IntArray,
        outcome: Outcome,
        rtt: IntArray | None = None,
        flags: npt.NDArray[np.uint8] | None = None,
        detail: npt.NDArray[np.uint16] | None = None,
    ) -> None:
        count = len(place)
        if not count:
            return
        flights = self._flights
        sent = flights.tx_ns[place]
        self._out.append(
            Samples(
                flights.row[place],
                flights.slot[place],
                np.where(sent == 0, flights.wall_ns[place], sent),
                np.full(count, -1) if rtt is None else rtt,
                np.full(count, outcome, np.uint8),
                np.zeros(count, np.uint16) if detail is None else detail,
                np.zeros(count, np.uint8) if flags is None else flags,
            )
        )
