"""`netsla maintenance` at the prompt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from netsla.cli.maintenance import add, cancel, counts, listing
from netsla.errors import AgentError, NetslaError
from netsla.sla.exclusion import Exclusion
from netsla.store.exclusions import record
from netsla.store.ledger import Ledger
from tests.cli.test_breaches import agent

SHOWN = {
    "id": "m1", "agreement": "acme", "endpoint": None, "start": "s", "end": "e", "cause": "maintenance",
    "reason": "router", "reference": "", "announced": None, "accepted_by": None,
    "counts_seconds": 60, "flag": None, "why": None,
    "recorded": "r", "by": "anna", "cancelled": None, "cancelled_by": None, "cancelled_why": None,
}  # fmt: skip
CONFIG = """
agent: {name: lab, state_dir: var}
agreements:
  - {id: acme, probes: {ping: {type: icmp}}, endpoints: [{id: hq, address: 192.0.2.1}],
     objectives: [{id: up, metric: uptime, target: ">= 99%", window: month}]}
"""


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, "counts"),
        ({"counts_seconds": 0}, "stops the clock of repairs only"),
        ({"flag": "cancelled"}, "cancelled"),
        (
            {"flag": "invalid_notice", "why": "notice", "counts_seconds": 0},
            "does not count: invalid_notice (announced too late)",
        ),
        (
            {"flag": "invalid_notice", "why": "cap"},
            "60 s count, then does not count: invalid_notice (more than the month's cap)",
        ),
    ],
)
def test_whether_it_counts_in_words(more: dict[str, Any], said: str) -> None:
    assert counts(SHOWN | more) == said


def test_what_the_agent_says_is_shown(tmp_path: Path, capsysbinary: Any) -> None:
    with agent(tmp_path, {"exclusion": SHOWN}, "exclusion_add") as (socket, asked):
        assert add(socket, {"agreement": "acme"}) == 0
    assert capsysbinary.readouterr().out == b"recorded m1: s to e, counts\n"
    assert asked == [{"op": "exclusion_add", "agreement": "acme"}]
    with agent(tmp_path, {"cancelled": "m1"}, "exclusion_cancel") as (socket, _):
        assert cancel(socket, "m1", "wrong") == 0


def test_mistakes_are_told_all_at_once_and_end_with_2(tmp_path: Path, capsysbinary: Any) -> None:
    wrong = {"mistakes": [["no end is given", "add --end"], ["no reason is given", ""]]}
    with agent(tmp_path, wrong, "exclusion_add") as (socket, _):
        assert add(socket, {}) == 2
    assert capsysbinary.readouterr().err.decode().splitlines() == [
        "netsla: no end is given: add --end",
        "netsla: no reason is given",
    ]


def test_without_an_agent_only_the_list_works(tmp_path: Path, capsysbinary: Any) -> None:
    (tmp_path / "c.yaml").write_text(CONFIG)
    (tmp_path / "var").mkdir()
    ledger = Ledger(tmp_path / "var" / "ledger.db")
    ledger.start()
    record(ledger, "acme", Exclusion("m1", None, 10**18, 2 * 10**18, "force_majeure", "flood"), "anna", 10**18).result(
        10
    )
    ledger.close()
    none = str(tmp_path / "none.sock")
    assert listing(none, tmp_path / "c.yaml", "acme", "json") == 0
    assert [one["id"] for one in json.loads(capsysbinary.readouterr().out)] == ["m1"]
    assert listing(none, tmp_path / "c.yaml", None, "table") == 0
    assert b"flood" in capsysbinary.readouterr().out
    with pytest.raises(AgentError):
        add(none, {})


def test_neither_agent_nor_ledger(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(CONFIG)
    with pytest.raises(NetslaError, match="has the agent run"):
        listing(str(tmp_path / "none.sock"), tmp_path / "c.yaml", None, "table")


def test_the_list_of_an_agreement_that_is_not_there(tmp_path: Path, capsysbinary: Any) -> None:
    test_without_an_agent_only_the_list_works(tmp_path, capsysbinary)
    with pytest.raises(NetslaError, match="there is no agreement 'acne': did you mean 'acme'"):
        listing(str(tmp_path / "none.sock"), tmp_path / "c.yaml", "acne", "table")
    with agent(tmp_path, {"mistakes": [["there is no agreement 'acne'", ""]]}, "exclusion_list") as (socket, _):
        assert listing(socket, tmp_path / "c.yaml", "acne", "table") == 2
    assert b"nothing is excluded" not in capsysbinary.readouterr().out
