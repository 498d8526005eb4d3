"""The TCP prober: handshakes, timed by the kernel.

Rules: RTT is `tcpi_rtt` of the finished handshake, so that it does not matter when we look. A lost SYN shows as a
retransmission, not as a second of latency. A connection is closed with a reset at once: nothing stays in TIME_WAIT.
What connect() refuses at once is our own host speaking (unmeasured); what comes later is the network or the
endpoint (refused). What was out while this process, or the whole host, stood still is not called lost, and what only we
could time is not timed then. A handshake costs calls of its own: here a loop over what is due is the honest shape.
"""

from __future__ import annotations

import errno
import resource
import select
import socket
import threading
import time
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from netsla.model import MILLISECOND, SECOND, TCP_RESET, Outcome, Reason, SampleFlag, Samples, Target
from netsla.probes.audit import Audit, Clock
from netsla.probes.channel import scope_of
from netsla.probes.departures import Departure, Departures
from netsla.probes.exits import Exits
from netsla.probes.handshake import (
    CLOSED,
    ESTABLISHED,
    HALF_OPEN,
    KEPT_BACK,
    SYN_SENT,
    configure,
    error_of,
    hang_up,
    icmp_error,
    look,
    own_reason,
)
from netsla.probes.links import GRACE_NS
from netsla.probes.prober import ProberFacts
from netsla.probes.routes import Round, Route, rounds
from netsla.probes.schedule import LONGEST_NS, tick_ns

_STALL_NS = 500 * MILLISECOND  # slots older than this were missed
_TOLD_NS = 120 * SECOND  # missed slots told one by one (see netsla.probes.icmp)
_STEP_NS = MILLISECOND
_DEAF_NS = SECOND  # between two times we listened: the whole host may have stood still, and heard nothing
_ASLEEP_NS = 100 * MILLISECOND
_TARDY_NS = 100 * MILLISECOND  # beyond a tick: what has no stamp of the kernel's was heard we know not how late
_BATCH = 50  # handshakes that a tick should begin: within some 3 ms
_SHORTEST_NS = 20 * MILLISECOND  # of a tick, as far as intervals allow it
_ALONE = 300  # handshakes a second, up to which each is held against the host's counters by itself: 13 to 17 us
_TRIES = 4  # of a SYN that may not have left
_KIND = socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
_IN_PROGRESS = (errno.EINPROGRESS, errno.EALREADY)


@dataclass(slots=True)
class _Call:
    """A handshake under way."""

    route: Route
    slot: int
    sock: socket.SocketType
    mono_ns: int
    wall_ns: int
    over: bool = False
    doubted: bool = False  # it may not have left our own host


_Record = tuple[int, int, int, int, int, int, int]  # the columns of Samples


class TcpProber:
    """TCP handshakes with any number of targets (see :class:`netsla.probes.prober.Prober`)."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or Clock()
        self._rounds: list[Round] = []
        self._rows: set[int] = set()
        self._pending: tuple[list[Round], set[int], int] | None = None
        self._alone = True
        self._tick_ns = 100 * MILLISECOND
        self._epoll = select.epoll()
        self._calls: dict[int, _Call] = {}  # by descriptor
        self._heeded: set[int] = set()  # of these, whom we listen to
        self._waiting: defaultdict[int, deque[_Call]] = defaultdict(deque)  # by time limit, oldest first
        self._begun: list[_Call] = []  # in the tick before
        self._served: dict[int, int] = {}
        self._offset = self._clock.wall() - self._clock.mono()
        self._last_offset = self._offset
        self._heard_ns, self._asleep = self._clock.mono(), self._clock.asleep()
        self._deaf_ns = -1  # what was out then may not have been heard
        self._tardy = False  # we listen late this time
        self._due = 0
        self._records: deque[_Record] = deque()
        self._audit, self._departures, self._exits = Audit(), Departures(), Exits()
        self._running = False
        self._thread = threading.Thread(target=self._run, name="tcp", daemon=True)

    # --- Prober -------------------------------------------------------------------------------------

    def load(self, targets: Sequence[Target]) -> None:
        """Build the new timetable here, let the thread take it at its next tick."""
        rate = sum(SECOND / target.spec.interval_ns for target in targets)
        wanted = max(_BATCH * SECOND / rate, _SHORTEST_NS) if rate else LONGEST_NS
        tick = tick_ns({target.spec.interval_ns for target in targets}, min(wanted, LONGEST_NS))
        self._alone = rate <= _ALONE
        self._pending = rounds(targets), {target.row for target in targets}, tick

    def start(self) -> None:
        """Begin probing, with as many descriptors as the host allows."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft != hard:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self._running = True
        self._thread.start()

    def stop(self) -> None:
        """End the thread; handshakes under way are discarded."""
        self._running = False
        if self._thread.is_alive():
            self._thread.join()
        for call in list(self._calls.values()):
            self._end(call)
        self._epoll.close()
        self._departures.close()
        self._exits.close()

    def drain(self) -> list[Samples]:
        """Everything decided since the last call."""
        records = [self._records.popleft() for _ in range(len(self._records))]
        return [_samples(records)] if records else []

    def facts(self) -> ProberFacts:
        """The audit so far."""
        audit = self._audit
        problem = self._departures.links.problem if self._rounds else None
        problems = (problem,) if problem else ()
        lateness = tuple(audit.lateness), audit.lateness_ns / 1e9
        return ProberFacts(*lateness, 0, audit.clock_steps, (), problems, audit.ticks)

    # --- the thread ---------------------------------------------------------------------------------

    def _run(self) -> None:
        while self._running:
            now = self._clock.mono() + self._offset
            self._due = (now // self._tick_ns + 1) * self._tick_ns
            self._listen_until(self._due - self._offset)
            self.step()

    def _listen_until(self, due: int) -> None:
        """See who has answered already, and hear until the next tick from those whom only we may be able to time."""
        self._begun = self._look(last=False)
        while self._heeded and (left := due - self._clock.mono()) > 2 * MILLISECOND:
            self._hear(left // MILLISECOND - 1)  # the kernel counts these in milliseconds
        time.sleep(max(due - self._clock.mono(), 0) / 1e9)

    def step(self) -> None:
        """One tick: hear, connect who is due, give up on who is overdue."""
        if not self._audit.ticks:
            self._exits.open()
        if self._pending is not None:
            self._swap(*self._pending)
        mono = self._clock.mono()
        offset = self._clock.wall() - mono
        self._audit.clock_steps += abs(offset - self._last_offset) > _STEP_NS
        self._last_offset = offset
        self._departures.poll(mono)
        self._hear()
        for call in self._look(last=True):
            self._heed(call)
        self._connect_due(mono)
        self._give_up(mono)
        self._audit.ticks += 1

    def _swap(self, some: list[Round], rows: set[int], tick: int) -> None:
        self._pending = None
        for call in [call for call in self._calls.values() if call.route.row not in rows]:
            self._end(call)
        self._rounds, self._rows, self._tick_ns = some, rows, tick
        self._departures.keep(rows)
        intervals = {one.timetable.interval_ns for one in some}
        self._served = {interval: self._served.get(interval, -1) for interval in intervals}

    def _hear(self, wait_ms: int = 0) -> None:
        events = self._epoll.poll(wait_ms / 1000, len(self._heeded)) if self._heeded else []
        mono = self._clock.mono()
        self._watch_ourselves(mono)
        for descriptor, event in events:
            call = self._calls.get(descriptor)
            if call is not None:
                self._decide(call, 0 if event == select.EPOLLOUT else error_of(call.sock))

    def _watch_ourselves(self, mono: int) -> None:
        """Whether we, or the whole host, stood still since we last listened."""
        asleep, silent = self._clock.asleep(), mono - self._heard_ns
        slept = asleep - self._asleep > _ASLEEP_NS
        self._tardy = slept or silent > self._tick_ns + _TARDY_NS
        if slept or silent > _DEAF_NS:
            self._deaf_ns = mono
        self._heard_ns, self._asleep = mono, asleep

    def _connect_due(self, mono: int) -> None:
        now = mono + self._offset
        ends: dict[int, int] = {}
        for one in self._rounds:
            table = one.timetable
            first, end = self._served[table.interval_ns], table.grain_at(now) + 1
            ends[table.interval_ns] = end
            if first < 0:
                continue
            recent = table.grain_at(now - _STALL_NS)
            if first < recent:
                for slot, begin, stop in table.due(max(first, table.grain_at(now - _TOLD_NS)), recent):
                    times = table.times_of(slot, begin, stop) + (self._last_offset - self._offset)
                    for route, at in zip(one.routes[begin:stop], times.tolist(), strict=True):
                        self._tell(route, slot, at, Outcome.UNMEASURED, detail=Reason.OVERRUN)
                first = recent
            for slot, begin, stop in table.due(first, end):
                before = self._clock.mono()
                size = 1 if self._alone or self._exits.is_on_guard(mono) else stop - begin
                for at in range(begin, stop, size):
                    self._connect_all(one.routes[at : min(at + size, stop)], slot)
                due = self._due - self._offset
                self._audit.late(max(before - due, 0), max(self._clock.mono() - due, 0), stop - begin)
        self._served.update(ends)

    def _connect_all(self, routes: Sequence[Route], slot: int, tries: int = _TRIES) -> None:
        """Connect; a SYN that may not have left our own host is sent again, one that has not is unmeasured."""
        mono = self._clock.mono()
        before = self._exits.before({route.family for route in routes}, mono)
        calls = self._begin(routes, slot)
        for family, toll in before.items():
            some = [call for call in calls if call.route.family == family]
            silent, proved = (
                self._exits.judge(toll, family, [call.sock for call in some], mono) if some else ([], False)
            )
            for call in (some[i] for i in silent):
                if proved or (tries == 1 and self._exits.is_on_guard(mono)):
                    self._refuse(call.route, slot, call.wall_ns, Reason.PROHIBITED)
                    self._end(call)
                elif tries > 1:
                    self._end(call)
                    self._connect_all([call.route], slot, tries - 1)
                else:
                    call.doubted = True

    def _begin(self, routes: Sequence[Route], slot: int) -> list[_Call]:
        """Begin handshakes; returns those that are under way."""
        begun = []
        for route in routes:
            mono = self._clock.mono()
            wall = mono + self._last_offset
            if route.address is None:
                self._tell(route, slot, wall, Outcome.UNMEASURED, detail=Reason.NAME_UNRESOLVED)
                continue
            sock = None
            try:
                sock = socket.SocketType(route.family, _KIND)
                if not route.plain:
                    configure(sock, route.spec, route.zone)
                where = (*route.address, 0, scope_of(route.zone)) if route.zone else route.address
            except OSError as error:
                if sock is not None:
                    sock.close()
                self._tell(route, slot, wall, Outcome.UNMEASURED, detail=own_reason(error.errno, route.spec))
                continue
            call = _Call(route, slot, sock, mono, wall)
            code = sock.connect_ex(where)
            if code in _IN_PROGRESS:
                begun.append(call)
            elif code in (0, errno.ECONNREFUSED):
                self._decide(call, code)
            else:
                self._refuse(route, slot, wall, own_reason(code, route.spec))
                self._end(call)
        for call in begun:
            self._calls[call.sock.fileno()] = call
            self._waiting[call.route.spec.timeout_ns].append(call)
            if call.route.spec.rst_is_up:
                self._heed(call)
        self._begun += begun
        return begun

    def _heed(self, call: _Call) -> None:
        """Listen to this one: we may have to time it."""
        descriptor = call.sock.fileno()
        if descriptor not in self._heeded:
            self._heeded.add(descriptor)
            self._epoll.register(descriptor, select.EPOLLOUT | select.EPOLLONESHOT)

    def _look(self, *, last: bool) -> list[_Call]:
        """See who of those that began is answered; returns who is not.

        Who is not by the next tick may have been kept back by our own host: TCP tells of it until it sends again, a
        second after the first time.
        """
        begun, self._begun, waiting = self._begun, [], []
        for call in begun:
            if call.over:
                continue
            state, keeping, rtt, again = look(call.sock)
            if last and state == SYN_SENT and keeping == KEPT_BACK:
                why = self._why([call])[0]
                detail = Reason.BUFFER_FULL if why is None else why
                self._tell(call.route, call.slot, call.wall_ns, Outcome.UNMEASURED, detail=detail)
                self._end(call)
            elif state in HALF_OPEN:
                waiting.append(call)
            elif state == CLOSED:
                self._decide(call, error_of(call.sock))
            else:
                self._established(call, rtt, again)
        return waiting

    def _refuse(self, route: Route, slot: int, wall: int, reason: Reason) -> None:
        """Our own host would not send it."""
        self._departures.refuse(route.row, reason, self._clock.mono())
        self._tell(route, slot, wall, Outcome.UNMEASURED, detail=reason)

    def _decide(self, call: _Call, code: int) -> None:
        """The handshake ended: well, or with the error of the endpoint or the network."""
        _, _, rtt, again = look(call.sock)
        if code in ESTABLISHED or rtt:  # what an ICMP error says of a later packet takes no answer back
            self._established(call, rtt, again)
            return
        if code == errno.ETIMEDOUT:
            self._lose([call])
        else:
            self._refused(call, code, icmp_error(call.sock, code))
        self._end(call)

    def _established(self, call: _Call, rtt: int, again: int) -> None:
        if call.doubted:
            self._exits.mistrust(self._clock.mono())
        if rtt and not again:
            self._answered(call, rtt, 0, 0)
        else:
            self._answered_again(call, rtt, again)
        self._end(call)

    def _refused(self, call: _Call, code: int, icmp: int | None) -> None:
        """By the endpoint's reset, or by an ICMP error: no sign of life of the endpoint."""
        self._departures.poll(self._clock.mono())
        if icmp is None and call.route.spec.rst_is_up:
            self._answered_unstamped(call, TCP_RESET, 0)
        elif self._departures.is_doubtful(code) and (reason := self._why([call])[0]) is not None:
            self._tell(call.route, call.slot, call.wall_ns, Outcome.UNMEASURED, detail=reason)
        else:
            detail = TCP_RESET if icmp is None else icmp
            self._tell(call.route, call.slot, call.wall_ns, Outcome.REFUSED, detail=detail)

    def _answered_again(self, call: _Call, rtt: int, again: int) -> None:
        """After so many SYNs more; the kernel's figure, if it has one, is that of the last of them alone."""
        flags = SampleFlag.RETRANSMITTED if again else 0
        if rtt and self._clock.mono() - call.mono_ns <= call.route.spec.timeout_ns:
            self._answered(call, rtt, again, flags)
        else:
            self._answered_unstamped(call, again, flags)

    def _answered_unstamped(self, call: _Call, detail: int, flags: int) -> None:
        """Timed by when we heard of it; unmeasured if we listened late."""
        if self._tardy:
            self._tell(call.route, call.slot, call.wall_ns, Outcome.UNMEASURED, detail=Reason.OVERRUN)
        else:
            self._answered(call, self._clock.mono() - call.mono_ns, detail, flags | SampleFlag.USER_STAMP)

    def _answered(self, call: _Call, rtt: int, detail: int, flags: int) -> None:
        """In time; or too late, and lost for that, unless our own host is to blame."""
        if rtt <= call.route.spec.timeout_ns:
            self._tell(call.route, call.slot, call.wall_ns, Outcome.ANSWERED, rtt, detail, flags)
        elif self._lose([call]):
            self._tell(call.route, call.slot, call.wall_ns, Outcome.LATE, rtt, detail, flags)

    def _end(self, call: _Call) -> None:
        call.over = True
        descriptor = call.sock.fileno()
        self._calls.pop(descriptor, None)
        self._heeded.discard(descriptor)  # epoll forgets a closed one by itself
        hang_up(call.sock)

    def _give_up(self, mono: int) -> None:
        """Who is silent beyond the time limit is lost; the sweep runs after everything that arrived was heard."""
        overdue = []
        for limit, calls in self._waiting.items():
            while calls and (calls[0].over or calls[0].mono_ns + limit + GRACE_NS <= mono):
                call = calls.popleft()
                if not call.over:
                    overdue.append(call)
        self._lose(overdue)
        for call in overdue:
            self._end(call)

    def _lose(self, calls: list[_Call]) -> int:
        """Lost, unless our own host is to blame; returns how many are."""
        lost = 0
        for call, reason in zip(calls, self._why(calls, silent=True), strict=True):
            if reason is None:
                lost += 1
                self._tell(call.route, call.slot, call.wall_ns, Outcome.LOST)
            else:
                self._tell(call.route, call.slot, call.wall_ns, Outcome.UNMEASURED, detail=reason)
        return lost

    def _why(self, calls: list[_Call], *, silent: bool = False) -> list[Reason | None]:
        """What our own host did while these were under way."""
        if not calls:
            return []
        mono = self._clock.mono()
        self._departures.poll(mono)
        reasons = self._departures.reasons_for([_departure(call, mono, silent=silent) for call in calls], mono)
        return [
            Reason.OVERRUN if reason is None and call.mono_ns <= self._deaf_ns else reason
            for call, reason in zip(calls, reasons, strict=True)
        ]

    # --- telling ------------------------------------------------------------------------------------

    def _tell(
        self, route: Route, slot: int, at_ns: int, outcome: Outcome, rtt: int = -1, detail: int = 0, flags: int = 0
    ) -> None:
        self._records.append((route.row, slot, at_ns, rtt, outcome, detail, flags))


def _samples(records: list[_Record]) -> Samples:
    row, slot, sent, rtt, outcome, detail, flags = np.array(records, np.int64).T
    return Samples(
        row.astype(np.int32),
        slot,
        sent,
        rtt,
        outcome.astype(np.uint8),
        detail.astype(np.uint16),
        flags.astype(np.uint8),
    )


def _departure(call: _Call, mono: int, *, silent: bool) -> Departure:
    spec, address = call.route.spec, call.route.address
    assert address is not None
    end = min(mono, call.mono_ns + spec.timeout_ns)
    bound = spec.source is not None
    return Departure(call.route.row, call.sock, address[0], bound, spec.dscp, call.mono_ns, end, silent)
