"""The whole prober on real sockets, against a wire that the test holds."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from netsla.model import MILLISECOND, SECOND, Outcome, Reason, SampleFlag, Samples, Target
from netsla.probes import channel
from netsla.probes.icmp import IcmpProber
from netsla.probes.prober import LATENESS_BOUNDS
from tests.probes.wiring import SPEC, STEP, Drive, Echo, Namespace, Wire, count, fleet, reasons, target

pytestmark = pytest.mark.netns
Make = Callable[[Sequence[Target]], Drive]


def silent(_: Echo) -> None:
    """Nobody answers."""


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("address", ["10.1.0.1", "fd00::1:1"])
def test_answered_with_kernel_stamps(wire: Wire, drive: Make, address: str, raw: bool) -> None:
    if raw:
        wire.namespace.set("ipv4/ping_group_range", "1 0")
    one = drive([target(7, address)])
    samples = one.run(5, wire)
    assert count(samples) == {"ANSWERED": 5}
    assert set(samples.row) == {7}
    assert np.diff(samples.slot).tolist() == [1] * 4
    assert samples.flags.max() == 0
    assert 0 < samples.rtt_ns.min() <= samples.rtt_ns.max() < SECOND
    assert one.prober.facts().sockets[0].startswith(f"ipv{4 if '.' in address else 6} {'raw' if raw else 'ping'}")
    assert one.prober.strangers == 0


def test_silence_is_lost_after_the_time_limit_only(wire: Wire, drive: Make) -> None:
    one = drive([target(0, "10.1.0.1")])
    assert count(one.run(3, wire, silent)) == {}
    assert count(one.run(1.1, wire, silent)) == {"LOST": 1}  # a moment after, when news of our own links are in
    assert count(one.run(1, wire, silent)) == {"LOST": 1}


def test_a_reply_that_waits_unread_counts_by_its_kernel_stamp(wire: Wire, drive: Make) -> None:
    one = drive([target(0, "10.1.0.1")])
    held: list[Echo] = []
    one.run(1, wire, held.append)
    wire.answer(held[0])
    one.clock.ahead += 3 * SECOND  # nobody reads for longer than the time limit
    one.prober.step()
    samples = one.drain()
    assert count(samples.take(samples.slot == samples.slot.min()))["ANSWERED"] == 1
    assert Outcome.LOST not in samples.outcome


def test_what_went_unanswered_while_the_host_stood_still_is_not_lost(wire: Wire, drive: Make) -> None:
    one = drive(fleet(20))
    one.run(1, wire, silent)
    one.clock.ahead += 4 * SECOND
    one.prober.step()
    samples = one.drain()
    assert count(samples)["UNMEASURED"] >= 20
    assert Outcome.LOST not in samples.outcome
    assert reasons(samples) == {Reason.OVERRUN}


def test_what_went_unanswered_while_the_host_slept_is_not_lost(wire: Wire, drive: Make) -> None:
    one = drive(fleet(20))
    one.run(1, wire, silent)
    one.clock.slept = 3600 * SECOND
    one.clock.stepped = 3600 * SECOND
    samples = one.run(4, wire)
    assert count(samples) == {"UNMEASURED": 20, "ANSWERED": 80}
    assert one.prober.facts().clock_steps == 1


def test_every_option_reaches_the_packet(wire: Wire, drive: Make) -> None:
    wire.namespace.ip("addr", "add", "10.77.0.9/32", "dev", "wire")
    spec = replace(SPEC, size=200, dscp=46, ttl=33, df=True, source="10.77.0.9")
    one = drive([target(0, "10.1.0.1", spec)])
    held: list[Echo] = []
    one.run(1, wire, held.append)
    (echo,) = held
    assert (echo.source, len(echo.icmp), echo.whole[1] >> 2, echo.whole[8]) == ("10.77.0.9", 208, 46, 33)
    assert echo.whole[6] & 0x40  # do not fragment
    plain = drive([target(0, "10.1.0.1")])
    plain.run(1, wire, held.append)
    assert not held[-1].whole[6] & 0x40


def test_every_option_reaches_an_ipv6_packet(wire: Wire, drive: Make) -> None:
    one = drive([target(0, "fd00::5", replace(SPEC, dscp=46, ttl=33, df=True))])
    held: list[Echo] = []
    one.run(1, wire, held.append)
    whole = held[0].whole
    assert ((whole[0] << 8 | whole[1]) >> 6 & 0x3F, whole[7]) == (46, 33)


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize(("kind", "code"), [(3, 1), (3, 13), (11, 0), (12, 0)])
def test_icmp_errors_refuse_and_name_the_router(wire: Wire, drive: Make, kind: int, code: int, raw: bool) -> None:
    if raw:
        wire.namespace.set("ipv4/ping_group_range", "1 0")
    one = drive(fleet(2))
    answered = {"10.1.0.0"}

    def react(echo: Echo) -> None:
        if echo.target in answered:
            wire.answer(echo)
        else:
            wire.refuse(echo, kind, code, "10.9.9.9")

    samples = one.to_the_end(3, wire, react)
    assert count(samples) == {"ANSWERED": 3, "REFUSED": 3}
    refused = samples.take(samples.outcome == Outcome.REFUSED)
    assert set(refused.detail) == {kind << 8 | code}
    assert one.prober.offenders() == {1: "10.9.9.9"}


def test_icmpv6_errors_refuse_too(wire: Wire, drive: Make) -> None:
    one = drive([target(0, "fd00::5")])
    samples = one.to_the_end(3, wire, lambda echo: wire.refuse(echo, 1, 4, "fd99::1"))
    assert count(samples) == {"REFUSED": 3}
    assert set(samples.detail) == {1 << 8 | 4}
    assert one.prober.offenders() == {0: "fd99::1"}


def test_a_redirect_or_a_quench_ends_no_probe(wire: Wire, drive: Make) -> None:
    one = drive([target(0, "10.1.0.1")])

    def react(echo: Echo) -> None:
        wire.refuse(echo, 4, 0, "10.9.9.9")
        wire.refuse(echo, 5, 1, "10.9.9.9")
        wire.answer(echo)

    assert count(one.run(3, wire, react)) == {"ANSWERED": 3}


def test_an_error_with_a_forged_quotation_is_a_stranger(wire: Wire, drive: Make) -> None:
    one = drive([target(0, "10.1.0.1")])

    def react(echo: Echo) -> None:
        wire.refuse(echo, 3, 1, "10.9.9.9", echo.whole[:-16] + os.urandom(16))
        wire.answer(echo)

    assert count(one.run(3, wire, react)) == {"ANSWERED": 3}
    assert one.prober.strangers == 3


def test_an_error_that_quotes_eight_bytes_is_believed(wire: Wire, drive: Make) -> None:
    one = drive(fleet(30))
    react = lambda echo: wire.refuse(echo, 3, 1, "10.9.9.9", echo.whole[:28])  # noqa: E731 - a name for a callback
    assert count(one.to_the_end(3, wire, react)) == {"REFUSED": 90}


def test_a_reply_in_time_is_a_reply_whatever_a_router_said(wire: Wire, drive: Make) -> None:
    """Errors are easily forged: a quotation of eight bytes holds no secret."""
    one = drive([target(0, "10.1.0.1")])
    held: list[Echo] = []
    one.run(1, wire, held.append)
    wire.refuse(held[0], 3, 1, "10.9.9.9", held[0].whole[:28])
    one.prober.step()
    wire.answer(held[0])
    wire.answer(held[0])
    assert count(one.heard()) == {"ANSWERED": 1, "DUPLICATE": 1}


def test_an_error_that_comes_after_the_reply_says_nothing(wire: Wire, drive: Make) -> None:
    """Both are read in the same tick, the error first."""
    one = drive([target(0, "10.1.0.1")])

    def react(echo: Echo) -> None:
        wire.answer(echo)
        wire.refuse(echo, 3, 1, "10.9.9.9", echo.whole[:28])

    assert count(one.to_the_end(5, wire, react)) == {"ANSWERED": 5}


def test_a_reply_beyond_the_time_limit_after_an_error_is_late(wire: Wire, drive: Make) -> None:
    one = drive([target(0, "10.1.0.1")])
    held: list[Echo] = []

    def react(echo: Echo) -> None:
        held.append(echo)
        wire.refuse(echo, 3, 1, "10.9.9.9")

    assert count(one.to_the_end(1, wire, react)) == {"REFUSED": 1}
    wire.answer(held[0])
    assert count(one.heard()) == {"LATE": 1}


def test_unresolved_names_are_unmeasured_until_they_have_an_address(wire: Wire, drive: Make) -> None:
    one = drive([target(0, None)])
    samples = one.run(3, wire)
    assert count(samples) == {"UNMEASURED": 3}
    assert reasons(samples) == {Reason.NAME_UNRESOLVED}
    one.prober.load([target(0, "10.1.0.1")])
    more = one.run(3, wire)
    assert count(more) == {"ANSWERED": 3}
    assert more.slot.min() == samples.slot.max() + 1


def test_rows_that_left_are_silent_and_shrinking_fleets_are_no_trouble(wire: Wire, drive: Make) -> None:
    one = drive(fleet(100))
    one.run(1, wire, silent)
    one.prober.load(fleet(10))
    assert set(one.run(1, wire, silent).row) <= set(range(10))
    one.prober.load(fleet(10))
    one.prober.load(fleet(5))
    assert set(one.run(5, wire).row) <= set(range(5))


def test_a_row_that_is_somebody_else_now_gets_nothing_of_the_old(wire: Wire, drive: Make) -> None:
    one = drive([target(0, "10.1.0.1")])
    held: list[Echo] = []
    one.run(1, wire, held.append)
    one.prober.load([target(0, "10.1.0.1", key="b/new/ping")])
    one.prober.step()
    wire.answer(held[0])
    assert len(one.heard()) == 0
    assert one.prober.strangers == 1


def test_a_probe_that_changes_its_socket_loses_nothing_in_flight(wire: Wire, drive: Make) -> None:
    one = drive([target(0, "10.1.0.1")])
    held: list[Echo] = []
    one.run(1, wire, held.append)
    one.prober.load([target(0, "10.1.0.1", replace(SPEC, dscp=8))])
    one.run(1, wire)
    wire.answer(held[0])
    assert count(one.run(1, wire)) == {"ANSWERED": 2}
    assert len(one.prober.facts().sockets) == 2
    one.run(14, wire)
    assert len(one.prober.facts().sockets) == 1  # the old one was closed when nothing could come any more


def test_raw_sockets_take_no_corrupted_reply(wire: Wire, drive: Make) -> None:
    wire.namespace.set("ipv4/ping_group_range", "1 0")
    one = drive([target(0, "10.1.0.1"), target(1, "fd00::1")])

    def react(echo: Echo) -> None:
        body = bytes([{4: 0, 6: 129}[echo.family]]) + echo.icmp[1:]
        wire.send(echo.family, echo.target, echo.source, body, broken=True)

    assert count(one.run(5.1, wire, react)) == {"LOST": 4}
    assert one.prober.facts().receive_drops == 0


def test_source_address_gone_and_back(wire: Wire, drive: Make) -> None:
    for address in ("10.77.0.9/32", "fd77::9/128"):
        wire.namespace.ip("addr", "add", address, "dev", "wire")
    one = drive(
        [
            target(0, "10.1.0.1", replace(SPEC, source="10.77.0.9")),
            target(1, "fd00::1", replace(SPEC, source="fd77::9")),
            target(2, "10.1.0.2"),
        ]
    )
    assert count(one.run(2, wire)) == {"ANSWERED": 6}
    one.run(1, wire, silent)  # in flight when the address goes
    for address in ("10.77.0.9/32", "fd77::9/128"):
        wire.namespace.ip("addr", "del", address, "dev", "wire")
    samples = one.run(6, wire)
    ours = samples.take(samples.row < 2)
    assert set(count(ours)) <= {"UNMEASURED", "ANSWERED"}
    assert reasons(ours) == {Reason.SOURCE_GONE}
    assert count(samples.take(samples.row == 2)) == {"LOST": 1, "ANSWERED": 6}
    assert "check the probe's source address" in " ".join(one.prober.facts().problems)
    for address in ("10.77.0.9/32", "fd77::9/128"):
        wire.namespace.ip("addr", "add", address, "dev", "wire", *(["nodad"] if ":" in address else []))
    one.run(4, wire)
    assert count(one.run(2, wire)) == {"ANSWERED": 6}
    assert one.prober.facts().problems == ()


def test_a_source_address_that_never_was(wire: Wire, drive: Make) -> None:
    one = drive([target(0, "10.1.0.1", replace(SPEC, source="10.77.0.44"))])
    samples = one.run(2, wire)
    assert count(samples) == {"UNMEASURED": 2}
    assert reasons(samples) == {Reason.SOURCE_GONE}


def test_a_tick_that_the_receive_buffer_cannot_hold_loses_nothing(
    namespace: Namespace, drive: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel, "_BUFFER", 64 << 10)  # a tick of 300 probes leaves 500 KB of replies and stamps
    spec = replace(SPEC, interval_ns=100 * MILLISECOND)
    one = drive([target(row, f"127.0.{row // 250}.{row % 250 + 1}", spec) for row in range(300)])
    samples = one.run(1)
    assert one.prober.facts().receive_drops == 0
    assert set(count(samples)) == {"ANSWERED"}
    assert samples.flags.max() == 0
    assert len(samples.row) >= 2700


def test_no_descriptors_is_unmeasured_and_passes(wire: Wire, drive: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(socket, "socket", full)
        one = drive([target(0, "10.1.0.1")])
        samples = one.run(2, wire)
    assert reasons(samples) == {Reason.NO_DESCRIPTORS}
    assert "LimitNOFILE" in one.prober.facts().problems[0]
    one.run(10, wire)
    assert count(one.run(2, wire)) == {"ANSWERED": 2}


def test_phases_are_kept_over_a_restart(wire: Wire, drive: Make) -> None:
    def order() -> list[str]:
        left: list[Echo] = []
        drive(fleet(40)).run(1, wire, left.append, step=10 * MILLISECOND)
        return [echo.target for echo in left]

    assert order() == order()
    assert len(set(order())) == 40


def test_its_own_thread_probes_and_tells_how_late_it_was(wire: Wire) -> None:
    prober = IcmpProber()
    prober.load(fleet(50, replace(SPEC, interval_ns=100 * MILLISECOND)))
    stop = threading.Event()

    def answer() -> None:
        while not stop.wait(0.005):
            for echo in wire.echoes():
                wire.answer(echo)

    helper = threading.Thread(target=answer)
    # the prober's thread inherits the namespace of the thread that starts it
    prober.start()
    helper.start()
    found: list[Samples] = []
    while sum(map(len, found)) < 300:
        stop.wait(0.02)
        found += prober.drain()
    facts = prober.facts()
    prober.stop()
    stop.set()
    helper.join()
    samples = Samples.join(found)
    assert count(samples) == {"ANSWERED": len(samples)}
    assert len(facts.lateness_counts) == len(LATENESS_BOUNDS) + 1
    assert sum(facts.lateness_counts) >= len(samples)
    assert facts.ticks > 0
    assert not samples.flags.any()
    assert SampleFlag.USER_STAMP not in samples.flags


def test_a_tick_that_begins_early_sends_on_time(wire: Wire, drive: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    one = drive(fleet(200))
    one.run(1, wire)
    early = 300_000
    due = one.prober._tick_due + STEP
    one.clock.ahead += STEP - early
    left_before: list[int] = []

    def sleep(seconds: float) -> None:
        left_before.append(len(wire.echoes()))
        one.clock.ahead += round(seconds * SECOND)

    monkeypatch.setattr(time, "sleep", sleep)
    before = one.prober._audit.lateness[0]
    one.prober.step(due)
    echoes = wire.echoes()
    assert left_before == [0]
    assert len(echoes) > 5
    assert one.clock.mono() == due - one.prober._offset
    assert one.prober._audit.lateness[0] - before == len(echoes)  # to the nanosecond, by this clock


@pytest.mark.parametrize(("probes", "turns"), [(12_000, [500]), (14_000, [500, 500])])
def test_what_is_much_leaves_in_turns_that_are_read_in_between(
    probes: int, turns: list[int], wire: Wire, drive: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 1,200 in a tick the last 200 leave with the second turn: a turn of its own costs more than it is worth."""
    one = drive(fleet(probes))
    one.run(0.2, wire)
    tick_ns, begun = one.prober._layout.tick_ns, one.prober._tick_due + STEP
    one.clock.ahead += STEP
    slept: list[int] = []
    unread: list[int] = []

    def sleep(seconds: float) -> None:
        slept.append(len(wire.echoes()))
        unread.append(sum(channel.unread for _, channel in one.prober._sockets))
        one.clock.ahead += round(seconds * SECOND)

    monkeypatch.setattr(time, "sleep", sleep)
    one.prober.step(begun)
    rest = len(wire.echoes())
    assert slept == turns
    assert unread == [0] * len(turns)
    assert 250 <= rest < 750
    assert one.clock.mono() + one.prober._offset == begun + sum(turns) * 14_000
    assert tick_ns == STEP
    assert sum(one.prober._audit.lateness[1:]) == 0  # by this clock, each turn left when it was due


def test_the_newest_targets_win_over_a_row_that_moves(namespace: Namespace, drive: Make) -> None:
    one = drive([target(0, "10.1.0.1")])
    one.prober.load(fleet(3))
    one.prober._generations[0] = 5
    one.prober._lay_out_again()
    one.prober.step()
    assert sorted(one.prober._layout.targets) == [0, 1, 2]
