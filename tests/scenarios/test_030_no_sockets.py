"""What the host does not allow is said, and takes nothing else down with it: ICMP denied, IPv6 disabled."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.netlab.lab import netlab, run
from tests.netlab.veth import sysctl

CONFIG = """
agent: {name: lab, state_dir: var, socket: netsla.sock}
probes:
  ping: {type: icmp, interval: 200ms, timeout: 1s}
  tcp: {type: tcp, port: 9469, interval: 200ms, timeout: 900ms}
agreements:
  - id: lab
    objectives: [{id: latency, metric: latency, statistic: p95, target: "<= 1s", window: 5m}]
    endpoints:
      - {id: ping-v4, address: 127.0.0.1, probes: [ping]}
      - {id: ping-v6, address: "::1", probes: [ping]}
      - {id: web, address: 127.0.0.1, probes: [tcp]}
"""
BARE = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")  # as a user without any capability


def measured(status: dict[str, Any], counts: dict[str, str], more: int = 5) -> bool:
    """Whether each endpoint named has `more` in its total."""
    totals = {probe["endpoint"]: probe["totals"] for probe in status["probes"]}
    return all(totals[endpoint][key] >= more for endpoint, key in counts.items())


def probe(status: dict[str, Any], endpoint: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in status["probes"] if one["endpoint"] == endpoint)
    return found


def test_icmp_denied_is_said_and_the_rest_goes_on(tmp_path: Path) -> None:
    with netlab(tmp_path, wire=False) as lab:
        sysctl(lab.near, "net.ipv4.ping_group_range=1 0")
        agent = lab.agent(CONFIG, BARE)
        status = agent.until(
            lambda now: (
                len(now["agent"]["problems"]) >= 2  # told once a second, one for each family
                and measured(now, {"ping-v4": "unmeasured", "ping-v6": "unmeasured", "web": "received"})
            )
        )
        for family, endpoint in ((4, "ping-v4"), (6, "ping-v6")):
            one = probe(status, endpoint)
            assert (one["totals"]["sent"], one["last"]["detail"]) == (0, "no_socket")
            assert one["windows"]["5m"]["packet_delivery_ratio"] is None
            (problem,) = [text for text in status["agent"]["problems"] if f"ICMPv{family}" in text]
            assert "ping_group_range" in problem
            assert "CAP_NET_RAW" in problem
        assert status["agent"]["healthy"] is False
        assert probe(status, "web")["totals"]["lost"] == 0
        assert 'reason="no_socket"' in agent.metrics()
        sysctl(lab.near, "net.ipv4.ping_group_range=0 2147483647")
        status = agent.until(
            lambda now: (
                not now["agent"]["problems"] and measured(now, {"ping-v4": "received", "ping-v6": "received"}, 1)
            )
        )
        assert probe(status, "ping-v4")["windows"]["5m"]["packet_delivery_ratio"] == 1.0
        assert agent.end() == 0


def test_a_host_that_denies_everything_is_exit_3_with_what_to_do(tmp_path: Path) -> None:
    with netlab(tmp_path, wire=False) as lab:
        sysctl(lab.near, "net.ipv4.ping_group_range=1 0")
        path = tmp_path / "netsla.yaml"
        icmp_alone = CONFIG[: CONFIG.index("      - {id: web")]
        path.write_text(icmp_alone.replace("tcp: {type: tcp, port: 9469, ", "other: {type: icmp, "))
        command = ["ip", "netns", "exec", lab.near, *BARE, sys.executable, "-m", "netsla", "run", "--config", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
        assert done.returncode == 3, done.stderr
        assert "ping_group_range" in done.stderr
        assert "CAP_NET_RAW" in done.stderr
        assert "Traceback" not in done.stderr


def test_regression_14_ipv6_disabled_in_the_kernel(tmp_path: Path) -> None:
    with netlab(tmp_path, wire=False) as lab:
        for device in ("all", "default", "lo"):
            sysctl(lab.near, f"net.ipv6.conf.{device}.disable_ipv6=1")
        agent = lab.agent(CONFIG)
        status = agent.until(
            lambda now: measured(now, {"ping-v4": "received", "ping-v6": "unmeasured", "web": "received"})
        )
        dark = probe(status, "ping-v6")
        assert (dark["totals"]["sent"], dark["standing"]) == (0, "unknown")
        assert dark["last"]["detail"] in ("no_route", "source_gone")
        assert dark["windows"]["5m"]["packet_delivery_ratio"] is None
        assert probe(status, "ping-v4")["totals"]["lost"] == 0
        for device in ("all", "default", "lo"):
            sysctl(lab.near, f"net.ipv6.conf.{device}.disable_ipv6=0")
        run("ip", "-n", lab.near, "-6", "address", "replace", "::1/128", "dev", "lo")
        status = agent.until(lambda now: measured(now, {"ping-v6": "received"}))
        assert probe(status, "ping-v6")["totals"]["lost"] == 0
        assert agent.end() == 0
