"""The ICMP prober: one thread, shared sockets, whole batches, kernel time at both ends.

A tick reads (stamps and errors first, then replies), sends what is due, and expires what is overdue: nothing may be
called lost before everything that had arrived by its deadline was read. Nothing here loops over probes in
Python but what is rare (errors, checks of sessions).
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence

import numpy as np

from netsla.errors import HostError
from netsla.model import SECOND, Outcome, Reason, Samples, Target
from netsla.probes import flight
from netsla.probes.audit import Audit, Clock
from netsla.probes.channel import Channel, Options
from netsla.probes.flight import Flights
from netsla.probes.lane import NOWHERE, Lane, Layout, address_words, lay_out, options_of
from netsla.probes.listener import STEP_NS, Listener
from netsla.probes.outlet import Outlet
from netsla.probes.prober import ProberFacts
from netsla.probes.sender import Sender
from netsla.probes.session import Sessions, Suspect

_STALL_NS = 500_000_000  # slots older than this were missed; they are not made up for
_TOLD_NS = 120 * SECOND  # missed slots told one by one; before that whole intervals are missing, which the engine sees
_RETRY_NS = 10 * SECOND  # between attempts to open a socket that the host refuses


class IcmpProber:
    """ICMP echo to any number of targets (see :class:`netsla.probes.prober.Prober`)."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or Clock()
        self._layout = Layout([], {}, 0, 0, 100_000_000, 256)
        self._pending: Layout | None = None
        self._flights, self._audit, self._sessions = Flights(), Audit(), Sessions()
        self._outlet = Outlet(self._flights)
        self._sender = Sender(self._flights, self._outlet, self._clock)
        self._listener = Listener(self._flights, self._outlet, self._sessions, self._audit, self._clock)
        self._channels: list[Channel] = []
        self._refused: dict[Options, tuple[HostError, int]] = {}  # with the time to try again
        self._batches: dict[int, deque[tuple[int, int, int]]] = {}  # by time limit: (first, count, deadline)
        self._served: dict[int, int] = {}  # by interval: the grain before which everybody was served
        self._offset = self._clock.wall() - self._clock.mono()  # the scale of slots: UTC at start
        self._last_offset = self._offset
        self._generations: dict[int, int] = {}  # by row, where an id was left behind
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
        return self._outlet.drain()

    def facts(self) -> ProberFacts:
        """The audit so far."""
        audit = self._audit
        return ProberFacts(
            tuple(audit.lateness),
            audit.lateness_ns / 1e9,
            audit.drops,
            audit.clock_steps,
            tuple(str(channel) for channel in list(self._channels)),
            tuple(str(error) for error, _ in list(self._refused.values())),
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
        for number, channel in enumerate(self._channels):
            self._listener.read(number, channel)
        self._send(mono)
        self._expire(mono)
        if not self._sessions.idle:
            self._check_sessions(mono)
        self._audit.ticks += 1

    def _watch_clock(self, offset: int) -> None:
        if abs(offset - self._last_offset) > STEP_NS:
            self._audit.clock_steps += 1
        self._last_offset = offset

    def _check_sessions(self, mono: int) -> None:
        """Ask dark endpoints from a fresh socket; those that answer there move to it."""
        targets = self._layout.targets
        while (row := self._sessions.next_row(mono)) is not None:
            target = targets.get(row)
            if target is not None and target.address is not None:
                family, _, _ = address_words(target.address)
                self._sessions.ask(Suspect(row, options_of(target, family, {}), target.address), mono)
        moved = [(s.row, options) for s, options in self._sessions.answers(mono) if s.row in targets]
        for row, options in moved:
            self._generations[row] = options.generation
            self._outlet.tell_rows(
                np.array([row], np.int32), np.array([-1]), np.array([self._clock.wall()]), Outcome.STALE
            )
        if moved:
            # Building a layout takes long enough at 50,000 targets to be late for a tick: beside, then.
            threading.Thread(target=self.load, args=(list(targets.values()),), daemon=True).start()

    # --- layout -------------------------------------------------------------------------------------

    def _swap(self, layout: Layout) -> None:
        """Take a new layout; flights of rows that left, or are somebody else's now, are discarded."""
        self._pending = None
        old, flights = self._layout.targets, self._flights
        stay = np.zeros(max(self._layout.rows, layout.rows), bool)
        stay[[row for row, target in layout.targets.items() if row in old and old[row].key == target.key]] = True
        flights.state[: min(flights.head, flights.size)][~stay[flights.row[: min(flights.head, flights.size)]]] = (
            flight.FREE
        )
        flights.grow(layout.in_flight)
        self._sessions.cover(layout.rows)
        self._listener.prepare(layout.packet_bytes)
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
        lane.channel = self._channels.index(channel)
        if channel.raw:
            lane.outbox.packets[:, 4:6] = divmod(channel.identifier, 256)
            lane.checksum = lane.options.family == 4

    def _open(self, options: Options) -> Channel | None:
        """A new socket; None while the host refuses one, which is tried again and again."""
        _, again = self._refused.get(options, (None, 0))
        if self._clock.mono() < again:
            return None
        try:
            channel = Channel(options)
        except (HostError, OSError) as error:
            trouble = error if isinstance(error, HostError) else _refusal(options, error)
            self._refused[options] = (trouble, self._clock.mono() + _RETRY_NS)
            return None
        self._refused.pop(options, None)
        return channel

    # --- sending and deciding -----------------------------------------------------------------------

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
                for slot, begin, stop in table.due(max(first, table.grain_at(now - _TOLD_NS)), recent):
                    self._tell_unmeasured(lane, slot, begin, stop, Reason.OVERRUN)
                first = recent
            for slot, begin, stop in table.due(first, end):
                self._send_slice(lane, slot, begin, stop)
        self._served.update(ends)

    def _send_slice(self, lane: Lane, slot: int, begin: int, stop: int) -> None:
        if lane.channel == NOWHERE:
            self._connect(lane)
        if lane.channel == NOWHERE:
            why = Reason.NAME_UNRESOLVED if lane.options is None else self._why_no_socket(lane.options)
            self._tell_unmeasured(lane, slot, begin, stop, why)
            return
        before = self._clock.mono()
        first = self._sender.send(lane, self._channels[lane.channel], slot, begin, stop)
        after = self._clock.mono()
        due = self._due - self._offset
        self._audit.late(max(before - due, 0), max(after - due, 0), stop - begin)
        waiting = self._batches.setdefault(lane.timeout_ns, deque())
        waiting.append((first, stop - begin, after + lane.timeout_ns))

    def _why_no_socket(self, options: Options) -> Reason:
        error, _ = self._refused[options]
        return Reason.SOURCE_GONE if isinstance(error.__cause__, OSError) and options.source else Reason.NO_SOCKET

    def _tell_unmeasured(self, lane: Lane, slot: int, begin: int, stop: int, why: Reason) -> None:
        table = lane.timetable
        at_ns = table.times_of(slot, begin, stop) + (self._last_offset - self._offset)
        self._outlet.tell_rows(lane.rows[begin:stop], np.full(stop - begin, slot), at_ns, Outcome.UNMEASURED, why)

    def _expire(self, mono: int) -> None:
        flights = self._flights
        for batches in self._batches.values():
            while batches and batches[0][2] <= mono:
                first, count, _ = batches.popleft()
                out = np.flatnonzero(flights.state[flights.places(first, count)] == flight.OUT)
                if len(out):
                    self._listener.lose((first + out) & (flights.size - 1))


def _refusal(options: Options, error: OSError) -> HostError:
    where = f" from {options.source}" if options.source else ""
    refusal = HostError(f"no ICMPv{options.family} socket{where}: {error.strerror}", "check the probe's source address")
    refusal.__cause__ = error
    return refusal
