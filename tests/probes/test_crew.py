from __future__ import annotations

from collections.abc import Callable, Sequence

from netsla.model import ProbeSpec, ProbeType, Samples, Target
from netsla.probes.crew import PROBERS, Crew
from netsla.probes.prober import Prober, ProberFacts

ICMP, TCP = ProbeSpec("ping", ProbeType.ICMP), ProbeSpec("web", ProbeType.TCP, port=443)


class Recorder:
    """A prober that keeps what it is told."""

    def __init__(self, kind: ProbeType, told: list[tuple[ProbeType, object]]) -> None:
        self._kind, self._told = kind, told

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
