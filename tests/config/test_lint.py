from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.writing import PROMISE, mistakes, warnings

PING = "probes: {ping: {type: icmp, interval: 10s}}\n"


def one(target: str, window: str, more: str = "") -> str:
    return f"""{PING}
agreements:
  - id: a
    objectives: [{{id: up, metric: uptime, target: "{target}", window: {window}}}]
    endpoints: [{{id: e, address: 192.0.2.1}}]
{more}"""


@pytest.mark.parametrize(
    ("target", "window", "more", "verdict"),
    [
        (">= 99.9%", "month", "", ""),  # budget 2419 s, Δt 60 s
        (">= 99.98%", "month", "", "warning"),  # 484 s: Δt > a tenth
        (">= 99.99%", "month", "", "warning"),  # 242 s: Δt just under a quarter
        (">= 99.995%", "month", "", "error"),  # 121 s
        (">= 99.995%", "month", "    uptime: {interval: 10s}\n", ""),
        (">= 99.9%", "5m", "", "error"),  # 0.3 s
        (">= 20%", "5m", "", "warning"),  # 240 s: exactly a quarter is allowed
        (">= 19%", "15m", "", ""),
        (">= 99.9%", "month", '    service: {hours: {weekly: [{days: [mon], from: "08:00", to: "18:00"}]}}\n', "error"),
        (">= 100%", "month", "", "warning"),
    ],
)
def test_interval_against_error_budget(tmp_path: Path, target: str, window: str, more: str, verdict: str) -> None:
    text = one(target, window, more)
    errors = mistakes(tmp_path, text)
    if verdict == "error":
        (line,) = errors
        assert "error budget" in line
    else:
        assert errors == []
        assert len(warnings(tmp_path, text)) == (verdict == "warning")


def test_the_advice_fits_the_grid(tmp_path: Path) -> None:
    (line,) = mistakes(tmp_path, one(">= 99.999%", "month"))
    assert "(make uptime.interval 6s, or the window longer)" in line
    assert mistakes(tmp_path, one(">= 99.999%", "month", "    uptime: {interval: 6s}\n").replace("10s", "1s")) == []


def test_an_agreement_that_promises_nothing(tmp_path: Path) -> None:
    text = PING + "agreements: [{id: a, endpoints: [{id: e, address: 192.0.2.1}]}]\n"
    (line,) = warnings(tmp_path, text)
    assert line.startswith("netsla.yaml:2:19: warning: agreement 'a' promises nothing")


def test_more_than_one_packet_a_second_and_network(tmp_path: Path) -> None:
    def text(count: int, probe: str = "{type: icmp, interval: 10s}") -> str:
        endpoints = ", ".join(f"{{id: e{i}, address: 192.0.2.{i}}}" for i in range(1, count + 1))
        return f"probes: {{p: {probe}}}\nagreements: [{{id: a, {PROMISE}, endpoints: [{endpoints}]}}]\n"

    assert warnings(tmp_path, text(10)) == []
    (line,) = warnings(tmp_path, text(11))
    assert "192.0.2.0/24 gets 1.1 ICMP packets/s from 11 endpoints" in line
    assert warnings(tmp_path, text(11, "{type: tcp, port: 80}")) == []


def test_many_crowded_networks_are_summed_up(tmp_path: Path) -> None:
    endpoints = ", ".join(f"{{id: e{i}, address: 10.0.{i // 2}.{i % 2 + 1}}}" for i in range(20))
    told = warnings(tmp_path, f"agreements: [{{id: a, {PROMISE}, endpoints: [{endpoints}]}}]\n")
    assert len(told) == 6
    assert any("5 more networks (/24)" in line for line in told)


def test_loopback_is_never_crowded(tmp_path: Path) -> None:
    endpoints = "{id: e, address: 127.0.0.1}, {id: f, address: 127.0.0.2}"
    assert warnings(tmp_path, f"agreements: [{{id: a, {PROMISE}, endpoints: [{endpoints}]}}]\n") == []


def chain(own: str, *vendors: str) -> str:
    lines = [
        f"  - {{id: v{i}, kind: vendor, endpoints: [{{id: e, address: 10.0.{i}.1}}], "
        f'objectives: [{{id: up, metric: uptime, target: "{target}", window: month}}]}}'
        for i, target in enumerate(vendors)
    ]
    needs = ", ".join(f"v{i}" for i in range(len(vendors)))
    mine = (
        f"  - {{id: own, depends_on: [{needs}], endpoints: [{{id: e, address: 10.1.0.1}}], "
        f'objectives: [{{id: up, metric: uptime, target: "{own}", window: month}}]}}'
    )
    return PING + "agreements:\n" + "\n".join([*lines, mine]) + "\n"


def test_vendors_must_promise_more_than_we_do(tmp_path: Path) -> None:
    assert warnings(tmp_path, chain(">= 99%", ">= 99.5%", ">= 99.5%")) == []
    (line,) = warnings(tmp_path, chain(">= 99.1%", ">= 99.5%", ">= 99.5%"))
    assert "uptime of 99.1% is promised, the vendors promise 99.0025% together" in line


def test_credit_before_breach(tmp_path: Path) -> None:
    more = "    credits: {rules: [{objective: up, tiers: [{below: 99.95%, credit: 5%}]}]}\n"
    (line,) = warnings(tmp_path, one(">= 99.9%", "month", more))
    assert "begin below 99.95%, while its target >= 99.9% is still met" in line


def test_internal_agreements_pay_nothing(tmp_path: Path) -> None:
    more = "    kind: internal\n    credits: {rules: [{objective: up, tiers: [{below: 99.9%, credit: 5%}]}]}\n"
    (line,) = warnings(tmp_path, one(">= 99.9%", "month", more))
    assert "pays no credits" in line
