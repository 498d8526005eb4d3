"""Accounts of time: how many cells each endpoint was up, down or unknown, in every window.

Rules: an interval's class is first what the track says now (provisional), and may change while the newest
n - 1 are open (SLA R4); every change is booked from one class to the other in every window that holds the
cell, so that windows are always right. Classes of old cells are kept pressed, for the day they expire.
Arrays are over endpoint places; a contract's interval of several cells books each of its cells.
"""

from __future__ import annotations

import zlib
from collections import deque
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from netsla.model import SECOND, IntArray, RowArray
from netsla.sla.fleet import Fleet
from netsla.sla.objective import Availability
from netsla.sla.period import period_around
from netsla.sla.track import DOWN, PENDING, UNKNOWN, UP, Track
from netsla.sla.window import Window

Codes = npt.NDArray[np.int8]
BoolArray = npt.NDArray[np.bool_]
_CLASSES = 4


@dataclass(frozen=True, slots=True)
class Change:
    """Cell `k` became down time (or stopped being so) for these endpoint places."""

    k: int
    places: IntArray
    down: bool


class Accounts:
    """Books cells into classes, per window."""

    def __init__(self) -> None:
        self._track = Track()
        self._recent: deque[Codes] = deque()  # of cells first_recent …, changeable
        self._first_recent = 0
        self._old: deque[bytes] = deque()  # of the cells before, pressed
        self._books: dict[str, IntArray] = {}  # (classes, places), in cells
        self._since: dict[str, IntArray] = {}  # first cell that counts, by place
        self._period: dict[str, IntArray] = {}  # seconds, by place
        self._seconds = 60
        self._places = 0
        self._rows_at: list[tuple[int, ...]] = []
        self._longest = 0

    def load(self, fleet: Fleet, k: int) -> None:
        """Take a new layout; fresh places begin at cell `k`."""
        more = fleet.places - self._places
        self._places, self._seconds = fleet.places, fleet.seconds
        if not self._recent:
            self._first_recent = k
        self._recent = deque(np.pad(codes, (0, more), constant_values=PENDING) for codes in self._recent)
        self._books = {name: np.pad(book, ((0, 0), (0, more))) for name, book in self._books.items()}
        self._since = {name: np.pad(since, (0, more), constant_values=k) for name, since in self._since.items()}
        self._period = {name: np.pad(period, (0, more)) for name, period in self._period.items()}
        for name in set(self._books) - set(fleet.windows):
            del self._books[name], self._since[name], self._period[name]
        for name, span in fleet.windows.items():
            if name not in self._books:
                self._books[name] = np.zeros((_CLASSES, fleet.places), np.int64)
                self._since[name] = np.full(fleet.places, k, np.int64)
            self._books[name][:, fleet.fresh_places] = 0
            self._since[name][fleet.fresh_places] = k
            if not span.calendar:
                self._period[name] = np.full(fleet.places, span.seconds, np.int64)
            elif name not in self._period:
                self._period[name] = np.zeros(fleet.places, np.int64)
        for codes in self._recent:
            codes[fleet.fresh_places] = PENDING
        self._track.load(fleet)
        self._longest = max((span.seconds for span in fleet.windows.values()), default=0) // fleet.seconds + 1
        self._rows_at = [()] * fleet.places
        for one in fleet.endpoints:
            self._rows_at[one.place] = tuple(probe.row for probe in one.probes)

    def rows_of(self, places: IntArray) -> RowArray:
        """The rows of all probes at these places."""
        return np.array([row for place in places for row in self._rows_at[place]], np.int32)

    def period_cells(self, name: str, rows: RowArray) -> IntArray:
        """Cells in the period of a calendar window, for each of these rows."""
        place_of = {row: place for place, some in enumerate(self._rows_at) for row in some}
        places = np.array([place_of.get(int(row), 0) for row in rows], np.int64)
        return self._period[name][places] // self._seconds

    def rewind(self, windows: dict[str, Window], fleet: Fleet, last_k: int) -> None:
        """Begin the books where the windows begin: what was recorded up to `last_k` is about to be told again."""
        first = last_k + 1
        for name, window in windows.items():
            self._books[name][:] = 0
            for one in fleet.endpoints:
                rows = [window.place[probe.row] for probe in one.probes]
                if rows and rows[0] >= 0:
                    self._since[name][one.place] = window.since_k[rows[0]]
            first = min(first, int(self._since[name].min(initial=first)))
        self._recent.clear()
        self._old.clear()
        self._first_recent = first

    # --- booking ------------------------------------------------------------------------------------

    def close(self, k: int, standing: Codes, due: BoolArray) -> list[Change]:
        """Cell `k` closed; `due` endpoints have a whole interval of `standing`. Returns what became of packets."""
        if k < self._first_recent + len(self._recent):
            self._retract(k)
        self._fill(k)
        changes = []
        for step in self._track.push(k, standing, due):
            if step.k >= self._first_recent:
                changes += self._book(step.k, step.places, step.code)
        while len(self._recent) > self._track.reach:
            self._press()
        return changes

    def _fill(self, k: int) -> None:
        """Open the books of cell `k` (and of cells nobody closed before it)."""
        while self._first_recent + len(self._recent) <= k:
            self._recent.append(np.full(self._places, PENDING, np.int8))

    def _retract(self, k: int) -> None:
        """The clock went back to cell `k`: what was booked from there on is taken out again."""
        while self._recent and self._first_recent + len(self._recent) > k:
            number = self._first_recent + len(self._recent) - 1
            codes = self._recent.pop()
            for name, book in self._books.items():
                places = np.flatnonzero((self._since[name] <= number) & (codes != PENDING))
                np.subtract.at(book, (codes[places], places), 1)
        if not self._recent:
            self._first_recent = k

    def _book(self, k: int, places: IntArray, code: int) -> list[Change]:
        codes = self._recent[k - self._first_recent]
        places = places[codes[places] != UNKNOWN]  # what was unknown stays so, also inside an outage
        old = codes[places]
        for name, book in self._books.items():
            mine = self._since[name][places] <= k
            here, was = places[mine], old[mine]
            known = was != PENDING
            book[was[known], here[known]] -= 1
            book[code, here] += 1
        codes[places] = code
        if code == DOWN:
            return [Change(k, places[old != DOWN], down=True)]
        left = places[old == DOWN]
        return [Change(k, left, down=False)] if len(left) else []

    def _press(self) -> None:
        self._old.append(zlib.compress(self._recent.popleft().tobytes(), 1))
        self._first_recent += 1
        while len(self._old) > self._longest:
            self._old.popleft()

    def _codes_at(self, k: int) -> Codes | None:
        if k >= self._first_recent:
            number = k - self._first_recent
            return self._recent[number] if number < len(self._recent) else None
        number = len(self._old) - (self._first_recent - k)
        return np.frombuffer(zlib.decompress(self._old[number]), np.int8) if number >= 0 else None

    def expire(self, name: str, k: int) -> RowArray:
        """Cell `k` leaves a window; returns the rows for which it was down time."""
        codes = self._codes_at(k)
        if codes is None:
            return np.empty(0, np.int32)
        places = np.flatnonzero((self._since[name][: len(codes)] <= k) & (codes != PENDING))
        self._books[name][codes[places], places] -= 1
        return self.rows_of(places[codes[places] == DOWN])

    # --- looking ------------------------------------------------------------------------------------

    def view(self, name: str) -> Availability:
        """Seconds up, down and unknown in a window, by place."""
        book = self._books[name] * self._seconds
        return Availability(book[UP], book[DOWN], book[UNKNOWN], self._period[name])

    # --- calendar -----------------------------------------------------------------------------------

    def enter(self, window: Window, k: int, fleet: Fleet) -> None:
        """Rows of a calendar window whose period is over (or not begun) enter the one that holds cell `k`."""
        over = (window.rows >= 0) & ((window.until_k <= k) | (window.until_k == np.iinfo(np.int64).max))
        if not over.any():
            return
        entering = set(window.rows[over].tolist())
        by_zone: dict[str, list[tuple[int, list[int]]]] = {}
        for one in fleet.endpoints:
            rows = [probe.row for probe in one.probes if probe.row in entering]
            if rows:
                by_zone.setdefault(one.agreement.timezone, []).append((one.place, rows))
        for zone, members in by_zone.items():
            start_ns, end_ns = period_around(window.span.calendar, ZoneInfo(zone), self._at(k))
            self._enter(window, members, start_ns, end_ns)

    def _enter(self, window: Window, members: list[tuple[int, list[int]]], start_ns: int, end_ns: int) -> None:
        cell_ns = self._seconds * SECOND
        places = np.array([place for place, _ in members])
        rows = np.array([row for _, some in members for row in some])
        begun = window.until_k[window.place[rows]] != np.iinfo(np.int64).max
        old = rows[begun]
        window.restart(window.place[old], start_ns // cell_ns)
        window.until_k[window.place[rows]] = end_ns // cell_ns
        name = window.span.name
        ended = self._since[name][places] * cell_ns < start_ns
        self._books[name][:, places[ended]] = 0
        self._since[name][places[ended]] = start_ns // cell_ns
        self._period[name][places] = (end_ns - start_ns) // SECOND

    def _at(self, k: int) -> int:
        return k * self._seconds * SECOND
