from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from typing import cast

import numpy as np
import pytest

from netsla.model import Outcome, Reason, Samples, Target
from netsla.probes.batch import Outbox
from netsla.probes.sender import REASONS, Sender, push_out
from tests.probes.wiring import Drive, Wire, count, fleet, reasons

Make = Callable[[Sequence[Target]], Drive]


class Host:
    """Sends like the kernel: stops at what it refuses; a pending error of another probe is raised once."""

    def __init__(self, refused: dict[int, int], pending: list[int] | None = None) -> None:
        self.refused, self.pending = refused, pending or []
        self.left: list[int] = []
        self.calls = self.reliefs = 0
        self.news = 0  # ICMP errors that came in since the last relief

    def send(self, fd: int, begin: int, end: int) -> int:
        self.calls += 1
        if self.pending:
            self.news += 1
            return -self.pending.pop()
        for index in range(begin, end):
            if index in self.refused:
                self.left += range(begin, index)
                return index - begin or -self.refused[index]
        self.left += range(begin, end)
        return end - begin

    def relieve(self) -> bool:
        self.reliefs += 1
        news, self.news = self.news > 0, 0
        return news

    def push(self, count: int) -> list[tuple[int, int]]:
        return push_out(cast("Outbox", self), 3, count, self.relieve)


def test_all_leave_in_one_call() -> None:
    host = Host({})
    assert host.push(500) == []
    assert host.left == list(range(500))
    assert (host.calls, host.reliefs) == (1, 0)


def test_what_is_refused_is_told_and_the_rest_leaves_once() -> None:
    host = Host({7: errno.ENETUNREACH, 8: errno.EMSGSIZE, 99: errno.EPERM})
    assert host.push(100) == [(7, errno.ENETUNREACH), (8, errno.EMSGSIZE), (99, errno.EPERM)]
    assert host.left == [i for i in range(100) if i not in host.refused]


@pytest.mark.parametrize("error", [errno.ENETUNREACH, errno.EAGAIN, errno.ENOBUFS, errno.EPERM])
def test_a_mass_of_refusals_costs_two_calls_each(error: int) -> None:
    host = Host(dict.fromkeys(range(1000), error))
    assert len(host.push(1000)) == 1000
    assert host.calls + host.reliefs <= 2000 + 2


@pytest.mark.parametrize("storm", [1, 2, 7, 40])
def test_errors_of_other_probes_keep_nobody_from_leaving(storm: int) -> None:
    host = Host({}, [errno.EHOSTUNREACH] * storm)
    assert host.push(10) == []
    assert host.left == list(range(10))


def test_a_refusal_in_a_storm_is_still_found() -> None:
    host = Host({0: errno.EPERM}, [errno.EHOSTUNREACH] * 3)
    assert host.push(2) == [(0, errno.EPERM)]
    assert host.left == [1]


def test_an_endless_storm_ends() -> None:
    host = Host({}, [errno.EHOSTUNREACH] * 500)
    assert len(host.push(20)) == 2
    assert host.calls <= 502


def test_an_error_that_is_pending_after_its_entry_was_read_fails_nobody() -> None:
    """Its entry is queued before the error is pending: a relief in between finds the one without the other."""

    class Racing(Host):
        def relieve(self) -> bool:
            self.reliefs += 1
            return self.reliefs % 2 == 0

    host = Racing({}, [errno.EHOSTUNREACH] * 41)
    assert host.push(10) == []
    assert host.left == list(range(10))


@pytest.mark.parametrize(
    ("errors", "reason"),
    [
        ((errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EINVAL), Reason.NO_ROUTE),
        ((errno.EPERM, errno.EACCES), Reason.PROHIBITED),
        ((errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM), Reason.BUFFER_FULL),
        ((errno.EMSGSIZE,), Reason.MESSAGE_TOO_LONG),
        ((errno.EADDRNOTAVAIL,), Reason.SOURCE_GONE),
        ((errno.EMFILE, errno.ENFILE), Reason.NO_DESCRIPTORS),
        ((errno.ENETDOWN, errno.ENODEV, errno.ENXIO), Reason.INTERFACE_DOWN),
    ],
)
def test_every_refusal_of_the_kernel_has_its_reason(errors: tuple[int, ...], reason: Reason) -> None:
    assert {REASONS.get(error) for error in errors} == {reason}


@pytest.mark.netns
@pytest.mark.parametrize("error", [errno.EPERM, errno.ENOBUFS, errno.EAGAIN, errno.ENETDOWN, errno.ENOMEM, errno.EIO])
def test_what_the_host_refuses_was_never_sent(
    wire: Wire, drive: Make, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    monkeypatch.setattr(Outbox, "send", lambda *_: -error)
    one = drive(fleet(100))
    samples = one.run(6, wire)
    assert count(samples) == {"UNMEASURED": 600}
    assert reasons(samples) == {REASONS.get(error, Reason.OTHER)}
    monkeypatch.undo()
    assert count(one.run(3, wire)) == {"ANSWERED": 300}


@pytest.mark.netns
def test_nonces_and_numbers_are_never_used_again(wire: Wire, drive: Make) -> None:
    one = drive(fleet(1500))
    seen: list[bytes] = []
    for _ in range(4):
        one.run(1, wire, lambda echo: seen.append(echo.icmp[-16:]))
    assert len(seen) == len({token[:8] for token in seen}) == len({token[8:] for token in seen}) == 6000


@pytest.mark.netns
def test_a_slice_larger_than_the_stock_of_nonces(wire: Wire, drive: Make) -> None:
    one = drive(fleet(12))
    sender: Sender = one.prober._sender
    taken = [sender._nonces(size) for size in (4000, 500, 9000, 1)]
    assert [len(part) for part in taken] == [4000, 500, 9000, 1]
    assert len(np.unique(np.concatenate(taken))) == 13_501
    assert Outcome.UNMEASURED not in Samples.join([one.run(1, wire)]).outcome
