"""Prometheus rules, held against the real promtool."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from netsla import config
from netsla.wire.rules import render
from tests.sla.contracts import contract, delivery, uptime

EXAMPLE = config.load(Path("config/netsla.yaml"))[0].agreements


@pytest.mark.parametrize("alerts", [False, True])
def test_promtool_takes_the_rules_of_the_example(tmp_path: Path, alerts: bool) -> None:
    path = tmp_path / "rules.yml"
    path.write_text(render(EXAMPLE, alerts=alerts))
    done = subprocess.run(["promtool", "check", "rules", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUCCESS" in done.stdout, done.stderr


def test_names_that_promql_would_stumble_over(tmp_path: Path) -> None:
    path = tmp_path / "rules.yml"
    path.write_text(render([replace(contract(uptime(), delivery()), id='a"b\\c')], alerts=True))
    done = subprocess.run(["promtool", "check", "rules", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_alerts_by_severity_and_burn_only_where_there_is_a_budget() -> None:
    groups = yaml.safe_load(render([contract(uptime())], alerts=True))["groups"]
    names = [rule.get("alert") for rule in groups[0]["rules"]]
    assert "NetslaBudgetBurns" not in names
    groups = yaml.safe_load(render([contract(uptime(), delivery("99.5"))], alerts=True))["groups"]
    burns = [rule["expr"] for rule in groups[0]["rules"] if rule.get("alert") == "NetslaBudgetBurns"]
    assert len(burns) == 4
    assert "> 14.4 * 0.005" in burns[0]


def test_only_metrics_that_the_agent_exposes() -> None:
    text = render(EXAMPLE, alerts=True)
    used = set(re.findall(r"\bnetsla_[a-z_]+(?=[{\[])", text))
    from netsla.wire import families

    known = Path(families.__file__).read_text()
    assert [name for name in used if name not in known and name.removesuffix("_total") not in known] == []
