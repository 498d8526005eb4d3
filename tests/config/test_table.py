from __future__ import annotations

import pytest
from pydantic import ValidationError

from netsla.config.source import Faults, Map, Place, parse
from netsla.config.tables import AgentTable, ConfigTable


def test_a_table_remembers_its_node() -> None:
    node = parse("name: a\nlabels:\n", "f", Faults())
    table = AgentTable.model_validate(node)
    assert table.node is node
    assert table.name == "a"
    assert table.value("name") == "a"
    assert table.place("name") == Place("f", 1, 7)
    assert table.place() == Place("f", 1, 1)
    assert table.gives("labels")
    assert not table.gives("socket")


def test_a_key_without_value_is_as_good_as_none() -> None:
    table = AgentTable.model_validate(parse("labels:\nname:\n", "f", Faults()))
    assert table.labels == ()
    assert table.name is None


def test_unknown_keys_are_errors_even_without_value() -> None:
    with pytest.raises(ValidationError):
        AgentTable.model_validate(parse("colour:\n", "f", Faults()))


def test_tables_by_default_come_from_nowhere() -> None:
    table = ConfigTable.model_validate(Map(Place("f")))
    assert table.agent.place("name").file == ""
    assert not table.agent.gives("name")
