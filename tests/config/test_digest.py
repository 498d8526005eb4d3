from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.writing import plan, write

BASE = """
agent: {name: x, labels: {a: b}}
probes: {ping: {type: icmp, interval: 10s}}
agreements:
  - id: a
    service: {hours: {holidays: [2026-12-25, 2026-01-01, 2027-01-01]}}
    objectives: [{id: up, metric: uptime, target: ">= 99.9%", window: month}]
    endpoints: [{id: e, address: 192.0.2.1}, {id: f, address: 192.0.2.2, labels: {p: q}}]
"""


def digest(folder: Path, text: str) -> str:
    return plan(folder, text).digest


def test_same_meaning_same_digest(tmp_path: Path) -> None:
    other = BASE.replace("interval: 10s", "interval: 10000ms, timeout: 3s").replace("# ", "#")
    other = other.replace("[2026-12-25, 2026-01-01, 2027-01-01]", "[2027-01-01, 2026-01-01, 2026-12-25]")
    other = "# a comment\n" + other.replace("labels: {p: q}", "labels:\n      {p: 'q'}")
    assert digest(tmp_path, other) == digest(tmp_path, BASE)
    assert len(digest(tmp_path, BASE)) == 64


def test_file_names_do_not_matter(tmp_path: Path) -> None:
    write(tmp_path, "id,address,labels\ne,192.0.2.1,\nf,192.0.2.2,p=q\n", "e.csv")
    start = BASE.index("[{id: e")
    other = BASE[:start] + "[{id: g, addresses_file: e.csv}]\n"
    assert digest(tmp_path, other) == digest(tmp_path, BASE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("name: x", "name: y"),
        ("interval: 10s", "interval: 5s"),
        ("99.9%", "99.8%"),
        ("window: month", "window: week"),
        ("192.0.2.2", "192.0.2.3"),
        ("id: f", "id: g"),
        ("{p: q}", "{p: r}"),
        ("id: f,", "id: f, active: {from: 2026-01-01},"),
        ("id: f,", "id: f, uptime: {interval: 30s},"),
        ("2027-01-01", "2028-01-01"),
    ],
)
def test_another_meaning_another_digest(tmp_path: Path, old: str, new: str) -> None:
    assert old in BASE
    assert digest(tmp_path, BASE.replace(old, new)) != digest(tmp_path, BASE)
