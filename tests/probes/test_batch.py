from __future__ import annotations

import errno
import socket
import time
from collections.abc import Iterator

import numpy as np
import pytest

from netsla.probes import batch
from netsla.probes.batch import SO_TIMESTAMPING, STAMPS, Inbox, Outbox, addresses_of, enlarge, pressure, random_words
from tests.probes.wiring import nobody

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as left,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as right,
    ):
        for sock in (left, right):
            sock.bind(("127.0.0.1", 0))
            sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, STAMPS)
        yield left, right


def outbox(to: socket.socket, count: int, size: int = 40) -> Outbox:
    names = np.zeros((count, 16), np.uint8)
    names[:, 0] = socket.AF_INET
    names[:, 2:4] = divmod(to.getsockname()[1], 256)
    names[:, 4:8] = 127, 0, 0, 1
    packets = np.arange(count, dtype=np.uint8)[:, None] + np.zeros(size, np.uint8)
    return Outbox(names, packets)


def test_a_slice_goes_out_and_comes_in_with_kernel_stamps(pair: Pair) -> None:
    left, right = pair
    before = time.time_ns()
    assert outbox(right, 50).send(left.fileno(), 10, 40) == 30
    inbox = Inbox(64, 256)
    assert inbox.receive(right.fileno()) == 30
    assert inbox.packets[:30, 0].tolist() == list(range(10, 40))
    assert set(inbox.lengths[:30]) == {40}
    rx = inbox.stamps(30)
    assert ((rx >= before) & (rx <= time.time_ns())).all()
    errors = Inbox(64, 256)
    assert errors.receive(left.fileno(), errors=True) == 30
    tx = errors.stamps(30)
    assert (tx <= rx).all()
    assert (tx >= before).all()
    assert inbox.receive(right.fileno()) == 0
    assert errors.receive(left.fileno(), errors=True) == 0


def test_an_inbox_used_again_shows_nothing_of_before(pair: Pair) -> None:
    left, right = pair
    inbox = Inbox(8, 256)
    outbox(right, 20).send(left.fileno(), 0, 20)
    assert [inbox.receive(right.fileno()) for _ in range(4)] == [8, 8, 4, 0]
    right.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, 0)
    outbox(right, 3, 5).send(left.fileno(), 0, 3)
    assert inbox.receive(right.fileno()) == 3
    assert set(inbox.lengths[:3]) == {5}
    assert inbox.stamps(3).tolist() == [0, 0, 0]


def test_longer_packets_are_cut_to_the_room(pair: Pair) -> None:
    left, right = pair
    outbox(right, 2, 500).send(left.fileno(), 0, 2)
    inbox = Inbox(4, 101)
    assert inbox.receive(right.fileno()) == 2
    assert set(inbox.lengths[:2]) == {102}


def test_a_send_that_fails_says_why(pair: Pair) -> None:
    left, _ = pair
    names = np.zeros((2, 16), np.uint8)
    names[:, 0] = socket.AF_INET
    names[:, 2:4], names[:, 4:8] = 9, 255
    assert Outbox(names, np.zeros((2, 9), np.uint8)).send(left.fileno(), 0, 2) == -errno.EACCES


def test_a_pending_error_does_not_look_like_an_empty_queue(pair: Pair) -> None:
    left, right = pair
    left.setsockopt(socket.IPPROTO_IP, 11, 1)  # IP_RECVERR
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind(("127.0.0.1", 0))
        nowhere = outbox(closed, 1)
    outbox(left, 5).send(right.fileno(), 0, 5)
    nowhere.send(left.fileno(), 0, 1)  # its ICMP error is pending now
    assert Inbox(8, 256).receive(left.fileno()) == 5


def test_drops_are_counted(pair: Pair) -> None:
    left, right = pair
    right.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    assert pressure(right) == (0, 0)
    outbox(right, 100, 500).send(left.fileno(), 0, 100)
    dropped, held = pressure(right)
    assert held > 0
    assert dropped + Inbox(128, 512).receive(right.fileno()) == 100


def test_buffers_beyond_the_limit_need_a_privilege(pair: Pair) -> None:
    left, right = pair
    assert enlarge(left, 64 << 20).receive == 128 << 20
    with nobody():
        granted = enlarge(right, 64 << 20)
    with open("/proc/sys/net/core/rmem_max") as limit:  # noqa: PTH123 - a kernel file
        assert granted.receive == 2 * int(limit.read())


def test_addresses_step_by_rows() -> None:
    array = np.zeros((4, 30), np.uint8)
    assert np.diff(addresses_of(array)).tolist() == [30, 30, 30]
    assert addresses_of(array)[0] == array.ctypes.data


def test_random_words_are_not_the_same_twice() -> None:
    words = np.concatenate([random_words(2000), random_words(2000)])
    assert len(np.unique(words)) == 4000
    assert batch.CONTROL_BYTES >= 128
