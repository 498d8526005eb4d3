from __future__ import annotations

import threading

import numpy as np

from netsla.model import Outcome, Reason, Samples
from netsla.probes.flight import Flights
from netsla.probes.outlet import Outlet


def test_flights_become_samples_with_the_best_send_time() -> None:
    flights = Flights()
    flights.row[:3], flights.slot[:3] = (4, 5, 6), (40, 50, 60)
    flights.wall_ns[:3], flights.tx_ns[:3] = (100, 200, 300), (101, 0, 303)
    outlet = Outlet(flights)
    outlet.tell(np.array([2, 1]), Outcome.REFUSED, detail=np.array([7, 8], np.uint16))
    (samples,) = outlet.drain()
    assert samples.row.tolist() == [6, 5]
    assert samples.slot.tolist() == [60, 50]
    assert samples.sent_ns.tolist() == [303, 200]
    assert samples.rtt_ns.tolist() == [-1, -1]
    assert samples.detail.tolist() == [7, 8]
    assert outlet.drain() == []


def test_nothing_is_no_batch() -> None:
    outlet = Outlet(Flights())
    outlet.tell(np.array([], np.int64), Outcome.LOST)
    assert outlet.drain() == []


def test_what_was_told_does_not_change_when_the_ring_moves_on() -> None:
    flights = Flights()
    outlet = Outlet(flights)
    flights.row[:2], flights.slot[:2] = 1, 1
    outlet.tell(np.array([0, 1]), Outcome.LOST)
    flights.row[:2], flights.slot[:2] = 9, 9
    assert Samples.join(outlet.drain()).row.tolist() == [1, 1]


def test_rows_without_a_flight() -> None:
    outlet = Outlet(Flights())
    outlet.tell_rows(np.array([3], np.int32), np.array([8]), np.array([77]), Outcome.UNMEASURED, Reason.NO_SOCKET)
    (samples,) = outlet.drain()
    assert (samples.row[0], samples.slot[0], samples.sent_ns[0], samples.detail[0]) == (3, 8, 77, Reason.NO_SOCKET)


def test_one_thread_tells_while_another_drains_and_nothing_is_lost_or_swapped() -> None:
    outlet = Outlet(Flights())

    def tell() -> None:
        for i in range(5000):
            outlet.tell_rows(np.array([i], np.int32), np.array([i]), np.array([i]), Outcome.LOST)

    thread = threading.Thread(target=tell)
    thread.start()
    found: list[Samples] = []
    while thread.is_alive():
        found += outlet.drain()
    found += outlet.drain()
    assert Samples.join(found).row.tolist() == list(range(5000))
