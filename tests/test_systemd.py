from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from netsla.systemd import Notifier


def listener(address: str | bytes) -> socket.socket:
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    channel.bind(address)
    channel.setblocking(False)
    return channel


def test_every_message(tmp_path: Path) -> None:
    path = tmp_path / "notify"
    with listener(str(path)) as channel:
        notifier = Notifier({"NOTIFY_SOCKET": str(path)})
        assert notifier.active
        assert notifier.ready("2 probes\nREADY=0")
        assert channel.recv(4096) == b"READY=1\nSTATUS=2 probes READY=0"
        assert notifier.reloading()
        kind, stamp = channel.recv(4096).split(b"\n")
        assert kind == b"RELOADING=1"
        assert stamp.startswith(b"MONOTONIC_USEC=")
        assert int(stamp.partition(b"=")[2]) > 0
        assert notifier.watchdog()
        assert channel.recv(4096) == b"WATCHDOG=1"
        assert notifier.status("all is well")
        assert channel.recv(4096) == b"STATUS=all is well"
        assert notifier.stopping()
        assert channel.recv(4096) == b"STOPPING=1"


def test_abstract_sockets() -> None:
    name = f"netsla-test-{os.getpid()}"
    with listener(b"\0" + name.encode()) as channel:
        assert Notifier({"NOTIFY_SOCKET": f"@{name}"}).ready()
        assert channel.recv(4096) == b"READY=1"


@pytest.mark.parametrize("address", ["", "@", "vsock:2:1234", "relative/path"])
def test_without_a_manager_nothing_happens(address: str) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": address})
    assert not notifier.active
    assert not notifier.ready()


def test_a_manager_that_is_gone_is_no_error(tmp_path: Path) -> None:
    assert not Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).watchdog()


def test_a_full_queue_never_blocks(tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    with listener(path):
        notifier = Notifier({"NOTIFY_SOCKET": path})
        assert not all(notifier.watchdog() for _ in range(10_000))


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog_limit(environ: dict[str, str], seconds: float | None) -> None:
    assert Notifier(environ).watchdog_seconds == seconds
