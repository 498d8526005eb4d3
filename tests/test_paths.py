"""Path snapshots: taken beside everything else, rarely, and told as seen."""

from __future__ import annotations

import queue
import threading

import icmplib
import pytest

from netsla.model import SECOND
from netsla.paths import Hop, Paths, Snapshot, trace

HOPS = (Hop(1, "192.0.2.1", 0.5), Hop(2, "203.0.113.9", 1.5))


def taken(look: object) -> Snapshot:
    told: queue.Queue[Snapshot] = queue.Queue()
    paths = Paths(told.put, look)  # type: ignore[arg-type]  # what a test hands in
    paths.start()
    assert paths.want("id-1", "acme", "hq", "203.0.113.9", SECOND)
    found = told.get(timeout=10)
    paths.close()
    return found


def test_a_snapshot_holds_the_hops_and_whether_the_endpoint_was_reached() -> None:
    found = taken(lambda _address: HOPS)
    assert (found.event_id, found.agreement, found.endpoint) == ("id-1", "acme", "hq")
    assert (found.hops, found.reached, found.problem) == (HOPS, True, "")
    assert not taken(lambda _address: HOPS[:1]).reached


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (icmplib.SocketPermissionError(privileged=True), "not permitted"),
        (OSError(101, "Network is unreachable"), "Network is unreachable"),
    ],
)
def test_why_there_is_no_path_is_said(error: Exception, said: str) -> None:
    def look(_address: str) -> tuple[Hop, ...]:
        raise error

    found = taken(look)
    assert said in found.problem
    assert not found.hops


def test_an_address_is_asked_once_in_ten_minutes_and_a_storm_gets_a_handful() -> None:
    held = threading.Event()
    paths = Paths(lambda _snapshot: None, lambda _address: HOPS if held.wait(10) else ())
    assert paths.want("a", "acme", "hq", "192.0.2.7", 0)
    assert not paths.want("b", "acme", "hq", "192.0.2.7", 599 * SECOND)
    assert paths.want("c", "acme", "hq", "192.0.2.7", 600 * SECOND)
    wanted = [paths.want("d", "acme", f"e{i}", f"198.51.100.{i}", 600 * SECOND) for i in range(100)]
    assert sum(wanted) == 6, "eight wait at most"
    held.set()


def test_a_real_path_over_real_sockets() -> None:
    hops = trace("127.0.0.1")
    assert [(hop.distance, hop.address) for hop in hops] == [(1, "127.0.0.1")]
    assert 0 < hops[0].rtt_ms < 1000
