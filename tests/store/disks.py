"""Disks that really fail: small file systems that fill up or turn read-only. For root only."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path


@contextlib.contextmanager
def small_disk(at: Path, size: str = "2m") -> Iterator[Path]:
    """A tmpfs of this size, unmounted at the end."""
    at.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "netsla-test", str(at)], check=True)
    try:
        yield at
    finally:
        subprocess.run(["umount", "-l", str(at)], check=True)


def remount(at: Path, how: str) -> None:
    """Turn it `ro` or `rw`."""
    subprocess.run(["mount", "-o", f"remount,{how}", str(at)], check=True)


def fill(at: Path) -> Path:
    """Use up every byte; remove the file to give them back."""
    ballast = at / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    return ballast


def until(holds: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for what another thread brings about."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)
