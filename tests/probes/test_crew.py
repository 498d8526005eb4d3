from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from netsla.model import ProbeSpec, ProbeType, Samples, Target
from netsla.probes import crew as crews
from netsla.probes.crew import PROBERS, Crew
from netsla.probes.prober import Prober, ProberFacts

ICMP, TCP = ProbeSpec("ping", ProbeType.ICMP), ProbeSpec("web", ProbeType.TCP, port=443)


class Recorder:
    """A prober that keeps what it is told, in a tick until it was looked at so many times."""

    long = looks = 0

    def __init__(self, kind: ProbeType, told: list[tuple[ProbeType, object]]) -> None:
        self._kind, self._told = kind, told

    @property
    def ticking(self) -> bool:
        self.looks += 1
        return self.looks <= self.long

    def load(self, targets: Sequence[Target]) -> None:
        self._told.append((self._kind, [target.row for target in targets]))

    def start(self) -> None:
        self._told.append((self._kind, "start"))

    def drain(self) -> list[Samples]:
        return [Samples.empty()]

    def facts(self) -> ProberFacts:
        return ProberFacts((), 0.0, 0, 0, (), (), ticks=self._kind.value == "tcp")

    def stop(self) -> None:
        self._told.append((self._kind, "stop"))


def make_crew() -> tuple[Crew, list[tuple[ProbeType, object]]]:
    told: list[tuple[ProbeType, object]] = []

    def maker(kind: ProbeType) -> Callable[[], Prober]:
        return lambda: Recorder(kind, told)

    return Crew({kind: maker(kind) for kind in ProbeType}), told


def target(row: int, spec: ProbeSpec) -> Target:
    return Target(row, f"a/e/{row}", "127.0.0.1", spec)


def test_there_is_a_prober_for_every_type() -> None:
    assert set(PROBERS) == set(ProbeType)


def test_a_prober_that_nobody_asks_for_is_never_made() -> None:
    crew, told = make_crew()
    assert (crew.drain(), crew.facts()) == ([], {})
    crew.load([target(0, ICMP), target(1, ICMP)])
    assert told == [(ProbeType.ICMP, [0, 1]), (ProbeType.ICMP, "start")]
    assert set(crew.facts()) == {ProbeType.ICMP}


def test_each_gets_its_own_and_is_started_once() -> None:
    crew, told = make_crew()
    crew.load([target(0, ICMP)])
    told.clear()
    crew.load([target(0, ICMP), target(1, TCP), target(2, ICMP)])
    assert told == [(ProbeType.ICMP, [0, 2]), (ProbeType.TCP, [1]), (ProbeType.TCP, "start")]
    assert len(crew.drain()) == 2


def test_a_prober_whose_targets_all_went_is_told_so_and_goes_on() -> None:
    crew, told = make_crew()
    crew.load([target(0, ICMP), target(1, TCP)])
    told.clear()
    crew.load([target(1, TCP)])
    assert sorted(told, key=str) == [(ProbeType.ICMP, []), (ProbeType.TCP, [1])]
    crew.stop()
    assert told[2:] == [(ProbeType.ICMP, "stop"), (ProbeType.TCP, "stop")]


def ticking(looks: int) -> tuple[Crew, Recorder]:
    prober = Recorder(ProbeType.ICMP, [])
    prober.long = looks
    crew = Crew({ProbeType.ICMP: lambda: prober})
    crew.make_way()  # nobody probes
    crew.load([target(0, ICMP)])
    return crew, prober


def test_who_computes_makes_way_for_a_tick() -> None:
    crew, prober = ticking(2)
    crew.make_way()
    assert prober.looks == 3


def test_who_computes_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crews, "_MOMENT_S", 0.001)
    crew, prober = ticking(1000)
    crew.make_way()
    assert 1 < prober.looks < 1000
