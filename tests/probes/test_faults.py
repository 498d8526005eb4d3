"""Real links that fail while probes are out: none of those is lost, and no other link excuses anything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from netsla.model import MILLISECOND, SECOND, Outcome, Reason, Target
from netsla.probes.channel import Options
from netsla.probes.faults import NOT_OURS, OwnFaults
from netsla.probes.flight import Flights
from netsla.probes.lane import address_words
from netsla.probes.links import Fault
from netsla.probes.netlink import Ask, Neighbour
from tests.probes.wiring import SPEC, Drive, Echo, Namespace, Wire, count, reasons, target

pytestmark = pytest.mark.netns
Make = Callable[[Sequence[Target]], Drive]
FAST = replace(SPEC, interval_ns=500 * MILLISECOND)
PAIR = [target(0, "10.1.0.1", FAST), target(1, "fd01::1", FAST)]


def silent(_: Echo) -> None:
    """Nobody answers."""


def dropped(namespace: Namespace, far: Namespace) -> None:
    far.ip("link", "set", "far", "down")


def shut(namespace: Namespace, far: Namespace) -> None:
    namespace.ip("link", "set", "near", "down")


def deleted(namespace: Namespace, far: Namespace) -> None:
    namespace.ip("link", "del", "near")


def flapped(namespace: Namespace, far: Namespace) -> None:
    far.ip("link", "set", "far", "down")
    far.ip("link", "set", "far", "up")


def renamed_while_down(namespace: Namespace, far: Namespace) -> None:
    namespace.ip("link", "set", "near", "down")
    namespace.ip("link", "set", "near", "name", "uplink")
    namespace.ip("link", "set", "uplink", "up")


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("fault", [dropped, shut, deleted, flapped, renamed_while_down])
def test_what_is_out_when_its_link_fails_is_not_lost(
    namespace: Namespace, veth: Namespace, drive: Make, fault: Callable[[Namespace, Namespace], None], raw: bool
) -> None:
    if raw:
        namespace.set("ipv4/ping_group_range", "1 0")
    one = drive(PAIR)
    assert count(one.run(2)) == {}  # eight are out
    fault(namespace, veth)
    one.clock.ahead += 100 * MILLISECOND
    one.prober.step()
    samples = one.run(3.5)
    early = samples.take(samples.slot < samples.slot.min() + 4)
    assert count(early) == {"UNMEASURED": 8}
    assert reasons(early) <= {Reason.INTERFACE_DOWN, Reason.NO_ROUTE, Reason.SOURCE_GONE}
    if fault is not flapped:
        assert Outcome.LOST not in samples.outcome


@pytest.mark.parametrize("ended", [False, True])
def test_what_is_sent_into_a_link_without_carrier_is_not_lost(
    namespace: Namespace, veth: Namespace, drive: Make, ended: bool
) -> None:
    one = drive(PAIR)
    veth.ip("link", "set", "far", "down")
    sent = one.run(2)
    if ended:
        veth.ip("link", "set", "far", "up")
    samples = one.run(3.5)
    assert not {Outcome.LOST, Outcome.REFUSED} & set(sent.outcome.tolist())
    early = samples.take(samples.slot < samples.slot.min() + 4)
    assert set(count(early)) == {"UNMEASURED"}
    assert Reason.INTERFACE_DOWN in reasons(early)


def test_losses_are_losses_again_when_the_link_is_back(namespace: Namespace, veth: Namespace, drive: Make) -> None:
    one = drive(PAIR)
    one.run(1)
    flapped(namespace, veth)
    one.run(8)
    assert count(one.run(2)) == {"LOST": 8}


def test_an_unrelated_link_excuses_nothing(namespace: Namespace, veth: Namespace, drive: Make) -> None:
    namespace.ip("link", "add", "unrelated", "type", "veth", "peer", "name", "container")
    namespace.ip("link", "set", "container", "up")
    namespace.ip("addr", "add", "10.77.0.9/24", "dev", "unrelated")
    namespace.ip("link", "set", "unrelated", "up")
    one = drive(PAIR)
    one.run(2)
    namespace.ip("addr", "del", "10.77.0.9/24", "dev", "unrelated")
    namespace.ip("link", "set", "unrelated", "down")
    one.run(1)
    namespace.ip("link", "del", "unrelated")
    assert set(count(one.run(3.5))) == {"LOST"}


def test_who_was_overdue_before_the_link_failed_stays_lost(wire: Wire, drive: Make) -> None:
    spec = replace(SPEC, interval_ns=500 * MILLISECOND)
    one = drive([target(0, "10.1.0.1", spec)])
    samples = one.run(3.7, wire, silent)
    assert Outcome.UNMEASURED not in samples.outcome
    out = one.prober._flights
    one.clock.ahead += 30 * MILLISECOND
    one.prober.step()
    overdue = int((out.mono_ns[: out.head] + 3 * 10**9 <= one.clock.mono() - 200 * MILLISECOND).sum())
    wire.namespace.ip("link", "set", "wire", "down")
    samples = one.run(5)
    assert overdue >= 1
    assert count(samples).get("LOST", 0) <= 1  # whose limit passed in the last moment before


@pytest.mark.parametrize(
    ("source", "plain"), [("10.40.0.2", True), ("fd40::2", True), ("10.40.0.2", False), ("fd40::2", False)]
)
def test_what_left_from_an_address_that_goes_is_not_lost(
    namespace: Namespace, veth: Namespace, drive: Make, source: str, plain: bool
) -> None:
    """Whether the probe names its source (`plain` is false) or the kernel chose it."""
    far, network = ("10.1.0.1", "10.0.0.0/8") if "." in source else ("fd01::1", "fd00::/8")
    gateway = "10.40.0.254" if "." in source else "fd40::ffff"
    if plain:
        namespace.ip("route", "replace", network, "via", gateway, "dev", "near", "src", source)
    stays = replace(FAST, source=source[:-1] + "1")
    one = drive([target(0, far, FAST if plain else replace(FAST, source=source)), target(1, far, stays)])
    one.run(2)
    namespace.ip("addr", "del", source + ("/24" if "." in source else "/64"), "dev", "near")
    if plain:
        namespace.ip("route", "replace", network, "via", gateway, "dev", "near")
    samples = one.run(3.5)
    early = samples.take((samples.row == 0) & (samples.slot < samples.slot.min() + 4))
    assert count(early) == {"UNMEASURED": 4}
    assert reasons(early) == {Reason.SOURCE_GONE}
    assert set(count(samples.take(samples.row == 1))) == {"LOST"}


def test_an_answer_after_the_address_came_back_counts(wire: Wire, drive: Make) -> None:
    one = drive([target(0, "10.1.0.1")])
    held: list[Echo] = []
    one.run(1, wire, held.append)
    wire.namespace.ip("addr", "del", "10.77.0.1/32", "dev", "wire")
    one.run(0.2)
    wire.answer(held[0])  # nobody has that address
    assert count(one.heard()) == {}
    wire.namespace.ip("addr", "add", "10.77.0.1/32", "dev", "wire")
    one.run(0.2)
    wire.answer(held[0])
    assert count(one.heard()) == {"ANSWERED": 1}


@pytest.mark.parametrize("how", [("prohibit",), ("unreachable",), ("blackhole",), None])
@pytest.mark.parametrize("interval", [500, 10_000])
def test_what_is_out_when_its_route_goes_is_not_lost(
    wire: Wire, drive: Make, how: tuple[str, ...] | None, interval: int
) -> None:
    spec = replace(SPEC, interval_ns=interval * MILLISECOND)
    one = drive([target(0, "10.1.0.1", spec), target(1, "fd01::1", spec), target(2, "10.2.0.1", spec)])
    one.run(interval / 1000, wire, silent)
    for family, network in (("-4", "10.1.0.0/16"), ("-6", "fd00::/8")):
        if how:
            wire.namespace.ip(family, "route", "replace", *how, network)
        elif family == "-6":
            wire.namespace.ip(family, "route", "del", network)
        else:
            wire.namespace.ip("route", "del", "10.0.0.0/8")
            wire.namespace.ip("route", "add", "10.2.0.0/16", "dev", "wire")
    samples = one.run(4, wire, silent)
    theirs = samples.take(samples.row < 2)
    assert set(count(theirs)) == {"UNMEASURED"} or (how == ("blackhole",) and interval == 10_000)
    assert reasons(theirs) <= {Reason.PROHIBITED if how == ("prohibit",) else Reason.NO_ROUTE}
    assert set(count(samples.take(samples.row == 2))) == {"LOST"}


def test_without_an_address_of_its_own_a_host_cannot_be_answered(
    namespace: Namespace, veth: Namespace, drive: Make
) -> None:
    """Linux then sends with ::1, or with the link's own address, as its source."""
    one = drive([target(0, "fd01::1", FAST)])
    one.run(1)
    namespace.ip("-6", "addr", "del", "fd40::1/64", "dev", "near")
    namespace.ip("-6", "addr", "del", "fd40::2/64", "dev", "near")
    assert Outcome.LOST not in one.run(6).outcome
    namespace.ip("-6", "addr", "flush", "dev", "near")
    samples = one.run(6)
    assert count(samples) == {"UNMEASURED": 12}
    assert Reason.SOURCE_GONE in reasons(samples)


@pytest.mark.parametrize("address", ["10.1.0.1", "fd01::1"])
def test_what_is_out_when_the_mtu_shrinks_is_lost_only_if_it_still_fits(
    namespace: Namespace, veth: Namespace, drive: Make, address: str
) -> None:
    """The answer to a large one is dropped by our own link: it is as long as the request."""
    one = drive([target(0, address, replace(FAST, size=1400, df=True)), target(1, address, FAST)])
    one.run(2)
    namespace.ip("link", "set", "near", "mtu", "1300")
    samples = one.run(3.5)
    assert set(count(samples.take(samples.row == 0))) == {"UNMEASURED"}
    assert reasons(samples) == {Reason.MESSAGE_TOO_LONG}
    assert set(count(samples.take(samples.row == 1))) == {"LOST"}


def test_a_flood_of_answers_to_somebody_else_costs_us_nothing(wire: Wire, drive: Make) -> None:
    """A raw socket hears them all, and filters them before they take room."""
    wire.namespace.set("ipv4/ping_group_range", "1 0")
    one = drive([target(0, "10.1.0.1"), target(1, "fd01::1")])
    held: list[Echo] = []
    assert count(one.run(1, wire, held.append)) == {}
    for echo in held:
        others = bytes([0, 0, 0, 0]) + (echo.identifier ^ 1).to_bytes(2, "big") + echo.icmp[6:]
        for _ in range(3000):
            wire.answer(echo, icmp=others)
    assert count(one.heard()) == {}
    assert one.prober.facts().receive_drops == 0
    assert one.prober.strangers == 0
    for echo in held:
        wire.answer(echo)
    assert count(one.heard()) == {"ANSWERED": 2}


@pytest.mark.parametrize("raw", [False, True])
def test_a_namespace_without_loopback(wire: Wire, drive: Make, raw: bool) -> None:
    if raw:
        wire.namespace.set("ipv4/ping_group_range", "1 0")
    wire.namespace.ip("link", "set", "lo", "down")
    one = drive([target(0, "10.1.0.1"), target(1, "fd01::1")])
    assert count(one.run(3, wire)) == {"ANSWERED": 6}
    assert set(count(one.run(8, wire, silent))) == {"LOST"}


def test_the_right_to_ping_taken_away_while_running(wire: Wire, drive: Make) -> None:
    one = drive([target(0, "10.1.0.1")])
    assert count(one.run(2, wire)) == {"ANSWERED": 2}
    wire.namespace.set("ipv4/ping_group_range", "1 0")
    one.prober.load([target(0, "10.1.0.1"), target(1, "10.1.0.2", replace(SPEC, dscp=46))])
    samples = one.run(4, wire)
    assert set(count(samples)) == {"ANSWERED"}
    assert {" raw " in text for text in one.prober.facts().sockets} == {False, True}


@pytest.mark.parametrize("gone", [1, 1000])
def test_of_a_mass_some_routes_are_asked_for_and_all_where_one_is_gone(
    wire: Wire, drive: Make, gone: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = replace(SPEC, interval_ns=10_000 * MILLISECOND)
    one = drive([target(row, f"10.1.{row >> 8}.{row & 255}", spec) for row in range(1000)])
    one.run(10, wire, silent)
    asked: list[int] = []
    ways = one.prober._faults.links.ways

    def counted(asks: Sequence[Ask]) -> list[int]:
        asked.append(len(asks))
        return ways(asks)

    monkeypatch.setattr(one.prober._faults.links, "ways", counted)
    place = np.arange(1000)
    assert set(one.prober._faults.reasons_for(place, one.clock.mono()).tolist()) == {NOT_OURS}
    assert len(asked) == 1
    assert 128 <= asked[0] < 256
    wire.namespace.ip("route", "add", "unreachable", "10.1.0.0/16" if gone > 1 else "10.1.0.0/30")
    first = np.argsort(one.prober._flights.row[place])  # the one that is gone is among those asked for
    why = one.prober._faults.reasons_for(first, one.clock.mono())
    assert (why == Reason.NO_ROUTE).sum() == {1: 4, 1000: 1000}[gone]


def test_what_our_own_queue_drops_is_not_lost(wire: Wire, namespace: Namespace, drive: Make) -> None:
    """As a firewall of ours may; over IPv6 the send of a ping socket succeeds all the same."""
    one = drive(PAIR)
    assert count(one.run(2, wire)) == {"ANSWERED": 8}
    namespace.run("tc", "qdisc", "add", "dev", "wire", "root", "pfifo", "limit", "0")
    samples = one.run(6, wire)
    assert set(count(samples)) == {"UNMEASURED"}
    assert reasons(samples.take(samples.row == 0)) == {Reason.BUFFER_FULL}
    assert reasons(samples.take(samples.row == 1)) == {Reason.OTHER}
    namespace.run("tc", "qdisc", "del", "dev", "wire", "root")
    samples = one.run(5, wire)
    assert set(count(samples)) == {"ANSWERED", "UNMEASURED"}
    assert set(count(samples.take(samples.slot > samples.slot.min() + 7))) == {"ANSWERED"}


def test_what_waits_for_a_silent_neighbour_is_lost(namespace: Namespace, veth: Namespace, drive: Make) -> None:
    """It never left, either: but who does not tell its hardware address is dead. The other one swallows all it gets."""
    one = drive([target(0, "fd40::99", FAST), target(1, "fd01::1", FAST)])
    assert set(count(one.run(5))) == {"LOST"}


def test_a_refusal_of_our_own_excuses_nothing_that_left_after_it(wire: Wire, drive: Make) -> None:
    one = drive([target(0, "10.1.0.1", FAST)])
    one.run(1, wire, silent)
    wire.namespace.ip("route", "add", "prohibit", "10.1.0.0/16")
    one.run(1, wire, silent)
    wire.namespace.ip("route", "del", "prohibit", "10.1.0.0/16")
    one.run(SPEC.timeout_ns // 1_000_000_000 + 1, wire, silent)
    assert set(count(one.run(3, wire, silent))) == {"LOST"}


def test_deafness_excuses_nothing_that_left_after_it(wire: Wire, drive: Make) -> None:
    one = drive([target(0, "10.1.0.1", FAST)])
    one.run(1, wire, silent)
    one.prober._faults.deafen(0, Reason.RECEIVE_DROP, one.clock.mono())
    one.run(SPEC.timeout_ns // 1_000_000_000 + 1, wire, silent)
    assert set(count(one.run(3, wire, silent))) == {"LOST"}


class Ring:
    """Flights that left by link 3 at this time, with a time limit of a second; links are not watched."""

    SENT = 100 * SECOND

    def __init__(self, size: int) -> None:
        self.flights, self.place = Flights(), np.arange(size)
        self.faults = OwnFaults(self.flights, lambda _: Options(4))
        self.faults.cover(size)
        self.flights.row[:size], self.flights.link[:size], self.flights.length[:size] = self.place, 3, 64
        self.flights.mono_ns[:size], self.flights.timeout_ns[:size] = self.SENT, SECOND

    def why(self) -> list[int]:
        return [int(reason) for reason in self.faults.reasons_for(self.place, self.SENT + 2 * SECOND)]

    def fault(self, begin: int, end: int, *, over: int = 0) -> None:
        self.faults.links.faults.append(Fault(3, frozenset(), begin, end, Reason.INTERFACE_DOWN, over))


@pytest.mark.parametrize("reason", list(Reason))
def test_which_refusals_excuse_what_was_sent_before(reason: Reason) -> None:
    """Who cannot send cannot be answered either; a full buffer or a large packet says nothing of answers."""
    ring = Ring(3)
    ring.flights.mono_ns[2] += 1
    ring.faults.refuse(np.array([1, 2], np.int32), np.array([reason, reason], np.uint16), ring.SENT)
    cut_off = {Reason.NO_ROUTE, Reason.PROHIBITED, Reason.INTERFACE_DOWN, Reason.SOURCE_GONE}
    assert ring.why() == [NOT_OURS, reason if reason in cut_off else NOT_OURS, NOT_OURS]


def test_the_first_reason_is_told() -> None:
    ring = Ring(3)
    ring.flights.channel[:3] = 5, 5, 6
    ring.faults.refuse(np.array([0, 2], np.int32), np.array([Reason.NO_ROUTE] * 2, np.uint16), ring.SENT)
    ring.faults.deafen(5, Reason.RECEIVE_DROP, ring.SENT)
    ring.fault(ring.SENT, ring.SENT)
    assert ring.why() == [Reason.RECEIVE_DROP, Reason.RECEIVE_DROP, Reason.NO_ROUTE]


@pytest.mark.parametrize(
    ("begin", "end", "excused"),
    [(SECOND, 9 * SECOND, True), (SECOND + 1, 9 * SECOND, False), (-SECOND, 0, True), (-SECOND, -1, False)],
)
def test_a_link_excuses_what_was_out_at_that_time(begin: int, end: int, excused: bool) -> None:
    ring = Ring(1)
    ring.fault(ring.SENT + begin, ring.SENT + end)
    assert ring.why() == [Reason.INTERFACE_DOWN if excused else NOT_OURS]


def test_each_of_a_batch_is_judged_by_what_befell_it() -> None:
    ring = Ring(2)
    ring.flights.mono_ns[0] -= 60 * SECOND
    ring.fault(ring.SENT - 60 * SECOND, ring.SENT - 59 * SECOND)
    assert ring.why() == [Reason.INTERFACE_DOWN, NOT_OURS]


def test_what_still_fits_a_smaller_mtu_is_not_excused() -> None:
    """Beside the 20 bytes of its IP header."""
    ring = Ring(2)
    ring.flights.length[:2] = 1280, 1281
    ring.fault(ring.SENT, ring.SENT, over=1300)
    assert ring.why() == [NOT_OURS, Reason.INTERFACE_DOWN]


def test_a_source_that_nobody_afar_can_answer_is_the_last_reason() -> None:
    """Told of what left by a link alone: the kernel had no better address for it."""
    ring = Ring(3)
    ring.flights.source[:3], ring.flights.low[:3] = 5, address_words("10.1.0.1")[2]
    ring.flights.link[2], ring.flights.channel[1] = 0, 6
    ring.faults.links._narrow.add(5)
    ring.faults.deafen(6, Reason.RECEIVE_DROP, ring.SENT)
    assert ring.why() == [Reason.SOURCE_GONE, Reason.RECEIVE_DROP, NOT_OURS]


def test_of_a_mass_each_that_has_no_stamp_is_judged_by_its_own_route(monkeypatch: pytest.MonkeyPatch) -> None:
    """All routes lead to the link that failed, but the others left by another one, as their stamps tell."""
    ring = Ring(400)
    ring.flights.link[:400], ring.flights.low[:400] = 4, ring.place
    ring.flights.link[398] = 0
    monkeypatch.setattr(ring.faults.links, "ways", lambda asks: [3] * len(asks))
    ring.fault(ring.SENT, ring.SENT)
    assert ring.why() == [Reason.INTERFACE_DOWN if at == 398 else NOT_OURS for at in range(400)]


@pytest.mark.parametrize(
    ("stamps", "neighbour", "found"),
    [
        (False, Neighbour.TAKES, NOT_OURS),  # not every driver tells when a packet left
        (True, Neighbour.TAKES, Reason.OTHER),
        (True, Neighbour.UNKNOWN, Reason.BUFFER_FULL),
        (True, Neighbour.SILENT, NOT_OURS),
        (True, Neighbour.UNTOLD, NOT_OURS),
    ],
)
def test_what_has_no_stamp_never_left_by_a_link_that_stamps(
    monkeypatch: pytest.MonkeyPatch, *, stamps: bool, neighbour: Neighbour, found: int
) -> None:
    """The way of the second is unknown, and the third was refused."""
    ring = Ring(3)
    ring.flights.link[:3], ring.flights.low[:3] = 0, ring.place
    ring.flights.link[500] = 3 if stamps else 0
    ring.faults.refuse(np.array([2], np.int32), np.array([Reason.NO_ROUTE], np.uint16), ring.SENT)
    monkeypatch.setattr(ring.faults.links, "ways", lambda asks: [0 if ask.target[0] == 1 else 3 for ask in asks])
    monkeypatch.setattr(ring.faults.links, "neighbour", lambda _: neighbour)
    assert ring.why() == [found, NOT_OURS, Reason.NO_ROUTE]
