import json
import resource
import select
import socket
import struct
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from netsla.model import (
    MILLISECOND,
    SECOND,
    TCP_RESET,
    Outcome,
    ProbeSpec,
    ProbeType,
    Reason,
    SampleFlag,
    Samples,
    Target,
)
from netsla.probes.audit import Clock
from netsla.probes.tcp import TcpProber
from tests.probes.wiring import Silence


class HandClock(Clock):
    """Stands still until it is moved; both clocks move together."""

    def __init__(self) -> None:
        self.now = 1_790_000_000 * SECOND

    def wall(self) -> int:
        return self.now

    def mono(self) -> int:
        return self.now


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=512) as server:
        held: list[socket.socket] = []
        thread = threading.Thread(target=_accept_all, args=(server, held))
        thread.start()
        yield server
        with suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        thread.join()
        for one in held:
            one.close()


def _accept_all(server: socket.socket, held: list[socket.socket]) -> None:
    """Take connections off the queue until the socket is shut down, and leave it to the prober to close them."""
    with suppress(OSError):
        while True:
            held.append(server.accept()[0])


def drive(*targets: Target, seconds: float = 1.2, step: int = 20 * MILLISECOND) -> Samples:
    """Everything that a prober decides while its clock is moved by hand."""
    clock = HandClock()
    prober = TcpProber(clock)
    prober.load(targets)
    for _ in range(int(seconds * SECOND / step)):
        prober.step()
        clock.now += step
    prober.stop()
    batches = prober.drain()
    return Samples.join(batches) if batches else Samples.empty()


def target(port: int, address: str | None = "127.0.0.1", row: int = 0, **spec: object) -> Target:
    how = ProbeSpec("t", ProbeType.TCP, port=port, timeout_ns=900 * MILLISECOND)
    for name, value in spec.items():
        object.__setattr__(how, name, value)
    return Target(row, f"a/e{row}/t", address, how)


def test_a_handshake_is_timed_by_the_kernel(listener: socket.socket) -> None:
    samples = drive(target(listener.getsockname()[1]))
    assert set(samples.outcome.tolist()) == {Outcome.ANSWERED}
    assert 0 < samples.rtt_ns[0] < 5 * MILLISECOND
    assert samples.flags[0] == 0


@pytest.mark.parametrize(
    ("rst_is_up", "outcome", "flag"),
    [(False, Outcome.REFUSED, 0), (True, Outcome.ANSWERED, SampleFlag.USER_STAMP)],
)
def test_a_reset_proves_the_host_is_there_if_the_contract_says_so(rst_is_up: bool, outcome: int, flag: int) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        samples = drive(target(closed.getsockname()[1], rst_is_up=rst_is_up))
    assert set(samples.outcome.tolist()) == {outcome}
    assert set(samples.detail.tolist()) == {TCP_RESET}
    assert samples.flags[0] == flag


def test_a_reset_is_timed_when_it_comes_and_not_at_the_next_tick() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        prober = TcpProber()
        prober.load([target(closed.getsockname()[1], rst_is_up=True, interval_ns=200 * MILLISECOND)])
        prober.start()
        found: list[int] = []
        while len(found) < 5:
            found += [rtt for batch in prober.drain() for rtt in batch.rtt_ns.tolist()]
            threading.Event().wait(0.01)
        prober.stop()
    assert 0 < np.median(found) < 10 * MILLISECOND, "ticks are 50 ms apart or more"


def test_ipv6_is_probed_alike() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        samples = drive(target(server.getsockname()[1], "::1"))
    assert set(samples.outcome.tolist()) == {Outcome.ANSWERED}


def test_silence_beyond_the_time_limit_is_lost() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        held = [socket.socket() for _ in range(4)]  # a full backlog lets further SYNs fall
        for one in held:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        samples = drive(target(port), seconds=2.5)
        for one in held:
            one.close()
    assert set(samples.outcome.tolist()) == {Outcome.LOST}


def test_an_unresolved_name_is_unmeasured() -> None:
    samples = drive(target(80, None))
    assert set(samples.outcome.tolist()) == {Outcome.UNMEASURED}
    assert set(samples.detail.tolist()) == {Reason.NAME_UNRESOLVED}


def test_a_source_that_is_not_ours_is_our_own_fault(listener: socket.socket) -> None:
    samples = drive(target(listener.getsockname()[1], source="192.0.2.77"))
    assert set(samples.outcome.tolist()) == {Outcome.UNMEASURED}
    assert set(samples.detail.tolist()) == {Reason.SOURCE_GONE}


def test_every_slot_is_told_once_and_missed_ones_are_unmeasured_without_a_burst(listener: socket.socket) -> None:
    clock = HandClock()
    prober = TcpProber(clock)
    prober.load([target(listener.getsockname()[1])])
    for pause in (*([100 * MILLISECOND] * 20), 30 * SECOND, *([100 * MILLISECOND] * 20)):
        prober.step()
        clock.now += pause
    prober.stop()
    samples = Samples.join(prober.drain())
    slots = np.sort(samples.slot[samples.outcome != Outcome.LOST])
    assert (np.diff(slots) == 1).all()
    missed = samples.outcome == Outcome.UNMEASURED
    assert set(samples.detail[missed].tolist()) == {Reason.OVERRUN}
    assert 29 <= missed.sum() <= 30


def test_two_thousand_handshakes_leave_nothing_in_time_wait(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    samples = drive(*(target(port, row=row) for row in range(400)), seconds=5.0)
    assert (samples.outcome == Outcome.ANSWERED).sum() >= 1600
    rows = Path("/proc/net/tcp").read_text().splitlines()[1:]
    waiting = [row for row in rows if row.split()[3] == "06" and f"{port:04X}" in row]
    assert waiting == []


def test_exhausted_descriptors_are_our_own_fault() -> None:
    """In a process of its own, so that the limit does not bind the tests."""
    script = """
        import json, resource, socket
        from tests.probes.test_tcp import drive, target
        with socket.create_server(("127.0.0.1", 0)) as server:
            resource.setrlimit(resource.RLIMIT_NOFILE, (8, 8))
            samples = drive(*(target(server.getsockname()[1], row=row) for row in range(40)), step=200_000_000)
        print(json.dumps([samples.outcome.tolist(), samples.detail.tolist()]))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, check=True, text=True)
    outcome, detail = (np.array(column) for column in json.loads(done.stdout))
    assert set(outcome.tolist()) <= {Outcome.ANSWERED, Outcome.UNMEASURED}
    assert (outcome == Outcome.UNMEASURED).any()
    assert set(detail[outcome == Outcome.UNMEASURED].tolist()) == {Reason.NO_DESCRIPTORS}


def test_rows_that_leave_are_discarded_at_once(listener: socket.socket) -> None:
    clock = HandClock()
    prober = TcpProber(clock)
    prober.load([target(listener.getsockname()[1], row=row) for row in range(5)])
    for _ in range(20):
        prober.step()
        clock.now += 100 * MILLISECOND
    prober.drain()
    prober.load([])
    prober.step()
    clock.now += 2 * SECOND
    prober.step()
    prober.stop()
    assert prober.drain() == []


def ask_once(port: int, then: Callable[[], object], pause: int, address: str = "127.0.0.1") -> Samples:
    """What a prober decides of one handshake when, while it is out, `then` happens and a while passes."""
    clock = HandClock()
    prober = TcpProber(clock)
    prober.load([target(port, address, rst_is_up=True, interval_ns=60 * SECOND)])
    while not prober._calls:
        prober.step()
        clock.now += 20 * MILLISECOND
    then()
    clock.now += pause
    prober.step()
    prober.stop()
    samples = Samples.join(prober.drain())
    return samples.take(np.arange(1))


def test_a_reset_is_a_sign_of_life(silence: Silence) -> None:
    samples = ask_once(silence.port, lambda: silence.reset(silence.heard()), 30 * MILLISECOND)
    assert (samples.outcome[0], samples.detail[0]) == (Outcome.ANSWERED, TCP_RESET)
    assert samples.rtt_ns[0] == 50 * MILLISECOND


@pytest.mark.parametrize("code", [1, 3, 13])
def test_what_a_firewall_says_is_no_reset(silence: Silence, code: int) -> None:
    """Port unreachable ends connect() with the errno of a reset: the endpoint would stand as up."""
    samples = ask_once(silence.port, lambda: silence.unreachable(silence.heard(), code), 30 * MILLISECOND)
    assert (samples.outcome[0], samples.detail[0]) == (Outcome.REFUSED, 3 << 8 | code)


def test_what_is_said_of_a_later_packet_takes_no_answer_back() -> None:
    """By a firewall that never saw our SYN and prohibits the ACK: IPv6 makes that an error of the whole connection."""
    with (
        socket.create_server(("::1", 0), family=socket.AF_INET6) as server,
        socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x86DD)) as ear,
        socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as firewall,
    ):
        ear.bind(("lo", 0x86DD))
        ear.settimeout(5)
        port = server.getsockname()[1]

        def prohibit() -> None:
            packet = ear.recv(2048)
            while packet[42:44] != port.to_bytes(2, "big") or packet[53] != 0x10:
                packet = ear.recv(2048)
            firewall.sendto(struct.pack(">BBHI", 1, 1, 0, 0) + packet, ("::1", 0))

        samples = ask_once(port, prohibit, 30 * MILLISECOND, "::1")
    assert (samples.outcome[0], samples.flags[0]) == (Outcome.ANSWERED, 0)
    assert 0 < samples.rtt_ns[0] < 5 * MILLISECOND


def test_no_handshake_tells_what_the_next_will_say(listener: socket.socket) -> None:
    """Who knows a SYN's sequence number beforehand answers it unseen, and hides loss, or shortens an RTT."""
    port = listener.getsockname()[1]
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800)) as ear:
        ear.bind(("lo", 0x0800))
        ear.settimeout(5)
        samples = drive(target(port), seconds=6)
        numbers: list[int] = []
        while len(numbers) < 5:
            packet = ear.recv(2048)
            if packet[9] == socket.IPPROTO_TCP and packet[22:24] == port.to_bytes(2, "big") and packet[33] == 2:
                numbers.append(int.from_bytes(packet[24:28], "big"))
    assert set(samples.outcome.tolist()) == {Outcome.ANSWERED}
    steps = np.diff(numbers) % 2**32
    assert ((steps > 1 << 24) & (steps < 2**32 - (1 << 24))).any(), "a socket that is used again goes on by its window"


@pytest.mark.parametrize("rst_is_up", [False, True])
def test_only_what_waits_is_listened_to_and_what_we_must_time(silence: Silence, *, rst_is_up: bool) -> None:
    clock = HandClock()
    prober = TcpProber(clock)
    prober.load([target(silence.port, rst_is_up=rst_is_up)])
    while not prober._calls:
        prober.step()
        clock.now += 20 * MILLISECOND
    assert prober._heeded == (set(prober._calls) if rst_is_up else set())
    prober.step()
    assert prober._heeded == set(prober._calls)
    clock.now += SECOND
    prober.step()
    assert not prober._heeded & {call.sock.fileno() for call in prober._calls.values() if not call.route.spec.rst_is_up}
    prober.stop()


def test_who_answers_at_once_is_let_go_before_the_next_tick(listener: socket.socket) -> None:
    clock = HandClock()
    prober = TcpProber(clock)
    prober.load([target(listener.getsockname()[1])])
    while not prober._calls:
        prober.step()
        clock.now += 20 * MILLISECOND
    prober._listen_until(clock.now)
    assert prober._calls == {}
    assert Samples.join(prober.drain()).outcome.tolist() == [Outcome.ANSWERED]
    prober.stop()


def test_an_answer_is_one_however_late_we_look(listener: socket.socket) -> None:
    samples = ask_once(listener.getsockname()[1], lambda: None, 30 * SECOND)
    assert samples.outcome[0] == Outcome.ANSWERED
    assert samples.flags[0] == 0


@pytest.mark.parametrize("politely", [False, True])  # ECONNRESET, or EPIPE
def test_an_endpoint_that_hangs_up_at_once_has_answered(*, politely: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            connection, _ = server.accept()
            if politely:
                connection.shutdown(socket.SHUT_WR)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()

        samples = ask_once(server.getsockname()[1], hang_up, 30 * MILLISECOND)
    assert samples.outcome[0] == Outcome.ANSWERED
    assert 0 < samples.rtt_ns[0] < 5 * MILLISECOND
    assert samples.flags[0] == 0


@pytest.mark.parametrize(
    ("over", "outcomes"),
    [(0, [Outcome.ANSWERED]), (1, [Outcome.LOST, Outcome.LATE])],
    ids=["at the limit", "beyond it"],
)
def test_the_time_limit_is_right_to_the_nanosecond(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch, over: int, outcomes: list[Outcome]
) -> None:
    """By the kernel's figure, however early we look."""
    limit = 900 * MILLISECOND + over
    monkeypatch.setattr("netsla.probes.tcp.look", lambda _: (1, 0, limit, 0))
    samples = drive(target(listener.getsockname()[1], interval_ns=60 * SECOND), seconds=61)
    assert samples.outcome.tolist() == outcomes
    assert samples.rtt_ns[-1] == limit


def test_an_answer_to_a_later_syn_says_so(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netsla.probes.tcp.look", lambda _: (1, 0, 5 * MILLISECOND, 2))
    samples = drive(target(listener.getsockname()[1]))
    assert (samples.outcome[0], samples.detail[0], samples.flags[0]) == (
        Outcome.ANSWERED,
        2,
        SampleFlag.RETRANSMITTED,
    )


def test_who_is_silent_after_we_stood_still_is_lost(silence: Silence) -> None:
    clock = HandClock()
    prober = TcpProber(clock)
    prober.load([target(silence.port)])
    for pause in (*([100 * MILLISECOND] * 20), 30 * SECOND, *([100 * MILLISECOND] * 40)):
        prober.step()
        clock.now += pause
    prober.stop()
    samples = Samples.join(prober.drain())
    assert samples.outcome[-1] == Outcome.LOST


class AtOnce(socket.SocketType):
    """connect() waits for the end, as that of some other kernel may."""

    def connect_ex(self, where: object) -> int:
        super().connect_ex(where)  # type: ignore[arg-type]  # of socket.SocketType, whose stub is narrower
        select.select([], [self], [], 5)
        return self.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


@pytest.mark.parametrize(("answered", "outcome"), [(True, Outcome.ANSWERED), (False, Outcome.REFUSED)])
def test_what_ends_within_connect_is_decided_alike(
    monkeypatch: pytest.MonkeyPatch, *, answered: bool, outcome: int
) -> None:
    monkeypatch.setattr("netsla.probes.tcp.socket.SocketType", AtOnce)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if answered:
            server.listen()
        samples = drive(target(server.getsockname()[1]))
    assert set(samples.outcome.tolist()) == {outcome}
    assert len(set(samples.slot.tolist())) == len(samples)


@pytest.mark.parametrize(("rate", "alone"), [(300, True), (301, False)])
def test_up_to_so_many_a_second_each_is_judged_by_itself(rate: int, alone: bool) -> None:
    prober = TcpProber(HandClock())
    prober.load([target(7, row=row) for row in range(rate)])
    assert prober._alone is alone
    prober.stop()


def test_the_host_lends_as_many_descriptors_as_it_may() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
    prober = TcpProber()
    try:
        prober.start()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        prober.stop()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
