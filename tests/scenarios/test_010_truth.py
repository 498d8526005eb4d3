"""The whole agent against the wire's truth: to the packet, for every fate, over IPv4 and IPv6."""

import time
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.netlab.fates import CLASSES
from tests.netlab.lab import Lab, netlab, run

SECONDS = 62
CALM = 2  # longer than the time limit, and than any copy takes
CONFIG = """
agent: {{name: lab, state_dir: var, socket: netsla.sock}}
probes: {{ping: {{type: icmp, interval: 500ms, timeout: 1s}}}}
agreements:
  - id: lab
    probes: [ping]
    objectives: [{{id: delivery, metric: packet_delivery, target: ">= 50%", window: 5m}}]
    endpoints:
{endpoints}
"""


def endpoints() -> dict[str, str]:
    """Address by endpoint id: every class of fate, in both families."""
    both = {f"{fate.__name__}-v4": f"10.99.0.{n}" for n, fate in enumerate(CLASSES)}
    return both | {f"{fate.__name__}-v6": str(ip_address(f"fd99::{n:x}")) for n, fate in enumerate(CLASSES)}


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any], str]:
    """(probes of the status by endpoint, truth by address, metrics) after a run and the end of all probing.

    Probing ends by taking the routes away: what is not sent any more is unmeasured. What is out without an answer at
    that moment would be unmeasured, too; so the wire is calm before. Both sides then speak of exactly the same packets.
    """
    with netlab(tmp_path_factory.mktemp("truth")) as lab:
        text = "\n".join(f'      - {{id: {name}, address: "{address}"}}' for name, address in endpoints().items())
        agent = lab.agent(CONFIG.format(endpoints=text))
        time.sleep(SECONDS - CALM)
        lab.calm()
        time.sleep(CALM)
        cut_off(lab)
        before = agent.totals()
        status = agent.until(lambda now: settled(now, before), 20)
        metrics = agent.metrics()
        assert agent.end() == 0
        truth = lab.truth()
    return {probe["endpoint"]: probe for probe in status["probes"]}, truth, metrics


def cut_off(lab: Lab) -> None:
    run("ip", "-n", lab.near, "route", "replace", "unreachable", "10.99.0.0/16")
    run("ip", "-n", lab.near, "-6", "route", "del", "fd99::/64")


def settled(now: dict[str, Any], before: dict[str, dict[str, Any]]) -> bool:
    """Five seconds' worth of unmeasured probes since the cut: everything sent, and every late copy, is in."""
    return all(probe["totals"]["unmeasured"] >= before[probe["endpoint"]]["unmeasured"] + 10 for probe in now["probes"])


@pytest.mark.parametrize("name", endpoints())
def test_every_counter_equals_the_truth_to_the_packet(
    outcome: tuple[dict[str, Any], dict[str, Any], str], name: str
) -> None:
    probes, truths, _ = outcome
    totals, truth = probes[name]["totals"], truths[endpoints()[name]]
    assert truth["sent"] >= 2 * SECONDS - 4
    assert {key: totals[key] for key in ("sent", "received", "lost", "late", "duplicate")} == {
        "sent": truth["sent"],
        "received": truth["answered"],
        "lost": truth["sent"] - truth["answered"],
        "late": truth["late"],
        "duplicate": truth["duplicate"],
    }


@pytest.mark.parametrize("name", endpoints())
def test_percentiles_are_those_of_the_truth(outcome: tuple[dict[str, Any], dict[str, Any], str], name: str) -> None:
    probes, truths, _ = outcome
    latency = probes[name]["windows"]["5m"]["latency_seconds"]
    rtts = np.sort(truths[endpoints()[name]]["rtt_ns"]) / 1e9
    for key, share in (("p50", 50), ("p95", 95), ("p99", 99)):
        expected = rtts[-(-share * len(rtts) // 100) - 1]
        assert latency[key] == pytest.approx(expected, rel=0, abs=0.011 * expected + 0.0001)


def test_no_forged_reply_was_accepted(outcome: tuple[dict[str, Any], dict[str, Any], str]) -> None:
    probes, truths, _ = outcome
    for name, address in endpoints().items():
        if name.startswith("forged"):
            assert truths[address]["forged"] >= 2 * (2 * SECONDS - 4)
            assert probes[name]["totals"]["duplicate"] == 0
            assert probes[name]["windows"]["5m"]["latency_seconds"]["min"] > 0.029  # the forgeries came at 0 ms


def test_metrics_tell_the_same_as_the_status(outcome: tuple[dict[str, Any], dict[str, Any], str]) -> None:
    probes, _, metrics = outcome
    for name, probe in probes.items():
        line = next(x for x in metrics.splitlines() if x.startswith("netsla_probe_sent_total") and f'"{name}"' in x)
        assert float(line.split()[-1]) == probe["totals"]["sent"]


@pytest.fixture(scope="module", autouse=True)
def _root_only(tmp_path_factory: pytest.TempPathFactory) -> None:
    assert Path("/dev/net/tun").exists(), "netlab needs root and TUN"
