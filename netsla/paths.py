"""The way to an endpoint at the onset of a breach: one traceroute at a time, rate limited, on a thread of its own.

Rules: never waited for. A snapshot is extra traffic, so it is rare: one at a time, an address at most every ten
minutes, and a storm of breaches gets a handful of them. Its packets enter no figure. What is told is what was seen:
a hop that kept silent is absent, and that we may not look is said in words.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass

import icmplib

from netsla.model import SECOND

_AGAIN_NS = 600 * SECOND  # the same address is not asked again before
_WAITING = 8  # breaches that may wait for their snapshot; a storm does not need hundreds
_HOP_S = 1.0  # time limit of a hop
_MOST_HOPS, _SILENT_HOPS = 30, 4


@dataclass(frozen=True, slots=True)
class Hop:
    """A router that answered: its distance, address and RTT in milliseconds."""

    distance: int
    address: str
    rtt_ms: float


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The path to `address` for the breach that event `event_id` opened; `problem` says why there is none."""

    event_id: str
    agreement: str
    endpoint: str
    address: str
    hops: tuple[Hop, ...] = ()
    reached: bool = False
    problem: str = ""


Trace = Callable[[str], tuple[Hop, ...]]


def trace(address: str) -> tuple[Hop, ...]:
    """The routers on the way, nearest first, until the endpoint or until nobody answers any more.

    Raises icmplib.ICMPLibError, OSError.
    """
    found: list[Hop] = []
    for distance in range(1, _MOST_HOPS + 1):
        hops = icmplib.traceroute(address, count=1, interval=0, timeout=_HOP_S, first_hop=distance, max_hops=distance)
        found += [Hop(hop.distance, hop.address, round(hop.avg_rtt, 3)) for hop in hops]
        if found and found[-1].address == address:
            break
        if distance - (found[-1].distance if found else 0) >= _SILENT_HOPS:
            break
    return tuple(found)


class Paths:
    """Takes snapshots; `tell` is called from the thread with each."""

    def __init__(self, tell: Callable[[Snapshot], None], look: Trace = trace) -> None:
        self._tell, self._look = tell, look
        self._asked: dict[str, int] = {}  # by address: when it was asked last
        self._queue: queue.Queue[Snapshot | None] = queue.Queue(_WAITING)
        self._thread = threading.Thread(target=self._run, name="paths", daemon=True)

    def start(self) -> None:
        """Begin to take what is wanted."""
        self._thread.start()

    def close(self) -> None:
        """Take no more; one that is under way ends with the process."""
        try:
            self._queue.put_nowait(None)
        except queue.Full:
            return  # the thread is a daemon

    def want(self, event_id: str, agreement: str, endpoint: str, address: str, now_ns: int) -> bool:
        """Ask for a snapshot, if it is time for one; whether it will be taken."""
        if now_ns - self._asked.get(address, -_AGAIN_NS) < _AGAIN_NS:
            return False
        try:
            self._queue.put_nowait(Snapshot(event_id, agreement, endpoint, address))
        except queue.Full:
            return False
        self._asked[address] = now_ns
        if len(self._asked) > 10_000:
            self._asked = {one: at for one, at in self._asked.items() if now_ns - at < _AGAIN_NS}
        return True

    def _run(self) -> None:
        while (wanted := self._queue.get()) is not None:
            self._tell(self._take(wanted))

    def _take(self, wanted: Snapshot) -> Snapshot:
        who = (wanted.event_id, wanted.agreement, wanted.endpoint, wanted.address)
        try:
            hops = self._look(wanted.address)
        except icmplib.SocketPermissionError:
            return Snapshot(*who, problem="not permitted: the drop-in deploy/systemd/raw.conf adds CAP_NET_RAW")
        except (icmplib.ICMPLibError, OSError) as error:
            return Snapshot(*who, problem=f"no path could be taken: {error}")
        return Snapshot(*who, hops, reached=bool(hops) and hops[-1].address == wanted.address)
