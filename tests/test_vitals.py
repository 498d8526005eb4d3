"""How the agent is."""

from dataclasses import replace

from netsla.model import ProbeType
from netsla.probes.prober import ProberFacts
from netsla.vitals import Vitals, live_line
from tests.sla.builders import plan
from tests.sla.test_engine import Drive

FACTS = ProberFacts((), 0.0, 0, 0, (), (), 1)


def test_every_part_is_there_with_its_problems() -> None:
    vitals = Vitals()
    facts = {ProbeType.ICMP: replace(FACTS, problems=("no socket",))}
    assert vitals.look(facts, {"ledger": ("disk full",), "names": ()}, 0.0)
    assert vitals.parts == (("probing", 1), ("ledger", 1), ("names", 0))
    assert vitals.problems == ("no socket", "disk full")


def test_a_prober_that_does_not_tick_is_stalled_until_it_does() -> None:
    vitals = Vitals()
    assert vitals.look({ProbeType.ICMP: FACTS}, {}, 0.0)
    assert vitals.look({ProbeType.ICMP: FACTS}, {}, 10.0)
    assert not vitals.look({ProbeType.ICMP: FACTS}, {}, 10.1)
    assert "icmp prober has stalled" in vitals.problems[0]
    assert vitals.look({ProbeType.ICMP: replace(FACTS, ticks=2)}, {}, 11.0)
    assert vitals.problems == ()


def test_only_what_keeps_us_from_measuring_is_unhealthy() -> None:
    vitals = Vitals()
    vitals.look({ProbeType.ICMP: FACTS}, {"configuration": (), "mqtt": ("the broker is away",)}, 0.0)
    vitals.note("configuration", ("the last reload was refused",))
    assert vitals.measuring
    assert vitals.problems == ("the last reload was refused", "the broker is away")
    vitals.look({ProbeType.ICMP: replace(FACTS, problems=("no socket",))}, {}, 1.0)
    assert not vitals.measuring


def test_what_troubles_us_is_said_once_and_that_it_is_over() -> None:
    vitals, names = Vitals(), tuple(f"n{number} does not resolve" for number in range(7))
    facts = {ProbeType.ICMP: replace(FACTS, problems=("no socket",))}
    vitals.look(facts, {"names": (), "mqtt": ("the broker is away",)}, 0.0)
    assert vitals.news() == ["no socket"], "the part that tells says for itself that the broker is away"
    vitals.look(facts, {"names": names}, 1.0)
    assert vitals.news() == [*names[:5], "and 2 more: see netsla status"]
    vitals.look(facts, {"names": names[:1]}, 2.0)
    assert vitals.news() == []
    vitals.look({ProbeType.ICMP: FACTS}, {"names": ()}, 3.0)
    assert vitals.news() == ["what kept us from measuring is over"]
    assert vitals.news() == []


def test_the_live_line_moves_and_counts_standings() -> None:
    drive = Drive(plan(2))
    assert live_line(drive.engine, 0).startswith("0 sent, 0 answered")
    for _ in range(70):
        drive.second(0)
        drive.engine.step(drive.now)
    line = live_line(drive.engine, 2)
    assert line.startswith("140 sent, 140 answered · objectives: ")
    assert line.endswith(" · 2 problems")
