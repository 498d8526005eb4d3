"""What is shipped for the service manager and for Prometheus is accepted by the real tools."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

DEPLOY = Path(__file__).parent.parent / "deploy"
UNIT = DEPLOY / "systemd" / "netsla.service"


def ran(*command: str | Path, folder: Path = DEPLOY) -> str:
    done = subprocess.run([*map(str, command)], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_unit_is_clean(tmp_path: Path) -> None:
    program = tmp_path / "netsla"
    program.symlink_to(sys.executable)
    text = UNIT.read_text().replace("/usr/bin/netsla", str(program))
    (tmp_path / "netsla.service").write_text(text)
    assert ran("systemd-analyze", "verify", tmp_path / "netsla.service") == ""


def test_the_unit_has_what_the_interface_names() -> None:
    named = dict(line.split("=", 1) for line in UNIT.read_text().splitlines() if re.match(r"[A-Z]\w+=", line))
    assert (named["Type"], named["DynamicUser"], named["ExecReload"]) == ("notify", "yes", "/usr/bin/netsla reload")
    assert {"WatchdogSec", "StateDirectory", "RuntimeDirectory", "LoadCredential"} <= named.keys()
    assert ":" not in named["LoadCredential"], "with a path, a host without the secret could not start"


def test_the_unit_with_raw_sockets_is_clean(tmp_path: Path) -> None:
    (tmp_path / "netsla.service.d").mkdir()
    shutil.copy(DEPLOY / "systemd" / "raw.conf", tmp_path / "netsla.service.d")
    (tmp_path / "netsla.service").write_text(UNIT.read_text().replace("/usr/bin/netsla", sys.executable))
    assert ran("systemd-analyze", "verify", tmp_path / "netsla.service") == ""
    report = ran("systemd-analyze", "security", "--offline=true", tmp_path / "netsla.service")
    assert "✗ CapabilityBoundingSet=~CAP_NET_(BIND_SERVICE|BROADCAST|RAW)" in report


def test_the_unit_is_hardened() -> None:
    report = ran("systemd-analyze", "security", "--offline=true", UNIT)
    exposure = re.search(r"Overall exposure level for netsla.service: ([\d.]+)", report)
    assert exposure is not None
    assert float(exposure[1]) <= 1.5
    assert re.search(r"✗ [A-Za-z]*(Capability|Ambient)", report) is None


def test_prometheus_accepts_scrape_and_rules() -> None:
    folder = DEPLOY / "prometheus"
    assert "SUCCESS" in ran("promtool", "check", "config", "netsla-scrape.yml", folder=folder)
    assert "SUCCESS: 10 rules found" in ran("promtool", "check", "rules", "netsla-rules.yml", folder=folder)
    assert "SUCCESS" in ran("promtool", "test", "rules", "netsla-rules-test.yml", folder=folder)


def known_metrics() -> set[str]:
    from netsla.wire.families import OBJECTIVE, PROBE, WINDOW

    known = {series.name for family in (*PROBE, *WINDOW, *OBJECTIVE) for series in family.series}
    known |= {"netsla_probe_unmeasured_total", "netsla_problems", "netsla_config_last_reload_successful"}
    return known | {
        "netsla_schedule_lateness_seconds_bucket",
        "netsla_receive_drops_total",
        "netsla_outbox_pending",
    }


def test_rules_speak_of_metrics_that_exist() -> None:
    expressions = re.findall(r"^ +expr: (.*)$", (DEPLOY / "prometheus" / "netsla-rules.yml").read_text(), re.MULTILINE)
    spoken = {name for text in expressions for name in re.findall(r"netsla_\w+", text)}
    assert spoken
    assert spoken <= known_metrics()


def test_the_dashboard_asks_for_what_exists_in_valid_promql(tmp_path: Path) -> None:
    board = json.loads((DEPLOY / "grafana" / "netsla.json").read_text())
    asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    asked += [one["expr"] for one in board["annotations"]["list"]]
    assert len(asked) > 10
    rules = [{"record": f"dashboard:query{n}", "expr": text} for n, text in enumerate(asked)]
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert f"SUCCESS: {len(asked)} rules found" in ran("promtool", "check", "rules", tmp_path / "rules.yml")
    queries = [one["definition"] for one in board["templating"]["list"] if one["type"] == "query"]
    assert {name for text in (*asked, *queries) for name in re.findall(r"netsla_\w+", text)} <= known_metrics()
    variables = {one["name"] for one in board["templating"]["list"]}
    assert {name for text in asked for name in re.findall(r"\$(\w+)", text)} <= variables


def test_sysctl_and_sysusers_are_understood(tmp_path: Path) -> None:
    lines = (DEPLOY / "sysctl.d" / "50-netsla.conf").read_text().splitlines()
    for line in lines:
        if line and not line.startswith("#"):
            key, _, _ = line.partition(" = ")
            assert Path("/proc/sys", *key.split(".")).exists()
    (tmp_path / "etc").mkdir()
    ran("systemd-sysusers", f"--root={tmp_path}", DEPLOY / "sysusers.d" / "netsla.conf")
    assert "netsla:" in (tmp_path / "etc" / "group").read_text()
