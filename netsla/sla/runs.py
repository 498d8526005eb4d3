"""Since when each probe has been failing, or answering again: what gives an alert its onset and its end.

Rules: columnar over rows; times are send times, UTC ns, so that what is decided late still tells when it happened.
Plane 0 knows losses; plane t + 1 takes every RTT above threshold t for a failure too. Samples may come out of order:
a loss is known only when its time limit is over.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from netsla.model import IntArray, Outcome, RowArray, Samples

_NEVER = np.iinfo(np.int64).max
BoolArray = npt.NDArray[np.bool_]


class Runs:
    """Unbroken runs of failures and of answers; every array is (planes, rows), 0 where there was none."""

    def __init__(self) -> None:
        self._last_good = np.zeros((1, 0), np.int64)
        self._last_bad = np.zeros((1, 0), np.int64)
        self._first_good = np.zeros((1, 0), np.int64)  # after the last bad one
        self._first_bad = np.zeros((1, 0), np.int64)  # after the last good one

    def cover(self, thresholds: int, rows: int, fresh: RowArray) -> None:
        """Make room; begin the fresh rows."""
        planes, old = self._last_good.shape
        more = ((0, max(thresholds + 1 - planes, 0)), (0, rows - old))
        for name in ("_last_good", "_last_bad", "_first_good", "_first_bad"):
            array = np.pad(getattr(self, name), more)
            array[:, fresh] = 0
            setattr(self, name, array)

    def add(self, samples: Samples, thresholds_us: IntArray) -> None:
        """Take in what was decided; `thresholds_us` (thresholds, rows)."""
        decided = samples.outcome <= Outcome.REFUSED
        row, at = samples.row, samples.sent_ns
        answered = samples.outcome == Outcome.ANSWERED
        self._note(0, row, at, decided & answered, decided & ~answered)
        rtt_us = -(-samples.rtt_ns // 1000)  # rounded up, as everywhere
        for plane, limits in enumerate(thresholds_us, 1):
            limit = limits[row]
            mine = decided & (limit >= 0)
            in_time = answered & (rtt_us <= limit)
            self._note(plane, row, at, mine & in_time, mine & ~in_time)

    def _note(self, plane: int, row: RowArray, at: IntArray, good: BoolArray, bad: BoolArray) -> None:
        good_row, good_at = (row, at) if good.all() else (row[good], at[good])
        last_good, last_bad = self._last_good[plane], self._last_bad[plane]
        np.maximum.at(last_good, good_row, good_at)
        if bad.any():
            bad_row, bad_at = row[bad], at[bad]
            np.maximum.at(last_bad, bad_row, bad_at)
            _begin(self._first_bad[plane], last_good, bad_row, bad_at)
        first_good = self._first_good[plane]
        fresh = first_good[good_row] <= last_bad[good_row]  # few, as a rule
        if fresh.any():
            _begin(first_good, last_bad, good_row[fresh], good_at[fresh])

    def failing_since(self, plane: IntArray, row: IntArray) -> IntArray:
        """Send time of the first failure of the run that lasts; 0 where the newest sample was good. Any shape."""
        first = self._first_bad[plane, row]
        return np.where(first > self._last_good[plane, row], first, 0)

    def well_since(self, plane: IntArray, row: IntArray) -> IntArray:
        """Send time of the first good sample after the last failure; 0 while failing."""
        first = self._first_good[plane, row]
        return np.where((first > self._last_bad[plane, row]) & (self.failing_since(plane, row) == 0), first, 0)

    def last_bad(self, plane: IntArray, row: IntArray) -> IntArray:
        """Send time of the newest failure; 0: never."""
        found: IntArray = self._last_bad[plane, row]
        return found

    def last_known(self, row: IntArray) -> IntArray:
        """Send time of the newest sample that was decided; 0: none yet."""
        found: IntArray = np.maximum(self._last_good[0, row], self._last_bad[0, row])
        return found


def _begin(first: IntArray, last_other: IntArray, row: RowArray, at: IntArray) -> None:
    """The earliest of `at` after the last of the other kind begins a run, unless one of the same run is earlier."""
    later = at > last_other[row]
    row, at = row[later], at[later]
    old = first[row] <= last_other[row]
    first[row[old]] = _NEVER
    np.minimum.at(first, row, at)
