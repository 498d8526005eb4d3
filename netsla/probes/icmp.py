"""The ICMP prober: one thread, shared sockets, whole batches, kernel time at both ends.

A tick begins a little early and lays out what is due, sends it on time, reads (stamps and errors first, then replies),
and expires what was overdue when it began: nothing may be called lost before everything that had arrived by its
deadline was read. What is much is sent and read in turns, each with its own time, so that it leaves evenly and is read
while it is still in the processor's caches.
Nothing here loops over probes in Python but what is rare (errors, checks of sessions).
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence

import numpy as np

from netsla.model import SECOND, Outcome, Reason, Samples, Target
from netsla.probes import flight
from netsla.probes.audit import Audit, Clock
from netsla.probes.channel import Channel
from netsla.probes.faults import OwnFaults
from netsla.probes.flight import Flights
from netsla.probes.lane import AT_ONCE, HORIZON_NS, Lane, Layout, address_words, lay_out, options_of
from netsla.probes.links import GRACE_NS
from netsla.probes.listener import STEP_NS, Listener
from netsla.probes.outlet import Outlet
from netsla.probes.prober import ProberFacts
from netsla.probes.schedule import LONGEST_NS
from netsla.probes.sender import Sender
from netsla.probes.session import Sessions, Suspect
from netsla.probes.sockets import NOWHERE, Sockets

_STALL_NS = 500_000_000  # slots older than this were missed; they are not made up for
_TOLD_NS = 120 * SECOND  # missed slots told one by one; before that whole intervals are missing, which the engine sees
_DEAF_NS = SECOND  # a tick that comes so late may have found the whole host standing still: nothing was heard
_ASLEEP_NS = 100_000_000
_EARLY_NS = 400_000  # laying out a batch takes so long after a sleep, when nothing is in any cache
_TURN = 500  # probes that leave in one call: within some 4 ms; a rest of less than half as many leaves with them
_SWEEP_NS = 100_000_000  # between sweeps for time limits: what they ask of the kernel is then shared by many probes


class IcmpProber:
    """ICMP echo to any number of targets (see :class:`netsla.probes.prober.Prober`)."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or Clock()
        self._layout = Layout([], {}, 0, 0, LONGEST_NS, 0, 256)
        self._pending: Layout | None = None
        self._flights, self._audit, self._sessions = Flights(), Audit(), Sessions()
        self._outlet = Outlet(self._flights)
        self._sockets = Sockets()
        self._faults = OwnFaults(self._flights, lambda number: self._sockets[number].options)
        self._watching = False
        self._listener = Listener(self._flights, self._outlet, self._sessions, self._audit, self._clock, self._faults)
        read_errors = self._listener.read_errors
        self._sender = Sender(self._flights, self._outlet, self._clock, self._faults, self._wait, read_errors)
        self._batches: dict[int, deque[tuple[int, int, int]]] = {}  # by time limit: (first, count, deadline)
        self._served: dict[int, int] = {}  # by interval: the grain before which everybody was served
        mono, wall = self._clock.both()
        self._offset = self._last_offset = wall - mono  # the scale of slots: UTC at start
        self._asleep, self._last_mono = self._clock.asleep(), mono
        self._generations: dict[int, int] = {}  # by row, where an id was left behind
        self._tick_due = self._due = self._next_sweep = 0  # when this tick, this turn, the next sweep is due
        self._sent = self._turned = 0  # in this tick; before this turn
        self._running = False
        self._loading = threading.Lock()
        self._targets: Sequence[Target] = ()
        self._thread = threading.Thread(target=self._run, name="icmp", daemon=True)

    # --- Prober -------------------------------------------------------------------------------------

    def load(self, targets: Sequence[Target]) -> None:
        """Build the new layout here, let the thread take it at its next tick."""
        with self._loading:
            self._targets = targets
            self._pending = lay_out(targets, self._generations)

    def _lay_out_again(self) -> None:
        """The newest targets once more: some rows have left their old id behind."""
        with self._loading:
            self._pending = lay_out(self._targets, self._generations)

    def start(self) -> None:
        """Begin probing."""
        self._running = True
        self._thread.start()

    def stop(self) -> None:
        """End the thread and close the sockets."""
        self._running = False
        if self._thread.is_alive():
            self._thread.join()
        self._sockets.close()
        self._sessions.close()
        self._faults.close()

    def drain(self) -> list[Samples]:
        """Everything decided since the last call."""
        return self._outlet.drain()

    def facts(self) -> ProberFacts:
        """The audit so far."""
        audit = self._audit
        return ProberFacts(
            tuple(audit.lateness),
            audit.lateness_ns / 1e9,
            audit.drops,
            audit.clock_steps,
            tuple(str(channel) for _, channel in self._sockets),
            (*self._sockets.problems(), *([self._faults.links.problem] if self._faults.links.problem else [])),
            audit.ticks,
        )

    @property
    def strangers(self) -> int:
        """Packets that answered none of our probes: forged, corrupted, or far too late."""
        return self._audit.strangers

    def offenders(self) -> dict[int, str]:
        """Who sent the newest ICMP error, by row."""
        return dict(self._listener.offenders)

    # --- the thread ---------------------------------------------------------------------------------

    def _run(self) -> None:
        while self._running:
            tick = self._layout.tick_ns
            due = (max(self._tick_due, self._last_mono + self._offset) // tick + 1) * tick
            self._sleep_until(due - _EARLY_NS)
            self.step(due)

    def _sleep_until(self, at_ns: int) -> None:
        left = at_ns - self._offset - self._clock.mono()
        if left > 0:
            time.sleep(left / 1e9)

    def _wait(self) -> None:
        """Until this turn may send."""
        self._sleep_until(self._due)

    def step(self, due: int | None = None) -> None:
        """One tick; `due` is when it is to send, on the scale of slots: now, unless said."""
        if self._pending is not None:
            self._swap(self._pending)
        mono, wall = self._clock.both()
        self._watch_clock(mono, wall - mono)
        now, tick = mono + self._offset, self._layout.tick_ns
        self._tick_due = self._due = now // tick * tick if due is None else max(due, now - _STALL_NS)
        self._sent = self._turned = 0
        self._send(max(now, self._due))
        self._watch_sources(mono)
        for number, channel in self._sockets:
            self._listener.read(number, channel)
        if mono >= self._next_sweep:
            self._next_sweep = mono + _SWEEP_NS
            self._watch_links(mono)
            self._expire(mono)
        if not self._sessions.idle:
            self._check_sessions(mono)
        self._sockets.close_overdue(mono)
        self._audit.ticks += 1

    def _watch_links(self, mono: int) -> None:
        """Before anything is decided: what our own links did up to now."""
        if not self._watching:
            self._watching = True
            self._faults.open(mono)
        self._faults.links.poll(mono)

    def _watch_clock(self, mono: int, offset: int) -> None:
        """Notice what no figure may suffer from: a clock that was set, a host that stood still."""
        if abs(offset - self._last_offset) > STEP_NS:
            self._audit.clock_steps += 1
        asleep = self._clock.asleep()
        if mono - self._last_mono > _DEAF_NS or asleep - self._asleep > _ASLEEP_NS:
            for number, _ in self._sockets:
                self._faults.deafen(number, Reason.OVERRUN, mono)
        self._last_offset, self._asleep, self._last_mono = offset, asleep, mono

    def _check_sessions(self, mono: int) -> None:
        """Ask dark endpoints from a fresh socket; those that answer there move to it."""
        targets = self._layout.targets
        while (row := self._sessions.next_row(mono)) is not None:
            target = targets.get(row)
            if target is not None and target.address is not None:
                family, _, _ = address_words(target.address)
                self._sessions.ask(Suspect(row, options_of(target, family, {}), target.address), mono)
        moved = [
            (suspect.row, options)
            for suspect, options in self._sessions.answers(mono)
            if suspect.row in targets and targets[suspect.row].address == suspect.address
        ]
        for row, options in moved:
            self._generations[row] = options.generation
            self._outlet.tell_rows(
                np.array([row], np.int32), np.array([-1]), np.array([self._clock.wall()]), Outcome.STALE
            )
        if moved:
            # Building a layout takes long enough at 50,000 targets to be late for a tick: beside, then.
            threading.Thread(target=self._lay_out_again, name="icmp-layout", daemon=True).start()

    # --- layout -------------------------------------------------------------------------------------

    def _swap(self, layout: Layout) -> None:
        """Take a new layout; flights of rows that left, or are somebody else's now, are discarded."""
        self._pending = None
        old, flights, mono = self._layout, self._flights, self._clock.mono()
        self._discard(layout)
        flights.grow(layout.in_flight)
        self._listener.prepare(layout.packet_bytes)
        self._faults.cover(max(self._layout.rows, layout.rows))
        self._layout = layout
        self._served = {
            lane.timetable.interval_ns: self._served.get(lane.timetable.interval_ns, -1) for lane in layout.lanes
        }
        wanted = {lane.options for lane in layout.lanes if lane.options is not None}
        longest = max((lane.timeout_ns for lane in old.lanes), default=0)
        self._sockets.keep(wanted, mono + longest + HORIZON_NS)
        for lane in layout.lanes:
            self._connect(lane, mono)

    def _discard(self, layout: Layout) -> None:
        """Forget everything about rows that are not, or not any more, what they were."""
        old, flights, sessions = self._layout.targets, self._flights, self._sessions
        sessions.cover(max(self._layout.rows, layout.rows))
        stay = np.zeros(len(sessions.streak), bool)
        stay[[row for row, target in layout.targets.items() if row in old and old[row].key == target.key]] = True
        used = min(flights.head, flights.size)
        flights.state[:used][~stay[flights.row[:used]]] = flight.FREE
        sessions.forget(np.flatnonzero(~stay))
        self._generations = {row: number for row, number in self._generations.items() if stay[row]}

    def _connect(self, lane: Lane, mono: int) -> None:
        """Give a lane its socket, opened at need; without one its probes are unmeasured."""
        if lane.options is None or lane.outbox is None:
            return
        lane.channel = self._sockets.number_of(lane.options, mono)
        if lane.channel != NOWHERE and lane.options.zone:
            lane.aim(self._sockets[lane.channel].scope)
        if lane.channel != NOWHERE and self._sockets[lane.channel].raw:
            lane.outbox.packets[:, 4:6] = divmod(self._sockets[lane.channel].identifier, 256)
            lane.checksum = lane.options.family == 4

    def _watch_sources(self, mono: int) -> None:
        """A socket whose source address, or interface, has gone can neither send nor be answered."""
        for number in self._sockets.gone_sources(mono):
            zoned = self._sockets[number].options.zone is not None
            self._faults.deafen(number, Reason.INTERFACE_DOWN if zoned else Reason.SOURCE_GONE, mono)
            for lane in self._layout.lanes:
                if lane.channel == number:
                    lane.channel = NOWHERE

    # --- sending and deciding -----------------------------------------------------------------------

    def _send(self, now: int) -> None:
        ends: dict[int, int] = {}
        for lane in self._layout.lanes:
            table = lane.timetable
            first, end = self._served[table.interval_ns], table.grain_at(now) + 1
            ends[table.interval_ns] = end
            if first < 0:
                continue  # the first tick of an interval only sets the mark: no burst at start
            recent = table.grain_at(now - _STALL_NS)
            if first < recent:
                for slot, begin, stop in table.due(max(first, table.grain_at(now - _TOLD_NS)), recent):
                    self._tell_unmeasured(lane, slot, begin, stop, Reason.OVERRUN)
                first = recent
            for slot, begin, stop in table.due(first, end):
                self._send_slice(lane, slot, begin, stop)
        self._served.update(ends)

    def _send_slice(self, lane: Lane, slot: int, begin: int, stop: int) -> None:
        if lane.channel == NOWHERE:
            self._connect(lane, self._clock.mono())
        if lane.channel == NOWHERE:
            why = Reason.NAME_UNRESOLVED if lane.options is None else self._sockets.why_not(lane.options)
            self._tell_unmeasured(lane, slot, begin, stop, why)
            return
        channel = self._sockets[lane.channel]
        while begin < stop:
            if self._sent - self._turned >= _TURN:
                self._turned = self._sent
                self._read_sent()
            room = channel.room(lane.size)
            if room <= 0:  # a host may grant a buffer that holds less than a turn's replies and stamps
                self._listener.read(lane.channel, channel)
                continue
            most = begin + _TURN - (self._sent - self._turned)
            end = min(begin + min(room, AT_ONCE), stop, most if stop - most >= _TURN // 2 else stop)
            self._due = self._tick_due + self._turned * self._layout.pace_ns
            self._send_part(lane, channel, slot, begin, end)
            self._sent += end - begin
            begin = end

    def _read_sent(self) -> None:
        """Between two turns: what came back on channels by which something left."""
        for number, channel in self._sockets:
            if channel.unread:
                self._listener.read(number, channel)

    def _send_part(self, lane: Lane, channel: Channel, slot: int, begin: int, stop: int) -> None:
        first, before = self._sender.send(lane, channel, slot, begin, stop)
        channel.unread += stop - begin
        after = self._clock.mono()
        due = self._due - self._offset
        self._audit.late(max(before - due, 0), max(after - due, 0), stop - begin)
        waiting = self._batches.setdefault(lane.timeout_ns, deque())
        waiting.append((first, stop - begin, after + lane.timeout_ns))

    def _tell_unmeasured(self, lane: Lane, slot: int, begin: int, stop: int, why: Reason) -> None:
        table = lane.timetable
        at_ns = table.times_of(slot, begin, stop) + (self._last_offset - self._offset)
        self._outlet.tell_rows(lane.rows[begin:stop], np.full(stop - begin, slot), at_ns, Outcome.UNMEASURED, why)

    def _expire(self, mono: int) -> None:
        flights, overdue = self._flights, []
        for batches in self._batches.values():
            while batches and batches[0][2] + GRACE_NS <= mono:  # news of our own links take a moment
                first, count, _ = batches.popleft()
                out = np.flatnonzero(flights.state[flights.places(first, count)] == flight.OUT)
                if len(out):
                    overdue.append((first + out) & (flights.size - 1))
        if overdue:
            self._listener.lose(np.concatenate(overdue))
