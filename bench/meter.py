"""What a process costs: CPU time, memory, packets; read from the kernel, not from the process.

Rules: CPU is the process's own clock (`CLOCK_PROCESS_CPUTIME_ID` of that pid): user and system time of
all its threads, in nanoseconds, ended threads included. On veth the far side's echo runs inside the
sender's system call, so it is charged to the sender, for everybody alike. Packets are counted by the
device they leave by, so that every prober is counted by the same witness.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from bench.lab import Side

_SCHED_CLOCK = 2  # CPUCLOCK_SCHED, linux/posix-timers_types.h
_TICK = os.sysconf("SC_CLK_TCK")


def cpu_ns(pid: int) -> int:
    """CPU time of a process so far, all threads, user and system."""
    return time.clock_gettime_ns((~pid << 3) | _SCHED_CLOCK)


def user_and_system(pid: int) -> tuple[float, float]:
    """Seconds of user and of system time so far (to a clock tick)."""
    fields = Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) / _TICK, int(fields[12]) / _TICK


def softirq_thread_ns() -> int:
    """CPU time of the kernel's softirq threads: work that the kernel charged to nobody's process."""
    return sum(_run_ns(path) for path in Path("/proc").glob("[0-9]*") if _named(path).startswith("ksoftirqd/"))


def memory(pid: int) -> tuple[int, int]:
    """Resident memory now and at its highest, in bytes (VmRSS, VmHWM)."""
    lines = Path("/proc", str(pid), "status").read_text().splitlines()
    values = {name: rest for name, _, rest in (line.partition(":") for line in lines)}
    return _bytes(values["VmRSS"]), _bytes(values["VmHWM"])


def packets_sent(pid: int, device: str) -> int:
    """Packets that left by `device` in the namespace of `pid`."""
    return sent_by(Path("/proc", str(pid), "net", "dev").read_text(), device)


def sent_by(table: str, device: str) -> int:
    """The transmitted packets of a device in the text of /proc/net/dev."""
    for line in table.splitlines():
        name, colon, counts = line.partition(":")
        if colon and name.strip() == device:
            return int(counts.split()[9])
    raise ValueError(f"no device {device} in this namespace")


@dataclass(frozen=True, slots=True)
class Cost:
    """One steady window of one process."""

    seconds: float
    cpu_seconds: float
    user_seconds: float
    system_seconds: float
    softirq_seconds: float  # of kernel threads, everybody's
    packets: int
    rss_bytes: int
    peak_bytes: int

    @property
    def core_ratio(self) -> float:
        """CPU time per time: 1 is a whole core."""
        return self.cpu_seconds / self.seconds


class Window:
    """A window under way: made at its start, `close` gives the cost."""

    def __init__(self, pid: int, side: Side) -> None:
        self._pid = pid
        self._device = side.device
        self._start = self._read()

    def close(self) -> Cost:
        """The cost since the start."""
        seconds, cpu, user, system, softirq, packets = (
            now - then for now, then in zip(self._read(), self._start, strict=True)
        )
        return Cost(seconds / 1e9, cpu / 1e9, user, system, softirq / 1e9, int(packets), *memory(self._pid))

    def _read(self) -> tuple[float, ...]:
        packets = packets_sent(self._pid, self._device)
        softirq = softirq_thread_ns()
        return (
            time.monotonic_ns(),
            cpu_ns(self._pid),
            *user_and_system(self._pid),
            softirq,
            packets,
        )


def _run_ns(process: Path) -> int:
    try:
        return int((process / "schedstat").read_text().split()[0])
    except OSError:  # it ended meanwhile
        return 0


def _named(process: Path) -> str:
    try:
        return (process / "comm").read_text()
    except OSError:  # it ended meanwhile
        return ""


def _bytes(kilobytes: str) -> int:
    return int(kilobytes.split(maxsplit=1)[0]) * 1024
