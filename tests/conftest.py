"""The network of the tests is nobody else's, so that two processes of them can run side by side.

Rules: as root, each process that runs tests (a worker, if there are several) moves into a network namespace of its own
before anything is imported: its ports, addresses and packets meet nobody, and none can leave the machine. Scenarios
come first: they wait more than they compute, and one that is long does not begin when all others have ended.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
from pathlib import Path

import pytest

_CLONE_NEWNET = 0x40000000
_SCENARIOS = Path(__file__).parent / "scenarios"


def pytest_configure(config: pytest.Config) -> None:
    if os.geteuid() == 0 and not config.getoption("numprocesses", None):
        _move_into_a_network_of_our_own()


def _move_into_a_network_of_our_own() -> None:
    """This thread's, and that of every thread and process it starts from now on."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "the tests need a network namespace of their own")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    Path("/proc/sys/net/ipv4/ping_group_range").write_text("0 2147483647")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.path.is_relative_to(_SCENARIOS))  # stable: what is in a file stays together
