import errno
import os
import select
import socket
from typing import cast

import pytest

from netsla.model import ProbeSpec, ProbeType, Reason
from netsla.probes.handshake import configure, icmp_error, is_plain, keeps_first, own_reason
from tests.probes.wiring import Wire


def spec(**more: object) -> ProbeSpec:
    how = ProbeSpec("t", ProbeType.TCP, port=7)
    for name, value in more.items():
        object.__setattr__(how, name, value)
    return how


@pytest.mark.parametrize(
    ("family", "more", "plain"),
    [
        (socket.AF_INET, {}, True),
        (socket.AF_INET6, {}, False),
        (socket.AF_INET, {"dscp": 46}, False),
        (socket.AF_INET, {"ttl": 9}, False),
        (socket.AF_INET, {"source": "127.0.0.1"}, False),
    ],
)
def test_only_what_differs_from_the_defaults_is_set(family: int, more: dict[str, object], plain: bool) -> None:
    assert is_plain(spec(**more), family) is plain


@pytest.mark.parametrize(
    ("family", "source", "level", "options"),
    [
        (socket.AF_INET, "127.0.0.1", socket.IPPROTO_IP, (socket.IP_TOS, socket.IP_TTL)),
        (socket.AF_INET6, "::1", socket.IPPROTO_IPV6, (67, 16)),
    ],
)
def test_options_are_set_as_asked_for(family: int, source: str, level: int, options: tuple[int, int]) -> None:
    with socket.socket(family) as sock:
        configure(sock, spec(dscp=46, ttl=9, source=source), "")
        assert [sock.getsockopt(level, option) for option in options] == [46 << 2, 9]
        assert sock.getsockname()[0] == source


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errno.ENETUNREACH, 0),
        (errno.EHOSTUNREACH, 1),
        (errno.ENOPROTOOPT, 2),
        (errno.EMSGSIZE, 4),
        (errno.EOPNOTSUPP, 5),
        (errno.EHOSTDOWN, 7),
        (errno.EACCES, 13),
        (errno.EPROTO, 0),
    ],
)
def test_a_network_error_has_the_icmp_code_that_it_came_from(error: int, code: int) -> None:
    """RFC 792, RFC 1812 5.2.7.1; where the kernel keeps no more than its errno."""
    with socket.socket() as sock:
        assert icmp_error(sock, error) == 3 << 8 | code
        assert icmp_error(sock, errno.ECONNREFUSED) is None


@pytest.mark.netns
@pytest.mark.parametrize(
    ("family", "target", "kind", "code"),
    [(4, "10.1.0.1", 3, 3), (4, "10.1.0.1", 3, 10), (6, "fd01::1", 1, 4), (6, "fd01::1", 1, 1)],
)
def test_the_kernel_keeps_the_icmp_error_itself(wire: Wire, family: int, target: str, kind: int, code: int) -> None:
    """Port unreachable has the errno of a reset, which would be a sign of life."""
    with socket.socket({4: socket.AF_INET, 6: socket.AF_INET6}[family], socket.SOCK_STREAM) as sock:
        configure(sock, spec(), "")
        sock.setblocking(False)
        sock.connect_ex((target, 7))
        at = {4: 9, 6: 6}[family]  # of the protocol in the IP header
        syn = next(packet for packet in iter(lambda: os.read(wire._fd, 2048), b"") if packet[at] == socket.IPPROTO_TCP)
        router, own = {4: ("10.9.9.9", "10.77.0.1"), 6: ("fd09::9", "fd77::1")}[family]
        wire.send(family, router, own, bytes([kind, code, 0, 0, 0, 0, 0, 0]) + syn)
        assert select.select([], [sock], [], 5)[1]
        error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        assert icmp_error(sock, error) == kind << 8 | code


def test_without_a_source_no_address_means_no_port() -> None:
    assert own_reason(errno.EADDRNOTAVAIL, spec()) is Reason.NO_DESCRIPTORS
    assert own_reason(errno.EADDRNOTAVAIL, spec(source="192.0.2.1")) is Reason.SOURCE_GONE
    assert own_reason(errno.EMFILE, spec()) is Reason.NO_DESCRIPTORS


@pytest.mark.parametrize(("kept", "again", "first"), [(832, 0, True), (832, 1, False), (0, 0, False)])
def test_a_second_syn_in_the_kernel_says_nothing_of_the_first(kept: int, again: int, first: bool) -> None:
    class Told:
        """What getsockopt() tells: SO_MEMINFO, or TCP_INFO."""

        def getsockopt(self, level: int, _name: int, size: int) -> bytes:
            numbers = bytearray(size)
            at, value = (8, kept) if level == socket.SOL_SOCKET else (100, again)
            numbers[at : at + 4] = value.to_bytes(4, "little")
            return bytes(numbers)

    assert keeps_first(cast("socket.socket", Told())) is first
