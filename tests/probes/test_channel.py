from __future__ import annotations

import os
import socket

import pytest

from netsla.errors import HostError
from netsla.probes import channel as channels
from netsla.probes.batch import pressure
from netsla.probes.channel import Channel, Options, source_present
from tests.probes.wiring import Namespace, Wire, nobody

pytestmark = pytest.mark.netns


@pytest.mark.parametrize("family", [4, 6])
def test_a_ping_socket_first(namespace: Namespace, family: int) -> None:
    one = Channel(Options(family))
    assert not one.raw
    assert one.socket.type == socket.SOCK_DGRAM
    assert not one.socket.getblocking()
    assert str(one).startswith(f"ipv{family} ping socket, receive buffer 32768 KiB")
    one.close()
    assert one.socket.fileno() == -1


@pytest.mark.parametrize("family", [4, 6])
def test_a_raw_socket_where_that_is_refused(wire: Wire, family: int) -> None:
    wire.namespace.set("ipv4/ping_group_range", "1 0")
    one = Channel(Options(family))
    assert one.raw
    mine = {4: ("10.1.0.1", "10.77.0.1", 0), 6: ("fd00::1", "fd77::1", 129)}[family]
    identifier = one.identifier.to_bytes(2, "big")
    other = (one.identifier ^ 1).to_bytes(2, "big")
    body = bytes([mine[2], 0, 0, 0])
    wire.send(family, mine[0], mine[1], body + other + bytes(60))  # somebody else's
    wire.send(family, mine[0], mine[1], bytes([mine[2] + 3, 0, 0, 0]) + identifier + bytes(60))  # no echo reply
    wire.send(family, mine[0], mine[1], body + identifier + b"\0\1" + bytes(60))
    assert one.socket.recv(500)[-62:-60] == b"\0\1"
    with pytest.raises(BlockingIOError):
        one.socket.recv(500)
    one.close()


@pytest.mark.parametrize("family", [4, 6])
def test_both_refused_names_the_remedy(namespace: Namespace, family: int) -> None:
    namespace.set("ipv4/ping_group_range", "1 0")
    with nobody(), pytest.raises(HostError, match=r"ping_group_range.*CAP_NET_RAW") as caught:
        Channel(Options(family))
    assert caught.value.problem == f"neither ping nor raw ICMPv{family} sockets are allowed"


def test_a_source_that_we_do_not_have(wire: Wire) -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a kernel folder
    for family, address in ((4, "10.77.0.99"), (6, "fd77::99")):
        options = Options(family, source=address)
        assert not source_present(options)
        with pytest.raises(OSError, match="Cannot assign"):
            Channel(options)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 - a kernel folder
    assert source_present(Options(4))
    assert source_present(Options(4, source="10.77.0.1"))
    assert source_present(Options(6, source="fd77::1"))


def test_options_are_set(wire: Wire) -> None:
    one = Channel(Options(4, dscp=46, ttl=9, df=True, source="10.77.0.1")).socket
    assert one.getsockopt(socket.IPPROTO_IP, socket.IP_TOS) == 46 << 2
    assert one.getsockopt(socket.IPPROTO_IP, socket.IP_TTL) == 9
    assert one.getsockopt(socket.IPPROTO_IP, 10) == 3
    assert one.getsockname()[0] == "10.77.0.1"
    one.close()
    six = Channel(Options(6, dscp=46, ttl=9, df=True)).socket
    assert six.getsockopt(socket.IPPROTO_IPV6, 67) == 46 << 2
    assert six.getsockopt(socket.IPPROTO_IPV6, 16) == 9
    assert six.getsockopt(socket.IPPROTO_IPV6, 23) == 3
    six.close()


def test_drops_are_told_once(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels, "_BUFFER", 4096)
    one = Channel(Options(4))
    one.socket.sendto(bytes([8]) + bytes(63), ("10.1.0.1", 0))
    (echo,) = wire.echoes()
    for _ in range(200):
        wire.answer(echo)
    assert one.new_drops() > 100
    assert one.new_drops() == 0
    one.close()


def test_wrong_checksums_are_no_drops_on_a_raw_ipv6_socket(wire: Wire) -> None:
    wire.namespace.set("ipv4/ping_group_range", "1 0")
    one = Channel(Options(6))
    body = bytes([129, 0, 0, 0]) + one.identifier.to_bytes(2, "big") + bytes(60)
    for _ in range(50):
        wire.send(6, "fd00::1", "fd77::1", body, broken=True)
    assert pressure(one.socket)[0] == 50  # the kernel counts them alike
    assert one.new_drops() == 0
    one.close()


def test_drops_on_a_raw_ipv6_socket_count_when_its_buffer_is_full(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    wire.namespace.set("ipv4/ping_group_range", "1 0")
    monkeypatch.setattr(channels, "_BUFFER", 4096)
    one = Channel(Options(6))
    body = bytes([129, 0, 0, 0]) + one.identifier.to_bytes(2, "big") + bytes(60)
    for _ in range(200):
        wire.send(6, "fd00::1", "fd77::1", body)
    assert one.new_drops() > 100
    one.close()
