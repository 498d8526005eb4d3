"""What the bench needs of the machine, and what it says of it.

Rules: programs that are missing are installed as Debian packages, as root only, and without starting the
services they bring. What cannot be had is said by name; nothing is skipped in silence.
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

# program -> Debian package. Without the first four there is no bench; without an exporter, a row less.
NEEDED = {"ip": "iproute2", "nsenter": "util-linux", "tcpdump": "tcpdump", "fping": "fping"}
SMOKEPING = "prometheus-smokeping-prober"
BLACKBOX = "prometheus-blackbox-exporter"
PEERS = {SMOKEPING: SMOKEPING, BLACKBOX: BLACKBOX}
_POLICY = Path("/usr/sbin/policy-rc.d")  # invoke-rc.d and deb-systemd-invoke ask it before starting a service


class CannotRun(Exception):  # noqa: N818 - read as a sentence
    """The bench cannot run here: why, and what to do."""


def prepare() -> list[str]:
    """Make the programs available; the names of peers that cannot be had. :class:`CannotRun` otherwise."""
    if sys.platform != "linux":
        raise CannotRun("the bench needs Linux: network namespaces, veth, packet sockets")
    if os.geteuid() != 0:
        raise CannotRun("the bench makes network namespaces and captures packets: run it as root (sudo make bench)")
    missing = _missing(NEEDED | PEERS)
    if missing:
        _install(sorted(set(missing.values())))
    still = _missing(NEEDED)
    if still:
        raise CannotRun(f"missing: {', '.join(still)}. Install: apt-get install {' '.join(still.values())}")
    return list(_missing(PEERS))


def describe() -> dict[str, str]:
    """The machine and the versions that the figures hold for."""
    return {
        "kernel": platform.release(),
        "cpu": f"{os.cpu_count()} x {_cpu_model()}",
        "python": platform.python_version(),
        "netsla": version("netsla"),
        "icmplib": version("icmplib"),
        "numpy": version("numpy"),
        **{package: _package_version(package) for package in ("fping", SMOKEPING, BLACKBOX)},
    }


def load_average() -> str:
    """How busy the machine has been over 1, 5 and 15 minutes."""
    return " ".join(f"{load:.2f}" for load in os.getloadavg())


def _missing(programs: dict[str, str]) -> dict[str, str]:
    return {program: package for program, package in programs.items() if shutil.which(program) is None}


def _install(packages: list[str]) -> None:
    """Best effort: what is still missing afterwards is told by the caller."""
    if shutil.which("apt-get") is None:
        return
    print(f"installing {' '.join(packages)} (apt-get)", file=sys.stderr)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    with _no_services():
        for words in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
            done = subprocess.run(
                ["apt-get", "--quiet", *words], check=False, env=environment, capture_output=True, text=True
            )
            if done.returncode:
                print(f"apt-get {words[0]}: {done.stderr.strip()}", file=sys.stderr)


@contextlib.contextmanager
def _no_services() -> Iterator[None]:
    """Packages do not start their services meanwhile; an administrator's own policy stays as it is."""
    if _POLICY.exists():
        yield
        return
    _POLICY.write_text("#!/bin/sh\nexit 101\n")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink()


def _cpu_model() -> str:
    match = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return match[1] if match else platform.machine()


def _package_version(package: str) -> str:
    words = ["dpkg-query", "--show", "--showformat=${Version}", package]
    try:
        done = subprocess.run(words, check=False, capture_output=True, text=True)
    except FileNotFoundError:  # not a Debian
        return "unknown"
    return done.stdout if done.returncode == 0 and done.stdout else "not installed"
