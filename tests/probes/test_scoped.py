"""Link-local targets (`fe80::2%near`): asked by their own link, unmeasured while it is away, asked when it is back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest

from netsla.model import MILLISECOND, ProbeSpec, ProbeType, Reason, Samples, Target
from netsla.probes.resolve import system_lookup
from netsla.probes.tcp import TcpProber
from tests.probes.wiring import SPEC, Drive, HandClock, Namespace, count, reasons, target

pytestmark = pytest.mark.netns
Make = Callable[[Sequence[Target]], Drive]
THERE, SAME_ELSEWHERE, NOBODY = "fe80::2%near", "fe80::2%other", "fe80::3%near"


@pytest.fixture
def far(namespace: Namespace) -> Iterator[Namespace]:
    one = Namespace("f")
    namespace.set("ipv6/conf/default/accept_dad", "0")
    for near in ("near", "other"):
        join(namespace, one, near)
    yield one
    one.delete()


def join(namespace: Namespace, far: Namespace, near: str) -> None:
    namespace.ip("link", "add", near, "type", "veth", "peer", "name", f"{near}-far", "netns", far.name)
    far.ip("addr", "add", "fe80::2/64", "dev", f"{near}-far", "nodad")
    namespace.ip("addr", "add", "fe80::1/64", "dev", near, "nodad")
    far.ip("link", "set", f"{near}-far", "up")
    namespace.ip("link", "set", near, "up")


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("source", [None, "fe80::1%near"])
def test_echoes_by_their_own_link(
    namespace: Namespace, far: Namespace, drive: Make, raw: bool, source: str | None
) -> None:
    if raw:
        namespace.set("ipv4/ping_group_range", "1 0")
    one = drive([target(0, THERE, replace(SPEC, source=source)), target(1, SAME_ELSEWHERE)])
    samples = one.run(3)
    assert count(samples) == {"ANSWERED": 6}
    assert samples.flags.max() == 0
    links = {int(one.prober._flights.link[i]) for i in range(6)}
    assert len(links) == 2


def test_silence_is_lost_unless_its_link_failed(namespace: Namespace, far: Namespace, drive: Make) -> None:
    far.ip("-6", "addr", "del", "fe80::2/64", "dev", "near-far")
    namespace.ip("neigh", "replace", "fe80::2", "lladdr", "02:00:00:00:00:01", "dev", "near", "nud", "permanent")
    one = drive([target(0, THERE), target(1, SAME_ELSEWHERE)])
    samples = one.run(5)
    assert set(count(samples.take(samples.row == 0))) == {"LOST"}
    namespace.ip("link", "set", "other", "down")
    assert set(count((samples := one.run(4)).take(samples.row == 0))) == {"LOST"}
    namespace.ip("link", "set", "near", "down")
    samples = one.run(5)
    assert count(samples.take(samples.row == 0)).keys() == {"UNMEASURED"}


def test_a_link_that_is_gone_and_comes_back_with_another_number(
    namespace: Namespace, far: Namespace, drive: Make
) -> None:
    one = drive([target(0, THERE)])
    assert count(one.run(2)) == {"ANSWERED": 2}
    namespace.ip("link", "del", "near")
    samples = one.run(4)
    assert count(samples) == {"UNMEASURED": 4}
    assert Reason.INTERFACE_DOWN in reasons(samples)
    namespace.ip("link", "add", "elsewhere", "type", "veth", "peer", "name", "nobody")  # takes the number
    join(namespace, far, "near")
    one.run(4)
    assert count(one.run(2)) == {"ANSWERED": 2}


def test_a_link_that_is_not_there_at_all(namespace: Namespace, drive: Make) -> None:
    one = drive([target(0, "fe80::2%nosuch")])
    samples = one.run(2)
    assert count(samples) == {"UNMEASURED": 2}
    assert reasons(samples) == {Reason.INTERFACE_DOWN}
    assert "no interface nosuch" in one.prober.facts().problems[0]


def test_handshakes_by_their_own_link(namespace: Namespace, far: Namespace) -> None:
    spec = ProbeSpec("t", ProbeType.TCP, 200 * MILLISECOND, 900 * MILLISECOND, port=7, rst_is_up=True)
    clock = HandClock()
    prober = TcpProber(clock)
    addresses = [THERE, SAME_ELSEWHERE, NOBODY, "fe80::2%nosuch"]
    prober.load([target(row, address, spec) for row, address in enumerate(addresses)])
    for _ in range(100):
        clock.ahead += 20 * MILLISECOND
        prober.step()
    prober.stop()
    samples = Samples.join(prober.drain())
    told = [count(samples.take(samples.row == row)).keys() for row in range(4)]
    assert told == [{"ANSWERED"}, {"ANSWERED"}, {"LOST"}, {"UNMEASURED"}]
    assert reasons(samples) == {Reason.INTERFACE_DOWN}


async def test_a_name_keeps_its_interface(namespace: Namespace, far: Namespace) -> None:
    (found,) = await system_lookup(THERE, 0)
    number, _, zone = found.partition("%")
    assert number == "fe80::2"
    assert zone.isdecimal()
