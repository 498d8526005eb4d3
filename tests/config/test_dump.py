from __future__ import annotations

from pathlib import Path

import jsonschema  # type: ignore[import-untyped]  # ships no types
import pytest
import yaml

from netsla.config import dump_agreement, load, load_agreement, schema
from netsla.model import Agreement
from tests.config.writing import agreement, write

ROOT = Path(__file__).parents[2]


def again(folder: Path, one: Agreement) -> Agreement:
    return load_agreement(write(folder, dump_agreement(one), "agreement.yaml"))


@pytest.mark.parametrize("name", ["netsla.yaml", "quickstart.yaml"])
def test_shipped_agreements_come_back_equal(tmp_path: Path, name: str) -> None:
    found, _ = load(ROOT / "config" / name)
    for one in found.agreements:
        assert again(tmp_path, one) == one
        assert dump_agreement(again(tmp_path, one)) == dump_agreement(one)


def test_it_stands_alone_and_fits_the_schema(tmp_path: Path) -> None:

    found, _ = load(ROOT / "config" / "netsla.yaml")
    for one in found.agreements:
        value = yaml.load(dump_agreement(one), yaml.BaseLoader)
        assert "plan" not in value
        assert all("addresses_file" not in endpoint for endpoint in value["endpoints"])
        jsonschema.Draft202012Validator({"$defs": schema()["$defs"], "$ref": "#/$defs/AgreementTable"}).validate(
            yaml.safe_load(dump_agreement(one))
        )


@pytest.mark.parametrize(
    "keys",
    [
        "",
        "uptime: {profile: google120}",
        "uptime: {profile: google120, loss_over: 90%}",
        "uptime: {profile: mef, n: 3, feed: ping}",
        "uptime: {method: interval, loss_over: 0.1%}",
        "uptime: {method: outage, min: 90s, interval: 30s}",
        "probes: {web: {type: tcp, port: 80, rst: up, source: 192.0.2.9, dscp: ef}}",
        "probes: {ping: {type: icmp, size: 100, df: true, ttl: 3, interval: 1s500ms}}",
        "measurement: {denominator: fixed:43200m, unknown: down, exclusions: count_as_up, combine: average}",
        'service: {hours: {weekly: [{days: [sat], from: "22:00", to: "02:00"}], holidays: [2026-12-25]}}',
        "service: {monthly_charge: 0.10}",
        "term: {from: 2024-02-29}\nlaunch: 2024-02-29",
        'title: "no"\nreports: "1:30"\nchanges: "a: b\\n# c"\nexclusions: ["true", "~", "- x", "0x1", "\\u00e9"]',
        "parties: {provider: {name: \"01\", note: 'null'}, customer: {name: C}}",
        "timezone: Europe/Berlin\nmaintenance: {windows: [{at: 2026-03-29T02:30, duration: 1h}]}",
        "timezone: Europe/Berlin\nmaintenance: {windows: [{at: 2026-10-25T02:30, duration: 1h}]}",
        'maintenance: {notice: 36h, allowed: "22:00-06:00", max_per_month: 90m}',
        "endpoints: [{id: e, address: a.de, measurement: {unknown: up}}, {id: f, address: b.de}]",
        "timezone: America/New_York\nendpoints: [{id: e, address: a.de, active: {from: 2026-03-15, to: 2026-03-31}}]",
        'endpoints: [{id: e, address: a.de, labels: {a: "no"}}, {id: f, address: "1::2:3", uptime: {interval: 30s}}]',
    ],
)  # fmt: skip
def test_comes_back_equal(tmp_path: Path, keys: str) -> None:
    one = agreement(tmp_path, keys)
    assert again(tmp_path, one) == one


@pytest.mark.parametrize(
    "promise",
    [
        '{id: l, metric: latency, statistic: p99.9, target: "<= 1ms", window: 90s, scope: available}',
        '{id: l, metric: latency, target: "<=1s500ms", window: quarter, probe: ping, severity: P3, no_data_after: 90s}',
        '{id: d, metric: packet_delivery, target: ">= 99.12345%", window: 5m, aggregate: mean_of_intervals}',
        '{id: r, metric: time_to_repair, statistic: mean, target: "<= 4h", window: year}',
        '{id: j, metric: jitter, target: "<= 9us", window: 1h, reaction: {type: xofy, x: 3, y: 5, clear: {count: 9}}}',
        '{id: j, metric: jitter, target: "<= 1ms", window: 1h, reaction: {type: average, n: 3, clear: {x: 1, y: 2}}}',
        '{id: j, metric: jitter, target: "<= 1ms", window: 1h, reaction: {type: consecutive, count: 3}}',
        '{id: u, metric: uptime, target: ">= 99%", window: month, reaction: {type: forecast, clear: {below: 75%}}}',
        '{id: u, metric: uptime, target: ">= 99%", window: year, reaction: {type: burn, budget: [50%, 100%]}}',
    ],
)
def test_objectives_come_back_equal(tmp_path: Path, promise: str) -> None:
    one = agreement(tmp_path, f"objectives: [{promise}]")
    assert again(tmp_path, one) == one


def test_credits_come_back_equal(tmp_path: Path) -> None:
    text = (Path(__file__).parent / "interface" / "longer.yaml").read_text("utf-8")
    keys = (
        text + "objectives:\n"
        '  - {id: uptime-month, metric: uptime, target: ">= 99.9%", window: month}\n'
        '  - {id: delivery-month, metric: packet_delivery, target: ">= 99.9%", window: month}\n'
    )
    one = agreement(tmp_path, keys)
    assert one.credits is not None
    assert again(tmp_path, one) == one


def test_endpoints_that_promise_different_things(tmp_path: Path) -> None:
    keys = """\
        objectives:
          - {id: a, metric: latency, target: "<= 5ms", window: 5m}
          - {id: b, metric: latency, target: "<= 5ms", window: 5m, probe: ping}
        endpoints:
          - {id: x, address: 192.0.2.1}
          - {id: y, address: 192.0.2.2, objectives: [{id: a, drop: true}]}
          - {id: z, address: a.de, objectives: [{id: a, severity: P1}, {id: c, metric: jitter,
             target: "<= 1s", window: 5m}]}
        """
    one = agreement(tmp_path, keys)
    assert again(tmp_path, one) == one
