import os
from pathlib import Path

import pytest

from bench import machine


def test_without_root_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(machine.CannotRun, match="run it as root"):
        machine.prepare()


def fake_apt(folder: Path, policy: Path) -> Path:
    log = folder / "log"
    script = folder / "apt-get"
    script.write_text(f'#!/bin/sh\necho "$@ policy:$(test -x {policy} && {policy}; echo $?)" >> {log}\n')
    script.chmod(0o755)
    return log


def test_packages_are_installed_without_starting_services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = tmp_path / "policy-rc.d"
    log = fake_apt(tmp_path, policy)
    monkeypatch.setattr(machine, "_POLICY", policy)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    machine._install(["fping"])
    assert log.read_text().splitlines() == [
        "--quiet update policy:101",
        "--quiet install --yes --no-install-recommends fping policy:101",
    ]
    assert not policy.exists()


def test_the_administrator_s_own_policy_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = tmp_path / "policy-rc.d"
    policy.write_text("mine")
    fake_apt(tmp_path, policy)
    monkeypatch.setattr(machine, "_POLICY", policy)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    machine._install(["fping"])
    assert policy.read_text() == "mine"


def test_missing_needs_end_the_bench_and_missing_peers_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(machine, "_install", lambda _packages: None)
    present = set(machine.NEEDED)
    monkeypatch.setattr("bench.machine.shutil.which", lambda name: name if name in present else None)
    assert machine.prepare() == [machine.SMOKEPING, machine.BLACKBOX]
    present.remove("fping")
    with pytest.raises(machine.CannotRun, match="apt-get install fping"):
        machine.prepare()
