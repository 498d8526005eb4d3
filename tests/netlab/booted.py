"""A systemd that is really booted: PID 1 of its own namespaces, on a root that is thrown away (boot.sh makes it).

Nothing of it reaches the host: the root is an overlay whose upper side is a tmpfs, the host's own root is unmounted
before systemd begins, and boot.sh boots nothing if it finds any other mount. All of it ends when its group is killed;
what hangs is killed after LIMIT_S whatever happens to us.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.netlab.lab import end

PROJECT = Path(__file__).parents[2]
LIMIT_S = 240.0  # of a whole machine's life
_BOOT_S = 30.0
_COMMAND_S = 60.0
_numbers = itertools.count()
_SCRIPT = Path(__file__).with_name("boot.sh")
_NAMESPACES = ("--mount", "--pid", "--net", "--uts", "--ipc", "--cgroup")


@dataclass
class Machine:
    """A booted systemd, and how to act inside; `pid` is its PID 1 as the host sees it."""

    pid: int

    def run(self, *command: str, text: str = "") -> subprocess.CompletedProcess[str]:
        """A command inside, as root; `text` is its input."""
        enter = ["nsenter", "--target", str(self.pid), *_NAMESPACES, "--root", "--wd"]
        return subprocess.run(
            [*enter, *command], input=text, capture_output=True, text=True, check=False, timeout=_COMMAND_S
        )

    def must(self, *command: str, text: str = "") -> str:
        """A command inside that must succeed."""
        done = self.run(*command, text=text)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}{self.journal()}"
        return done.stdout

    def write(self, path: str, text: str) -> None:
        """A file inside."""
        self.must("sh", "-c", 'mkdir -p "$(dirname "$0")" && cat > "$0"', path, text=text)

    def show(self, unit: str, name: str) -> str:
        """A property of a unit."""
        return self.must("systemctl", "show", "--property", name, "--value", unit).strip()

    def journal(self) -> str:
        """What was said so far."""
        return self.run("journalctl", "--no-pager", "--quiet").stdout

    def until(self, true: Callable[[], bool], seconds: float) -> None:
        """Wait for what systemd brings about."""
        limit = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < limit, f"not within {seconds} s: {self.journal()[-4000:]}"
            time.sleep(0.1)


@contextlib.contextmanager
def booted(folder: Path) -> Iterator[Machine]:
    """A machine for the length of a test."""
    name = f"netsla-lab-{os.getpid()}-{next(_numbers)}"
    group, base, log = _cgroups() / name, folder / "base", folder / "boot.log"
    group.mkdir()
    base.mkdir()
    paths = [base, sys.base_prefix, sysconfig.get_paths()["platlib"], PROJECT]
    join = ["sh", "-c", 'echo $$ > "$0" && exec "$@"', str(group / "cgroup.procs")]
    alone = ["unshare", *_NAMESPACES, "--fork", "--kill-child=KILL", "--propagation", "private"]
    command = [*join, "timeout", "--signal=KILL", str(LIMIT_S), *alone, "sh", str(_SCRIPT), *map(str, paths)]
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        yield _await_boot(process, group, log)
    finally:
        (group / "cgroup.kill").write_text("1")
        end(process, 9)
        _remove(group)


def _cgroups() -> Path:
    """Where the host has mounted the unified hierarchy."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text("utf-8").splitlines()]
    found = [Path(fields[1]) for fields in mounts if fields[2] == "cgroup2"]
    assert found, "systemd cannot be booted here: no cgroup2 hierarchy is mounted"
    return found[0]


def _await_boot(process: subprocess.Popen[bytes], group: Path, log: Path) -> Machine:
    limit = time.monotonic() + _BOOT_S
    while True:
        assert process.poll() is None, f"systemd could not be booted here: {log.read_text()}"
        assert time.monotonic() < limit, f"systemd did not come up within {_BOOT_S} s: {log.read_text()}"
        pid = _first(group)
        if pid is not None:
            machine = Machine(pid)
            if machine.run("systemctl", "is-active", "lab.target").stdout.strip() == "active":
                return machine
        time.sleep(0.1)


def _first(group: Path) -> int | None:
    """Systemd's PID: it moves itself into a group of its own, init.scope, below ours."""
    with contextlib.suppress(FileNotFoundError):
        for line in (group / "init.scope" / "cgroup.procs").read_text("ascii").split():
            if Path(f"/proc/{line}/comm").read_text("utf-8").strip() == "systemd":
                return int(line)
    return None


def _remove(group: Path) -> None:
    """The groups that systemd made below ours, and ours; the kernel needs a moment after the last process."""
    limit = time.monotonic() + _BOOT_S
    for one in [*sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True), group]:
        while True:
            try:
                one.rmdir()
                break
            except OSError:
                assert time.monotonic() < limit, f"{one} is still in use"
                time.sleep(0.05)
