from __future__ import annotations

import pytest

from netsla.config import hints
from netsla.config.plan_tables import ObjectiveTable, PlanTable, ProbeTable, UptimeTable
from netsla.config.source import Faults, Map, Scalar, Seq, parse
from netsla.config.table import Table
from netsla.config.tables import AgreementTable, ConfigTable, EndpointTable, MqttTable
from netsla.config.validate import read


def known(table: type[Table]) -> set[str]:
    return {field.alias or name for name, field in table.model_fields.items()}


@pytest.mark.parametrize(
    ("table", "written", "remedy"),
    [
        (EndpointTable, "adress", "did you mean 'address'?"),
        (EndpointTable, "host", "did you mean 'address'?"),
        (EndpointTable, "Name", "did you mean 'id'?"),
        (MqttTable, "user", "did you mean 'username'?"),
        (ConfigTable, "name", "it belongs to agent: {name: …}"),
        (AgreementTable, "monthly_charge", "it belongs to service: {monthly_charge: …}"),
        (ConfigTable, "agent:x", "a blank belongs after the colon: agent: …"),
        (ConfigTable, "zzz", "known: agent, agreements, agreements_dir"),
        (None, "a", "remove it"),
    ],
)
def test_what_an_unknown_key_was_meant_to_be(table: type[Table] | None, written: str, remedy: str) -> None:
    assert hints.unknown(table, written).startswith(remedy)


def test_every_word_of_another_tool_leads_to_a_key_there_is_and_takes_none_away() -> None:
    for table, words in hints.ALSO.items():
        assert set(words.values()) <= known(table), table
        assert set(words) & known(table) == set(), table


def test_every_shape_is_read_as_its_table() -> None:
    """What is suggested must not be the next mistake; `…` stands for what the user knows."""
    for table, shape in hints.SHAPES.items():
        faults = Faults()
        node = parse(shape.replace("[…]", "[]").replace("…", "x"), "f", faults)
        assert node is not None
        read(table, node, faults)
        assert faults.sorted(warnings=False) == [], (table, shape)


def test_a_key_that_stands_there_misspelt() -> None:
    node = parse("nam: x\nplan: y\n", "f", Faults())
    assert isinstance(node, Map)
    assert hints.misspelt(ConfigTable, node, "plans")
    assert not hints.misspelt(ConfigTable, node, "agreements")


@pytest.mark.parametrize(
    ("kind", "path", "remedy"),
    [
        (PlanTable, ("uptime",), "write uptime: {profile: commercial}"),
        (AgreementTable, ("endpoints", 0), "write {id: berlin, address: 192.0.2.1}"),
        (ConfigTable, ("plans",), "write names with their keys: plans: {NAME: {probes: [ping], objectives: […]}}"),
        (AgreementTable, (), "write `key: value` lines, indented below it"),
    ],
)
def test_where_keys_should_stand(kind: type[Table], path: hints.Path, remedy: str) -> None:
    assert hints.keys_wanted(kind, path) == remedy


def test_one_value_where_a_list_should_stand_is_put_into_one() -> None:
    assert hints.list_wanted(ConfigTable, ("web", "listen"), Scalar("::1", True, "f", 1, 1)) == 'write ["::1"]'
    assert hints.list_wanted(AgreementTable, ("depends_on",), Scalar("a", True, "f", 1, 1)) == "write [a]"
    secret = Scalar("https://me:hunter2@h", True, "f", 1, 1)
    assert "hunter2" not in hints.list_wanted(ConfigTable, ("webhook",), secret)
    assert "'- '" in hints.list_wanted(AgreementTable, ("depends_on",), Map(secret.place))
    assert "'- '" in hints.list_wanted(AgreementTable, ("depends_on",), Seq(secret.place))


def test_a_key_that_must_be_there() -> None:
    assert hints.needed(ConfigTable, ("agreements", 0, "endpoints")) == (
        "add endpoints: [{id: berlin, address: 192.0.2.1}]"
    )
    assert hints.needed(ProbeTable, ("type",)) == "add type: icmp (echo) or tcp (handshake)"
    assert hints.needed(ProbeTable, ("nothing",)) == ""


def test_tables_by_path() -> None:
    assert hints.table_at(ConfigTable, ("plans", "gold", "uptime")) is UptimeTable
    assert hints.table_at(ConfigTable, ("agreements", 3, "objectives", 0)) is ObjectiveTable
    assert hints.table_at(ConfigTable, ("agent", "name")) is None
