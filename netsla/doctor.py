"""What limits this host, and the fix: read from /proc and a few system calls, judged by pure functions."""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from netsla.errors import HostError
from netsla.model import Plan, ProbeType

_CAP_NET_RAW = 13
_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised
_ROOM = 1 << 30  # bytes that the state folder should have free
_BUFFER = 1 << 20  # bytes: about 1,400 replies
_SPARE_DESCRIPTORS = 256

_ICMP = ((socket.AF_INET, socket.IPPROTO_ICMP), (socket.AF_INET6, socket.IPPROTO_ICMPV6))
_REMEDY = "sysctl -w net.ipv4.ping_group_range='0 2147483647', or grant CAP_NET_RAW (deploy/systemd/raw.conf)"

Read = Callable[[str], str | None]
Open = Callable[[int, int, int], socket.socket]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that limits the agent here, and what to do about it."""

    fact: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.fact}: {self.remedy}"


def examine(plan: Plan) -> list[Finding]:
    """Everything that limits this plan on this host; empty when nothing does."""
    specs = [spec for agreement in plan.agreements for one in agreement.endpoints for spec in one.probes]
    rate = sum(1e9 / spec.interval_ns for spec in specs if spec.type is ProbeType.ICMP)
    tcp = sum(spec.timeout_ns / spec.interval_ns for spec in specs if spec.type is ProbeType.TCP)
    found = [
        *privileges(_read, [*os.getgroups(), os.getegid()]),
        *buffers(_read, rate),
        *stamps(_read),
        *counters(_read, tcp),
        *returns(_read),
        *families(_read),
        *descriptors(resource.getrlimit(resource.RLIMIT_NOFILE)[1], tcp),
        *clock(_adjtimex()),
    ]
    folder = Path(plan.agent.state_dir)
    while not folder.exists():
        folder = folder.parent
    found += room(str(folder), shutil.disk_usage(folder).free)
    return found


def privileges(read: Read, groups: list[int]) -> Iterator[Finding]:
    """Whether we may open ping sockets, or raw ones."""
    low, high = (read("/proc/sys/net/ipv4/ping_group_range") or "1 0").split()
    if any(int(low) <= group <= int(high) for group in groups):
        return
    if int(_status(read, "CapEff") or "0", 16) >> _CAP_NET_RAW & 1:
        return
    yield Finding(
        f"neither ping sockets (net.ipv4.ping_group_range is {low} {high}) nor raw sockets are allowed",
        _REMEDY,
    )


def require_sockets(plan: Plan, opened: Open = socket.socket) -> None:
    """Raise HostError where this plan could measure nothing: all its probes are ICMP, and no ICMP socket is allowed.

    Where anything can be measured the agent runs, and says what it cannot measure.
    """
    kinds = {spec.type for agreement in plan.agreements for one in agreement.endpoints for spec in one.probes}
    if kinds == {ProbeType.ICMP} and all(_denied(family, protocol, opened) for family, protocol in _ICMP):
        raise HostError("nothing can be measured: neither ping nor raw ICMP sockets are allowed", _REMEDY)


def make_folder(path: Path) -> None:
    """The folder, there and open to us; HostError where it cannot be.

    A disk that has failed (read-only) stops nobody from measuring; a folder of somebody else is a mistake.
    """
    try:
        path.mkdir(mode=0o750, parents=True, exist_ok=True)
    except OSError as error:
        raise HostError(f"cannot make the folder {path}: {error.strerror}", "create it, owned by this user") from error
    failed = os.statvfs(path).f_flag & os.ST_RDONLY
    if not failed and not os.access(path, os.W_OK | os.X_OK):
        raise HostError(f"the folder {path} is closed to this user", "chown it, or name another one")


def _denied(family: int, protocol: int, opened: Open) -> bool:
    """Whether the host lets us open neither kind; a family that it does not have is denied, too."""
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            opened(family, kind, protocol).close()
        except PermissionError:
            continue
        except OSError as error:
            return error.errno in (errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT)
        return False
    return True


def _status(read: Read, key: str) -> str | None:
    for line in (read("/proc/self/status") or "").splitlines():
        if line.startswith(f"{key}:"):
            return line.split()[1]
    return None


def buffers(read: Read, rate: float) -> Iterator[Finding]:
    """Whether a second of replies fits; a larger buffer than rmem_max needs CAP_NET_ADMIN."""
    want = max(_BUFFER, int(rate) * 768 * 2)  # 768 bytes of kernel memory a small packet; replies and stamps
    for name in ("rmem_max", "wmem_max"):
        limit = int(read(f"/proc/sys/net/core/{name}") or want)
        if limit < want:
            yield Finding(
                f"net.core.{name} is {limit}, a second of replies needs {want}", f"sysctl -w net.core.{name}={want}"
            )


def stamps(read: Read) -> Iterator[Finding]:
    """Whether sent packets come back with their time stamp."""
    if (read("/proc/sys/net/core/tstamp_allow_data") or "1").strip() == "0":
        yield Finding(
            "net.core.tstamp_allow_data is 0: send times are taken in user space, some 10 us early",
            "sysctl -w net.core.tstamp_allow_data=1",
        )


def counters(read: Read, handshakes: float) -> Iterator[Finding]:
    """Whether the kernel counts what leaves, without which a SYN that our own firewall drops looks lost."""
    if handshakes and "OutTransmits" not in (read("/proc/net/snmp") or ""):
        yield Finding(
            "this kernel (before Linux 6.7) does not count what leaves: a SYN that a firewall of this host drops "
            "may count as lost",
            "let the firewall of this host pass what the agent sends",
        )


def returns(read: Read) -> Iterator[Finding]:
    """Whether the host drops what comes in by another link than it would answer by: a reply so dropped looks lost.

    The kernel counts them all together, whoever sent them, so that no probe can be excused by it.
    """
    lines = [line.split() for line in (read("/proc/net/netstat") or "").splitlines() if line.startswith("TcpExt:")]
    dropped = int(dict(zip(*lines, strict=True)).get("IPReversePathFilter", "0")) if len(lines) == 2 else 0
    if dropped:
        yield Finding(
            f"the reverse path filter of this host has dropped {dropped} packets: replies among them count as lost",
            "sysctl -w net.ipv4.conf.all.rp_filter=2, if replies may come in by another link than probes leave by",
        )


def families(read: Read) -> Iterator[Finding]:
    """Whether IPv6 exists."""
    if (read("/proc/sys/net/ipv6/conf/all/disable_ipv6") or "1").strip() == "1":
        yield Finding(
            "IPv6 is disabled in the kernel", "sysctl -w net.ipv6.conf.all.disable_ipv6=0, if endpoints need it"
        )


def descriptors(limit: int, at_once: float) -> Iterator[Finding]:
    """Whether all TCP handshakes that may be under way at once have a descriptor."""
    want = int(at_once) + _SPARE_DESCRIPTORS
    if limit != resource.RLIM_INFINITY and limit < want:
        yield Finding(
            f"at most {limit} open files are allowed, this plan may need {want}", f"LimitNOFILE={want} in the unit"
        )


def clock(state: int | None) -> Iterator[Finding]:
    """Whether the wall clock is kept by NTP or the like."""
    if state == _TIME_ERROR:
        yield Finding("the wall clock is not synchronised", "run chrony, ntpd or systemd-timesyncd: intervals are UTC")


def room(folder: str, free: int) -> Iterator[Finding]:
    """Whether the state folder has room."""
    if free < _ROOM:
        yield Finding(f"only {free >> 20} MiB are free in {folder}", "make room, or move agent.state_dir")


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text()
    except OSError:
        return None


def _adjtimex() -> int | None:
    """State of the kernel clock, or None where it may not be asked."""
    space = ctypes.create_string_buffer(512)  # struct timex is 208 bytes; all zero only asks
    state = int(ctypes.CDLL(None).adjtimex(space))
    return state if state >= 0 else None
