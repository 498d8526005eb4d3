"""Closed intervals as a ledger or an evidence pack holds them, and their place on a contract's time grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from netsla.errors import NetslaError
from netsla.model import ByteArray, IntArray
from netsla.sla.interval import NO_REASON

ABSENT = -1  # in a latency column: not recorded


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """All recorded intervals of one probe, n of them, in order of start, each once.

    `start_s` UTC and `seconds` in whole seconds; counts are of packets; latency columns in microseconds, ABSENT where
    not recorded (min and max also without a reply). `reason` is a Reason where the interval cannot be vouched
    for, else NO_REASON. `within` has one column per threshold in us: received with RTT <= it.
    """

    endpoint: str
    probe: str
    start_s: IntArray
    seconds: IntArray
    sent: IntArray
    received: IntArray
    unmeasured: IntArray
    late: IntArray
    duplicate: IntArray
    rtt_sum_us: IntArray
    rtt_min_us: IntArray
    rtt_max_us: IntArray
    jitter_sum_us: IntArray
    jitter_pairs: IntArray
    reason: ByteArray
    within: dict[int, IntArray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.start_s)

    @staticmethod
    def of(endpoint: str, probe: str, columns: Mapping[str, IntArray], within: dict[int, IntArray]) -> Recorded:
        """From columns by name, `reason` among them."""
        c = columns
        return Recorded(
            endpoint, probe, c["start_s"], c["seconds"], c["sent"], c["received"], c["unmeasured"], c["late"],
            c["duplicate"], c["rtt_sum_us"], c["rtt_min_us"], c["rtt_max_us"], c["jitter_sum_us"], c["jitter_pairs"],
            c["reason"].astype(np.uint8), within,
        )  # fmt: skip


NUMBERS = (
    "start_s", "seconds", "sent", "received", "unmeasured", "late", "duplicate", "rtt_sum_us", "rtt_min_us",
    "rtt_max_us", "jitter_sum_us", "jitter_pairs",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Gridded:
    """A probe's counts on a grid: per interval packets, recorded seconds, and why it is suspect."""

    sent: IntArray
    received: IntArray
    seconds: IntArray
    reason: ByteArray


def place(part: Recorded, step_s: int, first_k: int) -> IntArray:
    """The grid interval of each record, counted from `first_k`; raises NetslaError if one does not fit in."""
    check_grid((part.endpoint, part.probe), part.start_s, part.seconds, step_s)
    return part.start_s // step_s - first_k


def check_grid(name: tuple[str, str], start_s: IntArray, seconds: IntArray, step_s: int) -> None:
    """Raises NetslaError if a record does not fit into an interval of `step_s` seconds."""
    if len(start_s) and int(seconds.max()) > step_s:
        raise NetslaError(
            f"{'/'.join(name)}: records of {int(seconds.max())} s cannot feed uptime intervals of {step_s} s",
            "set uptime.interval to that, or longer",
        )
    straddling = start_s % step_s + seconds > step_s
    if straddling.any():
        at = np.datetime64(int(start_s[np.argmax(straddling)]), "s")
        raise NetslaError(
            f"{'/'.join(name)}: the record of {at}Z lies in two intervals of {step_s} s",
            f"records begin at multiples of their length, UTC, and {step_s} s are made of whole ones",
        )


def gridded(part: Recorded, step_s: int, first_k: int, count: int) -> Gridded:
    """Counts by interval first_k … first_k + count - 1 of `step_s` seconds; records outside are left out."""
    at = place(part, step_s, first_k)
    sent, received, seconds = add_columns(at, (part.sent, part.received, part.seconds), count)
    reason = np.full(count, NO_REASON, np.uint8)
    why = (part.reason != NO_REASON) & (at >= 0) & (at < count)
    reason[at[why]] = part.reason[why]
    return Gridded(sent, received, seconds, reason)


def add_up(at: IntArray, values: IntArray, count: int) -> IntArray:
    """Sums of `values` by place; exact while every sum is below 2^53."""
    return add_columns(at, (values,), count)[0]


def add_columns(at: IntArray, columns: Sequence[IntArray], count: int) -> list[IntArray]:
    """The same for several columns; one record for every place is the usual case, and costs nothing."""
    if len(at) == count and count and at[0] == 0 and at[-1] == count - 1 and bool((at[1:] - at[:-1] == 1).all()):
        return list(columns)
    inside = (at >= 0) & (at < count)
    if not inside.all():
        at, columns = at[inside], [values[inside] for values in columns]
    if not len(at) or bool((at[1:] > at[:-1]).all()):
        sums = [np.zeros(count, np.int64) for _ in columns]
        for total, values in zip(sums, columns, strict=True):
            total[at] = values
        return sums
    return [np.bincount(at, values, count).astype(np.int64) for values in columns]
