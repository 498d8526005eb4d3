"""Prometheus rules, held against the real promtool."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from netsla import config
from netsla.model import Party
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


TOLD = """
rule_files: [rules.yml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {series: 'netsla_breach_open{agreement="a", endpoint="hq", objective="up.1"}', values: "1 1"}
      - {series: 'netsla_breaches_total{agreement="a", endpoint="hq", objective="up.1", severity="P1"}', values: "1 1"}
      - {series: 'netsla_breach_open{agreement="a", endpoint="dr", objective="up.1"}', values: "1 1"}
      - {series: 'netsla_breaches_total{agreement="a", endpoint="dr", objective="up.1", severity="P3"}', values: "1 1"}
      - {series: 'netsla_breach_open{agreement="a", endpoint="hq", objective="up21"}', values: "0 0"}
      - {series: 'netsla_breaches_total{agreement="a", endpoint="hq", objective="up21", severity="P1"}', values: "4 4"}
    alert_rule_test:
      - eval_time: 1m
        alertname: NetslaBreach
        exp_alerts:
          - exp_labels: {agreement: a, endpoint: hq, objective: up.1, severity: critical, priority: P1}
            exp_annotations:
              summary: "a/hq: up.1 is breached"
              description: &told "Customer: ACME {{braces}} GmbH. See netsla breaches a."
          - exp_labels: {agreement: a, endpoint: dr, objective: up.1, severity: info, priority: P3}
            exp_annotations: {summary: "a/dr: up.1 is breached", description: *told}
"""


def test_a_breach_alerts_once_with_the_severity_that_it_has_there(tmp_path: Path) -> None:
    """One id may be P1 at one endpoint and P3 at another."""
    both = contract(uptime(), endpoints=("hq", "dr"))
    hq, dr = (
        replace(one, objectives=(replace(one.objectives[0], id="up.1", severity=severity),))
        for one, severity in zip(both.endpoints, ("P1", "P3"), strict=True)
    )
    made = replace(both, id="a", endpoints=(hq, dr), parties=(Party("customer", "ACME {{braces}} GmbH"),))
    (tmp_path / "rules.yml").write_text(render([made], alerts=True))
    (tmp_path / "test.yml").write_text(TOLD)
    done = subprocess.run(
        ["promtool", "test", "rules", "test.yml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


MIXED = """
rule_files: [rules.yml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {series: 'netsla_probe_sent_total{agreement="a", endpoint="hq", probe="ping"}', values: "0+100x10"}
      - {series: 'netsla_probe_received_total{agreement="a", endpoint="hq", probe="ping"}', values: "0+50x10"}
      - {series: 'netsla_probe_info{agreement="a", endpoint="hq", probe="ping", type="icmp"}', values: "1x10"}
      - {series: 'netsla_probe_sent_total{agreement="a", endpoint="hq", probe="web"}', values: "0+100x10"}
      - {series: 'netsla_probe_received_total{agreement="a", endpoint="hq", probe="web"}', values: "0+100x10"}
      - {series: 'netsla_probe_info{agreement="a", endpoint="hq", probe="web", type="tcp"}', values: "1x10"}
    promql_expr_test:
      - expr: endpoint:netsla_packet_delivery:ratio_rate5m
        eval_time: 10m
        exp_samples:
          - labels: 'endpoint:netsla_packet_delivery:ratio_rate5m{agreement="a", endpoint="hq"}'
            value: 0.5
"""


def test_tcp_tells_no_packet_delivery(tmp_path: Path) -> None:
    """SLA section 1: the kernel repeats a lost SYN."""
    (tmp_path / "rules.yml").write_text(render([replace(contract(delivery()), id="a")], alerts=False))
    (tmp_path / "test.yml").write_text(MIXED)
    done = subprocess.run(
        ["promtool", "test", "rules", "test.yml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


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
