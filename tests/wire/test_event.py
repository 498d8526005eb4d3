"""Payloads of alerts."""

import json
from datetime import UTC, datetime

import pytest

from netsla.wire.event import collapsed, instant, ns_of, schema, status_topic, topic, uuid7


def test_uuid7_sorts_by_time_and_has_version_and_variant() -> None:
    early, late = uuid7(1_000, bytes(10)), uuid7(1_001, b"\xff" * 10)
    assert early == "00000000-03e8-7000-8000-000000000000"
    assert late == "00000000-03e9-7fff-bfff-ffffffffffff"
    assert early < late


def test_names_cannot_break_out_of_a_topic() -> None:
    assert topic("netsla", "fra/1", "breach", "ac+me/h#q/up\n") == "netsla/fra_1/breach/ac_me/h_q/up_"
    assert topic("netsla", "fra1", "state", "//x") == "netsla/fra1/state/_/_/x"
    assert status_topic("p", "a+b") == "p/a_b/status"


@pytest.mark.parametrize("at_ns", [0, 1_790_000_040_123_456_000, 10**9])
def test_instants_come_back(at_ns: int) -> None:
    assert ns_of(instant(at_ns)) == at_ns
    assert datetime.fromisoformat(instant(at_ns)).tzinfo == UTC


def test_a_summary_says_for_how_many_it_stands() -> None:
    one = {"id": "a", "kind": "opened", "sequence": 1}
    two = collapsed([one, {**one, "sequence": 2, "kind": "closed"}], "b")
    assert (two["id"], two["collapsed"], two["sequence"]) == ("b", 2, 2)
    assert collapsed([two, one], "c")["collapsed"] == 3


def test_the_schemas_are_schemas() -> None:
    import jsonschema  # type: ignore[import-untyped]  # ships no types

    for name in ("event", "state"):
        jsonschema.Draft202012Validator.check_schema(schema(name))
        assert json.dumps(schema(name))
