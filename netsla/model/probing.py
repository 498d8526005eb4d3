"""What is asked of an endpoint, and what came of it: probes, targets, samples."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum

import numpy as np
import numpy.typing as npt

SECOND = 1_000_000_000  # ns
MILLISECOND = 1_000_000  # ns

IntArray = npt.NDArray[np.int64]
RowArray = npt.NDArray[np.int32]
ByteArray = npt.NDArray[np.uint8]


class ProbeType(StrEnum):
    """How an endpoint is asked."""

    ICMP = "icmp"
    TCP = "tcp"


class Outcome(IntEnum):
    """What one probe met. The first four end a probe; the rest are later notes about one.

    ANSWERED  a reply within the time limit (or, for TCP with `rst: up`, a refusal): received
    LOST      nothing within the time limit
    REFUSED   the network or the host said no (ICMP error, RST), and no reply came in time: sent, not received;
              `detail` says which
    UNMEASURED the probe did not leave, or its answer could not be heard: neither sent nor lost
    LATE      a reply to a probe already counted as lost (it stays lost)
    DUPLICATE a further copy of a reply
    STALE     the endpoint answers a fresh ICMP id while the old one is silent (never in a ratio)
    """

    ANSWERED = 0
    LOST = 1
    REFUSED = 2
    UNMEASURED = 3
    LATE = 4
    DUPLICATE = 5
    STALE = 6


class Reason(IntEnum):
    """Why a probe is unmeasured; the names are the `reason` label of the metrics."""

    NO_ROUTE = 0  # ENETUNREACH, EHOSTUNREACH, EINVAL (blackhole) from our own send
    PROHIBITED = 1  # EPERM, EACCES
    BUFFER_FULL = 2  # ENOBUFS, EAGAIN
    MESSAGE_TOO_LONG = 3  # EMSGSIZE
    SOURCE_GONE = 4  # EADDRNOTAVAIL
    NO_DESCRIPTORS = 5  # EMFILE, ENFILE, EADDRINUSE (no free port)
    INTERFACE_DOWN = 6  # ENETDOWN, ENODEV
    RECEIVE_DROP = 7  # our receive buffer overflowed while this probe was out
    NAME_UNRESOLVED = 8
    NO_SOCKET = 9  # the host allows no socket of this kind or family
    OVERRUN = 10  # the slot passed while the agent was busy or suspended
    CLOCK_STEP = 11
    LOCAL_FAULT = 12  # our own references failed
    AGENT_DOWN = 13
    OTHER = 14

    @property
    def label(self) -> str:
        """The reason as metrics and JSON spell it."""
        return self.name.lower()


class SampleFlag(IntEnum):
    """Bits of `Samples.flags`."""

    USER_STAMP = 1  # no kernel transmit stamp: the send time is that of user space
    CLOCK_STEP = 2  # the wall clock stepped in flight: the RTT is from the monotonic clock
    RETRANSMITTED = 4  # TCP: the SYN was sent more than once


@dataclass(frozen=True, slots=True)
class Samples:
    """A batch of outcomes, column by column; all arrays have the same length.

    `slot` numbers the probe's places in its timetable (consecutive slots differ by one), `sent_ns` is
    the UTC send time, `rtt_ns` is -1 where there is none. `detail` is a :class:`Reason` for UNMEASURED,
    `icmp_type << 8 | code` for an ICMP REFUSED (0xFFFF: a TCP reset), the SYN retransmissions for TCP.
    """

    row: RowArray
    slot: IntArray
    sent_ns: IntArray
    rtt_ns: IntArray
    outcome: ByteArray
    detail: npt.NDArray[np.uint16]
    flags: ByteArray

    def __len__(self) -> int:
        return len(self.row)

    def take(self, chosen: npt.NDArray[np.bool_] | IntArray) -> Samples:
        """The chosen ones, by mask or by index."""
        return Samples(*(getattr(self, column)[chosen] for column in _SAMPLE_COLUMNS))

    @staticmethod
    def join(batches: list[Samples]) -> Samples:
        """All batches as one, in order."""
        if len(batches) == 1:
            return batches[0]
        return Samples(*(np.concatenate([getattr(b, c) for b in batches]) for c in _SAMPLE_COLUMNS))

    @staticmethod
    def empty() -> Samples:
        """A batch of nothing."""
        whole = np.empty(0, np.int64)
        small = np.empty(0, np.uint8)
        return Samples(np.empty(0, np.int32), whole, whole, whole, small, np.empty(0, np.uint16), small)


_SAMPLE_COLUMNS = ("row", "slot", "sent_ns", "rtt_ns", "outcome", "detail", "flags")

TCP_RESET = 0xFFFF  # `Samples.detail` of a TCP refusal


@dataclass(frozen=True, slots=True)
class ProbeSpec:
    """A named way to probe. `size` is the ICMP payload in bytes (without the 8 bytes of ICMP header)."""

    name: str
    type: ProbeType
    interval_ns: int = SECOND
    timeout_ns: int = 3 * SECOND
    size: int = 56
    dscp: int = 0
    ttl: int = 64
    df: bool = False
    source: str | None = None
    port: int | None = None
    rst_is_up: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """What a prober needs of one row: where to, and how.

    `address` is numeric, or None while the name is unresolved; `key` is the identity from which the
    phase is hashed (`agreement/endpoint/probe`), stable over restarts and reloads.
    """

    row: int
    key: str
    address: str | None
    spec: ProbeSpec
