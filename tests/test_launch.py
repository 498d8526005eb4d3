"""What comes before the first probe, and what must not."""

from __future__ import annotations

import gc
import logging
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from netsla.errors import ConfigError, HostError
from netsla.launch import Launched, launch
from netsla.model import Samples

CONFIG = """
agent: {{name: test, state_dir: {folder}/state, socket: {folder}/s.sock}}
web: {{listen: []}}
probes: {{ping: {{type: icmp, interval: 200ms, timeout: 100ms}}}}
agreements:
  - id: acme
    probes: [ping]
    objectives: [{{id: delivery, metric: packet_delivery, target: ">= 99%", window: 5m}}]
    endpoints: [{endpoints}]
"""
FIRST, SECOND, NAMED = "{id: a, address: 127.0.0.1}", "{id: b, address: 127.0.0.2}", "{id: c, address: localhost}"
LATER = ("asyncio", "sqlite3", "ssl", "aiohttp", "dns", "netsla.sla.engine", "netsla.store.database", "netsla.web")


@pytest.fixture(autouse=True)
def _process() -> Iterator[None]:
    """What a launch sets for the whole process is set back."""
    switch = sys.getswitchinterval()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)
    gc.enable()
    sys.setswitchinterval(switch)


def write(folder: Path, *endpoints: str) -> Path:
    file = folder / "netsla.yaml"
    file.write_text(CONFIG.format(folder=folder, endpoints=", ".join(endpoints)))
    return file


def end(launched: Launched) -> None:
    launched.probers.stop()
    launched.lock.leave()


def first_samples(launched: Launched, count: int) -> Samples:
    found: list[Samples] = []
    until = time.monotonic() + 10
    while sum(len(batch.row) for batch in found) < count and time.monotonic() < until:
        found += launched.probers.drain()
    return Samples.join(found)


def test_it_probes_by_the_layout_that_it_tells_of_since_then(tmp_path: Path) -> None:
    launched = launch(write(tmp_path, FIRST, SECOND))
    samples = first_samples(launched, 4)
    assert set(samples.row.tolist()) == {probe.row for probe in launched.fleet.probes}
    assert samples.sent_ns.min() >= launched.at_ns, "cells that were open at that instant hold every probe"
    assert launched.complete
    end(launched)


def test_a_name_is_left_to_the_agent_and_its_probes_are_not_missed_before(tmp_path: Path) -> None:
    launched = launch(write(tmp_path, FIRST, NAMED))
    samples = first_samples(launched, 3)
    numeric = [probe.row for probe in launched.fleet.probes if probe.address == "127.0.0.1"]
    assert set(samples.row.tolist()) == set(numeric)
    assert len(launched.fleet.probes) == 2
    assert not launched.complete
    end(launched)


def test_a_folder_that_another_agent_uses_is_refused_before_a_packet_leaves(tmp_path: Path) -> None:
    launched = launch(write(tmp_path, FIRST))
    with pytest.raises(HostError, match="uses the state folder"):
        launch(tmp_path / "netsla.yaml")
    end(launched)


def test_a_wrong_configuration_is_refused_and_nothing_is_left_behind(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown"):
        launch(write(tmp_path, "{id: a, adress: 127.0.0.1}"))
    assert not (tmp_path / "state").exists()


def test_warnings_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = write(tmp_path, FIRST)
    file.write_text(file.read_text().split("agreements:")[0] + "agreements: []\n")
    with caplog.at_level(logging.WARNING):
        end(launch(file))
    assert "nothing is measured" in caplog.text


def test_nothing_is_imported_that_the_first_probe_can_do_without() -> None:
    asked = f"import netsla.launch, sys; print([name for name in {LATER!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_end_before_the_first_probe_is_orderly(number: signal.Signals) -> None:
    """As by a service manager that stops what it has just started, while a large configuration is read."""
    code = f"""
import os
from pathlib import Path
from netsla import config, launch
config.load = lambda _: os.kill(os.getpid(), {int(number)})
launch.launch(Path("netsla.yaml"))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
