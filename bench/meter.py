"""What a process costs: CPU time, memory, packets; read from the kernel, not from the process.

Rules: CPU is the process's own clock (`CLOCK_PROCESS_CPUTIME_ID` of that pid): user and system time of
all its threads, in nanoseconds, ended threads included. On veth the far side's echo runs inside the
sender's system call, so it is charged to the sender, for everybody alike. Packets are counted by the
device they leave by, so that every prober is counted by the same witness.
"""

from __future__ import annotations

import contextlib
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


def every_cpu_ns() -> dict[int, int]:
    """CPU time so far of every process there is, kernel threads too."""
    clocks = {}
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            clocks[int(path.name)] = cpu_ns(int(path.name))
    return clocks


def softirq_threads() -> set[int]:
    """The kernel's softirq threads: what they do is charged to nobody's process."""
    return {int(path.parent.name) for path in Path("/proc").glob("[0-9]*/comm") if _read(path).startswith("ksoftirqd/")}


def stolen_seconds() -> float:
    """Time so far that a hypervisor gave to others while we wanted to run."""
    return int(Path("/proc/stat").read_text().split(maxsplit=9)[8]) / _TICK


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
    softirq_seconds: float  # of the kernel's threads for it, whoever it was for
    others_seconds: float  # of all other processes, those threads included: noise
    stolen_seconds: float
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
        self._pid, self._device = pid, side.device
        self._softirq = softirq_threads()
        self._everybody = every_cpu_ns()
        self._start = self._now()

    def close(self) -> Cost:
        """The cost since the start."""
        end = self._now()
        used = {pid: ns - self._everybody.get(pid, 0) for pid, ns in every_cpu_ns().items() if pid != self._pid}
        seconds, cpu, user, system, stolen, packets = (now - then for now, then in zip(end, self._start, strict=True))
        return Cost(
            seconds=seconds / 1e9,
            cpu_seconds=cpu / 1e9,
            user_seconds=user,
            system_seconds=system,
            softirq_seconds=sum(used.get(pid, 0) for pid in self._softirq) / 1e9,
            others_seconds=sum(ns for ns in used.values() if ns > 0) / 1e9,
            stolen_seconds=stolen,
            packets=int(packets),
            rss_bytes=memory(self._pid)[0],
            peak_bytes=memory(self._pid)[1],
        )

    def _now(self) -> tuple[float, ...]:
        packets = packets_sent(self._pid, self._device)
        return time.monotonic_ns(), cpu_ns(self._pid), *user_and_system(self._pid), stolen_seconds(), packets


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # its process ended meanwhile
        return ""


def _bytes(kilobytes: str) -> int:
    return int(kilobytes.split(maxsplit=1)[0]) * 1024
