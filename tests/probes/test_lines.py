"""Sockets that are used again: what must be forgotten with the last handshake, and what must not."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import select
import socket
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from netsla.model import ProbeSpec, ProbeType, Target
from netsla.probes.handshake import measure, nobody_spoke
from netsla.probes.lines import Lines
from netsla.probes.routes import Route, route_to
from tests.probes.wiring import Namespace, Silence

SPEC = ProbeSpec("tcp", ProbeType.TCP, port=443, dscp=46, ttl=9)
WORD = 0xFFFFFFFF
WINDOW = 1 << 17  # more than what a handshake's window spans


@pytest.fixture
def lines() -> Iterator[Lines]:
    lines = Lines()
    yield lines
    lines.close()


@pytest.fixture(params=["127.0.0.1", "::1"])
def server(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    with socket.create_server((request.param, 0), family=family) as server:
        yield server


def route(address: str = "127.0.0.1", port: int = 443, source: str | None = None) -> Route:
    return route_to(Target(0, "a/e/tcp", address, replace(SPEC, port=port, source=source)))


def way_to(server: socket.socket) -> Route:
    return route(*server.getsockname()[:2])


def call(lines: Lines, one: Route) -> socket.SocketType:
    """A handshake that ended."""
    sock = lines.take(one)
    assert one.address is not None
    assert sock.connect_ex(one.address) == errno.EINPROGRESS
    assert lines.heard(0, 9) == [], "before it is listened to"
    descriptor = lines.listen(sock)
    assert lines.heard(1000, 9) == [(descriptor, select.EPOLLOUT)]
    assert lines.heard(0, 9) == [], "once"
    return sock


def test_hanging_up_resets_at_once_and_leaves_nothing(lines: Lines, server: socket.socket) -> None:
    one = way_to(server)
    lines.reset([one])
    sock = call(lines, one)
    port = sock.getsockname()[1]
    far, _ = server.accept()
    lines.put_back(one, sock, clean=True)
    with far, pytest.raises(ConnectionResetError):
        far.recv(1)
    rows = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
    assert f":{port:04X} " not in rows


def test_the_next_handshake_is_a_new_one_with_the_same_options(lines: Lines, server: socket.socket) -> None:
    one = way_to(server)
    lines.reset([one])
    first = call(lines, one)
    port = first.getsockname()[1]
    lines.put_back(one, first, clean=True)
    assert lines.heard(0, 9) == [], "nobody listens to a socket that is put back"
    assert first.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)[68:72] == bytes(4), "its RTT is forgotten"
    again = call(lines, one)
    assert again is first
    assert again.getsockname()[1] != port
    rtt_ns, retransmitted = measure(again)
    assert 0 < rtt_ns < 1e9
    assert retransmitted == 0
    if again.family == socket.AF_INET:
        options = [again.getsockopt(socket.IPPROTO_IP, option) for option in (socket.IP_TOS, socket.IP_TTL)]
    else:
        options = [again.getsockopt(socket.IPPROTO_IPV6, option) for option in (67, 16)]  # TCLASS, UNICAST_HOPS
    assert options == [46 << 2, 9]
    lines.put_back(one, again, clean=True)


def test_no_other_route_gets_it(lines: Lines, server: socket.socket) -> None:
    """Its sequence numbers go on: who answered last could forge the answers of the next."""
    one, other = way_to(server), way_to(server)
    lines.reset([one, other])
    first = call(lines, one)
    lines.put_back(one, first, clean=True)
    with contextlib.closing(lines.take(other)) as sock:
        assert sock is not first


def test_sequence_numbers_go_on_in_a_socket_and_nowhere_else(lines: Lines) -> None:
    """What the rule above rests on: known of one's own handshakes, it tells nothing of another's."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800)) as ear,
    ):
        ear.bind(("lo", 0x0800))
        ear.settimeout(5)
        mine, *others = routes = [way_to(server) for _ in range(4)]
        lines.reset(routes)
        numbers = []
        for one in (mine, mine, *others):
            lines.put_back(one, call(lines, one), clean=True)
            numbers.append(syn_to(ear, server.getsockname()[1]))
    steps = np.diff(numbers) % 2**32
    assert steps[0] < WINDOW
    assert (steps[1:] > WINDOW).any(), "each is a number drawn anew"


@pytest.mark.netns
def test_whose_reset_still_waits_in_our_own_queue_is_not_used(namespace: Namespace, lines: Lines) -> None:
    """What the kernel keeps of a socket would be taken for the next SYN, which a firewall of ours has dropped."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(type=socket.SOCK_DGRAM) as other:
        one = way_to(server)
        lines.reset([one])
        sock = call(lines, one)
        namespace.run("tc", "qdisc", "add", "dev", "lo", "root", "tbf", "rate", "8bit", "burst", "200", "limit", "9000")
        for _ in range(2):
            other.sendto(bytes(100), ("127.0.0.1", 9))  # the second has to wait, and what comes after it
        lines.put_back(one, sock, clean=True)
        with contextlib.closing(lines.take(one)) as fresh:
            assert fresh is not sock
        assert sock.fileno() == -1


def test_an_error_that_was_not_told_is_kept_and_no_reset(lines: Lines, silence: Silence) -> None:
    """An ICMP error about the final ACK: the kernel tells it when it gives up the socket's next handshake itself."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800)) as ear,
    ):
        ear.bind(("lo", 0x0800))
        ear.settimeout(5)
        one = way_to(server)
        lines.reset([one])
        sock, port = call(lines, one), server.getsockname()[1]
        head = struct.pack(">BBHIBBH8s", 0x45, 0, 40, 0, 64, socket.IPPROTO_TCP, 0, bytes([127, 0, 0, 1] * 2))
        silence.unreachable(head + struct.pack(">HHI", sock.getsockname()[1], port, syn_to(ear, port) + 1 & WORD), 3)
        lines.put_back(one, sock, clean=True)
    assert lines.take(one) is sock
    assert sock.connect_ex(("127.0.0.1", silence.port)) == errno.EINPROGRESS
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED
    assert nobody_spoke(sock)
    silence.reset(silence.heard())
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED
    assert not nobody_spoke(sock)
    lines.put_back(one, sock, clean=False)


def test_a_source_is_asked_for_each_time(lines: Lines) -> None:
    one = route(source="127.0.0.1")
    assert not is_kept(lines, one, {one})


def test_what_is_bound_to_a_link_is_not_kept(lines: Lines) -> None:
    """The kernel binds it to the link's number, which another link may have tomorrow."""
    one = route("fe80::1%lo", 9)
    assert not is_kept(lines, one, {one})


@pytest.mark.parametrize(("clean", "known", "kept"), [(True, True, True), (False, True, False), (True, False, False)])
def test_only_what_ended_well_on_a_route_of_today_is_kept(lines: Lines, clean: bool, known: bool, kept: bool) -> None:
    one = route()
    assert is_kept(lines, one, {one} if known else {route()}, clean=clean) is kept


def test_what_cannot_hang_up_is_not_kept(lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netsla.probes.lines._libc", SimpleNamespace(connect=lambda *_: -1))
    one = route()
    assert not is_kept(lines, one, {one})


def test_who_listens_comes_back_in_time(lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else where nobody answers no tick would come."""
    monkeypatch.setattr(lines, "_epoll", SimpleNamespace(poll=lambda *how: [how], close=lines._epoll.close))
    assert lines.heard(20, 9) == [(0.02, 9)]


def test_one_of_two_is_kept(lines: Lines) -> None:
    one = route()
    lines.reset([one])
    first, second = lines.take(one), lines.take(one)
    assert first is not second
    for sock in (first, second):
        lines.put_back(one, sock, clean=True)
    assert (first.fileno() >= 0, second.fileno()) == (True, -1)


def test_descriptors_are_left_to_others(lines: Lines) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
    try:
        routes = [route(port=port) for port in range(1, 101)]
        lines.reset(routes)
        socks = [lines.take(one) for one in routes]
        for one, sock in zip(routes, socks, strict=True):
            lines.put_back(one, sock, clean=True)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert sum(sock.fileno() >= 0 for sock in socks) == 50


def test_what_is_kept_makes_room_for_handshakes(lines: Lines) -> None:
    routes = [route(port=port) for port in (1, 2)]
    lines.reset(routes)
    kept = lines.take(routes[0])
    lines.put_back(routes[0], kept, clean=True)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    next_one = os.dup(0)
    os.close(next_one)
    resource.setrlimit(resource.RLIMIT_NOFILE, (next_one, hard))
    try:
        sock = lines.take(routes[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert kept.fileno() == -1
    lines.put_back(routes[1], sock, clean=True)


def test_new_routes_close_what_the_old_kept(lines: Lines) -> None:
    one = route()
    lines.reset([one])
    sock = lines.take(one)
    lines.put_back(one, sock, clean=True)
    lines.reset([one])
    assert sock.fileno() == -1


def is_kept(lines: Lines, one: Route, routes: set[Route], *, clean: bool = True) -> bool:
    lines.reset(routes)
    sock = lines.take(one)
    lines.put_back(one, sock, clean=clean)
    return sock.fileno() >= 0


def syn_to(ear: socket.socket, port: int) -> int:
    """The sequence number of the next SYN to a port."""
    while True:
        packet = ear.recv(2048)
        if packet[9] == socket.IPPROTO_TCP and packet[22:24] == struct.pack(">H", port) and packet[33] == 2:
            return int.from_bytes(packet[24:28], "big")
