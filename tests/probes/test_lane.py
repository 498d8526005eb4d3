from __future__ import annotations

import ipaddress
import socket
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsla.model import SECOND
from netsla.probes.channel import Options
from netsla.probes.lane import HORIZON_NS, _socket_names, address_words, lay_out, options_of
from netsla.probes.sockets import NOWHERE
from tests.probes.wiring import SPEC, fleet, target


@given(st.ip_addresses())
def test_words_and_names_are_those_of_the_kernel(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    family, high, low = address_words(str(address))
    assert family == address.version
    (name,) = _socket_names(family, np.array([high], np.uint64), np.array([low], np.uint64))
    start, size = {4: (4, 4), 6: (8, 16)}[family]
    assert int.from_bytes(name[:2].tobytes(), "little") == {4: socket.AF_INET, 6: socket.AF_INET6}[family]
    assert name[start : start + size].tobytes() == address.packed
    assert len(name) == {4: 16, 6: 28}[family]


def test_targets_part_by_what_cannot_leave_in_one_call() -> None:
    targets = [
        *fleet(5),
        target(5, "fd00::5"),
        target(6, None),
        target(7, "10.0.0.7", replace(SPEC, size=100)),
        target(8, "10.0.0.8", replace(SPEC, dscp=46)),
        target(9, "10.0.0.9", replace(SPEC, interval_ns=2 * SECOND)),
        target(10, "10.0.0.10", replace(SPEC, timeout_ns=SECOND)),
    ]
    layout = lay_out(targets, {})
    assert sorted(sorted(lane.rows.tolist()) for lane in layout.lanes) == [
        [0, 1, 2, 3, 4],
        *([i] for i in range(5, 11)),
    ]
    assert layout.rows == 11
    assert layout.packet_bytes == 228
    assert all(lane.channel == NOWHERE for lane in layout.lanes)
    (nameless,) = [lane for lane in layout.lanes if lane.options is None]
    assert nameless.outbox is None


def test_columns_stand_in_timetable_order() -> None:
    (lane,) = lay_out(fleet(300), {}).lanes
    assert (np.diff(lane.timetable.grain) >= 0).all()
    for row, low in zip(lane.rows.tolist(), lane.low.tolist(), strict=True):
        assert low == address_words(f"10.1.{row >> 8}.{row & 255}")[2]


@given(st.integers(1, 50), st.sampled_from([SECOND // 5, SECOND, 60 * SECOND]), st.integers(1, 30))
def test_the_ring_has_room_for_all_that_may_still_be_answered(rows: int, interval: int, timeout: int) -> None:
    spec = replace(SPEC, interval_ns=interval, timeout_ns=timeout * SECOND)
    slots = -(-(spec.timeout_ns + HORIZON_NS) // interval) + 1
    assert lay_out(fleet(rows, spec), {}).in_flight >= rows * slots


def test_rows_that_left_their_id_behind_have_a_socket_of_their_own() -> None:
    layout = lay_out(fleet(3), {1: 4})
    assert {lane.options.generation for lane in layout.lanes if lane.options} == {0, 4}
    assert options_of(target(1, "10.0.0.1"), 4, {1: 4}) == Options(4, generation=4)


def test_nobody_at_all() -> None:
    layout = lay_out([], {})
    assert (layout.lanes, layout.rows, layout.in_flight) == ([], 0, 0)


@pytest.mark.parametrize(("count", "pace"), [(0, 14_000), (1000, 14_000), (5000, 14_000), (16_000, 5000)])
def test_a_tick_ends_before_the_next_begins(count: int, pace: int) -> None:
    layout = lay_out(fleet(count, replace(SPEC, interval_ns=SECOND // 10)), {})
    assert (layout.tick_ns, layout.pace_ns) == (100_000_000, pace)
