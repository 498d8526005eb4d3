from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import cast

import numpy as np
import numpy.typing as npt
import pytest

from netsla.model import SECOND, Outcome, Reason, SampleFlag, Samples, Target
from netsla.probes import flight
from netsla.probes.audit import Audit
from netsla.probes.batch import Inbox
from netsla.probes.channel import Channel, Options
from netsla.probes.faults import OwnFaults
from netsla.probes.flight import Flights
from netsla.probes.lane import address_words
from netsla.probes.listener import Listener, error_at
from netsla.probes.outlet import Outlet
from netsla.probes.session import Sessions
from netsla.wire import icmp
from tests.probes.wiring import Drive as Driven
from tests.probes.wiring import Echo, HandClock, Wire, count, fleet, target

Make = Callable[[Sequence[Target]], Driven]

PROBES, SIZE, TIMEOUT = 1024, 56, 3 * SECOND


class FullInbox(Inbox):
    """An inbox whose packets and stamps the test writes."""

    def __init__(self) -> None:
        super().__init__(1024, 256)
        self.rx = np.zeros(1024, np.int64)

    def stamps(self, count: int) -> npt.NDArray[np.int64]:
        return self.rx[:count]


@dataclass
class Rig:
    """A listener with 1,024 probes in flight, to 10.1.x.y or fd00::x, and an inbox that holds their right answers."""

    family: int = 4
    clock: HandClock = field(default_factory=HandClock)
    flights: Flights = field(default_factory=Flights)
    audit: Audit = field(default_factory=Audit)
    inbox: FullInbox = field(default_factory=FullInbox)

    def __post_init__(self) -> None:
        self.sessions = Sessions()
        self.sessions.cover(PROBES)
        self.outlet = Outlet(self.flights)
        self.faults = OwnFaults(self.flights, lambda _: self.channel.options)
        self.faults.cover(PROBES)
        self.listener = Listener(self.flights, self.outlet, self.sessions, self.audit, self.clock, self.faults)
        self.listener._inbox = self.inbox
        self.channel = cast("Channel", SimpleNamespace(options=Options(self.family), raw=False, fd=-1))
        flights = self.flights
        flights.head = PROBES
        net = {4: "10.1.%d.%d", 6: "fd00::%d:%d"}[self.family]
        addresses = np.array([address_words(net % divmod(i, 256))[1:] for i in range(PROBES)], np.uint64)
        flights.row[:], flights.slot[:] = np.arange(PROBES), 9
        flights.nonce[:] = np.frombuffer(os.urandom(8 * PROBES), np.uint64)
        flights.high[:], flights.low[:] = addresses.T
        flights.length[:], flights.timeout_ns[:], flights.state[:] = 8 + SIZE, TIMEOUT, flight.OUT
        flights.mono_ns[:], flights.wall_ns[:] = self.clock.mono(), self.clock.wall()
        flights.tx_ns[:] = self.clock.wall()
        self.clock.ahead += SECOND
        self.right()

    def right(self, rtt_ns: int = SECOND // 2) -> None:
        """Fill the inbox with the right answers."""
        packets = icmp.requests(self.family, SIZE, PROBES)
        packets[:, 0] = icmp.ECHO_REPLY[self.family]
        icmp.stamp(packets, np.arange(PROBES, dtype=np.uint64), self.flights.nonce)
        self.inbox.packets[:, : 8 + SIZE] = packets
        self.inbox.lengths[:] = 8 + SIZE
        if self.family == 4:
            self.inbox.names[:, 4:8] = self.flights.low.astype("<u4").view(np.uint8).reshape(-1, 4)
        else:
            self.inbox.names[:, 8:16] = np.ascontiguousarray(self.flights.high).view(np.uint8).reshape(-1, 8)
            self.inbox.names[:, 16:24] = np.ascontiguousarray(self.flights.low).view(np.uint8).reshape(-1, 8)
        self.inbox.rx[:] = self.flights.tx_ns + rtt_ns

    def take(self, packets: int = PROBES) -> Samples:
        self.listener._take_replies(packets, self.channel)
        return Samples.join(self.outlet.drain() or [Samples.empty()])


@pytest.mark.parametrize("family", [4, 6])
def test_right_answers_are_accepted_once(family: int) -> None:
    rig = Rig(family)
    samples = rig.take()
    assert count(samples) == {"ANSWERED": PROBES}
    assert set(samples.rtt_ns) == {SECOND // 2}
    assert not samples.flags.any()
    assert samples.row.tolist() == list(range(PROBES))
    assert count(rig.take()) == {"DUPLICATE": PROBES}
    assert rig.audit.strangers == 0


def test_the_first_of_many_copies_in_one_batch_counts() -> None:
    rig = Rig()
    for column in (rig.inbox.packets, rig.inbox.names):
        column[1:] = column[0]
    rig.inbox.rx[:] = rig.flights.tx_ns[0] + np.arange(1, PROBES + 1) * 1000
    samples = rig.take()
    assert count(samples) == {"ANSWERED": 1, "DUPLICATE": PROBES - 1}
    assert samples.rtt_ns[0] == 1000


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("forgery", ["source", "nonce", "number", "length", "type", "truncated", "random"])
def test_of_a_million_forged_replies_none_is_accepted(family: int, forgery: str) -> None:
    """Seven kinds for two families, 72 batches of 1,024 each: 1,032,192."""
    rig = Rig(family)
    random = np.random.default_rng(7)
    packets, lengths = rig.inbox.packets, rig.inbox.lengths
    address = slice(4, 8) if family == 4 else slice(8, 24)
    for _ in range(72):
        rig.right()
        if forgery == "source":
            shift = random.integers(1, 256, PROBES, np.uint8)
            rig.inbox.names[np.arange(PROBES), random.integers(address.start, address.stop, PROBES)] ^= shift
        elif forgery == "nonce":
            at = 8 + SIZE - random.integers(1, 9, PROBES)
            packets[np.arange(PROBES), at] ^= random.integers(1, 256, PROBES, np.uint8)
        elif forgery == "number":  # of another probe, of none, or of one far away
            at = 8 + SIZE - random.integers(9, 17, PROBES)
            packets[np.arange(PROBES), at] ^= random.integers(1, 256, PROBES, np.uint8)
        elif forgery == "length":  # the token is at the end all the same
            token = packets[:, SIZE - 8 : SIZE + 8].copy()
            more = int(random.integers(1, 90))
            packets[:, SIZE - 8 + more : SIZE + 8 + more] = token
            lengths[:] = 8 + SIZE + more
        elif forgery == "type":
            wrong = random.integers(0, 255, PROBES, np.uint8)
            packets[:, 0] = wrong + (wrong >= icmp.ECHO_REPLY[family])
        elif forgery == "truncated":
            lengths[:] = random.integers(0, 8 + SIZE, PROBES)
        else:
            packets[:] = random.integers(0, 256, packets.shape, np.uint8)
            lengths[:] = random.integers(0, 257, PROBES)
        assert len(rig.take()) == 0
    assert rig.audit.strangers == 72 * PROBES
    rig.right()
    assert count(rig.take()) == {"ANSWERED": PROBES}


@pytest.mark.netns
@pytest.mark.parametrize("raw", [False, True])
def test_of_thousands_forged_on_a_real_socket_none_is_accepted(wire: Wire, raw: bool) -> None:
    if raw:
        wire.namespace.set("ipv4/ping_group_range", "1 0")
    one = Driven(fleet(500))
    one.run(1)
    echoes = wire.echoes()
    assert len(echoes) == 500
    for i, echo in enumerate(echoes):
        body = echo.icmp
        wire.answer(echo, source="10.66.6.6")
        wire.answer(echo, icmp=body[:-8] + os.urandom(8))
        wire.answer(echo, icmp=body[:-16] + os.urandom(8) + body[-8:])
        wire.answer(echo, icmp=body[:-16] + b"\0" + body[-16:])
        wire.answer(echo, icmp=body[: 8 + i % 50])
        wire.answer(echo, icmp=body[:8] + os.urandom(56))
    assert count(one.heard()) == {}
    assert one.prober.strangers == 3000
    for echo in echoes:
        wire.answer(echo)
    assert count(one.heard()) == {"ANSWERED": 500}
    one.prober.stop()


def test_late_by_kernel_stamp_is_late_however_early_it_is_read() -> None:
    rig = Rig()
    rig.clock.ahead += 5 * SECOND
    rig.right(TIMEOUT + 1)
    samples = rig.take()
    assert count(samples) == {"LOST": PROBES, "LATE": PROBES}
    assert set(samples.rtt_ns[samples.outcome == Outcome.LATE]) == {TIMEOUT + 1}
    assert count(rig.take()) == {"DUPLICATE": PROBES}


def test_in_time_by_kernel_stamp_is_answered_however_late_it_is_read() -> None:
    rig = Rig()
    rig.clock.ahead += 50 * SECOND
    rig.right(TIMEOUT)
    assert count(rig.take()) == {"ANSWERED": PROBES}


def test_a_reply_after_the_sweep_is_late_once() -> None:
    rig = Rig()
    rig.listener.lose(np.arange(PROBES))
    assert count(Samples.join(rig.outlet.drain())) == {"LOST": PROBES}
    rig.right(SECOND)
    assert count(rig.take()) == {"LATE": PROBES}
    assert count(rig.take()) == {"DUPLICATE": PROBES}


@pytest.mark.parametrize("step", [-3600 * SECOND, 3600 * SECOND, -10 * SECOND, 10 * SECOND])
def test_the_wall_clock_set_in_flight_leaves_the_rtt_alone(step: int) -> None:
    rig = Rig()
    rig.clock.stepped = step
    rig.inbox.rx += step
    samples = rig.take()
    assert set(samples.rtt_ns) == {SECOND // 2}
    assert set(samples.flags) == {SampleFlag.CLOCK_STEP}


def test_without_kernel_stamps_user_space_stands_in_and_says_so() -> None:
    rig = Rig()
    rig.flights.tx_ns[:10] = 0
    rig.inbox.rx[5:15] = 0
    samples = rig.take()
    assert np.flatnonzero(samples.flags == SampleFlag.USER_STAMP).tolist() == list(range(15))
    assert set(samples.rtt_ns[:5]) == {SECOND // 2}
    assert set(samples.rtt_ns[5:15]) == {SECOND}  # when it was read: never too short


@pytest.mark.parametrize("why", [Reason.RECEIVE_DROP, Reason.OVERRUN, Reason.SOURCE_GONE])
def test_what_was_in_flight_while_deaf_is_unmeasured_and_the_rest_lost(why: Reason) -> None:
    rig = Rig()
    rig.faults.deafen(0, why, rig.clock.mono())
    rig.flights.mono_ns[600:] = rig.clock.mono() + 1  # sent afterwards
    rig.flights.channel[:100] = 3  # on a socket that heard well
    rig.listener.lose(np.arange(PROBES))
    samples = Samples.join(rig.outlet.drain())
    assert count(samples) == {"UNMEASURED": 500, "LOST": 100 + PROBES - 600}
    assert set(samples.detail[samples.outcome == Outcome.UNMEASURED]) == {why}
    rig.right(SECOND)
    rig.inbox.rx[600:] += 2
    assert count(rig.take()) == {"LATE": 100 + PROBES - 600}  # and nothing more of the unmeasured


def test_an_answer_beyond_the_time_limit_is_not_lost_either_where_we_were_deaf() -> None:
    rig = Rig()
    rig.faults.deafen(0, Reason.INTERFACE_DOWN, rig.clock.mono())
    rig.flights.channel[:100] = 3  # on a socket that heard well
    rig.clock.ahead += TIMEOUT
    rig.right(TIMEOUT + 1)
    assert count(rig.take()) == {"UNMEASURED": PROBES - 100, "LOST": 100, "LATE": 100}


def test_strangers_are_counted_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig()
    rig.inbox.packets[:] = 0
    rig.inbox.lengths[:] = 0
    assert len(rig.take()) == 0
    assert (rig.flights.state == flight.OUT).all()
    assert not rig.sessions.streak.any()


@pytest.mark.netns
def test_a_redirect_or_a_quench_refuses_nobody_who_is_silent(wire: Wire, drive: Make) -> None:
    one = drive([target(0, "10.1.0.1")])

    def react(echo: Echo) -> None:
        wire.refuse(echo, 4, 0, "10.9.9.9")
        wire.refuse(echo, 5, 1, "10.9.9.9")

    assert count(one.to_the_end(3, wire, react)) == {"LOST": 3}


@pytest.mark.netns
@pytest.mark.parametrize(
    ("address", "at", "other", "length", "kind"),
    [
        ("10.1.0.1", 16, bytes([10, 1, 0, 2]), 28, 3),
        ("fd01::1", 24, bytes([0xFD, 2]), 48, 1),  # another network
        ("fd01::1", 38, bytes([0, 2]), 48, 1),
    ],
)
def test_an_error_that_quotes_a_probe_to_somebody_else_refuses_nobody(
    wire: Wire, drive: Make, address: str, at: int, other: bytes, length: int, kind: int
) -> None:
    """Our id and sequence number, in the eight bytes that every router quotes, but another target."""
    one = drive([target(0, address)])
    router = {3: "10.9.9.9", 1: "fd09::9"}[kind]

    def react(echo: Echo) -> None:
        wire.refuse(echo, kind, 1, router, (echo.whole[:at] + other + echo.whole[at + len(other) :])[:length])

    assert count(one.to_the_end(3, wire, react)) == {"LOST": 3}
    assert one.prober.strangers == 3


@pytest.mark.netns
@pytest.mark.parametrize("head", [0, 40_000, (1 << 16) - 300, 3 << 16])
def test_the_eight_bytes_that_every_router_quotes_name_the_probe(wire: Wire, drive: Make, head: int) -> None:
    """Its number modulo 2^16, and the address asked."""
    one = drive(fleet(600))
    one.prober._flights.head = head
    samples = one.to_the_end(1, wire, lambda echo: wire.refuse(echo, 3, 1, "10.9.9.9", echo.whole[:28]))
    assert count(samples) == {"REFUSED": 600}
    assert one.prober.strangers == 0


@pytest.mark.netns
@pytest.mark.parametrize(("at", "byte"), [(20, 0), (25, 0xFF)])
def test_an_error_of_another_program_refuses_nobody_though_a_raw_socket_is_told(
    wire: Wire, drive: Make, at: int, byte: int
) -> None:
    """Of an echo reply of ours, or of a request with another id."""
    wire.namespace.set("ipv4/ping_group_range", "1 0")
    one = drive([target(0, "10.1.0.1")])

    def react(echo: Echo) -> None:
        whole = bytearray(echo.whole)
        whole[at] = byte if at == 20 else whole[at] ^ byte
        wire.refuse(echo, 3, 1, "10.9.9.9", bytes(whole[:28]))

    assert count(one.to_the_end(3, wire, react)) == {"LOST": 3}


@pytest.mark.netns
def test_of_several_errors_the_first_counts(wire: Wire, drive: Make) -> None:
    one = drive([target(0, "10.1.0.1")])

    def react(echo: Echo) -> None:
        wire.refuse(echo, 3, 1, "10.9.9.9")
        wire.refuse(echo, 3, 13, "10.9.9.8")

    assert set(one.to_the_end(3, wire, react).detail.tolist()) == {3 << 8 | 1}


@pytest.mark.parametrize(
    ("rtt", "told", "flag"),
    [
        (SECOND + 1_000_000, SECOND + 1_000_000, 0),
        (SECOND + 1_000_001, SECOND, SampleFlag.CLOCK_STEP),
        (0, 0, 0),
        (-1, 0, SampleFlag.CLOCK_STEP),
    ],
)
def test_stamps_may_differ_from_our_own_clock_by_so_much(rtt: int, told: int, flag: int) -> None:
    """A second after it was sent: beyond a millisecond the wall clock was set, and no figure may be impossible."""
    rig = Rig()
    rig.right(rtt)
    samples = rig.take()
    assert set(samples.rtt_ns) == {told}
    assert set(samples.flags) == {flag}


def test_more_than_can_be_read_makes_us_deaf(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig()
    rig.inbox.packets[:] = 0
    monkeypatch.setattr(rig.inbox, "receive", lambda _, *, errors=False: 0 if errors else 1)
    monkeypatch.setattr(rig.channel, "new_drops", lambda: 0, raising=False)
    rig.listener.read(0, rig.channel)
    rig.listener.lose(np.arange(PROBES))
    samples = Samples.join(rig.outlet.drain())
    assert count(samples) == {"UNMEASURED": PROBES}
    assert set(samples.detail) == {Reason.RECEIVE_DROP}


def test_an_entry_of_the_error_queue_without_an_error_says_nothing() -> None:
    rig = Rig()
    rig.listener._take_error(0, rig.channel)
    assert rig.audit.strangers == 0
    assert not rig.flights.refused.any()


def test_a_raw_reply_with_options_in_its_ip_header_is_one() -> None:
    """RFC 791: up to 40 bytes of them, as a router on the way may add."""
    rig = Rig()
    rig.channel.raw = True
    packets, head = rig.inbox.packets[:, : 8 + SIZE].copy(), 60
    icmp.checksum(packets)
    rig.inbox.packets[:, 0] = 0x40 | head // 4
    rig.inbox.packets[:, head : head + 8 + SIZE] = packets
    rig.inbox.lengths[:] = head + 8 + SIZE
    assert count(rig.take()) == {"ANSWERED": PROBES}


@pytest.mark.parametrize("stamp", ["sent", "received"])
def test_one_that_lacks_a_stamp_changes_no_other(stamp: str) -> None:
    rig = Rig()
    rig.flights.wall_ns[:] -= 7
    if stamp == "sent":
        rig.flights.tx_ns[3] = 0
    else:
        rig.inbox.rx[3] = 0
    samples = rig.take()
    assert np.flatnonzero(samples.flags == SampleFlag.USER_STAMP).tolist() == [3]
    assert samples.rtt_ns[3] == (SECOND // 2 + 7 if stamp == "sent" else SECOND)
    assert set(np.delete(samples.rtt_ns, 3)) == {SECOND // 2}
    assert not np.delete(samples.flags, 3).any()


def test_one_that_saw_the_clock_set_changes_no_other() -> None:
    rig = Rig()
    rig.right(SECOND + 1_000_000)
    rig.inbox.rx[3] += 1
    samples = rig.take()
    assert samples.rtt_ns[3] == SECOND
    assert set(np.delete(samples.rtt_ns, 3)) == {SECOND + 1_000_000}


def test_of_those_overdue_some_were_refused() -> None:
    rig = Rig()
    rig.flights.refused[:100] = 3 << 8 | 1
    rig.listener.lose(np.arange(PROBES))
    assert count(Samples.join(rig.outlet.drain())) == {"REFUSED": 100, "LOST": PROBES - 100}


@pytest.mark.parametrize("all_of_them", [True, False])
def test_who_answers_is_no_suspect(*, all_of_them: bool) -> None:
    rig = Rig()
    rows = np.arange(PROBES, dtype=np.int32)
    rig.sessions.missed(rows, rig.clock.mono())
    if not all_of_them:
        rig.inbox.rx[0] += TIMEOUT
        rig.clock.ahead += TIMEOUT
    rig.take()
    assert np.flatnonzero(rig.sessions.streak).tolist() == ([] if all_of_them else [0])


def test_what_the_kernel_never_writes_is_not_read_for_ever() -> None:
    assert error_at(bytes(64), 64) is None
    assert error_at(b"", 64) is None


@pytest.mark.netns
@pytest.mark.parametrize("kind", [1, 3, 4])
def test_what_ends_an_ipv6_probe(wire: Wire, drive: Make, kind: int) -> None:
    """Unreachable, time exceeded, parameter problem (RFC 4443)."""
    samples = drive([target(0, "fd01::1")]).to_the_end(1, wire, lambda echo: wire.refuse(echo, kind, 0, "fd09::9"))
    assert count(samples) == {"REFUSED": 1}
    assert set(samples.detail) == {kind << 8}
