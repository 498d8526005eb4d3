"""The wire: `python -m tests.netlab.wire NEAR FAR TRUTH.json` joins two namespaces and decides every fate.

Requests pass to the far side at once, where the kernel answers; the fate is applied to the answer. Every event is
written down; the round-trip times of the truth are the kernel's own, seen by a packet socket beside the agent.
On SIGTERM the truth is written and the wire ends.
"""

from __future__ import annotations

import ctypes
import fcntl
import heapq
import ipaddress
import json
import os
import select
import signal
import socket
import struct
import sys
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

from tests.netlab.fates import Fate, fate_of
from tests.netlab.packets import Echo, corrupted, from_elsewhere, parse, unreachable

_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 1, 0x1000
_CLONE_NEWNET = 0x40000000
_SO_TIMESTAMPNS = 35
_ETH_P_ALL = 3
_OUTGOING = 4  # sockaddr_ll.sll_pkttype
_SOON = 0.03  # seconds
DEVICE = "wire0"

EVENTS = ("sent", "lost", "answered", "late", "duplicate", "corrupt", "forged", "unreachable")


def enter(namespace: str) -> None:
    """Move this process into a named network namespace."""
    with Path(f"/var/run/netns/{namespace}").open() as handle:
        if ctypes.CDLL(None, use_errno=True).setns(handle.fileno(), _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")


def tun() -> int:
    """A TUN device in the present namespace; returns its descriptor."""
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH22x", DEVICE.encode(), _IFF_TUN | _IFF_NO_PI))
    return descriptor


def sniffer() -> socket.socket:
    """Everything that passes the near device, with kernel time stamps."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL))
    sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    sock.bind((DEVICE, _ETH_P_ALL))
    sock.setblocking(False)
    return sock


class Wire:
    """Two ends, a queue of deliveries, and the record."""

    def __init__(self, near: int, far: int, ear: socket.socket, limit: float) -> None:
        self.near, self.far, self.ear, self.limit = near, far, ear, limit
        self.calm = False  # every probe is answered soon
        self.began = time.monotonic()
        self.queue: list[tuple[float, int, bytes]] = []
        self.number = 0
        self.waiting: dict[bytes, tuple[Fate, float, Echo]] = {}
        self.ordinals: dict[bytes, int] = defaultdict(int)
        self.events: dict[bytes, dict[str, int]] = defaultdict(lambda: dict.fromkeys(EVENTS, 0))
        self.stamps: dict[bytes, int] = {}
        self.round_trips: dict[bytes, list[int]] = defaultdict(list)

    def later(self, at: float, packet: bytes) -> None:
        self.number += 1
        heapq.heappush(self.queue, (at, self.number, packet))

    def from_near(self, packet: bytes, now: float) -> None:
        echo = parse(packet)
        if echo is None or not echo.request:
            return
        address = echo.destination
        fate = fate_of(address, self.ordinals[address], now - self.began)
        if self.calm:
            fate = replace(fate, lost=False, corrupt=False, unreachable=False, delay=min(fate.delay, _SOON))
        self.ordinals[address] += 1
        events = self.events[address]
        events["sent"] += 1
        if fate.lost:
            events["lost"] += 1
        elif fate.unreachable:
            events["unreachable"] += 1
            self.later(now + fate.delay, unreachable(echo))
        else:
            self.waiting[address + echo.key] = (fate, now, echo)
            os.write(self.far, packet)

    def from_far(self, packet: bytes, now: float) -> None:
        echo = parse(packet)
        if echo is None or echo.request:
            return
        address = echo.source
        fate, asked, _ = self.waiting.pop(address + echo.key, (None, 0.0, None))
        if fate is None:
            return
        events = self.events[address]
        for number in range(fate.forged_sources):
            events["forged"] += 1
            self.later(asked, from_elsewhere(echo, number))
        for _ in range(fate.forged_nonces):
            events["forged"] += 1
            self.later(asked, corrupted(echo))
        if fate.corrupt:
            events["corrupt"] += 1
            self.later(asked + fate.delay, corrupted(echo))
            return
        events["answered" if fate.delay <= self.limit else "late"] += 1
        self.later(asked + fate.delay, packet)
        for delay in fate.copies:
            events["duplicate"] += 1
            self.later(asked + delay, packet)

    def overhear(self) -> None:
        while True:
            try:
                packet, control, _, name = self.ear.recvmsg(65535, 64)
            except BlockingIOError:
                return
            echo = parse(packet)
            if echo is None:
                continue
            seconds, nanoseconds = struct.unpack("qq", control[0][2])
            at = seconds * 1_000_000_000 + nanoseconds
            if echo.request and name[2] == _OUTGOING:
                self.stamps[echo.destination + echo.key] = at
            elif not echo.request:
                asked = self.stamps.pop(echo.source + echo.key, None)
                if asked is not None:
                    self.round_trips[echo.source].append(at - asked)

    def turn(self) -> None:
        wait = max(self.queue[0][0] - time.monotonic(), 0) if self.queue else 0.1
        ready, _, _ = select.select([self.near, self.far, self.ear.fileno()], [], [], min(wait, 0.1))
        for descriptor, take in ((self.near, self.from_near), (self.far, self.from_far)):
            while descriptor in ready:
                try:
                    take(os.read(descriptor, 65535), time.monotonic())
                except BlockingIOError:
                    break
        self.overhear()
        while self.queue and self.queue[0][0] <= time.monotonic():
            os.write(self.near, heapq.heappop(self.queue)[2])

    def truth(self) -> dict[str, object]:
        return {
            str(ipaddress.ip_address(address)): {
                **events,
                "rtt_ns": [rtt for rtt in self.round_trips[address] if rtt <= self.limit * 1e9],
            }
            for address, events in self.events.items()
        }


def main(near: str, far: str, truth: str, limit: float) -> None:
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    enter(near)
    near_end, ear = tun(), None
    ear = sniffer()
    enter(far)
    far_end = tun()
    ctypes.CDLL(None).setns(home, _CLONE_NEWNET)
    wire = Wire(near_end, far_end, ear, limit)
    ended = False

    def end(_number: int, _frame: object) -> None:
        nonlocal ended
        ended = True

    def calm(_number: int, _frame: object) -> None:
        wire.calm = True

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGUSR1, calm)
    print("ready", flush=True)
    sys.stdin.readline()  # the devices are up now
    ear.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)  # forget that they were down
    wire.began = time.monotonic()
    while not ended:
        wire.turn()
    Path(truth).write_text(json.dumps(wire.truth()))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4]))
