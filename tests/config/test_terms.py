from __future__ import annotations

from netsla.config import terms
from netsla.config.plan_tables import PlanTable
from netsla.config.probe import Library
from netsla.config.source import Faults, Place, parse
from netsla.config.validate import read
from netsla.model import ProbeSpec, ProbeType


def plan(text: str) -> PlanTable:
    node = parse(text, "f", Faults())
    assert node is not None
    found = read(PlanTable, node, Faults())
    assert found is not None
    return found


def test_probes_rule_and_promises_come_together_with_their_places() -> None:
    ping = ProbeSpec("ping", ProbeType.ICMP)
    upper = plan('objectives:\n  - {id: up, metric: uptime, target: ">= 99%", window: month}\n  - {id: x, target: 5}\n')
    lower = plan("uptime: {profile: mef}\nprobes: [ping]\n")
    faults = Faults()
    found = terms.resolve([upper, lower], Library({"ping": ping}, {"ping"}), "plan 'p'", faults)
    assert found.probes == (ping,)
    assert found.uptime.profile == "mef"
    assert [one.id for one in found.objectives] == ["up"]
    assert found.places == {"up": Place("f", 2, 38)}
    assert found.ids == {"up", "x"}


def test_wrong_probes_leave_the_rest_checked() -> None:
    faults = Faults()
    found = terms.resolve([plan("{probes: [pong], uptime: {interval: 7s}}")], Library(), "plan 'p'", faults)
    assert found.probes == ()
    assert len(faults.sorted(warnings=False)) == 2
