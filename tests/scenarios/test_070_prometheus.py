"""A real Prometheus takes the agent's metrics, by the configuration that is shipped, and answers with them."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.netlab.lab import Agent, Lab, end, netlab, run

SHIPPED = Path(__file__).parents[2] / "deploy" / "prometheus"
CONFIG = """
agent: {name: lab, state_dir: var, socket: netsla.sock}
web: {listen: ["127.0.0.1:9469"], compat: [blackbox, smokeping]}
probes:
  ping: {type: icmp, interval: 200ms, timeout: 500ms}
  web: {type: tcp, port: 9469, interval: 500ms, timeout: 400ms}
agreements:
  - id: lab
    parties: {provider: {name: P}, customer: {name: 'back\\slash "quoted"'}}
    uptime: {method: interval, interval: 5s, loss_over: 50%}  # an uptime ratio is there once an interval has closed
    objectives:
      - {id: delivery, metric: packet_delivery, target: ">= 50%", window: 1m, probe: ping}
      - {id: p95, metric: latency, statistic: p95, target: "<= 1s", window: 1m, probe: ping}
    endpoints:
      - {id: four, address: 127.0.0.1, probes: [ping, web]}
      - {id: six, address: "::1", probes: [ping]}
      - {id: dark, address: nobody.invalid, probes: [ping]}
"""
PROMETHEUS = "http://127.0.0.1:9090"


@dataclass
class Watched:
    """An agent, and the Prometheus that scrapes it."""

    lab: Lab
    agent: Agent
    log: Path

    def ask(self, path: str, **parameters: str) -> Any:
        """The data of an answer of Prometheus's HTTP API."""
        words = [word for key, value in parameters.items() for word in ("--data-urlencode", f"{key}={value}")]
        command = ["ip", "netns", "exec", self.lab.near, "curl", "-sfG", *words, f"{PROMETHEUS}/api/v1/{path}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return json.loads(done.stdout)["data"] if done.returncode == 0 else {"result": [], "activeTargets": []}

    def until(self, query: str, count: int) -> list[dict[str, Any]]:
        """Ask until so many series answer."""
        limit = time.monotonic() + 30
        while len(found := self.ask("query", query=query)["result"]) < count:
            assert time.monotonic() < limit, f"{query}: {found}\n{self.log.read_text()[-2000:]}"
            time.sleep(0.2)
        series: list[dict[str, Any]] = found
        return series


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("prometheus")
    text = (SHIPPED / "netsla-scrape.yml").read_text()
    assert "scrape_interval: 15s" in text
    quick = text.replace("scrape_interval: 15s", "scrape_interval: 1s\n  evaluation_interval: 1s")
    (folder / "prometheus.yml").write_text(quick.replace("scrape_timeout: 10s", "scrape_timeout: 1s"))
    (folder / "netsla-rules.yml").write_bytes((SHIPPED / "netsla-rules.yml").read_bytes())
    log = folder / "prometheus.log"
    with netlab(folder, wire=False) as lab, log.open("wb") as out:
        agent = lab.agent(CONFIG)
        command = ["ip", "netns", "exec", lab.near, "prometheus", f"--config.file={folder / 'prometheus.yml'}"]
        command += [
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={PROMETHEUS.removeprefix('http://')}",
        ]
        process = subprocess.Popen(command, stdout=out, stderr=out)
        try:
            yield Watched(lab, agent, log)
        finally:
            assert end(process) == 0
            assert agent.end() == 0


def test_a_live_scrape_is_clean(watched: Watched) -> None:
    watched.agent.until(lambda now: all(one["standing"] != "no_data" for one in now["objectives"][:2]))
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=watched.agent.metrics(), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_prometheus_takes_it_as_shipped(watched: Watched) -> None:
    (up,) = watched.until('up{job="netsla"} == 1', 1)
    assert up["metric"]["instance"] == "127.0.0.1:9469"
    (target,) = watched.ask("targets")["activeTargets"]
    assert (target["health"], target["lastError"]) == ("up", "")


def test_a_query_answers_what_the_status_says(watched: Watched) -> None:
    watched.until('netsla_probe_sent_total{endpoint="six"} > 10', 1)
    before = watched.agent.totals()["six"]["sent"]
    (series,) = watched.until(f'netsla_probe_sent_total{{endpoint="six", agreement="lab"}} >= {before}', 1)
    after = watched.agent.totals()["six"]["sent"]
    assert before <= int(series["value"][1]) <= after
    (info,) = watched.until('netsla_probe_info{endpoint="six"}', 1)
    assert info["metric"]["customer"] == 'back\\slash "quoted"'
    assert info["metric"]["address"] == "::1"


def test_rates_and_windows_are_there(watched: Watched) -> None:
    rates = watched.until('rate(netsla_probe_received_total{probe="ping", endpoint!="dark"}[8s]) > 4', 2)
    assert {one["metric"]["endpoint"] for one in rates} == {"four", "six"}
    for one in rates:
        assert float(one["value"][1]) == pytest.approx(5, rel=0.3)  # a probe each 200 ms
    quantiles = watched.until('netsla_window_latency_seconds{quantile="0.95", endpoint="four", probe="ping"}', 2)
    assert {one["metric"]["window"] for one in quantiles} >= {"5m", "1h"}


def test_what_is_not_known_is_absent_and_its_reason_counted(watched: Watched) -> None:
    (reason,) = watched.until('netsla_probe_unmeasured_total{endpoint="dark"} > 0', 1)
    assert reason["metric"]["reason"]
    assert watched.ask("query", query='netsla_window_packet_delivery_ratio{endpoint="dark"}')["result"] == []
    assert watched.ask("query", query='netsla_objective_met{endpoint="dark"}')["result"] == []


def test_shipped_rules_are_evaluated(watched: Watched) -> None:
    (met,) = watched.until("agreement:netsla_objectives_met:ratio", 1)
    assert met["metric"]["agreement"] == "lab"
    assert float(met["value"][1]) == 1.0
    groups = watched.ask("rules")["groups"]
    assert {group["name"] for group in groups} == {"netsla-records", "netsla-agreements", "netsla-agent"}
    assert {rule["health"] for group in groups for rule in group["rules"]} <= {"ok", "unknown"}
    assert not [rule for group in groups for rule in group["rules"] if rule.get("lastError")]


def test_every_panel_of_the_dashboard_has_data(watched: Watched) -> None:
    board = json.loads((SHIPPED.parent / "grafana" / "netsla.json").read_text())
    chosen = {"$agreement": "lab", "$endpoint": ".*", "$window": "5m"}
    for panel in board["panels"]:
        for target in panel["targets"]:
            query = target["expr"]
            for name, value in chosen.items():
                query = query.replace(name, value)
            watched.until(query.removesuffix(" == 0") if panel["type"] == "table" else query, 1)
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            inside = variable["definition"].removeprefix("label_values(").removesuffix(")")
            metric, _, label = inside.rpartition(", ")
            metric = metric.replace("$agreement", "lab")
            assert all(label in one["metric"] for one in watched.until(metric, 1)), variable["name"]


# What the dashboard of smokeping_prober and the usual one for blackbox_exporter ask.
OTHERS = (
    'sum(rate(smokeping_response_duration_seconds_bucket{host="four"}[5m])) by (le)',
    'histogram_quantile(0.95, sum by (le) (rate(smokeping_response_duration_seconds_bucket{host="six"}[5m]))) < 0.1',
    'increase(smokeping_response_duration_seconds_count{host="six"}[5m]) / increase(smokeping_requests_total[5m]) > 0',
    'smokeping_prober_build_info{instance="127.0.0.1:9469"}',
    'probe_success{instance="::1"} == 1',
    'avg_over_time(probe_duration_seconds{instance="127.0.0.1"}[1m]) < 1',
    'probe_icmp_duration_seconds{instance="::1",phase="rtt"}',
    'probe_ip_protocol{instance="::1"} == 6',
)


@pytest.mark.parametrize("query", OTHERS)
def test_other_exporters_dashboards_have_data(watched: Watched, query: str) -> None:
    watched.until(query, 1)


def test_the_shipped_files_are_accepted() -> None:
    assert "SUCCESS" in run("promtool", "check", "config", str(SHIPPED / "netsla-scrape.yml"))
    assert "SUCCESS" in run("promtool", "check", "rules", str(SHIPPED / "netsla-rules.yml"))
