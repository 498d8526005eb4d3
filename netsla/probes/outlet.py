"""Outcomes on their way out: batches of Samples, made from places in the ring of flights."""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt

from netsla.model import IntArray, Outcome, RowArray, Samples
from netsla.probes.flight import Flights, Records


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
                sent if sent.all() else np.where(sent == 0, ours["wall_ns"], sent),
                np.full(count, -1) if rtt is None else rtt,
                np.full(count, outcome, np.uint8),
                np.zeros(count, np.uint16) if detail is None else detail,
                np.zeros(count, np.uint8) if flags is None else flags,
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
