from __future__ import annotations

import pytest

from netsla.config.plan_tables import PlanTable, ProbeTable
from netsla.config.source import Faults, Node, Scalar, parse
from netsla.config.validate import read
from netsla.model import SECOND


def node(text: str) -> Node:
    found = parse(text, "f", Faults())
    assert found is not None
    return found


@pytest.mark.parametrize("text", ["probes: [a, b]", "probes: {a: , b: }", "probes:\n  a:\n  b: ~\n"])
def test_a_list_of_names_is_the_short_form_of_a_mapping(text: str) -> None:
    faults = Faults()
    table = read(PlanTable, node(text), faults)
    assert table is not None
    assert table.probes == {"a": None, "b": None}
    assert not faults.sorted(warnings=False)


def test_probes_of_its_own() -> None:
    table = read(PlanTable, node("probes: {a: {type: icmp, interval: 5s}, b: }"), Faults())
    assert table is not None
    assert table.probes is not None
    own = table.probes["a"]
    assert isinstance(own, ProbeTable)
    assert own.interval == 5 * SECOND
    assert table.probes["b"] is None


@pytest.mark.parametrize("text", ["probes: [[a]]", "probes: [{a: b}]", "probes: [a, a]"])
def test_names_are_names(text: str) -> None:
    faults = Faults()
    table = read(PlanTable, node(text), faults)
    assert table is not None
    assert table.probes is None
    assert table.gives("probes")
    assert len(faults.sorted(warnings=False)) == 1


def test_written_values_stay_at_hand() -> None:
    table = read(PlanTable, node("uptime: {min: 120s}"), Faults())
    assert table is not None
    assert table.uptime is not None
    assert isinstance(table.uptime.node["min"], Scalar)
    assert table.uptime.value("min") == 120 * SECOND
