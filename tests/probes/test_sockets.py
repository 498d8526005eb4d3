from __future__ import annotations

import errno
import socket

import pytest

from netsla.errors import HostError
from netsla.model import SECOND, Reason
from netsla.probes.channel import Options
from netsla.probes.sockets import NOWHERE, Sockets, refusal_of
from tests.probes.wiring import Namespace, Wire, nobody

pytestmark = pytest.mark.netns


def test_one_socket_for_the_same_options(namespace: Namespace) -> None:
    sockets = Sockets()
    plain, marked = Options(4), Options(4, dscp=8)
    assert [sockets.number_of(one, 0) for one in (plain, marked, plain)] == [0, 1, 0]
    assert [channel.options for _, channel in sockets] == [plain, marked]
    sockets.close()


def test_a_number_is_given_again_only_when_its_socket_is_closed(namespace: Namespace) -> None:
    sockets = Sockets()
    for dscp in range(3):
        sockets.number_of(Options(4, dscp=dscp), 0)
    old = sockets[1]
    sockets.keep({Options(4, dscp=0), Options(4, dscp=2)}, 5 * SECOND)
    sockets.close_overdue(5 * SECOND - 1)
    assert sockets.number_of(Options(4, dscp=9), 0) == 3
    sockets.close_overdue(5 * SECOND)
    assert old.socket.fileno() == -1
    assert [number for number, _ in sockets] == [0, 2, 3]
    assert sockets.number_of(Options(4, dscp=1), 0) == 1
    sockets.close()


def test_a_socket_wanted_again_in_time_stays(namespace: Namespace) -> None:
    sockets = Sockets()
    options = Options(4)
    sockets.number_of(options, 0)
    sockets.keep(set(), 5 * SECOND)
    sockets.keep({options}, 6 * SECOND)
    sockets.close_overdue(100 * SECOND)
    assert sockets.number_of(options, 0) == 0
    assert sockets[0].socket.fileno() >= 0
    sockets.keep(set(), 200 * SECOND)
    sockets.keep(set(), 300 * SECOND)  # a second reload does not put it off
    sockets.close_overdue(200 * SECOND)
    assert list(sockets) == []


def test_more_sockets_than_a_byte_counts(namespace: Namespace) -> None:
    sockets = Sockets()
    numbers = [sockets.number_of(Options(4, ttl=1 + i % 255, dscp=i // 255), 0) for i in range(300)]
    assert numbers == list(range(300))
    sockets.close()


def test_a_refusal_is_tried_again_and_is_no_problem_when_nobody_wants_it(namespace: Namespace) -> None:
    namespace.set("ipv4/ping_group_range", "1 0")
    sockets = Sockets()
    with nobody():
        assert sockets.number_of(Options(4), 0) == NOWHERE
        assert sockets.why_not(Options(4)) == Reason.NO_SOCKET
        assert len(sockets.problems()) == 1
        namespace_open = Options(4)
    namespace.set("ipv4/ping_group_range", "0 2147483647")
    assert sockets.number_of(namespace_open, 9 * SECOND) == NOWHERE
    assert sockets.number_of(namespace_open, 10 * SECOND) == 0
    assert sockets.problems() == []
    namespace.set("ipv4/ping_group_range", "1 0")
    with nobody():
        sockets.number_of(Options(6), 0)
    sockets.keep({Options(4)}, 0)
    assert sockets.problems() == []
    sockets.close()


def test_a_source_that_goes_and_comes_back(wire: Wire) -> None:
    wire.namespace.ip("addr", "add", "10.77.0.9/32", "dev", "wire")
    sockets, options = Sockets(), Options(4, source="10.77.0.9")
    assert sockets.number_of(options, 0) == 0
    assert sockets.gone_sources(0) == []
    wire.namespace.ip("addr", "del", "10.77.0.9/32", "dev", "wire")
    assert sockets.gone_sources(SECOND // 2) == []  # once a second is enough
    assert sockets.gone_sources(SECOND) == [0]
    assert sockets.number_of(options, SECOND) == NOWHERE
    assert sockets.why_not(options) == Reason.SOURCE_GONE
    wire.namespace.ip("addr", "add", "10.77.0.9/32", "dev", "wire")
    assert sockets.gone_sources(2 * SECOND) == []
    assert sockets.number_of(options, 2 * SECOND) == 0
    sockets.close()


@pytest.mark.parametrize(
    ("error", "source", "reason"),
    [
        (HostError("a", "b"), None, Reason.NO_SOCKET),
        (HostError("a", "b"), "10.0.0.1", Reason.NO_SOCKET),
        (OSError(errno.EMFILE, "x"), "10.0.0.1", Reason.NO_DESCRIPTORS),
        (OSError(errno.ENFILE, "x"), None, Reason.NO_DESCRIPTORS),
        (OSError(errno.EADDRNOTAVAIL, "x"), "10.0.0.1", Reason.SOURCE_GONE),
        (socket.gaierror(-9, "x"), "fd00::1", Reason.SOURCE_GONE),
        (OSError(errno.EINVAL, "x"), None, Reason.OTHER),
    ],
)
def test_what_errors_mean(error: OSError | HostError, source: str | None, reason: Reason) -> None:
    refusal = refusal_of(Options(4, source=source), error, 7)
    assert (refusal.reason, refusal.again_ns) == (reason, 7)
    assert refusal.error.remedy
