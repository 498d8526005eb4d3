from __future__ import annotations

from pathlib import Path

import pytest

from netsla.model import SECOND, ProbeSpec, ProbeType
from tests.config.writing import AGREEMENT, agreement, mistakes, warnings


def test_defaults_by_type(tmp_path: Path) -> None:
    top = "probes: {ping: {type: icmp}, web: {type: tcp, port: 80}}"
    ping, web = agreement(tmp_path, "probes: [ping, web]", top).endpoints[0].probes
    assert ping == ProbeSpec("ping", ProbeType.ICMP, SECOND, 3 * SECOND, size=56, ttl=64)
    assert web == ProbeSpec("web", ProbeType.TCP, SECOND, 900 * SECOND // 1000, port=80, rst_is_up=False)


def test_every_key(tmp_path: Path) -> None:
    top = 'probes: {p: {type: icmp, interval: 200ms, timeout: 5s, size: 24, dscp: 63, source: "::2", df: true, ttl: 1}}'
    (spec,) = agreement(tmp_path, "endpoints: [{id: e, address: '::1'}]", top).endpoints[0].probes
    assert spec == ProbeSpec("p", ProbeType.ICMP, SECOND // 5, 5 * SECOND, 24, 63, 1, df=True, source="::2")


def test_without_any_there_is_ping(tmp_path: Path) -> None:
    assert [spec.name for spec in agreement(tmp_path, "").endpoints[0].probes] == ["ping"]
    assert [spec.name for spec in agreement(tmp_path, "probes: [ping]").endpoints[0].probes] == ["ping"]


def test_the_only_one_is_used_without_naming_it(tmp_path: Path) -> None:
    assert [s.name for s in agreement(tmp_path, "", "probes: {x: {type: icmp}}").endpoints[0].probes] == ["x"]


def test_the_most_special_level_names_the_whole_set(tmp_path: Path) -> None:
    top = "probes: {a: {type: icmp}, b: {type: icmp}, c: {type: icmp}}\nplans: {p: {probes: [a]}}"
    keys = """\
        plan: p
        probes: [b, c]
        endpoints: [{id: x, address: 192.0.2.1}, {id: y, address: 192.0.2.2, probes: [c]}]
        """
    found = agreement(tmp_path, keys, top)
    assert [[spec.name for spec in endpoint.probes] for endpoint in found.endpoints] == [["b", "c"], ["c"]]


def test_own_probes_are_seen_below_their_level(tmp_path: Path) -> None:
    keys = """\
        probes: {slow: {type: icmp, interval: 10s}, web: {type: tcp, port: 80}}
        endpoints:
          - {id: x, address: 192.0.2.1, probes: [slow]}
          - {id: y, address: 192.0.2.2, probes: {slow: {type: icmp}}}
        """
    first, second = agreement(tmp_path, keys).endpoints
    assert [spec.interval_ns // SECOND for spec in (*first.probes, *second.probes)] == [10, 1]


def test_a_wrong_probe_is_told_once_and_not_as_unknown(tmp_path: Path) -> None:
    users = AGREEMENT.replace("id: a,", "id: a, probes: [ping, web],")
    text = "probes: {ping: {type: imcp}, web: {type: tcp}}\n" + users
    assert [line.split(" (")[0] for line in mistakes(tmp_path, text)] == [
        "netsla.yaml:1:23: type: 'imcp' is not known here",
        "netsla.yaml:1:35: probe 'web' of type tcp has no port",
    ]


def test_time_for_a_second_syn_is_a_warning(tmp_path: Path) -> None:
    (line,) = warnings(tmp_path, "probes: {web: {type: tcp, port: 80, timeout: 1s}}\n" + AGREEMENT)
    assert "second SYN" in line
    assert warnings(tmp_path, "probes: {web: {type: tcp, port: 80, timeout: 999ms}}\n" + AGREEMENT) == []


@pytest.mark.parametrize("names", ["[]", "{}"])
def test_no_probe_at_all(tmp_path: Path, names: str) -> None:
    (line,) = mistakes(tmp_path, AGREEMENT.replace("id: a,", f"id: a, probes: {names},"))
    assert "no probe watches agreement 'a'" in line
