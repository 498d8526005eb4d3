import contextlib
import json
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
from netsla.wire import icmp


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


class Silence(contextlib.ExitStack):
    """A port that swallows SYNs, and whoever stands between: what it forges looks to the kernel like the endpoint's."""

    def __init__(self) -> None:
        super().__init__()
        full = self.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        self.port: int = full.getsockname()[1]
        for _ in range(4):  # a full backlog lets further SYNs fall
            one = self.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", self.port))
        self._ear = self.enter_context(socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800)))
        self._ear.bind(("lo", 0x0800))
        self._ear.settimeout(5)

    def heard(self) -> bytes:
        """The next SYN to the port, with its IP header."""
        while True:
            packet = self._ear.recv(2048)
            if packet[9] == socket.IPPROTO_TCP and packet[22:24] == self.port.to_bytes(2, "big") and packet[33] == 2:
                return packet

    def reset(self, packet: bytes) -> None:
        """Answer a SYN as a closed port does."""
        acknowledged = int.from_bytes(packet[24:28], "big") + 1 & 0xFFFFFFFF
        ports = int.from_bytes(packet[22:24], "big"), int.from_bytes(packet[20:22], "big")
        head = struct.pack(">HHIIBBHHH", *ports, 0, acknowledged, 5 << 4, 0x14, 0, 0, 0)
        pseudo = packet[16:20] + packet[12:16] + struct.pack(">HH", socket.IPPROTO_TCP, len(head))
        total = sum(struct.unpack(f">{len(pseudo + head) // 2}H", pseudo + head))
        total = (total & 0xFFFF) + (total >> 16)
        check = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
        self._send(socket.IPPROTO_TCP, head[:16] + struct.pack(">HH", check, 0))

    def unreachable(self, packet: bytes, code: int) -> None:
        """Say of a SYN what a router or a firewall says."""
        error = np.frombuffer(struct.pack(">BBHI", 3, code, 0, 0) + packet[:28], np.uint8).copy()[None, :]
        icmp.checksum(error)
        self._send(socket.IPPROTO_ICMP, error.tobytes())

    @staticmethod
    def _send(protocol: int, packet: bytes) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, protocol) as sender:
            sender.sendto(packet, ("127.0.0.1", 0))


@pytest.fixture
def silence() -> Iterator[Silence]:
    with Silence() as silence:
        yield silence


def ask_once(port: int, then: Callable[[], object], pause: int, clock: HandClock | None = None) -> Samples:
    """What a prober decides of one handshake when, while it is out, `then` happens and a while passes."""
    clock = clock or HandClock()
    prober = TcpProber(clock)
    prober.load([target(port, rst_is_up=True, interval_ns=60 * SECOND)])
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


def test_a_reset_of_which_we_hear_late_is_unmeasured(silence: Silence) -> None:
    """It came in time, but only we could have timed it, and stood still."""
    samples = ask_once(silence.port, lambda: silence.reset(silence.heard()), 30 * SECOND)
    assert (samples.outcome[0], samples.detail[0]) == (Outcome.UNMEASURED, Reason.OVERRUN)


def test_what_is_out_while_we_stand_still_is_not_lost(silence: Silence) -> None:
    samples = ask_once(silence.port, silence.heard, 30 * SECOND)
    assert (samples.outcome[0], samples.detail[0]) == (Outcome.UNMEASURED, Reason.OVERRUN)


def test_what_is_out_while_the_host_sleeps_is_not_lost(silence: Silence) -> None:
    """The monotonic clock stands still then, too."""

    class Sleepy(HandClock):
        slept = 0

        def asleep(self) -> int:
            return self.slept

    clock = Sleepy()

    def sleep() -> None:
        silence.heard()
        clock.slept = 3600 * SECOND

    samples = ask_once(silence.port, sleep, 980 * MILLISECOND, clock)
    assert (samples.outcome[0], samples.detail[0]) == (Outcome.UNMEASURED, Reason.OVERRUN)


def test_an_answer_is_one_however_late_we_look(listener: socket.socket) -> None:
    samples = ask_once(listener.getsockname()[1], lambda: None, 30 * SECOND)
    assert samples.outcome[0] == Outcome.ANSWERED
    assert samples.flags[0] == 0


def test_an_endpoint_that_hangs_up_at_once_has_answered() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            connection, _ = server.accept()
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
    monkeypatch.setattr("netsla.probes.tcp.measure", lambda _: (limit, 0))
    samples = drive(target(listener.getsockname()[1], interval_ns=60 * SECOND), seconds=61)
    assert samples.outcome.tolist() == outcomes
    assert samples.rtt_ns[-1] == limit


def test_an_answer_to_a_later_syn_says_so(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netsla.probes.tcp.measure", lambda _: (5 * MILLISECOND, 2))
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


class Sleepy(HandClock):
    """Its host may sleep."""

    slept = 0

    def asleep(self) -> int:
        return self.slept


def verdict(samples: Samples) -> tuple[int, int]:
    return int(samples.outcome[0]), int(samples.detail[0])


OVERSLEPT = (Outcome.UNMEASURED, Reason.OVERRUN)


@pytest.mark.parametrize(
    ("pause", "found"), [(200 * MILLISECOND, (Outcome.ANSWERED, TCP_RESET)), (200 * MILLISECOND + 1, OVERSLEPT)]
)
def test_a_reset_of_which_we_hear_a_little_late_is_not_timed(
    silence: Silence, pause: int, found: tuple[int, int]
) -> None:
    """In time, and we were not deaf: but beyond a tick and 100 ms only we could have told when it came."""
    samples = ask_once(silence.port, lambda: silence.reset(silence.heard()), pause - 20 * MILLISECOND)
    assert verdict(samples) == found


@pytest.mark.parametrize(
    ("pause", "slept", "found"),
    [
        (SECOND, 0, (Outcome.LOST, 0)),
        (SECOND + 1, 0, OVERSLEPT),
        (SECOND, 100 * MILLISECOND, (Outcome.LOST, 0)),
        (SECOND, 100 * MILLISECOND + 1, OVERSLEPT),
    ],
)
def test_so_long_a_pause_excuses_silence(silence: Silence, pause: int, slept: int, found: tuple[int, int]) -> None:
    clock = Sleepy()

    def sleep() -> None:
        silence.heard()
        clock.slept = slept

    assert verdict(ask_once(silence.port, sleep, pause - 20 * MILLISECOND, clock)) == found


def after(port: int, late: int) -> Samples:
    """Of a target asked once a second: what a prober tells in the tick that comes so late after a slot was due."""
    clock = HandClock()
    prober = TcpProber(clock)
    prober.load([target(port)])
    while not prober._calls:
        prober.step()
        clock.now += 20 * MILLISECOND
    table, now = prober._rounds[0].timetable, clock.now
    clock.now = table.time_of(table.grain_at(now) // table.grains * table.grains + int(table.grain[0]))
    while clock.now <= now:
        clock.now += SECOND
    clock.now += late
    prober.step()
    clock.now += 20 * MILLISECOND
    prober.step()
    prober.stop()
    samples = Samples.join(prober.drain())
    return samples.take(samples.slot > samples.slot.min())


@pytest.mark.parametrize(
    ("late", "found"), [(509, (Outcome.ANSWERED, 0)), (510, OVERSLEPT)], ids=["half a second", "a grain more"]
)
def test_what_is_due_for_long_is_not_made_up_for(listener: socket.socket, late: int, found: tuple[int, int]) -> None:
    samples = after(listener.getsockname()[1], late * MILLISECOND)
    assert verdict(samples) == found
    assert samples.slot.tolist() == [samples.slot[0]]


def test_missed_slots_are_told_one_by_one_for_two_minutes(listener: socket.socket) -> None:
    """With the time at which each was due. Before that whole intervals are missing, which the engine sees."""
    samples = after(listener.getsockname()[1], 300 * SECOND)
    assert set(samples.outcome.tolist()) == {Outcome.UNMEASURED, Outcome.ANSWERED}
    missed = samples.take(samples.outcome == Outcome.UNMEASURED)
    assert len(missed) == 120
    assert samples.slot.tolist() == list(range(samples.slot[0], samples.slot[0] + 121))
    assert set(np.diff(samples.sent_ns[:-1]).tolist()) == {SECOND}
    assert samples.sent_ns[-1] - samples.sent_ns[0] == 120 * SECOND
