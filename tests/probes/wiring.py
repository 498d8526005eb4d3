"""Network namespaces and a wire in the test's own hands, so that nothing waits for a second to pass.

Rules: traffic stays inside namespaces made here. The wire is a TUN device: what a prober sends is read from it
packet by packet, and the test decides what comes back. Time is moved by hand; kernel stamps stay real.
"""

from __future__ import annotations

import ctypes
import fcntl
import ipaddress
import os
import socket
import struct
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from netsla.model import MILLISECOND, SECOND, Outcome, ProbeSpec, ProbeType, Reason, Samples, Target
from netsla.probes.audit import Clock
from netsla.probes.icmp import IcmpProber

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000
_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
_SETRESUID = 117  # x86-64: of the calling thread only, unlike the libc function
NOBODY = 65534
STEP = 100 * MILLISECOND


class HandClock(Clock):
    """Stands still until it is moved; the wall may be set, the host may sleep. Kernel stamps stay real."""

    def __init__(self) -> None:
        self.ahead = 0
        self.stepped = 0
        self.slept = 0

    def mono(self) -> int:
        return 5_000 * SECOND + self.ahead

    def wall(self) -> int:
        return 1_790_000_000 * SECOND + self.ahead + self.stepped

    def asleep(self) -> int:
        return self.slept


class Namespace:
    """A network namespace of its own, deleted at the end."""

    def __init__(self, name: str) -> None:
        self.name = f"nsla{os.getpid()}{name}"
        _ip("netns", "add", self.name)
        self.ip("link", "set", "lo", "up")

    def ip(self, *words: str) -> None:
        _ip("-n", self.name, *words)

    def run(self, *command: str) -> None:
        subprocess.run(["ip", "netns", "exec", self.name, *command], check=True, timeout=20)

    def set(self, key: str, value: str) -> None:
        """Set a sysctl below net, by its path."""
        with self.entered():
            Path("/proc/sys/net", key).write_text(value)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """This thread is inside; sockets opened here stay here."""
        with open("/proc/thread-self/ns/net") as home, open(f"/run/netns/{self.name}") as there:  # noqa: PTH123 - fds
            _setns(there.fileno())
            try:
                yield
            finally:
                _setns(home.fileno())

    def delete(self) -> None:
        _ip("netns", "del", self.name)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, timeout=20)


def _setns(fd: int) -> None:
    if _libc.setns(fd, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


@contextmanager
def nobody() -> Iterator[None]:
    """This thread has no capability: its effective user is nobody."""
    _setuid(NOBODY)
    try:
        yield
    finally:
        _setuid(0)


def _setuid(user: int) -> None:
    if _libc.syscall(_SETRESUID, -1, user, -1):
        raise OSError(ctypes.get_errno(), "setresuid")


@dataclass(frozen=True)
class Echo:
    """An echo request as it left: `icmp` is the packet without, `whole` with its IP header."""

    family: int
    source: str
    target: str
    icmp: bytes
    whole: bytes

    @property
    def identifier(self) -> int:
        return int.from_bytes(self.icmp[4:6], "big")

    @property
    def sequence(self) -> int:
        return int.from_bytes(self.icmp[6:8], "big")


class Wire:
    """A TUN device; IPv4 10.77.0.1 and IPv6 fd77::1 are ours, everything in 10.0.0.0/8 and fd00::/8 lies behind it."""

    def __init__(self, namespace: Namespace) -> None:
        self.namespace = namespace
        with namespace.entered():
            self._fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            fcntl.ioctl(self._fd, _TUNSETIFF, struct.pack("16sH22x", b"wire", _IFF_TUN | _IFF_NO_PI))
        namespace.set("ipv6/conf/wire/accept_dad", "0")
        namespace.set("ipv6/conf/wire/router_solicitations", "0")
        namespace.ip("addr", "add", "10.77.0.1/32", "dev", "wire")
        namespace.ip("addr", "add", "fd77::1/128", "dev", "wire", "nodad")
        namespace.ip("link", "set", "wire", "up", "txqueuelen", "20000")
        namespace.ip("route", "add", "10.0.0.0/8", "dev", "wire")
        namespace.ip("route", "add", "fd00::/8", "dev", "wire")

    def echoes(self) -> list[Echo]:
        """Echo requests that have left since the last call."""
        found: list[Echo] = []
        while True:
            try:
                packet = os.read(self._fd, 70_000)
            except BlockingIOError:
                return found
            echo = _parse(packet)
            if echo is not None:
                found.append(echo)

    def answer(
        self, echo: Echo, *, source: str | None = None, icmp: bytes | None = None, kind: int | None = None
    ) -> None:
        """Send back an echo reply; each argument replaces what would be right. The checksum is always right."""
        kind = {4: 0, 6: 129}[echo.family] if kind is None else kind
        body = bytes([kind, 0, 0, 0]) + (echo.icmp if icmp is None else icmp)[4:]
        self.send(echo.family, source or echo.target, echo.source, body)

    def refuse(self, echo: Echo, kind: int, code: int, router: str, quote: bytes | None = None) -> None:
        """Send back an ICMP error that quotes the request."""
        quoted = echo.whole if quote is None else quote
        self.send(echo.family, router, echo.source, bytes([kind, code, 0, 0, 0, 0, 0, 0]) + quoted)

    def send(self, family: int, source: str, target: str, body: bytes, *, broken: bool = False) -> None:
        """Write an ICMP packet with its checksum (wrong by one if `broken`) and IP header."""
        src, dst = ipaddress.ip_address(source).packed, ipaddress.ip_address(target).packed
        if family == 4:
            head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0, 64, 1, 0) + src + dst
            head = head[:10] + struct.pack("!H", plain_checksum(head)) + head[12:]
            covered = body
        else:
            head = struct.pack("!IHBB", 6 << 28, len(body), 58, 64) + src + dst
            covered = src + dst + struct.pack("!II", len(body), 58) + body
        total = (plain_checksum(covered) + broken) & 0xFFFF
        os.write(self._fd, head + body[:2] + struct.pack("!H", total) + body[4:])

    def close(self) -> None:
        os.close(self._fd)


class Silence(ExitStack):
    """A port that swallows SYNs, and whoever stands between: what it forges looks to the kernel like the endpoint's."""

    def __init__(self) -> None:
        super().__init__()
        full = self.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        self.port: int = full.getsockname()[1]
        for _ in range(4):  # a full backlog lets further SYNs fall
            one = self.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", self.port))
        self._ear = self.enter_context(socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800)))
        self._ear.bind(("lo", 0x0800))
        self._ear.settimeout(5)

    def heard(self) -> bytes:
        """The next SYN to the port, with its IP header."""
        while True:
            packet = self._ear.recv(2048)
            if packet[9] == socket.IPPROTO_TCP and packet[22:24] == self.port.to_bytes(2, "big") and packet[33] == 2:
                return packet

    def reset(self, packet: bytes) -> None:
        """Answer a SYN as a closed port does."""
        acknowledged = int.from_bytes(packet[24:28], "big") + 1 & 0xFFFFFFFF
        ports = int.from_bytes(packet[22:24], "big"), int.from_bytes(packet[20:22], "big")
        head = struct.pack(">HHIIBBHHH", *ports, 0, acknowledged, 5 << 4, 0x14, 0, 0, 0)
        pseudo = packet[16:20] + packet[12:16] + struct.pack(">HH", socket.IPPROTO_TCP, len(head))
        self._send(socket.IPPROTO_TCP, head[:16] + struct.pack(">HH", plain_checksum(pseudo + head), 0))

    def unreachable(self, packet: bytes, code: int) -> None:
        """Say of a SYN what a router or a firewall says."""
        error = struct.pack(">BBHI", 3, code, 0, 0) + packet[:28]
        self._send(socket.IPPROTO_ICMP, error[:2] + struct.pack(">H", plain_checksum(error)) + error[4:])

    @staticmethod
    def _send(protocol: int, packet: bytes) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, protocol) as sender:
            sender.sendto(packet, ("127.0.0.1", 0))


def plain_checksum(data: bytes) -> int:
    """RFC 1071, word by word."""
    if len(data) % 2:
        data += b"\0"
    total = 0
    for (word,) in struct.iter_unpack("!H", data):
        total += word
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _parse(packet: bytes) -> Echo | None:
    if packet[0] >> 4 == 4:
        start = (packet[0] & 15) * 4
        if packet[9] != 1 or packet[start] != 8:
            return None
        source, target = packet[12:16], packet[16:20]
        family = 4
    else:
        start, family = 40, 6
        if packet[6] != 58 or packet[40] != 128:
            return None
        source, target = packet[8:24], packet[24:40]
    return Echo(family, str(ipaddress.ip_address(source)), str(ipaddress.ip_address(target)), packet[start:], packet)


SPEC = ProbeSpec("ping", ProbeType.ICMP)


def target(row: int, address: str | None, spec: ProbeSpec = SPEC, key: str | None = None) -> Target:
    return Target(row, key or f"a/e{row}/ping", address, spec)


def fleet(count: int, spec: ProbeSpec = SPEC) -> list[Target]:
    """Targets 10.1.x.y, one a row."""
    return [target(row, f"10.1.{row >> 8}.{row & 255}", spec) for row in range(count)]


class Drive:
    """A prober driven by hand: `run` moves time on and lets it tick."""

    def __init__(self, targets: Sequence[Target]) -> None:
        self.clock = HandClock()
        self.prober = IcmpProber(self.clock)
        self.prober.load(targets)
        self.prober.step()  # only sets the mark from which slots are due

    def run(
        self, seconds: float, wire: Wire | None = None, react: Callable[[Echo], None] | None = None, step: int = STEP
    ) -> Samples:
        """Tick through some seconds; each request is handed to `react` (default: answered at once)."""
        for _ in range(round(seconds * SECOND / step)):
            self.clock.ahead += step
            self.prober.step()
            if wire is not None:
                for echo in wire.echoes():
                    (react or wire.answer)(echo)
        return self.heard()

    def to_the_end(self, seconds: float, wire: Wire, react: Callable[[Echo], None]) -> Samples:
        """As `run`, and then until the time limit of everything that is out has passed."""
        samples = self.run(seconds, wire, react)
        self.clock.ahead += SPEC.timeout_ns + 4 * STEP
        self.prober._expire(self.clock.mono())
        return Samples.join([samples, self.drain()])

    def heard(self) -> Samples:
        """Let the prober read, a little later, without a tick."""
        self.clock.ahead += STEP
        for number, channel in self.prober._sockets:
            self.prober._listener.read(number, channel)
        self.clock.ahead -= STEP
        return self.drain()

    def drain(self) -> Samples:
        return Samples.join(self.prober.drain() or [Samples.empty()])


def count(samples: Samples) -> dict[str, int]:
    """How many of each outcome."""
    return dict(Counter(Outcome(int(one)).name for one in samples.outcome))


def reasons(samples: Samples) -> set[Reason]:
    """Why what is unmeasured is."""
    return {Reason(int(one)) for one in samples.detail[samples.outcome == Outcome.UNMEASURED]}
