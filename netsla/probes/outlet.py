"""Outcomes on their way out: batches of Samples, made from places in the ring of flights."""

from __future__ import annotations

from collections import deque
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from netsla.model import IntArray, Outcome, RowArray, Samples
from netsla.probes.batch import every
from netsla.probes.flight import Flights, Records

_COLUMN = 1024  # as long as most batches


@lru_cache(64)
def _column(value: int, bits: int) -> npt.NDArray[Any]:
    column = np.full(_COLUMN, value, f"u{bits // 8}")
    column.flags.writeable = False
    return column


def _repeated(value: int, bits: int, count: int) -> npt.NDArray[Any]:
    """The same unsigned value `count` times, to be read only: batches share it."""
    return _column(value, bits)[:count] if count <= _COLUMN else np.full(count, value, f"u{bits // 8}")


class Outlet:
    """A deque of batches: one thread tells, another drains."""

    def __init__(self, flights: Flights) -> None:
        self._flights = flights
        self._batches: deque[Samples] = deque()

    def drain(self) -> list[Samples]:
        """Everything told since the last call, oldest first."""
        return [self._batches.popleft() for _ in range(len(self._batches))]

    def tell(
        self,
        place: IntArray,
        outcome: Outcome,
        rtt: IntArray | None = None,
        flags: npt.NDArray[np.uint8] | None = None,
        detail: npt.NDArray[np.uint16] | None = None,
    ) -> None:
        """The same outcome for all these flights."""
        if len(place):
            self.tell_records(self._flights.records(place), outcome, rtt, flags, detail)

    def tell_records(
        self,
        ours: Records,
        outcome: Outcome,
        rtt: IntArray | None = None,
        flags: npt.NDArray[np.uint8] | None = None,
        detail: npt.NDArray[np.uint16] | None = None,
    ) -> None:
        """The same outcome for all these flights, copied from the ring."""
        count, sent = len(ours), ours["tx_ns"]
        self._batches.append(
            Samples(
                ours["row"],
                ours["slot"],
                sent if every(sent) else np.where(sent == 0, ours["wall_ns"], sent),
                np.full(count, -1) if rtt is None else rtt,
                _repeated(outcome, 8, count),
                _repeated(0, 16, count) if detail is None else detail,
                _repeated(0, 8, count) if flags is None else flags,
            )
        )

    def tell_rows(self, row: RowArray, slot: IntArray, at_ns: IntArray, outcome: Outcome, detail: int = 0) -> None:
        """The same outcome for rows without a flight."""
        count = len(row)
        self._batches.append(
            Samples(
                row,
                slot,
                at_ns,
                np.full(count, -1),
                np.full(count, outcome, np.uint8),
                np.full(count, detail, np.uint16),
                np.zeros(count, np.uint8),
            )
        )
