from __future__ import annotations

from netsla.config.source import Faults, parse
from netsla.config.tables import AgreementTable, ConfigTable
from netsla.config.validate import read


def told(text: str) -> tuple[ConfigTable | None, list[str]]:
    faults = Faults()
    node = parse(text, "f", faults)
    assert node is not None
    table = read(ConfigTable, node, faults)
    return table, [str(fault).split(" (")[0] for fault in faults.sorted(warnings=False)]


def test_what_is_wrong_is_cut_out_and_the_rest_is_usable() -> None:
    table, faults = told("agent: {name: a b, state_dir: /x}\nweb: {listen: [a, '127.0.0.1:1']}\nagreements_dir: d\n")
    assert len(faults) == 2
    assert table is not None
    assert table.agent.name is None
    assert table.agent.gives("name")
    assert table.agent.state_dir == "/x"
    assert table.web.listen == [("127.0.0.1", 1)]
    assert table.agreements_dir == "d"


def test_a_table_without_what_it_needs_goes_as_a_whole() -> None:
    table, faults = told("probes: {a: {type: tpc}, b: {type: icmp}}\n")
    assert faults == ["f:1:20: type: 'tpc' is not known here"]
    assert table is not None
    assert table.probes is not None
    assert list(table.probes) == ["b"]


def test_several_levels_are_cut_one_after_the_other() -> None:
    rules = "rules: [{objective: up, tiers: [{below: 99%, credit: x}, {below: 98%, credit: 5%}]}]"
    faults = Faults()
    node = parse(f"id: a\nendpoints: []\ncredits: {{{rules}}}\n", "f", faults)
    assert node is not None
    table = read(AgreementTable, node, faults)
    assert len(faults.sorted(warnings=False)) == 1
    assert table is not None
    assert table.credits is not None
    assert table.credits.rules is not None
    assert table.credits.rules[0].tiers is not None
    assert len(table.credits.rules[0].tiers) == 1


def test_nothing_usable() -> None:
    faults = Faults()
    node = parse("[a, b]", "f", faults)
    assert node is not None
    assert read(ConfigTable, node, faults) is None
    assert len(faults.sorted(warnings=False)) == 1


def test_misspelt_needed_key_is_one_mistake() -> None:
    _, faults = told("probes: {a: {tpye: icmp}}\n")
    assert faults == ["f:1:14: unknown key 'tpye'"]


def test_unknown_key_and_missing_key_are_two() -> None:
    _, faults = told("probes: {a: {colour: icmp}}\n")
    assert faults == ["f:1:13: 'type' is missing", "f:1:14: unknown key 'colour'"]


def test_unknown_key_without_value() -> None:
    assert told("agnet:\n")[1] == ["f:1:1: unknown key 'agnet'"]


def test_did_you_mean_knows_keys_that_python_reserves() -> None:
    faults = Faults()
    node = parse("id: a\nendpoints: []\nterm: {form: 2026-01-01}\n", "f", faults)
    assert node is not None
    read(AgreementTable, node, faults)
    assert "did you mean 'from'?" in str(faults.sorted(warnings=False)[0])
