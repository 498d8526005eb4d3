"""What other tools got wrong, held against real sockets; each test names the peers' bug it guards against."""

from __future__ import annotations

import socket
import threading
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from netsla.model import MILLISECOND, SECOND, Outcome, Reason, SampleFlag, Samples, Target
from netsla.probes import channel as channels
from netsla.probes.batch import Outbox, pressure
from tests.probes.wiring import SPEC, Drive, Echo, Namespace, Wire, count, fleet, nobody, reasons, target

pytestmark = pytest.mark.netns
Make = Callable[[Sequence[Target]], Drive]


def silent(_: Echo) -> None:
    """Nobody answers."""


def test_regression_02_time_limit_longer_than_the_interval(wire: Wire, drive: Make) -> None:
    one = drive([target(0, "10.1.0.1", replace(SPEC, interval_ns=200 * MILLISECOND, timeout_ns=2 * SECOND))])
    held: list[Echo] = []
    assert len(one.run(1.4, wire, held.append)) == 0
    for echo in reversed(held):  # all are out at once, and come back in the wrong order
        wire.answer(echo)
    samples = one.heard()
    assert count(samples) == {"ANSWERED": 7}
    assert np.diff(np.sort(samples.slot)).tolist() == [1] * 6
    assert count(one.run(2, wire)) == {"ANSWERED": 10}


@pytest.mark.parametrize("raw", [False, True])
def test_regression_03_sequence_wraps_while_replies_are_ten_seconds_old(wire: Wire, drive: Make, raw: bool) -> None:
    if raw:
        wire.namespace.set("ipv4/ping_group_range", "1 0")
    # 7,000 probes/s for 10 s use up all 65,536 sequence numbers
    one = drive(fleet(7_000, replace(SPEC, timeout_ns=20 * SECOND)))
    first: list[Echo] = []
    one.run(1, wire, first.append)
    for _ in range(10):
        assert count(one.run(1, wire)) == {"ANSWERED": 7_000}
    assert one.prober._flights.head > 0x10000
    for echo in first:
        wire.answer(echo)
    old = one.heard()
    assert count(old) == {"ANSWERED": 7_000}
    assert len(set(old.row)) == 7_000
    assert len(set(old.slot.tolist())) <= 2
    assert one.prober.strangers == 0


def test_regression_04_two_endpoints_with_one_address(wire: Wire, drive: Make) -> None:
    one = drive([target(0, "10.1.0.1"), target(1, "10.1.0.1"), target(2, "10.1.0.1", replace(SPEC, size=120))])
    lost = set()

    def react(echo: Echo) -> None:
        number = int.from_bytes(echo.icmp[-16:-8], "little")
        row = int(one.prober._flights.row[number])
        if row == 1:
            lost.add(number)
        else:
            wire.answer(echo)

    samples = one.run(8, wire, react)
    assert count(samples.take(samples.row != 1)) == {"ANSWERED": 16}
    assert set(count(samples.take(samples.row == 1))) == {"LOST"}


@pytest.mark.parametrize("raw", [(False, False), (True, True), (False, True)])
def test_regression_05_two_agents_on_one_host(wire: Wire, drive: Make, raw: tuple[bool, bool]) -> None:
    both = []
    for one_is_raw in raw:
        wire.namespace.set("ipv4/ping_group_range", "1 0" if one_is_raw else "0 2147483647")
        both.append(drive(fleet(20)))
    a, b = both
    a.run(1)
    left = wire.echoes()  # of the first agent only
    b.run(1)
    right = wire.echoes()
    assert len(left) == len(right) == 20
    for echo in left[:10]:
        wire.answer(echo)
    for echo in left[10:]:
        wire.refuse(echo, 3, 1, "10.9.9.9", echo.whole[:28])
    assert count(a.to_the_end(0, wire, lambda _: None)) == {"ANSWERED": 10, "REFUSED": 10}
    assert count(b.heard()) == {}
    for echo in right:
        wire.answer(echo)
    assert count(b.heard()) == {"ANSWERED": 20}
    assert a.prober.strangers == b.prober.strangers == 0


def test_regression_06_duplicates_before_and_after_the_time_limit(wire: Wire, drive: Make) -> None:
    one = drive([target(0, "10.1.0.1")])
    held: list[Echo] = []
    one.run(1, wire, held.append)
    wire.answer(held[0])
    wire.answer(held[0])
    samples = one.heard()
    assert count(samples) == {"ANSWERED": 1, "DUPLICATE": 1}
    one.run(4, wire)
    wire.answer(held[0])  # after the time limit, of an answered one
    again = one.heard()
    assert count(again) == {"DUPLICATE": 1}
    assert again.slot.tolist() == samples.slot[:1].tolist()


def test_regression_06_a_late_reply_is_told_once_and_stays_lost(wire: Wire, drive: Make) -> None:
    one = drive([target(0, "10.1.0.1", replace(SPEC, interval_ns=10 * SECOND))])
    held: list[Echo] = []
    samples = one.run(14, wire, held.append)
    assert count(samples) == {"LOST": 1}
    for _ in range(3):
        wire.answer(held[0])
    assert count(one.heard()) == {"LATE": 1, "DUPLICATE": 2}


def test_regression_06_late_by_kernel_stamp_though_read_before_the_sweep(wire: Wire, drive: Make) -> None:
    one = drive([target(0, "10.1.0.1")])
    held: list[Echo] = []
    one.run(1, wire, held.append)
    one.prober._listener.read_errors(one.prober._sockets[0])
    flights = one.prober._flights
    flights.tx_ns[0] -= 3 * SECOND + 1  # the kernel sent it earlier than user space knows
    flights.mono_ns[0] -= 3 * SECOND + 1
    wire.answer(held[0])
    late = one.heard()
    assert count(late) == {"LOST": 1, "LATE": 1}
    assert late.rtt_ns[late.outcome == Outcome.LATE].item() > 3 * SECOND


@pytest.mark.parametrize("hours", [-1, 1])
def test_regression_09_wall_clock_set_in_flight(wire: Wire, drive: Make, hours: int) -> None:
    one = drive(fleet(10))
    held: list[Echo] = []
    one.run(1, wire, held.append)
    one.prober._listener.read_errors(one.prober._sockets[0])
    step = hours * 3600 * SECOND
    one.prober._flights.tx_ns[:10] -= step  # as if the clock had been set after the kernel stamped them
    one.clock.stepped = step
    for echo in held:
        wire.answer(echo)
    samples = one.heard()
    assert count(samples) == {"ANSWERED": 10}
    assert set(samples.flags) == {SampleFlag.CLOCK_STEP}
    assert 0 <= samples.rtt_ns.min() <= samples.rtt_ns.max() < 100 * MILLISECOND
    after = one.run(1, wire)
    assert count(after) == {"ANSWERED": 10}
    assert not after.flags.any()
    assert one.prober.facts().clock_steps == 1


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("unreachable", Reason.NO_ROUTE),
        ("blackhole", Reason.NO_ROUTE),
        ("prohibit", Reason.PROHIBITED),
        (None, Reason.NO_ROUTE),
    ],
)
def test_regression_10_routes_of_our_own_that_refuse(
    wire: Wire, drive: Make, kind: str | None, reason: Reason, family: int, raw: bool
) -> None:
    if raw:
        wire.namespace.set("ipv4/ping_group_range", "1 0")
    inside, outside = {4: ("10.1.0.1", "10.2.0.1"), 6: ("fd01::1", "fd02::1")}[family]
    narrow, wide = {4: ("10.2.0.0/16", "10.0.0.0/8"), 6: ("fd02::/16", "fd00::/8")}[family]
    one = drive([target(0, inside), target(1, outside)])
    assert count(one.run(2, wire)) == {"ANSWERED": 4}
    if kind is None:
        wire.namespace.ip("route", "del", wide, "dev", "wire")
        wire.namespace.ip("route", "add", inside, "dev", "wire")
    else:
        wire.namespace.ip("route", "add", kind, narrow)
    samples = one.run(5, wire)
    assert count(samples.take(samples.row == 0)) == {"ANSWERED": 5}
    bad = samples.take(samples.row == 1)
    assert count(bad) == {"UNMEASURED": 5}
    assert reasons(bad) == {reason}


def test_regression_10_link_down(wire: Wire, drive: Make) -> None:
    one = drive(fleet(10))
    assert count(one.run(1, wire)) == {"ANSWERED": 10}
    wire.namespace.ip("link", "set", "wire", "down")
    samples = one.run(5)
    assert count(samples) == {"UNMEASURED": 50}
    assert reasons(samples) <= {Reason.NO_ROUTE, Reason.INTERFACE_DOWN, Reason.BUFFER_FULL}
    wire.namespace.ip("link", "set", "wire", "up")
    wire.namespace.ip("route", "replace", "10.0.0.0/8", "dev", "wire")
    assert count(one.run(2, wire)) == {"ANSWERED": 20}


def test_regression_10_a_full_device_queue_is_ours(wire: Wire, drive: Make) -> None:
    """A TUN device that nobody reads drops what its queue has no room for, and says so."""
    wire.namespace.ip("link", "set", "wire", "txqueuelen", "10")
    one = drive(fleet(300))
    samples = one.run(1)  # nobody reads the device meanwhile
    assert Outcome.LOST not in samples.outcome
    assert one.prober._flights.head == 300


def test_regression_11_endpoints_that_do_not_exist(namespace: Namespace, drive: Make) -> None:
    far = Namespace("f")
    try:
        namespace.ip("link", "add", "near", "type", "veth", "peer", "name", "far", "netns", far.name)
        namespace.ip("addr", "add", "10.40.0.1/16", "dev", "near")
        far.ip("addr", "add", "10.40.255.254/16", "dev", "far")
        namespace.ip("link", "set", "near", "up")
        far.ip("link", "set", "far", "up")
        namespace.set("ipv4/neigh/near/retrans_time_ms", "30")
        # the far side answers ARP for its own address and for 10.50/16 behind it, for nobody else
        namespace.ip("route", "add", "10.50.0.0/16", "via", "10.40.255.254")
        far.ip("route", "add", "local", "10.50.0.0/16", "dev", "lo")
        dead = [target(row, f"10.40.{row >> 8}.{row & 255}") for row in range(2, 2002)]
        good = [target(row, f"10.50.{row >> 8}.{row & 255}") for row in range(2002, 2302)]
        one = drive([*dead, *good])
        samples = one.run(6)
        ours = samples.take(samples.row >= 2002)
        assert set(count(ours)) == {"ANSWERED"}
        assert len(ours) >= 1500
        theirs = samples.take(samples.row < 2002)
        assert set(count(theirs)) <= {"LOST", "REFUSED", "UNMEASURED"}
        assert reasons(theirs) <= {Reason.BUFFER_FULL}
    finally:
        far.delete()


@pytest.mark.parametrize("raw", [False, True])
def test_regression_12_a_socket_unread_for_two_seconds(
    wire: Wire, drive: Make, monkeypatch: pytest.MonkeyPatch, raw: bool
) -> None:
    monkeypatch.setattr(channels, "_BUFFER", 16 << 10)
    if raw:
        wire.namespace.set("ipv4/ping_group_range", "1 0")
    one = drive(fleet(500))
    one.run(1)
    one.clock.ahead += 900 * MILLISECOND
    echoes = wire.echoes()
    for echo in echoes:  # the buffer has room for some dozens
        wire.answer(echo)
    assert pressure(one.prober._sockets[0].socket)[0] > 300
    samples = one.run(5, wire)
    first = samples.take(samples.slot == samples.slot.min())
    assert Outcome.LOST not in samples.outcome
    assert Reason.RECEIVE_DROP in reasons(first)
    assert one.prober.facts().receive_drops > 300


def test_regression_12_after_the_overflow_losses_are_losses_again(
    wire: Wire, drive: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "_BUFFER", 16 << 10)
    one = drive(fleet(200))
    one.run(1)
    for echo in wire.echoes():
        wire.answer(echo)
    one.run(4, wire, silent)
    samples = one.run(5, wire, silent)
    assert count(samples) == {"LOST": 1000}


def test_regression_13_ping_denied_then_raw(wire: Wire, drive: Make) -> None:
    wire.namespace.set("ipv4/ping_group_range", "1 0")
    one = drive([target(0, "10.1.0.1"), target(1, "fd00::1")])
    assert count(one.run(2, wire)) == {"ANSWERED": 4}
    assert [" raw socket" in text for text in one.prober.facts().sockets] == [True, True]


def test_regression_13_raw_denied_ping_allowed(wire: Wire, drive: Make) -> None:
    with nobody():
        one = drive([target(0, "10.1.0.1"), target(1, "fd00::1")])
        assert count(one.run(2, wire)) == {"ANSWERED": 4}
    assert [" ping socket" in text for text in one.prober.facts().sockets] == [True, True]


@pytest.mark.parametrize("source", [None, "10.77.0.1"])
def test_regression_13_both_denied_then_allowed(wire: Wire, drive: Make, source: str | None) -> None:
    wire.namespace.set("ipv4/ping_group_range", "1 0")
    spec = replace(SPEC, source=source)
    with nobody():
        one = drive([target(0, "10.1.0.1", spec)])
        samples = one.run(3, wire)
        assert count(samples) == {"UNMEASURED": 3}
        assert reasons(samples) == {Reason.NO_SOCKET}
        (problem,) = one.prober.facts().problems
        assert "ping_group_range" in problem
        assert "CAP_NET_RAW" in problem
    wire.namespace.set("ipv4/ping_group_range", "0 2147483647")
    with nobody():
        one.run(8, wire)
        assert count(one.run(2, wire)) == {"ANSWERED": 2}
    assert one.prober.facts().problems == ()


def test_regression_14_ipv6_disabled(wire: Wire, drive: Make) -> None:
    wire.namespace.set("ipv6/conf/all/disable_ipv6", "1")
    one = drive([target(0, "10.1.0.1"), target(1, "fd00::1")])
    samples = one.run(4, wire)
    assert count(samples.take(samples.row == 0)) == {"ANSWERED": 4}
    assert count(samples.take(samples.row == 1)) == {"UNMEASURED": 4}
    assert reasons(samples) <= {Reason.NO_ROUTE, Reason.SOURCE_GONE, Reason.PROHIBITED}


def test_regression_14_a_kernel_without_ipv6(wire: Wire, drive: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.socket

    def without(family: int, *rest: int) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(97, "Address family not supported by protocol")
        return real(family, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(socket, "socket", without)
        one = drive([target(0, "10.1.0.1"), target(1, "fd00::1")])
        samples = one.run(2, wire)
    assert count(samples) == {"ANSWERED": 2, "UNMEASURED": 2}
    assert reasons(samples) == {Reason.NO_SOCKET}
    assert "no IPv6 on this host" in one.prober.facts().problems[0]


def test_regression_17_reload_with_one_changed_of_ten_thousand(wire: Wire, drive: Make) -> None:
    targets = fleet(10_000)
    one = drive(targets)
    found = [one.run(0.7, wire)]
    one.prober.load([*targets[:4000], target(4000, "10.99.0.1"), *targets[4001:]])
    found.append(one.run(2.3, wire))
    samples = Samples.join(found)
    assert count(samples) == {"ANSWERED": 30_000}
    place = samples.row.astype(np.int64) * (1 << 40) + (samples.slot - samples.slot.min())
    assert len(np.unique(place)) == 30_000
    for row in (0, 3999, 4000, 9999):
        assert np.diff(np.sort(samples.slot[samples.row == row])).tolist() == [1, 1]
    assert len(one.prober.facts().sockets) == 1


@pytest.mark.parametrize("family", [4, 6])
def test_regression_18_mtu_change_with_df(wire: Wire, drive: Make, family: int) -> None:
    big, small = {4: ("10.1.0.1", "10.1.0.2"), 6: ("fd01::1", "fd01::2")}[family]
    spec = replace(SPEC, size=1380, df=True)
    one = drive([target(0, big, spec), target(1, small)])
    assert count(one.run(2, wire)) == {"ANSWERED": 4}
    wire.namespace.ip("link", "set", "wire", "mtu", "1300")
    samples = one.run(3, wire)
    assert count(samples.take(samples.row == 1)) == {"ANSWERED": 3}
    assert count(samples.take(samples.row == 0)) == {"UNMEASURED": 3}
    assert reasons(samples) == {Reason.MESSAGE_TOO_LONG}


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("family", [4, 6])
def test_regression_18_what_is_too_long_is_not_tried_for_ever(
    wire: Wire, drive: Make, monkeypatch: pytest.MonkeyPatch, family: int, raw: bool
) -> None:
    if raw:
        wire.namespace.set("ipv4/ping_group_range", "1 0")
    spec = replace(SPEC, size=1380, df=True)
    one = drive([target(row, f"10.1.0.{row}" if family == 4 else f"fd01::{row}", spec) for row in range(1, 21)])
    one.run(1, wire)
    wire.namespace.ip("link", "set", "wire", "mtu", "1300")
    one.run(1, wire)
    calls, send = [], Outbox.send

    def counted(outbox: Outbox, fd: int, begin: int, end: int) -> int:
        calls.append(begin)
        return send(outbox, fd, begin, end)

    monkeypatch.setattr(Outbox, "send", counted)
    samples = one.run(2, wire)
    assert reasons(samples) == {Reason.MESSAGE_TOO_LONG}
    assert len(calls) <= 2 * len(samples)  # each try holds up everybody's probes


def test_regression_18_a_router_that_wants_fragments(wire: Wire, drive: Make) -> None:
    one = drive([target(0, "10.1.0.1", replace(SPEC, size=1380, df=True))])

    def narrow(echo: Echo) -> None:
        body = bytes([3, 4, 0, 0, 0, 0]) + (1300).to_bytes(2, "big") + echo.whole[:548]
        wire.send(4, "10.9.9.9", echo.source, body)

    samples = one.to_the_end(3, wire, narrow)
    assert count(samples) == {"REFUSED": 3}  # what the path does not take is the path's loss, not ours
    assert set(samples.detail) == {3 << 8 | 4}


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize(("address", "other"), [("10.1.0.1", "10.1.0.2"), ("fd00::1", "fd00::2")])
def test_regression_19_reply_from_another_address(wire: Wire, drive: Make, address: str, other: str, raw: bool) -> None:
    if raw:
        wire.namespace.set("ipv4/ping_group_range", "1 0")
    one = drive([target(0, address)])
    samples = one.run(6, wire, lambda echo: wire.answer(echo, source=other))
    assert set(count(samples)) == {"LOST"}
    assert one.prober.strangers == 6


def test_regression_22_suspended_for_an_hour(wire: Wire, drive: Make) -> None:
    one = drive(fleet(200))
    assert count(one.run(2, wire)) == {"ANSWERED": 400}
    before = one.prober._flights.head
    tracemalloc.start()
    one.clock.ahead += 3600 * SECOND
    one.prober.step()
    samples = one.drain()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    burst = one.prober._flights.head - before
    assert burst <= 130  # no more than the last half second
    assert set(count(samples)) == {"UNMEASURED"}
    assert reasons(samples) == {Reason.OVERRUN}
    assert 119 * 200 <= len(samples) <= 121 * 200
    assert peak < 10 << 20
    place = samples.row.astype(np.int64) << 40 | (samples.slot - samples.slot.min())
    assert len(np.unique(place)) == len(samples)
    rest = one.run(2, wire)
    assert set(count(rest)) == {"ANSWERED"}
    assert not set((rest.slot << 20 | rest.row).tolist()) & set((samples.slot << 20 | samples.row).tolist())


def test_regression_22_a_stall_of_ten_seconds_tells_every_slot_once(wire: Wire, drive: Make) -> None:
    one = drive(fleet(50))
    found = [one.run(2, wire)]
    one.clock.ahead += 10 * SECOND
    found.append(one.run(3, wire))
    samples = Samples.join(found)
    for row in range(50):
        slots = np.sort(samples.slot[samples.row == row])
        assert np.diff(slots).tolist() == [1] * (len(slots) - 1)
        assert len(slots) == 15


@pytest.mark.parametrize("raw", [False, True])
def test_regression_23_a_poisoned_id(wire: Wire, drive: Make, raw: bool) -> None:
    if raw:
        wire.namespace.set("ipv4/ping_group_range", "1 0")
    one = drive(fleet(3))
    poisoned: set[int] = set()

    def react(echo: Echo) -> None:
        """A firewall that holds a dead session for the first id to 10.1.0.1, and lets new ones through."""
        if echo.target != "10.1.0.1":
            wire.answer(echo)
            return
        if not poisoned:
            poisoned.add(echo.identifier)
        if echo.identifier not in poisoned:
            wire.answer(echo)

    parts = [one.run(1, wire, react)]
    while not one.prober._generations:
        parts.append(one.run(0.1, wire, react))
    for thread in threading.enumerate():
        if thread.name == "icmp-layout":  # the new layout is built beside the prober
            thread.join()
    found = Samples.join([*parts, one.run(12, wire, react)])
    sick = found.take(found.row == 1)
    told = count(sick)
    assert told["STALE"] == 1
    assert told["LOST"] >= 3
    assert told["ANSWERED"] >= 10
    assert told["LOST"] < 15
    counted = sick.take(sick.outcome < Outcome.LATE)
    assert np.diff(np.sort(counted.slot)).tolist() == [1] * (len(counted) - 1)  # the extra probe is in no ratio
    assert set(count(found.take(found.row != 1))) == {"ANSWERED"}
    stale = sick.take(sick.outcome == Outcome.STALE)
    assert stale.rtt_ns.tolist() == [-1]
    assert one.prober._generations == {1: 1}


def test_regression_23_a_dark_endpoint_is_not_stale(wire: Wire, drive: Make) -> None:
    one = drive(fleet(3))
    samples = one.run(30, wire, silent)
    assert set(count(samples)) == {"LOST"}
    assert one.prober._generations == {}
