"""When a TCP prober ticks, and what it tells of time in which it, or the whole host, stood still."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

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
from netsla.probes.audit import Audit
from netsla.probes.departures import Departure
from netsla.probes.tcp import TcpProber
from tests.probes.wiring import HandClock, Silence, reasons

TICK = 20 * MILLISECOND
AGAIN_BY_US = SampleFlag.RETRANSMITTED | SampleFlag.USER_STAMP
OVERSLEPT = (Outcome.UNMEASURED, Reason.OVERRUN)


@pytest.fixture
def port() -> Iterator[int]:
    """Where handshakes are answered."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def target(port: int, row: int = 0, *, interval_ns: int = SECOND) -> Target:
    spec = ProbeSpec("t", ProbeType.TCP, interval_ns, 900 * MILLISECOND, port=port, rst_is_up=True)
    return Target(row, f"a/e{row}/t", "127.0.0.1", spec)


class Timed:
    """A prober whose time is moved by hand, with one handshake under way that began a tick ago."""

    def __init__(self, port: int, *, interval_ns: int = SECOND) -> None:
        self.clock = HandClock()
        self.clock.slept = 3600 * SECOND  # before it was started
        self.prober = TcpProber(self.clock)
        self.prober.load([target(port, interval_ns=interval_ns)])
        while not self.prober._calls:
            self.step(TICK)

    def step(self, pause: int) -> None:
        self.prober.step()
        self.clock.ahead += pause

    def end(self) -> Samples:
        self.prober.step()
        self.prober.stop()
        return Samples.join(self.prober.drain() or [Samples.empty()])


def verdict(samples: Samples) -> tuple[int, int]:
    return int(samples.outcome[0]), int(samples.detail[0])


def ask_once(port: int, then: Callable[[Timed], object], pause: int) -> tuple[int, int]:
    """What is decided of one handshake, of which nothing is heard for so long; meanwhile `then` happens."""
    one = Timed(port, interval_ns=60 * SECOND)
    then(one)
    one.clock.ahead += pause - TICK
    return verdict(one.end())


@pytest.mark.parametrize(
    ("pause", "slept", "found"),
    [
        (200 * MILLISECOND, 100 * MILLISECOND, (Outcome.ANSWERED, TCP_RESET)),
        (200 * MILLISECOND + 1, 0, OVERSLEPT),
        (200 * MILLISECOND, 100 * MILLISECOND + 1, OVERSLEPT),
        (30 * SECOND, 0, OVERSLEPT),
    ],
)
def test_a_reset_of_which_we_hear_late_is_not_timed(
    silence: Silence, pause: int, slept: int, found: tuple[int, int]
) -> None:
    """It came in time, and we need not have been deaf: but beyond a tick and 100 ms only we could have told when."""

    def sleep(one: Timed) -> None:
        silence.reset(silence.heard())
        one.clock.slept += slept

    assert ask_once(silence.port, sleep, pause) == found


@pytest.mark.parametrize(
    ("pause", "slept", "found"),
    [
        (SECOND, 0, (Outcome.LOST, 0)),
        (SECOND + 1, 0, OVERSLEPT),
        (SECOND, 100 * MILLISECOND, (Outcome.LOST, 0)),
        (SECOND, 100 * MILLISECOND + 1, OVERSLEPT),  # the monotonic clock stands still then, too
    ],
)
def test_so_long_a_pause_excuses_silence(silence: Silence, pause: int, slept: int, found: tuple[int, int]) -> None:
    def sleep(one: Timed) -> None:
        silence.heard()
        one.clock.slept += slept

    assert ask_once(silence.port, sleep, pause) == found


@pytest.mark.parametrize(("pause", "found"), [(950 * MILLISECOND - 1, []), (950 * MILLISECOND, [Outcome.LOST])])
def test_who_is_silent_is_lost_once_when_everything_else_is_told(
    silence: Silence, pause: int, found: list[int]
) -> None:
    one = Timed(silence.port, interval_ns=60 * SECOND)
    one.clock.ahead += pause - TICK
    syn = silence.heard()
    one.step(0)
    assert [int(outcome) for batch in one.prober.drain() for outcome in batch.outcome] == found
    silence.reset(syn)
    assert one.end().outcome.tolist() == ([] if found else [Outcome.LOST, Outcome.LATE]), "nothing is told twice"


@pytest.mark.parametrize(("out", "asked_until"), [(TICK, TICK), (30 * SECOND, 900 * MILLISECOND)])
def test_what_befell_us_beyond_the_time_limit_excuses_nothing(
    silence: Silence, monkeypatch: pytest.MonkeyPatch, out: int, asked_until: int
) -> None:
    one = Timed(silence.port)
    asked: list[Departure] = []

    def nothing_known(some: list[Departure], _: int) -> list[None]:
        asked.extend(some)
        return [None]

    monkeypatch.setattr(one.prober._departures, "reasons_for", nothing_known)
    (call,) = one.prober._calls.values()
    one.clock.ahead += out - TICK
    one.prober._decide(call, errno.ETIMEDOUT)
    (departure,) = asked
    assert departure.end_ns - departure.begin_ns == asked_until
    assert (departure.begin_ns, departure.bound, departure.silent) == (call.mono_ns, False, True)
    one.end()


@pytest.mark.parametrize(
    ("measured", "took", "found"),
    [
        ((3, 0), 0, (Outcome.ANSWERED, 3, 0, 0)),
        ((3, 2), 0, (Outcome.ANSWERED, 3, 2, SampleFlag.RETRANSMITTED)),
        ((3, 2), 900 * MILLISECOND, (Outcome.ANSWERED, 3, 2, SampleFlag.RETRANSMITTED)),
        ((3, 2), 900 * MILLISECOND + 1, (Outcome.LATE, 900 * MILLISECOND + 1, 2, AGAIN_BY_US)),
        ((0, 2), TICK, (Outcome.ANSWERED, TICK, 2, AGAIN_BY_US)),
        ((0, 0), TICK, (Outcome.ANSWERED, TICK, 0, SampleFlag.USER_STAMP)),
    ],
)
def test_what_the_kernel_cannot_tell_is_timed_by_us(
    port: int, monkeypatch: pytest.MonkeyPatch, measured: tuple[int, int], took: int, found: tuple[int, int, int, int]
) -> None:
    """After a SYN was lost its figure is that of the last one alone: beyond the time limit it is too good."""
    monkeypatch.setattr("netsla.probes.tcp.look", lambda _: (1, 0, *measured))
    one = Timed(port)
    (call,) = one.prober._calls.values()
    call.mono_ns = one.clock.mono() - took
    samples = one.end()
    told = [int(column[-1]) for column in (samples.outcome, samples.rtt_ns, samples.detail, samples.flags)]
    assert told == list(found)
    assert len(samples) == 1 + (found[0] == Outcome.LATE)


def test_an_answer_beyond_the_time_limit_is_unmeasured_where_we_were_deaf(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("netsla.probes.tcp.look", lambda _: (1, 0, 901 * MILLISECOND, 0))
    one = Timed(port)
    one.prober._deaf_ns = one.clock.mono()
    samples = one.end()
    assert samples.outcome.tolist() == [Outcome.UNMEASURED], "and never late"


def after(port: int, late: int, *, stepped: int = 0) -> tuple[Samples, int]:
    """What is told in the tick that comes so late after a slot was due, and when that was, UTC."""
    one = Timed(port)
    one.step(TICK)
    one.prober.drain()
    table = one.prober._rounds[0].timetable
    due = table.time_of(one.prober._served[SECOND] // table.grains * table.grains + int(table.grain[0])) + SECOND
    one.clock.ahead += due - one.clock.wall() + late
    one.clock.stepped = stepped
    one.step(1)
    return one.end(), due + stepped


def test_nobody_is_asked_before_it_is_due(port: int) -> None:
    assert len(after(port, -2)[0]) == 0
    samples, due = after(port, 0)
    assert samples.sent_ns.tolist() == [due]


@pytest.mark.parametrize(
    ("late", "found"), [(509, (Outcome.ANSWERED, 0)), (510, OVERSLEPT)], ids=["half a second", "a grain more"]
)
def test_what_is_due_for_long_is_not_made_up_for(port: int, late: int, found: tuple[int, int]) -> None:
    samples, _ = after(port, late * MILLISECOND)
    assert verdict(samples) == found
    assert len(samples) == 1


@pytest.mark.parametrize("stepped", [0, 5 * SECOND], ids=["", "the clock was set"])
def test_missed_slots_are_told_one_by_one_for_two_minutes(port: int, stepped: int) -> None:
    """With the time at which each was due. Before that whole intervals are missing, which the engine sees."""
    samples, due = after(port, 300 * SECOND, stepped=stepped)
    missed, last = samples.take(np.arange(120)), samples.take(np.arange(120, len(samples)))
    assert set(missed.outcome.tolist()) == {Outcome.UNMEASURED}
    assert reasons(missed) == {Reason.OVERRUN}
    assert (np.diff(samples.slot) == 1).all()
    assert missed.sent_ns.tolist() == [due + second * SECOND for second in range(180, 300)]
    assert last.outcome.tolist() == [Outcome.ANSWERED]


@pytest.mark.parametrize("busy", [False, True], ids=["nobody under way", "somebody under way"])
@pytest.mark.parametrize("overslept", [0, 3 * MILLISECOND])
def test_ticks_are_whole_tenths_of_a_second_of_utc(
    monkeypatch: pytest.MonkeyPatch, *, busy: bool, overslept: int
) -> None:
    """However long a tick takes, and whether it listens until the next or sleeps."""
    clock = HandClock()
    prober = TcpProber(clock)
    ticks: list[int] = []

    def spend(ns: int) -> list[tuple[int, int]]:
        assert ns >= 0
        clock.ahead += ns + (overslept if ns else 0)
        return []

    def step() -> None:
        ticks.append(clock.wall())
        clock.ahead += (7, 93, 107)[len(ticks) % 3] * MILLISECOND + 300_000
        prober._running = len(ticks) < 6

    monkeypatch.setattr("netsla.probes.tcp.time", SimpleNamespace(sleep=lambda seconds: spend(round(seconds * 1e9))))
    monkeypatch.setattr(prober, "_hear", lambda wait_ms: spend(wait_ms * MILLISECOND))
    monkeypatch.setattr(prober, "step", step)
    monkeypatch.setattr(prober, "_heeded", {7} if busy else set())
    prober._running = True
    prober._run()
    prober.stop()
    late = [at % (100 * MILLISECOND) for at in ticks]
    assert set(late) == {overslept} if not (busy and overslept) else 0 < min(late) <= max(late) < overslept
    assert np.diff([at // (100 * MILLISECOND) for at in ticks]).tolist() == [1, 2, 1, 1, 2]


def test_how_late_it_was_and_which_clock_was_set_is_told(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    one = Timed(port)
    one.clock.stepped = MILLISECOND
    one.step(0)
    assert one.prober.facts().clock_steps == 0, "no more than that"
    one.clock.stepped += MILLISECOND + 1
    one.step(0)
    told = one.prober.facts()
    one.step(SECOND)
    late: list[tuple[int, int, int]] = []
    monkeypatch.setattr(Audit, "late", lambda _, *how: late.append(how))
    for early in (-30 * MILLISECOND, 30 * MILLISECOND):
        one.prober._due = one.clock.wall() - one.clock.stepped + early
        one.step(SECOND)
    facts = one.prober.facts()
    assert late == [(30 * MILLISECOND, 30 * MILLISECOND, 1), (0, 0, 1)]
    assert (facts.clock_steps, facts.ticks, facts.receive_drops) == (1, told.ticks + 3, 0)
    one.prober._audit.lateness_ns = 3 * SECOND
    assert one.prober.facts().lateness_sum_seconds == 3
    assert facts.problems == ()
    one.end()


def test_that_links_are_not_watched_is_a_problem_of_those_who_probe(
    silence: Silence, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise OSError(97, "Address family not supported by protocol")

    monkeypatch.setattr("netsla.probes.links.Monitor", refuse)
    one = Timed(silence.port)
    assert len(one.prober.facts().problems) == 1
    one.prober.load([])
    one.step(0)
    assert one.prober.facts().problems == ()
    one.end()


def test_rows_that_leave_take_everything_along(silence: Silence) -> None:
    one = Timed(silence.port)
    one.prober._departures.refuse(0, Reason.NO_ROUTE, one.clock.mono())
    one.prober.load([target(silence.port, row=1)])
    one.step(0)
    assert one.prober._pending is None
    assert one.prober._calls == {}
    assert one.prober._departures._refused == {}
    one.clock.ahead += 2 * SECOND
    assert set(one.end().row.tolist()) <= {1}


def test_a_stopped_prober_holds_nothing(port: int) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    one = Timed(port)
    one.step(TICK)
    assert one.prober._exits.before({socket.AF_INET, socket.AF_INET6}, 0).keys() == {socket.AF_INET, socket.AF_INET6}
    assert one.prober._calls == {}
    assert one.prober._exits._mistrust_ns < 0, "an answer that nobody doubted says nothing"
    one.end()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
