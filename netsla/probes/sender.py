"""Packets out: a slice of a lane becomes flights, and leaves in one call.

Rules: a flight is written into the ring before its packet leaves, so that no reply can be too early. What our own
host refuses to send is unmeasured, with its reason; it was never sent.
"""

from __future__ import annotations

import errno
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from netsla.model import Outcome, Reason
from netsla.probes import flight
from netsla.probes.audit import Clock
from netsla.probes.batch import Outbox, random_words
from netsla.probes.channel import Channel, source_present
from netsla.probes.faults import OwnFaults
from netsla.probes.flight import Flights
from netsla.probes.lane import Lane
from netsla.probes.outlet import Outlet
from netsla.wire import icmp

_TRIES = 200  # for a packet in whose place errors of other probes are raised, one after the other
_OURS = (errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM, errno.EPERM, errno.EINVAL, errno.ENETDOWN, errno.EADDRNOTAVAIL)
"""No ICMP error is ever told as one of these."""
_WORDS = 4096  # nonces drawn at once

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


class Sender:
    """Sends slices of lanes."""

    def __init__(
        self,
        flights: Flights,
        outlet: Outlet,
        clock: Clock,
        faults: OwnFaults,
        wait: Callable[[], None],
        relieve: Callable[[Channel], bool],
    ) -> None:
        """`wait` returns when it is time to send; `relieve` reads a channel's errors, tells whether there was one."""
        self._flights, self._outlet, self._clock, self._faults = flights, outlet, clock, faults
        self._wait, self._relieve = wait, relieve
        self._words = random_words(_WORDS)

    def send(self, lane: Lane, channel: Channel, slot: int, begin: int, stop: int) -> tuple[int, int]:
        """Send positions [begin, stop) of a lane, at most `AT_ONCE`.

        Returns the number of the first flight, and its monotonic time.
        """
        assert lane.outbox is not None
        assert lane.names is not None
        assert lane.fields is not None
        flights, count = self._flights, stop - begin
        first, nonces = flights.head, self._nonces(count)
        lane.outbox.names[:count] = lane.names[begin:stop]
        icmp.fill(lane.fields[:count], np.arange(first, first + count, dtype=np.uint64), nonces)
        if lane.checksum:
            icmp.checksum(lane.outbox.packets[:count])
        at = flights.places(first, count)
        flights.enter(at, lane.words[begin:stop])
        flights.nonce[at], flights.slot[at], flights.channel[at] = nonces, slot, lane.channel
        flights.head += count
        self._wait()
        mono, wall = self._clock.both()
        flights.mono_ns[at], flights.wall_ns[at] = mono, wall
        failed = push_out(lane.outbox, channel.fd, count, lambda: self._relieve(channel))
        if failed:
            self._take_back(first, failed, channel)
        return first, mono

    def _take_back(self, first: int, failed: list[tuple[int, int]], channel: Channel) -> None:
        """These never left."""
        index = np.array([i for i, _ in failed])
        reasons = np.array([REASONS.get(error, Reason.OTHER) for _, error in failed], np.uint16)
        if channel.options.source is not None and not source_present(channel.options):
            reasons[:] = Reason.SOURCE_GONE  # the kernel calls it EINVAL, like a blackhole route
        at = (first + index) & (self._flights.size - 1)
        self._flights.state[at] = flight.FREE
        self._faults.refuse(self._flights.row[at], reasons, self._clock.mono())
        self._outlet.tell(at, Outcome.UNMEASURED, detail=reasons)

    def _nonces(self, count: int) -> npt.NDArray[np.uint64]:
        if count > len(self._words):
            self._words = random_words(max(_WORDS, 2 * count))
        taken, self._words = self._words[:count], self._words[count:]
        return taken


def push_out(outbox: Outbox, fd: int, count: int, relieve: Callable[[], bool]) -> list[tuple[int, int]]:
    """Send the first `count` packets; returns (index, errno) of those that did not leave.

    With IP_RECVERR a send raises the pending ICMP error of *another* probe, once, and does not send. Such an error is
    in the error queue before it is pending; so what fails twice while `relieve` finds no error there was refused by
    our own host. Where the packet before was refused alike, once is enough: two calls each for a mass of refusals.
    """
    failed: list[tuple[int, int]] = []
    begin = tries = calm = 0
    while begin < count:
        sent = outbox.send(fd, begin, count)
        if sent > 0:
            begin, tries, calm = begin + sent, 0, 0
            continue
        tries += 1
        calm = calm + 1 if -sent in _OURS or not relieve() else 0
        enough = 1 if failed and failed[-1] == (begin - 1, -sent) else 2
        if calm >= enough or tries >= _TRIES:
            failed.append((begin, -sent))
            begin, tries, calm = begin + 1, 0, 0
    return failed
