"""SYNs that our own host drops without a word, told by the kernel's counters; and none that was lost afar."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from netsla.model import MILLISECOND, SECOND, Outcome, ProbeSpec, ProbeType, Reason, Samples, Target
from netsla.probes.exits import Exits, Toll, toll_of
from netsla.probes.tcp import TcpProber
from tests.probes.wiring import HandClock, Namespace, count, reasons

V4, V6 = socket.AF_INET, socket.AF_INET6
NOW = 50 * SECOND
OLD = b"Ip: Forwarding OutRequests OutDiscards\nIp: 2 70 0\nTcp: OutSegs\nTcp: 9\n"
NEW = b"Ip: Forwarding OutRequests OutDiscards OutTransmits\nIp: 2 70 0 68\nTcp: OutSegs\nTcp: 9\n"
OLD6 = b"Ip6InReceives   \t5\nIp6OutRequests                  \t70\nIp6OutDiscards  \t0\n"


@pytest.mark.parametrize(
    ("data", "family", "toll"),
    [
        (NEW, V4, Toll(70, 68)),
        (OLD, V4, Toll(-1, 70)),  # before Linux 6.7: counted behind the OUTPUT chain
        (OLD6 + b"Ip6OutTransmits  \t68\n", V6, Toll(70, 68)),
        (OLD6, V6, Toll(-1, 70)),
    ],
)
def test_the_counters_are_found(data: bytes, family: int, toll: Toll) -> None:
    assert toll_of(data, family) == toll


@pytest.mark.parametrize(("data", "family"), [(b"Ip: a b\nIp: 1 2\n", V4), (b"", V4), (b"Icmp6: 3\n", V6)])
def test_what_we_do_not_know_is_not_guessed(data: bytes, family: int) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of list.index and of our own alike
        toll_of(data, family)


class Told(Exits):
    """Reads what a test says, the last for ever."""

    def __init__(self, *tolls: Toll) -> None:
        super().__init__()
        self._files = {V4: -1}
        self.tolls = list(tolls)

    def open(self) -> None:
        """Nothing to open."""

    def close(self) -> None:
        """Nothing to close."""

    def _read(self, family: int) -> Toll:
        return self.tolls.pop(0) if len(self.tolls) > 1 else self.tolls[0]


@pytest.fixture
def waiting() -> Iterator[socket.socket]:
    """A handshake that is not answered: the backlog of the far end is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        some = [socket.socket() for _ in range(5)]
        for one in some:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        yield some[-1]
        for one in some:
            one.close()


@pytest.fixture
def answered() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as one:
        yield one


Verdict = tuple[list[int], bool]
PASSED: Verdict = [], False
PROVED: Verdict = [0], True
DOUBTED: Verdict = [0], False


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        (Toll(70, 60), Toll(71, 61), PASSED),
        (Toll(70, 60), Toll(71, 60), PROVED),
        (Toll(70, 60), Toll(70, 60), PROVED),  # it came not even so far as to be asked for
        (Toll(70, 60), Toll(72, 61), DOUBTED),  # another one's packet left meanwhile
        (Toll(70, 60), Toll(71, 62), PASSED),  # forwarded ones leave that nobody here asked for
        (Toll(-1, 60), Toll(-1, 60), PROVED),
        (Toll(-1, 60), Toll(-1, 61), PASSED),
        (Toll(0, 0), Toll(1, 0), ([0], False)),  # a counter that stands at zero may not count
    ],
)
def test_nobodys_packet_left_so_ours_did_not(
    waiting: socket.socket, before: Toll, after: Toll, verdict: Verdict
) -> None:
    assert Told(after).judge(before, V4, [waiting], NOW) == verdict


def test_what_is_answered_left(answered: socket.socket) -> None:
    assert Told(Toll(71, 60)).judge(Toll(70, 60), V4, [answered], NOW) == ([], False)


def test_what_the_kernel_keeps_may_leave_yet(waiting: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a queue to user space, or while it is being encrypted."""
    monkeypatch.setattr("netsla.probes.exits.keeps_nothing", lambda _: False)
    assert Told(Toll(71, 60)).judge(Toll(70, 60), V4, [waiting], NOW) == ([], False)


def test_what_was_let_go_before_we_looked_is_counted_by_then(waiting: socket.socket) -> None:
    """It was kept at first, and left between the readings."""
    readings = [Toll(71, 60)] * 5 + [Toll(71, 61)]
    assert Told(*readings).judge(Toll(70, 60), V4, [waiting], NOW) == DOUBTED


def test_a_packet_that_another_thread_is_just_sending_is_waited_for(waiting: socket.socket) -> None:
    assert Told(Toll(72, 61), Toll(72, 62)).judge(Toll(70, 60), V4, [waiting], NOW) == PASSED


def test_of_several_only_some_may_have_left(waiting: socket.socket, answered: socket.socket) -> None:
    assert Told(Toll(72, 61)).judge(Toll(70, 60), V4, [answered, waiting], NOW) == ([1], False)


def test_a_host_that_asks_for_more_than_leaves_is_not_believed_again(waiting: socket.socket) -> None:
    """IPsec counts the packet and what it becomes; what stands still proves as much as before."""
    exits = Told(Toll(72, 61))
    exits.mistrust(NOW)
    assert exits.judge(Toll(70, 60), V4, [waiting], NOW) == PASSED
    assert exits.judge(Toll(70, 60), V4, [waiting], NOW + 600 * SECOND - 1) == PASSED
    assert exits.judge(Toll(70, 60), V4, [waiting], NOW + 600 * SECOND) == DOUBTED
    exits.tolls = [Toll(71, 60)]
    assert exits.judge(Toll(70, 60), V4, [waiting], NOW) == PROVED


def test_on_guard_a_reading_is_taken_when_nothing_is_on_its_way(waiting: socket.socket) -> None:
    exits = Told(Toll(71, 60))
    assert not exits.is_on_guard(NOW)
    exits.judge(Toll(70, 60), V4, [waiting], NOW)
    assert exits.is_on_guard(NOW + 9 * SECOND)
    assert not exits.is_on_guard(NOW + 10 * SECOND)
    exits.tolls = [Toll(75, 63), Toll(75, 64), Toll(76, 64), Toll(76, 64), Toll(76, 64)]
    assert exits.before({V4, V6}, NOW + SECOND) == {V4: Toll(75, 64)}


def test_an_unreadable_counter_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netsla.probes.exits._PLACE", "/nowhere/")
    exits = Exits()
    exits.open()
    assert exits.before({V4, V6}, NOW) == {}
    exits.close()


def test_a_file_that_tells_something_else_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netsla.probes.exits._FILES", {V4: "dev", V6: "snmp6"})
    before = open_files()
    exits = Exits()
    exits.open()
    assert exits.before({V4, V6}, NOW).keys() == {V6}
    assert open_files() == before + 1
    exits.close()
    assert open_files() == before


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.netns
@pytest.mark.parametrize(("family", "address"), [(V4, "127.0.0.1"), (V6, "::1")])
def test_the_kernel_counts_in_the_call_itself(namespace: Namespace, family: int, address: str) -> None:
    """In a namespace where nobody else sends."""
    exits = Exits()
    exits.open()
    with contextlib.closing(exits), socket.socket(family, socket.SOCK_DGRAM) as one:
        before = exits.before({family}, NOW)[family]
        one.sendto(b"x", (address, 9))
        after = exits.before({family}, NOW)[family]
    assert after.gone > before.gone


# --- with a prober ---------------------------------------------------------------------------------


def ask(exits: Exits, port: int, seconds: float = 2.0) -> Samples:
    """What a prober with these counters tells of one endpoint in so long."""
    clock = HandClock()
    prober = TcpProber(clock)
    prober._exits = exits
    spec = ProbeSpec("t", ProbeType.TCP, port=port, interval_ns=SECOND, timeout_ns=900 * MILLISECOND)
    prober.load([Target(0, "a/e/t", "127.0.0.1", spec)])
    for _ in range(int(seconds * 50)):
        prober.step()
        clock.ahead += 20 * MILLISECOND
    prober.stop()
    return Samples.join(prober.drain() or [Samples.empty()])


class Dropping(Told):
    """Each SYN is asked for; of the others' packets between two readings `others` leave. Ours leave if `passing`."""

    def __init__(self, *, others: Sequence[int] = (), passing: bool = False) -> None:
        super().__init__(Toll(100, 100))
        self._others, self._passing, self.asked = list(others), passing, 0

    def before(self, families: set[int], mono_ns: int) -> dict[int, Toll]:
        found = super().before(families, mono_ns)
        self.asked += 1
        others = self._others.pop(0) if self._others else 0
        last = self.tolls[0]
        self.tolls = [Toll(last.asked + 1 + others, last.gone + others + self._passing)]
        return found


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that swallows SYNs."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        held = [socket.socket() for _ in range(4)]
        for one in held:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        yield full.getsockname()[1]
        for one in held:
            one.close()


def test_a_syn_that_our_firewall_dropped_is_unmeasured(silent: int) -> None:
    samples = ask(Dropping(), silent)
    assert set(count(samples)) == {"UNMEASURED"}
    assert reasons(samples) == {Reason.PROHIBITED}
    assert len(set(samples.slot.tolist())) == len(samples), "once"


def test_a_syn_that_left_and_was_lost_is_lost(silent: int) -> None:
    assert set(count(ask(Dropping(passing=True, others=[3] * 9), silent, 3.0))) == {"LOST"}


def test_in_doubt_it_is_sent_again_until_it_is_sure(silent: int) -> None:
    exits = Dropping(others=[1, 2])
    samples = ask(exits, silent, 1.0)
    assert count(samples) == {"UNMEASURED": 1}
    assert exits.asked == 3


def test_doubt_that_lasts_is_believed_only_after_a_proof(silent: int) -> None:
    """Others' packets leave all the while."""
    assert set(count(ask(Dropping(others=[1] * 99), silent, 4.0))) == {"LOST"}
    proved = Dropping(others=[1] * 99)
    proved._guard_ns = 1 << 62
    assert set(count(ask(proved, silent))) == {"UNMEASURED"}


@pytest.mark.parametrize("doubts", range(4))
def test_what_leaves_in_the_end_is_lost_though_we_are_on_guard(silent: int, doubts: int) -> None:
    exits = Dropping()
    exits._guard_ns = 1 << 62
    verdicts = iter([DOUBTED] * doubts)
    exits.judge = lambda *_: next(verdicts, PASSED)  # type: ignore[method-assign]  # what the counters say
    samples = ask(exits, silent, 2.0)
    assert set(count(samples)) == {"LOST"}
    assert exits.asked == doubts + 2, "of two slots the first was in doubt"


@pytest.mark.parametrize(("alone", "guard", "readings"), [(True, False, 4), (False, False, 1), (False, True, 4)])
def test_on_guard_or_where_they_are_few_each_is_judged_by_itself(
    silent: int, *, alone: bool, guard: bool, readings: int
) -> None:
    exits = Dropping(passing=True, others=[9] * 99)
    exits._guard_ns = guard << 62
    clock = HandClock()
    prober = TcpProber(clock)
    prober._exits = exits
    spec = ProbeSpec("t", ProbeType.TCP, port=silent, interval_ns=10 * MILLISECOND, timeout_ns=5 * MILLISECOND)
    prober.load([Target(row, f"a/e{row}/t", "127.0.0.1", spec) for row in range(4)])
    prober.step()
    prober._alone = alone
    clock.ahead += 10 * MILLISECOND
    prober.step()
    prober.stop()
    assert exits.asked == readings


def test_what_was_in_doubt_and_is_answered_ends_the_doubt() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        exits = Dropping(others=[1] * 99)
        exits.judge = lambda *_: ([0], False) if exits._mistrust_ns < 0 else ([], False)  # type: ignore[method-assign]  # a slow answer
        samples = ask(exits, server.getsockname()[1], 3.0)
    assert set(count(samples)) == {"ANSWERED"}
    assert exits.asked == 3 + len(samples), "four SYNs at first, one each from then on"


def test_each_family_is_judged_by_its_own_counters(silent: int) -> None:
    """In one party: what stands still for IPv4 says nothing of IPv6."""

    class Both(Told):
        def before(self, families: set[int], mono_ns: int) -> dict[int, Toll]:
            return dict.fromkeys(families, Toll(100, 100))

        def is_on_guard(self, mono_ns: int) -> bool:
            return False

        def _read(self, family: int) -> Toll:
            return Toll(108, 100 if family == V4 else 108)

    clock = HandClock()
    prober = TcpProber(clock)
    prober._exits = Both(Toll(0, 0))
    spec = ProbeSpec("t", ProbeType.TCP, port=silent, interval_ns=100 * MILLISECOND, timeout_ns=90 * MILLISECOND)
    with socket.create_server(("::1", silent), family=V6, backlog=0) as full, contextlib.ExitStack() as held:
        for _ in range(4):
            one = held.enter_context(socket.socket(V6))
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        prober.load([Target(row, f"a/e{row}/t", ("127.0.0.1", "::1")[row % 2], spec) for row in range(16)])
        prober.step()
        prober._alone = False
        for _ in range(20):
            clock.ahead += 100 * MILLISECOND
            prober.step()
        prober.stop()
    samples = Samples.join(prober.drain())
    assert set(samples.outcome[samples.row % 2 == 0].tolist()) == {Outcome.UNMEASURED}
    assert set(samples.outcome[samples.row % 2 == 1].tolist()) == {Outcome.LOST}
