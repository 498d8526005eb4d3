"""The truth about round trips: what an AF_PACKET capture on the near end of the link saw.

Rules: `tcpdump` captures with the kernel's nanosecond stamps, in both directions, on the device the probes
leave by; here its file becomes columns. A reply belongs to the first request with the same address, id,
sequence and payload that came before it. A capture that lost packets is refused, not used.
"""

from __future__ import annotations

import contextlib
import re
import struct
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.lab import Side, end

Ints = npt.NDArray[np.int64]

_SNAP = 96  # bytes kept of a packet: Ethernet, IPv4, ICMP and 54 of its payload
_NANO_MAGIC = 0xA1B23C4D  # pcap with nanoseconds, draft-ietf-opsawg-pcap
_BUFFER_KIB = 65536
_ETHERNET, _IPV4, _ICMP = 14, 20, 8  # header lengths; probes carry no IP options
_TYPE, _ID, _BODY = _ETHERNET + _IPV4, _ETHERNET + _IPV4 + 4, _ETHERNET + _IPV4 + _ICMP
_REQUEST, _REPLY = 8, 0
_DROPPED = re.compile(r"(\d+) packets? dropped")


@dataclass(frozen=True, slots=True)
class Flights:
    """Every captured request, sorted by address, then time: `rtt_ns` is -1 where no reply was seen."""

    address: Ints  # IPv4 as a number
    sent_ns: Ints  # UTC
    rtt_ns: Ints

    def __len__(self) -> int:
        return len(self.address)

    def gaps_ns(self) -> Ints:
        """Times between consecutive requests to one address."""
        same = self.address[1:] == self.address[:-1]
        gaps: Ints = np.diff(self.sent_ns)[same]
        return gaps


@dataclass(frozen=True, slots=True)
class Reported:
    """Round trips as a prober reports them; `after_ns`: a moment before this request and after the one before it."""

    address: Ints
    after_ns: Ints
    rtt_ns: Ints


@contextlib.contextmanager
def capturing(side: Side, file: Path) -> Iterator[None]:
    """Capture the echoes on a side's device while the block lasts."""
    # fmt: off
    words = ["tcpdump", "-i", side.device, "-n", "-p", "-s", str(_SNAP), "-B", str(_BUFFER_KIB), "-Z", "root",
             "--time-stamp-precision=nano", "-w", str(file), "icmp[icmptype] == 8 or icmp[icmptype] == 0"]
    # fmt: on
    with subprocess.Popen(side.command(words), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        try:
            while b"listening on" not in (line := process.stderr.readline()):
                if not line:
                    raise RuntimeError("tcpdump ended before it listened")
            yield
            time.sleep(0.5)  # the last replies, and the ring's last block
        finally:
            end(process)
            said = process.stderr.read().decode()
    dropped = sum(int(count) for count in _DROPPED.findall(said))
    if dropped:
        raise RuntimeError(f"the capture lost {dropped} packets: it is not the truth")


def read(file: Path) -> Flights:
    """The flights in a capture file."""
    return flights(file.read_bytes())


def flights(pcap: bytes) -> Flights:
    """The flights in a capture: requests paired with their first reply."""
    stamps, packets = _packets(pcap)
    kind = packets[:, _TYPE]
    outgoing = kind == _REQUEST
    incoming = kind == _REPLY
    asked = _key(packets[outgoing], _ETHERNET + 16)  # destination
    answered = _key(packets[incoming], _ETHERNET + 12)  # source
    order, sent = np.argsort(asked, kind="stable"), stamps[outgoing]
    first_answer, first = np.unique(answered, return_index=True)
    rtt = np.full(len(sent), -1, np.int64)
    if len(first_answer):
        place = np.minimum(np.searchsorted(first_answer, asked), len(first_answer) - 1)
        found = first_answer[place] == asked
        repeated = np.zeros(len(sent), bool)  # the same bytes sent twice: only the first can be paired
        repeated[order[1:]] = asked[order][1:] == asked[order][:-1]
        paired = found & ~repeated
        rtt[paired] = (stamps[incoming][first[place]] - sent)[paired]
    address = packets[outgoing][:, _ETHERNET + 16 : _ETHERNET + 20].copy().view(">u4").ravel().astype(np.int64)
    by_time = np.lexsort((sent, address))
    return Flights(address[by_time], sent[by_time], rtt[by_time])


def join(reported: Reported, truth: Flights) -> tuple[Ints, Ints]:
    """(reported, true) round trips in ns of the probes found in both: the first request at or after `after_ns`."""
    if not len(truth) or not len(reported.address):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    start = truth.sent_ns.min()
    span = int(truth.sent_ns.max() - start) + 1
    place = truth.address * span + (truth.sent_ns - start)
    wanted = reported.address * span + np.clip(reported.after_ns - start, 0, span)
    index = np.minimum(np.searchsorted(place, wanted), len(truth) - 1)
    known = (truth.address[index] == reported.address) & (truth.rtt_ns[index] >= 0)
    return reported.rtt_ns[known], truth.rtt_ns[index][known]


def _packets(pcap: bytes) -> tuple[Ints, npt.NDArray[np.uint8]]:
    """Stamps in ns, and the packets' bytes, padded with zeros to `_SNAP`."""
    order = "<" if struct.unpack_from("<I", pcap)[0] == _NANO_MAGIC else ">"
    if struct.unpack_from(f"{order}I", pcap)[0] != _NANO_MAGIC:
        raise ValueError("not a pcap file with nanosecond stamps")
    header = struct.Struct(f"{order}IIII")
    stamps: list[int] = []
    chunks: list[bytes] = []
    offset = 24
    while offset + header.size <= len(pcap):
        seconds, nanoseconds, kept, _ = header.unpack_from(pcap, offset)
        offset += header.size
        stamps.append(seconds * 1_000_000_000 + nanoseconds)
        chunks.append(pcap[offset : offset + kept].ljust(_SNAP, b"\0")[:_SNAP])
        offset += kept
    return np.array(stamps, np.int64), np.frombuffer(b"".join(chunks), np.uint8).reshape(-1, _SNAP)


def _key(packets: npt.NDArray[np.uint8], address: int) -> npt.NDArray[Any]:
    """One opaque value per packet: address, id, sequence, payload."""
    columns = np.concatenate((packets[:, address : address + 4], packets[:, _ID:]), axis=1)
    return np.ascontiguousarray(columns).view(f"S{columns.shape[1]}").ravel()
