"""rtnetlink against the kernel itself, in a namespace of its own."""

from __future__ import annotations

import errno
import ipaddress
import socket
import subprocess
import time
from collections.abc import Iterator

import pytest

from netsla.probes.netlink import AddressNews, Ask, Inquiry, LinkNews, Monitor, Neighbour, is_near, news_of, word_of
from tests.probes.wiring import Namespace

pytestmark = pytest.mark.netns


def packed(address: str) -> bytes:
    return ipaddress.ip_address(address).packed


@pytest.fixture
def monitor(namespace: Namespace) -> Iterator[Monitor]:
    namespace.set("ipv6/conf/default/accept_dad", "0")
    namespace.ip("link", "add", "near", "type", "veth", "peer", "name", "peer")
    one = Monitor()
    yield one
    one.close()


def index_of(monitor: Monitor, name: str) -> int:
    return next(one.index for one in monitor.survey() if isinstance(one, LinkNews) and one.name == name)


def links(monitor: Monitor, index: int) -> list[LinkNews]:
    """What is told of a link, in order."""
    return [one for one in monitor.read() or () if isinstance(one, LinkNews) and one.index == index]


def test_carrier_comes_and_goes_with_the_other_end(namespace: Namespace, monitor: Monitor) -> None:
    index = index_of(monitor, "near")
    namespace.ip("link", "set", "near", "up")
    assert not any(one.usable for one in links(monitor, index))  # no carrier yet
    namespace.ip("link", "set", "peer", "up")
    now = next(one for one in monitor.survey() if isinstance(one, LinkNews) and one.index == index)
    assert now.usable
    namespace.ip("link", "set", "peer", "down")
    later = next(one for one in monitor.survey() if isinstance(one, LinkNews) and one.index == index)
    assert (later.usable, later.losses) == (False, now.losses + 1)
    inquiry = Inquiry()
    assert inquiry.link(index) == later
    assert inquiry.link(index + 1000) == LinkNews(index + 1000, "", False, 0, there=False)
    inquiry.close()


def test_a_link_that_is_deleted_is_there_no_more(namespace: Namespace, monitor: Monitor) -> None:
    index = index_of(monitor, "near")
    namespace.ip("link", "del", "near")
    assert links(monitor, index)[-1] == LinkNews(index, "near", False, 1, False, 1500)  # it began without carrier


@pytest.mark.parametrize("address", ["10.40.0.1", "fd40::1"])
def test_addresses_come_and_go(namespace: Namespace, monitor: Monitor, address: str) -> None:
    index, word = index_of(monitor, "near"), word_of(packed(address))
    network = f"{address}/{24 if '.' in address else 64}"
    namespace.ip("addr", "add", network, "dev", "near")
    assert AddressNews(index, word) in (monitor.read() or ())
    assert AddressNews(index, word) in monitor.survey()
    namespace.ip("addr", "del", network, "dev", "near")
    assert AddressNews(index, word, there=False) in (monitor.read() or ())


def test_nothing_happened(monitor: Monitor) -> None:
    assert monitor.read() == []


def test_more_than_the_buffer_holds_is_said(namespace: Namespace, monitor: Monitor, small_buffer: None) -> None:
    crowded = Monitor()
    for number in range(1, 40):
        namespace.ip("addr", "add", f"10.41.0.{number}/24", "dev", "near")
    assert crowded.read() is None
    crowded.close()


@pytest.fixture
def small_buffer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netsla.probes.netlink._ROOM", 1024)


def test_a_port_that_leaves_a_bridge_is_no_news() -> None:
    assert news_of(17, bytes([7]) + bytes(15)) is None  # RTM_DELLINK of AF_BRIDGE


@pytest.mark.parametrize(("net", "inside", "outside"), [("10.0.0.0/8", "10.1.0.1", "11.0.0.1")])
@pytest.mark.parametrize("dscp", [0, 46])
def test_routes_of_ipv4(namespace: Namespace, monitor: Monitor, net: str, inside: str, outside: str, dscp: int) -> None:
    routes = Inquiry()
    lead(namespace, net, "10.40.0.1/24", ("10.2.0.0/16", "10.3.0.0/16"))
    way = index_of(monitor, "near")
    asks = [Ask(packed(a), dscp=dscp, protocol=1) for a in (inside, outside, "10.2.0.1", "10.3.0.1", inside)]
    assert routes.ways(asks) == [way, -errno.ENETUNREACH, -errno.EHOSTUNREACH, -errno.EACCES, way]
    assert routes.ways([Ask(packed(inside), packed("10.40.0.1"))]) == [way]
    routes.close()


def test_routes_of_ipv6(namespace: Namespace, monitor: Monitor) -> None:
    routes = Inquiry()
    lead(namespace, "fd00::/8", "fd40::1/64", ("fd02::/16", "fd03::/16"))
    way = index_of(monitor, "near")
    asks = [Ask(packed(a), dscp=46, protocol=58) for a in ("fd01::1", "2001:db8::1", "fd02::1", "fd03::1")]
    assert routes.ways(asks) == [way, -errno.ENETUNREACH, -errno.EHOSTUNREACH, -errno.EACCES]
    assert routes.ways([Ask(packed("fe80::1"), scope=way)]) == [way]
    routes.close()


def lead(namespace: Namespace, net: str, own: str, refused: tuple[str, str]) -> None:
    """Routes by way of the link, and two that refuse: unreachable and prohibit."""
    for end in ("near", "peer"):
        namespace.ip("link", "set", end, "up")
    namespace.ip("addr", "add", own, "dev", "near")
    namespace.ip("route", "add", net, "dev", "near")
    for kind, network in zip(("unreachable", "prohibit"), refused, strict=True):
        namespace.ip("route", "add", kind, network)


def test_many_routes_at_once(namespace: Namespace, monitor: Monitor) -> None:
    routes = Inquiry()
    lead(namespace, "10.0.0.0/8", "10.40.0.1/24", ("10.2.0.0/16", "10.3.0.0/16"))
    way = index_of(monitor, "near")
    asks = [Ask(packed(f"10.{2 if i % 3 else 1}.{i // 256}.{i % 256}")) for i in range(1000)]
    assert routes.ways(asks) == [-errno.EHOSTUNREACH if i % 3 else way for i in range(1000)]
    routes.close()


@pytest.mark.parametrize(
    ("address", "near"),
    [
        ("127.0.0.1", True),
        ("169.254.1.1", True),
        ("10.0.0.1", False),
        ("::1", True),
        ("fe80::1", True),
        ("fd00::1", False),
    ],
)
def test_who_may_be_asked_from_a_narrow_source(address: str, near: bool) -> None:
    assert is_near(packed(address)) is near


def test_narrow_addresses_are_told_apart(namespace: Namespace, monitor: Monitor) -> None:
    for address in ("fd40::1/64", "fe80::7/64"):
        namespace.ip("addr", "add", address, "dev", "near")
    found = {one.word: one.narrow for one in monitor.survey() if isinstance(one, AddressNews)}
    assert found[word_of(packed("127.0.0.1"))]
    assert found[word_of(packed("::1"))]
    assert not found[word_of(packed("fd40::1"))]
    assert found[word_of(packed("fe80::7"))]


@pytest.mark.parametrize(
    ("net", "router", "inside"), [("10.6.0.0/16", "10.5.0.2", "10.6.1.1"), ("fd06::/32", "fd05::2", "fd06::1")]
)
def test_neighbours(namespace: Namespace, net: str, router: str, inside: str) -> None:
    namespace.set("ipv6/conf/default/accept_dad", "0")
    namespace.ip("link", "add", "near", "type", "veth", "peer", "name", "peer")
    for link in ("near", "peer"):
        namespace.ip("link", "set", link, "up")
    namespace.ip("addr", "add", "10.5.0.1/24", "dev", "near")
    namespace.ip("addr", "add", "fd05::1/64", "dev", "near", "nodad")
    namespace.ip("route", "add", net, "via", router)
    inquiry = Inquiry()
    asks = [Ask(packed(address)) for address in (router, inside)]
    for state, neighbour in (("", Neighbour.UNKNOWN), ("failed", Neighbour.SILENT), ("permanent", Neighbour.TAKES)):
        if state:
            namespace.ip("neigh", "replace", router, "lladdr", "02:00:00:00:00:01", "nud", state, "dev", "near")
        assert [inquiry.neighbour(ask) for ask in asks] == [neighbour] * 2
    assert inquiry.neighbour(Ask(bytes([192, 0, 2, 1]))) is Neighbour.UNTOLD  # there is no route
    inquiry.close()


def test_only_on_a_link_with_addresses_of_its_own_neighbours_are_asked(namespace: Namespace, monitor: Monitor) -> None:
    namespace.ip("tuntap", "add", "tunnel", "mode", "tun")
    found = {one.name: one.resolves for one in monitor.survey() if isinstance(one, LinkNews)}
    assert (found["near"], found["lo"], found["tunnel"]) == (True, False, False)


@pytest.mark.parametrize(("family", "table"), [(socket.AF_INET, "arp_cache"), (socket.AF_INET6, "ndisc_cache")])
def test_overflows_of_the_table_of_neighbours_are_those_that_ip_tells(
    namespace: Namespace, monitor: Monitor, family: int, table: str
) -> None:
    def total() -> int:
        command = ["ip", "-s", "ntable", "show", "name", table]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return int(text.partition("table_fulls ")[2].split()[0])

    inquiry = Inquiry()
    least, found, most = total(), inquiry.overflows(family), total()
    assert found is not None
    assert least <= found <= most
    near = inquiry.link(index_of(monitor, "near"))
    assert near is not None, "nothing of the answer is left over"
    inquiry.close()


def test_since_when_a_neighbour_takes_packets(namespace: Namespace, monitor: Monitor) -> None:
    namespace.ip("addr", "add", "10.5.0.1/24", "dev", "near")
    for name in ("near", "peer"):
        namespace.ip("link", "set", name, "up")
    inquiry, ask, found = Inquiry(), Ask(packed("10.5.0.2")), []
    for state in ("failed", "permanent"):
        namespace.ip("neigh", "replace", "10.5.0.2", "lladdr", "02:00:00:00:00:01", "nud", state, "dev", "near")
        until = time.monotonic() + 5
        while not (age := inquiry.takes_since(ask)) and state == "permanent" and time.monotonic() < until:
            pass
        found.append(age)
    assert found[0] == 0
    assert 10_000_000 <= found[1] < 1_000_000_000
    inquiry.close()
