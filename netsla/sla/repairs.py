"""The outages behind time-to-repair objectives, as they end (SLA R12, R16). Kept only for places that need them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from netsla.model import IntArray
from netsla.sla.uptrack import NOT_DOWN, Ended, UptimeTrack


@dataclass(frozen=True, slots=True)
class Repair:
    """One outage: from its onset to the end of its last interval down; `within_ns` of it was scheduled down time."""

    start_ns: int
    end_ns: int
    within_ns: int
    open: bool = False


class Repairs:
    """Outages by endpoint place."""

    def __init__(self) -> None:
        self._within = np.zeros(0, np.int64)  # scheduled down time of the open outage
        self._ended: dict[int, list[Repair]] = {}  # a key for every place that has such an objective

    def load(self, places: int, repairing: Iterable[int], fresh: Iterable[int]) -> None:
        """Make room; `repairing` places have such objectives, `fresh` ones have no past."""
        self._within = np.pad(self._within, (0, places - len(self._within)))
        gone = set(fresh)
        self._within[list(gone)] = 0
        self._ended = {place: [] if place in gone else self._ended.get(place, []) for place in set(repairing)}

    def forget(self, before_ns: int | None = None) -> None:
        """Drop outages that ended before (all, unless said)."""
        for place, some in self._ended.items():
            self._ended[place] = [one for one in some if before_ns is not None and one.end_ns > before_ns]
        if before_ns is None:
            self._within[:] = 0

    def count(self, places: IntArray, more_ns: IntArray) -> None:
        """So much more is down of the open outages."""
        self._within[places] += more_ns

    def note(self, ended: Ended, step_ns: IntArray) -> None:
        """These outages are over; `step_ns` is the interval's length by place."""
        for place, first, last in zip(ended.place.tolist(), ended.first_k.tolist(), ended.last_k.tolist(), strict=True):
            if place in self._ended:
                step, within = int(step_ns[place]), int(self._within[place])
                self._ended[place].append(Repair(first * step, (last + 1) * step, within))
        self._within[ended.place] = 0

    def replace(self, places: IntArray, from_ns: int, other: Repairs) -> None:
        """What ended after this instant was as `other` has it, for these places in this order."""
        self._within[places] = other._within
        for number, place in enumerate(places.tolist()):
            if place in self._ended:
                kept = [one for one in self._ended[place] if one.end_ns <= from_ns]
                self._ended[place] = kept + other._ended.get(number, [])

    def concern(self, places: IntArray) -> list[int]:
        """Positions in `places` of those that have such objectives."""
        return [number for number, place in enumerate(places.tolist()) if place in self._ended]

    def of(self, place: int, track: UptimeTrack, step_ns: int) -> list[Repair]:
        """All outages of a place in order, an open one so far at the end."""
        found = list(self._ended.get(place, []))
        onset = int(track.onset_k[place])
        if onset != NOT_DOWN:
            end = (int(track.last_k[place]) + 1) * step_ns
            found.append(Repair(onset * step_ns, end, int(self._within[place]), open=True))
        return found
