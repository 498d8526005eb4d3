from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from netsla.model import SECOND, Clear, Metric, Objective, Reaction
from tests.config.writing import agreement, mistakes

BOTH = "probes: {ping: {type: icmp}, web: {type: tcp, port: 80}}"


def promises(folder: Path, *entries: str, more: str = "", top: str = "") -> tuple[Objective, ...]:
    lines = "".join(f"\n  - {entry}" for entry in entries)
    return agreement(folder, f"objectives:{lines}\n{more}", top).endpoints[0].objectives


def test_defaults(tmp_path: Path) -> None:
    (one,) = promises(tmp_path, '{id: l, metric: latency, target: "<= 50ms", window: 5m}')
    assert (one.metric, one.statistic, one.percent) == (Metric.LATENCY, "mean", None)
    assert (one.severity, one.probe, one.aggregate, one.no_data_after_ns) == ("P2", None, "pooled", None)
    assert one.reaction == Reaction()
    assert one.target.value == 50_000_000


@pytest.mark.parametrize(
    ("window", "scope"), [("5m", "all"), ("30d", "all"), ("month", "available"), ("day", "available")]
)
def test_scope_follows_the_window(tmp_path: Path, window: str, scope: str) -> None:
    entry = f'{{id: d, metric: packet_delivery, target: ">= 99%", window: {window}}}'
    assert promises(tmp_path, entry)[0].scope == scope
    assert promises(tmp_path, entry.replace("}", ", scope: all}"))[0].scope == "all"


def test_percentile(tmp_path: Path) -> None:
    (one,) = promises(tmp_path, '{id: l, metric: latency, statistic: p99.9, target: "<= 50ms", window: 5m}')
    assert (one.statistic, one.percent) == ("p99.9", Fraction(999, 1000))


def test_levels_merge_by_id_and_key(tmp_path: Path) -> None:
    top = """
plans:
  p:
    objectives:
      - {id: up, metric: uptime, target: ">= 99%", window: month, severity: P1}
      - {id: d, metric: packet_delivery, target: ">= 99%", window: 5m}
"""
    keys = """\
plan: p
objectives:
  - {id: up, target: ">= 99.5%"}
  - {id: l, metric: latency, target: "<= 50ms", window: 5m}
endpoints:
  - {id: x, address: 192.0.2.1}
  - {id: y, address: 192.0.2.2, objectives: [{id: up, severity: P3}, {id: d, drop: true}]}
"""
    first, second = agreement(tmp_path, keys, top).endpoints
    assert [(o.id, o.target.text, o.severity) for o in first.objectives] == [
        ("up", ">= 99.5%", "P1"),
        ("d", ">= 99%", "P2"),
        ("l", "<= 50ms", "P2"),
    ]
    assert [(o.id, o.target.text, o.severity) for o in second.objectives] == [
        ("up", ">= 99.5%", "P3"),
        ("l", "<= 50ms", "P2"),
    ]


@pytest.mark.parametrize(
    ("text", "reaction"),
    [
        ("{type: immediate}", Reaction()),
        ("{type: immediate, clear: {count: 5}}", Reaction(clear=Clear(5))),
        ("{type: consecutive, count: 3}", Reaction("consecutive", 3, clear=Clear(3))),
        ("{type: consecutive, count: 3, clear: {count: 1}}", Reaction("consecutive", 3)),
        ("{type: xofy, x: 3, y: 5}", Reaction("xofy", x=3, y=5, clear=Clear(1, 3, 5))),
        ("{type: xofy, x: 3, y: 5, clear: {x: 4, y: 5}}", Reaction("xofy", x=3, y=5, clear=Clear(1, 4, 5))),
        ("{type: average, n: 5, clear: {count: 2}}", Reaction("average", n=5, clear=Clear(2))),
    ],
)
def test_reaction(tmp_path: Path, text: str, reaction: Reaction) -> None:
    entry = f'{{id: l, metric: latency, target: "<= 50ms", window: 5m, reaction: {text}, no_data_after: 10m}}'
    (one,) = promises(tmp_path, entry)
    assert one.reaction == reaction
    assert one.no_data_after_ns == 600 * SECOND


@pytest.mark.parametrize(
    ("text", "reaction"),
    [
        ("{type: forecast}", Reaction("forecast", clear=Clear(below=Fraction(9, 10)))),
        ("{type: forecast, clear: {below: 75%}}", Reaction("forecast", clear=Clear(below=Fraction(3, 4)))),
        ("{type: immediate, budget: [75%, 50%]}", Reaction(budget=(Fraction(1, 2), Fraction(3, 4)))),
    ],
)
def test_reactions_of_calendar_uptime(tmp_path: Path, text: str, reaction: Reaction) -> None:
    (one,) = promises(tmp_path, f'{{id: u, metric: uptime, target: ">= 99%", window: month, reaction: {text}}}')
    assert one.reaction == reaction


def test_tcp_feeds_uptime_and_latency(tmp_path: Path) -> None:
    found = promises(
        tmp_path,
        '{id: up, metric: uptime, target: ">= 99%", window: month, probe: web}',
        '{id: l, metric: latency, target: "<= 50ms", window: 5m, probe: web}',
        '{id: r, metric: time_to_repair, statistic: max, target: "<= 4h", window: month, probe: web}',
        more="probes: [web]\n",
        top=BOTH,
    )
    assert [one.probe for one in found] == ["web"] * 3


@pytest.mark.parametrize(("metric", "target"), [("packet_delivery", ">= 99%"), ("jitter", "<= 5ms")])
def test_tcp_does_not_feed_what_the_kernel_hides(tmp_path: Path, metric: str, target: str) -> None:
    entry = f'{{id: o, metric: {metric}, target: "{target}", window: 5m'
    assert promises(tmp_path, entry + "}", more="probes: [ping, web]\n", top=BOTH)[0].probe is None
    for keys in ("}", ", probe: web}"):
        only_web = "  - id: a\n    probes: [web]\n    endpoints: [{id: e, address: 192.0.2.1}]\n    objectives: "
        text = f"{BOTH}\nagreements:\n{only_web}[{entry}{keys}]\n"
        (line,) = mistakes(tmp_path, text)
        assert "no probe can feed objective 'o'" in line


def test_whole_uptime_intervals(tmp_path: Path) -> None:
    entry = '{id: up, metric: uptime, target: ">= 10%", window: 45m}'
    assert promises(tmp_path, entry, more="uptime: {profile: y1540-2002}\n")[0].window.seconds == 2700
