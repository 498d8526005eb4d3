"""Handshakes that are under way when our own host fails them: none is lost, and no other link excuses anything."""

from __future__ import annotations

import errno
import select
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest

from netsla.model import MILLISECOND, SECOND, Outcome, ProbeSpec, ProbeType, Reason, Samples, Target
from netsla.probes.departures import Departure
from netsla.probes.links import Fault
from netsla.probes.netlink import Ask, Neighbour
from netsla.probes.tcp import TcpProber
from tests.probes.wiring import HandClock, Namespace, count, reasons, target

pytestmark = pytest.mark.netns
SPEC = ProbeSpec("t", ProbeType.TCP, 200 * MILLISECOND, 900 * MILLISECOND, port=7)
BOTH = [target(0, "10.1.0.1", SPEC), target(1, "fd01::1", SPEC)]


class Calls:
    """A TCP prober driven by hand."""

    def __init__(self, targets: Sequence[Target]) -> None:
        self.clock = HandClock()
        self.prober = TcpProber(self.clock)
        self.prober.load(targets)
        self.prober.step()

    def run(self, ms: int) -> Samples:
        for _ in range(ms // 20):
            self.clock.ahead += 20 * MILLISECOND
            self.prober.step()
        return Samples.join(self.prober.drain() or [Samples.empty()])


@pytest.fixture
def calls() -> Iterator[Callable[[Sequence[Target]], Calls]]:
    made: list[Calls] = []

    def make(targets: Sequence[Target]) -> Calls:
        made.append(Calls(targets))
        return made[-1]

    yield make
    for one in made:
        one.prober.stop()


def oldest(samples: Samples, slots: int) -> Samples:
    return samples.take(samples.slot < samples.slot.min() + slots)


Make = Callable[[Sequence[Target]], Calls]


def dropped(namespace: Namespace, far: Namespace) -> None:
    far.ip("link", "set", "far", "down")


def shut(namespace: Namespace, far: Namespace) -> None:
    namespace.ip("link", "set", "near", "down")


def unreachable(namespace: Namespace, far: Namespace) -> None:
    for family, network in (("-4", "10.1.0.0/16"), ("-6", "fd01::/16")):
        namespace.ip(family, "route", "add", "unreachable", network)


def addresses_gone(namespace: Namespace, far: Namespace) -> None:
    namespace.ip("-4", "addr", "flush", "dev", "near")
    namespace.ip("-6", "addr", "flush", "dev", "near")


@pytest.mark.parametrize("fault", [dropped, shut, unreachable, addresses_gone])
def test_what_is_under_way_is_not_lost(
    namespace: Namespace, veth: Namespace, calls: Make, fault: Callable[[Namespace, Namespace], None]
) -> None:
    one = calls(BOTH)
    assert count(one.run(800)) == {}
    fault(namespace, veth)
    samples = one.run(2000)
    early = oldest(samples, 4)
    assert count(early) == {"UNMEASURED": 8}
    assert reasons(early) <= {Reason.INTERFACE_DOWN, Reason.NO_ROUTE, Reason.SOURCE_GONE}
    assert not {Outcome.LOST, Outcome.REFUSED} & set(samples.outcome.tolist())


def test_a_refusal_of_our_own_excuses_what_is_under_way_though_it_is_cured(
    namespace: Namespace, veth: Namespace, calls: Make
) -> None:
    one = calls(BOTH)
    one.run(800)
    unreachable(namespace, veth)
    one.run(200)
    for family, network in (("-4", "10.1.0.0/16"), ("-6", "fd01::/16")):
        namespace.ip(family, "route", "del", "unreachable", network)
    assert count(oldest(one.run(1000), 4)) == {"UNMEASURED": 8}
    assert set(count(one.run(2000))) == {"LOST"}


def test_an_unrelated_link_excuses_nothing(namespace: Namespace, veth: Namespace, calls: Make) -> None:
    namespace.ip("link", "add", "unrelated", "type", "veth", "peer", "name", "container")
    for name in ("unrelated", "container"):
        namespace.ip("link", "set", name, "up")
    one = calls(BOTH)
    one.run(600)
    namespace.ip("link", "set", "unrelated", "down")
    one.run(200)
    namespace.ip("link", "del", "unrelated")
    assert set(count(one.run(2000))) == {"LOST"}


def test_losses_are_losses_again(namespace: Namespace, veth: Namespace, calls: Make) -> None:
    one = calls(BOTH)
    one.run(400)
    dropped(namespace, veth)
    veth.ip("link", "set", "far", "up")
    one.run(7000)
    assert set(count(one.run(1000))) == {"LOST"}


@pytest.mark.parametrize(("since", "outcome"), [(20 * SECOND, "LOST"), (0, "UNMEASURED"), (SECOND // 2, "UNMEASURED")])
def test_who_is_silent_when_the_link_is_back_is_excused_only_if_a_neighbour_was_waited_for(
    namespace: Namespace, veth: Namespace, calls: Make, monkeypatch: pytest.MonkeyPatch, since: int, outcome: str
) -> None:
    one = calls(BOTH)
    one.run(200)
    dropped(namespace, veth)
    one.run(400)
    veth.ip("link", "set", "far", "up")
    one.run(1000)  # what was out meanwhile is decided
    monkeypatch.setattr(one.prober._departures.links, "takes_since", lambda _: since)
    one.run(400)
    assert set(count(one.run(1000))) == {outcome}


def test_an_answer_to_a_later_syn_is_not_lost_where_the_first_met_a_dead_link(
    namespace: Namespace, veth: Namespace, calls: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The handshake succeeds in the end, beyond its time limit, since the link was down when it began."""
    monkeypatch.setattr("netsla.probes.tcp.KEPT_BACK", -1)  # as where the driver drops it
    veth.ip("addr", "add", "10.40.0.254/24", "dev", "far")
    veth.ip("addr", "add", "10.1.0.1/32", "dev", "far")
    with veth.entered():
        server = socket.create_server(("10.1.0.1", 7))
    with server:
        veth.ip("link", "set", "far", "down")
        one = calls([target(0, "10.1.0.1", replace(SPEC, interval_ns=1000 * MILLISECOND))])
        while not one.prober._calls:
            one.run(20)
        veth.ip("link", "set", "far", "up")
        (call,) = one.prober._calls.values()
        assert select.select([], [call.sock], [], 5)[1]  # the kernel's second SYN, a second later
        one.clock.ahead += 940 * MILLISECOND
        one.prober.step()
    assert count(Samples.join(one.prober.drain())) == {"UNMEASURED": 1}


def test_what_our_own_queue_drops_is_not_lost(namespace: Namespace, veth: Namespace, calls: Make) -> None:
    """connect() begins all the same. The far end swallows: without that queue it is a loss."""
    one = calls(BOTH)
    namespace.run("tc", "qdisc", "add", "dev", "near", "root", "pfifo", "limit", "0")
    samples = one.run(2_000)
    assert set(count(samples)) == {"UNMEASURED"}
    assert reasons(samples) == {Reason.BUFFER_FULL}
    namespace.run("tc", "qdisc", "del", "dev", "near", "root")
    assert set(count(one.run(20))) <= {"UNMEASURED"}  # the newest are told a tick later
    assert set(count(one.run(2_000))) == {"LOST"}


@pytest.mark.parametrize(("neighbour", "outcome"), [(Neighbour.TAKES, "UNMEASURED"), (Neighbour.SILENT, "LOST")])
def test_what_waits_in_our_own_queue_at_its_time_limit_is_not_lost(
    namespace: Namespace,
    veth: Namespace,
    calls: Make,
    monkeypatch: pytest.MonkeyPatch,
    neighbour: Neighbour,
    outcome: str,
) -> None:
    namespace.run("tc", "qdisc", "add", "dev", "near", "root", "tbf", "rate", "8bit", "burst", "200", "limit", "100000")
    one = calls(BOTH)
    monkeypatch.setattr(one.prober._departures.links, "neighbour", lambda _: neighbour)
    samples = one.run(3_000)
    later = samples.take(samples.slot > samples.slot.min() + 1)  # as many as the bucket holds have left
    assert set(count(later)) == {outcome}
    assert outcome == "LOST" or reasons(later) == {Reason.BUFFER_FULL}


def test_what_a_link_that_is_down_drops_is_known_at_once(namespace: Namespace, veth: Namespace, calls: Make) -> None:
    one = calls(BOTH)
    veth.ip("link", "set", "far", "down")
    samples = one.run(400)
    assert set(count(samples)) == {"UNMEASURED"}
    assert reasons(samples) == {Reason.INTERFACE_DOWN}


@pytest.mark.parametrize(
    ("full", "neighbour", "outcome"),
    [
        (True, Neighbour.UNKNOWN, "UNMEASURED"),
        (True, Neighbour.TAKES, "LOST"),
        (True, Neighbour.SILENT, "LOST"),  # it has its place: dead
        (False, Neighbour.UNKNOWN, "LOST"),  # who was in the table may have been taken out of it since
    ],
)
def test_a_syn_for_which_the_table_of_neighbours_was_full_is_not_lost(
    veth: Namespace, calls: Make, monkeypatch: pytest.MonkeyPatch, *, full: bool, neighbour: Neighbour, outcome: str
) -> None:
    """connect() hides it. The limit is one for the whole host, so the kernel's answers are made here."""
    one = calls(BOTH)
    links, fulls = one.prober._departures.links, iter(range(1 << 30))
    monkeypatch.setattr(links, "overflows", lambda _: next(fulls) if full else 7)
    monkeypatch.setattr(links, "neighbour", lambda _: neighbour)
    samples = one.run(3000)
    assert set(count(samples)) == {outcome}
    assert outcome == "LOST" or reasons(samples) == {Reason.BUFFER_FULL}


def test_an_overflow_before_it_was_sent_excuses_nothing(
    veth: Namespace, calls: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = calls(BOTH)
    links = one.prober._departures.links
    counts = [7]
    monkeypatch.setattr(links, "overflows", lambda _: counts[-1])
    monkeypatch.setattr(links, "neighbour", lambda _: Neighbour.UNKNOWN)
    one.run(1000)
    counts.append(8)
    one.run(1500)
    assert set(count(one.run(2000))) == {"LOST"}


def test_where_nobody_is_asked_for_an_address_no_table_is_full(
    veth: Namespace, calls: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over a tunnel a neighbour stands under another name, or nowhere."""
    one = calls(BOTH)
    links, fulls = one.prober._departures.links, iter(range(1 << 30))
    monkeypatch.setattr(links, "overflows", lambda _: next(fulls))
    monkeypatch.setattr(links, "neighbour", lambda _: Neighbour.UNKNOWN)
    monkeypatch.setattr(links, "resolves", lambda _: False)
    assert set(count(one.run(3000))) == {"LOST"}


@pytest.mark.parametrize(
    ("code", "failed", "outcome"),
    [
        (errno.EHOSTUNREACH, True, "UNMEASURED"),
        (errno.ENETUNREACH, True, "UNMEASURED"),
        (errno.EHOSTUNREACH, False, "REFUSED"),
        (errno.ECONNREFUSED, True, "REFUSED"),  # of that our own host knows nothing
    ],
)
def test_an_error_that_our_own_host_may_have_made_is_doubted_while_its_links_fail(
    veth: Namespace, calls: Make, *, code: int, failed: bool, outcome: str
) -> None:
    """EHOSTUNREACH: of a router afar, or of our own stack, whose neighbour did not tell its address."""
    one = calls(BOTH)
    one.run(400)
    departures = one.prober._departures
    if failed:
        veth.ip("link", "set", "far", "down")
        departures.links.look([departures.links.ways([Ask(bytes([10, 1, 0, 1]))])[0]], one.clock.mono())
    for call in list(one.prober._calls.values()):
        one.prober._decide(call, code)
    assert set(count(one.run(20))) == {outcome}


def test_without_a_fault_of_our_own_an_error_is_believed(
    veth: Namespace, calls: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = calls(BOTH)
    one.run(400)
    monkeypatch.setattr(one.prober, "_why", lambda some, **_: [Reason.OTHER] * len(some))
    for call in list(one.prober._calls.values()):
        one.prober._decide(call, errno.EHOSTUNREACH)
    assert set(count(one.run(20))) == {"REFUSED"}


def test_an_error_comes_before_the_news_that_explain_it(namespace: Namespace, veth: Namespace, calls: Make) -> None:
    """They are read when an error is to be told, not at the next tick."""
    one = calls(BOTH)
    one.run(400)
    shut(namespace, veth)
    for call in list(one.prober._calls.values()):
        one.prober._decide(call, errno.EHOSTUNREACH)
    assert set(count(Samples.join(one.prober.drain()))) == {"UNMEASURED"}


def test_an_error_in_vain_waited_for_is_excused_when_the_link_is_back(
    namespace: Namespace, veth: Namespace, calls: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our own stack tells it of what waited for a neighbour's address, however long that is known by now."""
    one = calls(BOTH)
    one.run(200)
    dropped(namespace, veth)
    one.run(400)
    veth.ip("link", "set", "far", "up")
    one.run(1000)
    monkeypatch.setattr(one.prober._departures.links, "takes_since", lambda _: 20 * SECOND)
    one.run(400)
    for call in list(one.prober._calls.values()):
        one.prober._decide(call, errno.EHOSTUNREACH)
    assert set(count(Samples.join(one.prober.drain()))) == {"UNMEASURED"}


@pytest.mark.parametrize(("reason", "outcome"), [(Reason.BUFFER_FULL, "LOST"), (Reason.NO_ROUTE, "UNMEASURED")])
def test_only_what_keeps_answers_out_excuses_what_was_sent_before(
    veth: Namespace, calls: Make, reason: Reason, outcome: str
) -> None:
    one = calls(BOTH)
    one.run(800)
    for row in (0, 1):
        one.prober._departures.refuse(row, reason, one.clock.mono())
    assert count(oldest(one.run(1000), 4)) == {outcome: 8}


def test_a_smaller_mtu_keeps_no_syn_back(namespace: Namespace, veth: Namespace, calls: Make) -> None:
    one = calls(BOTH)
    one.run(400)
    namespace.ip("link", "set", "near", "mtu", "1300")
    assert set(count(one.run(2000))) == {"LOST"}


def test_the_first_reason_is_told(
    namespace: Namespace, veth: Namespace, calls: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link that is down is not called a full table of neighbours, nor our own sleep."""
    one = calls(BOTH)
    links, fulls = one.prober._departures.links, iter(range(1 << 30))
    monkeypatch.setattr(links, "overflows", lambda _: next(fulls))
    monkeypatch.setattr(links, "neighbour", lambda _: Neighbour.UNKNOWN)
    monkeypatch.setattr(links, "resolves", lambda _: True)
    one.run(800)
    dropped(namespace, veth)
    one.clock.ahead += SECOND
    early = oldest(one.run(20), 4)
    assert count(early) == {"UNMEASURED": 8}
    assert reasons(early) == {Reason.INTERFACE_DOWN}


@pytest.mark.parametrize("takes_since", [0, 1 << 62])
def test_each_of_a_batch_is_judged_by_what_befell_it(
    veth: Namespace, calls: Make, monkeypatch: pytest.MonkeyPatch, takes_since: int
) -> None:
    """And the first reason found is told."""
    one = calls(BOTH)
    one.run(400)
    departures, now = one.prober._departures, one.clock.mono()
    (way,) = departures.links.ways([Ask(bytes([10, 1, 0, 1]))])
    sock = next(call.sock for call in one.prober._calls.values() if call.route.row == 0)
    then = now - 20 * SECOND
    down = Fault(way, frozenset(), then, then + SECOND // 2, Reason.INTERFACE_DOWN)
    monkeypatch.setattr(departures.links, "faults", [down])
    monkeypatch.setattr(departures.links, "takes_since", lambda _: takes_since)
    departures.refuse(7, Reason.PROHIBITED, then)
    some = [
        Departure(row, sock, "10.1.0.1", False, 0, begin, begin + SECOND, True)
        for row, begin in ((0, then), (0, now - SECOND), (7, then))
    ]
    assert departures.reasons_for(some, now) == [Reason.INTERFACE_DOWN, None, Reason.PROHIBITED]


def test_a_link_local_endpoint_that_is_silent_is_lost(namespace: Namespace, veth: Namespace, calls: Make) -> None:
    """Its way is asked for with its interface: without one there is none."""
    namespace.ip("neigh", "replace", "fe80::99", "lladdr", "02:00:00:00:00:01", "dev", "near", "nud", "permanent")
    assert set(count(calls([target(0, "fe80::99%near", SPEC)]).run(2000))) == {"LOST"}
