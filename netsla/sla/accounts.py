"""Accounts of time: how long each endpoint was up, down, unknown or excluded, in every window (SLA R5).

Rules: an interval's class is first what the uptime machine says now (provisional), and may change while its run is
open (SLA R4); every change is booked from one class to the other in every window that holds the cell, so that
windows are always right. Booked is scheduled time, in ns (duty.py). What every cell was is kept for as long as the
longest window, so that exclusions agreed afterwards can be booked (replay.py). Arrays are over endpoint
places; a contract's interval of several cells books each of its cells. Calendar windows begin with the period:
what lies before the first record is unknown; rolling ones begin with the first probe sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from netsla.model import SECOND, IntArray, Metric, RowArray, Span
from netsla.sla.burn import WEEK_SECONDS
from netsla.sla.classes import Assigned, Classes
from netsla.sla.duty import Duty
from netsla.sla.fleet import Fleet
from netsla.sla.grade import Graded
from netsla.sla.marks import CLASSES, DOWN, EXCLUDED, PENDING, UNDECIDED, UNKNOWN, UP, Mark, Marks, silent
from netsla.sla.objective import Availability
from netsla.sla.period import period_around
from netsla.sla.repairs import Repair, Repairs
from netsla.sla.replay import Replay
from netsla.sla.standing import EXCLUDED as EXCLUDED_STANDING
from netsla.sla.window import Window

Codes = npt.NDArray[np.int8]
NEVER = np.int64(2**62)  # `since` of a window that has not begun
_LONGEST = {"day": 1, "week": 7, "month": 31, "quarter": 92, "year": 366}  # days
LEAD_SECONDS = 7 * 86_400  # what lies before a window and may decide how it begins (as reports read it)
_GRID_SECONDS = 900  # every interval divides it
LAST_WEEK = "last week"  # a book of its own, kept while some reaction looks ahead (SLA R19); no window's name
_AT_ONCE = 20_000_000  # cells times places told again together: 40 MB


@dataclass(frozen=True, slots=True)
class Change:
    """Cell `k` became down time that counts (or stopped being so) for these endpoint places."""

    k: int
    places: IntArray
    down: bool


class Accounts:
    """Books cells into classes, per window."""

    def __init__(self) -> None:
        self.version = 0  # grows whenever a figure may have changed
        self.duty: Duty
        self.repairs = Repairs()
        self._classes = Classes()
        self._marks = Marks()
        self.next_k = 0  # the first cell not closed yet
        self._books: dict[str, IntArray] = {}  # (classes, places), in ns
        self._since: dict[str, IntArray] = {}  # first cell that counts, by place
        self._gone: dict[str, int] = {}  # cells before this one have left a rolling window
        self._period: dict[str, IntArray] = {}  # seconds, by place
        self._calendar: set[str] = set()
        self._seconds = 60
        self._born_k = np.zeros(0, np.int64)  # what earlier cells say is of another endpoint
        self._begun = np.zeros(0, bool)
        self._cells = np.zeros(0, np.int64)  # of an interval
        self._rows_at: list[tuple[int, ...]] = []
        self._keep = 0  # cells

    def load(self, fleet: Fleet, duty: Duty, k: int) -> None:
        """Take a new layout; the next cell to close is `k`, with which fresh places begin."""
        self.duty, self._seconds = duty, fleet.seconds
        more = fleet.places - len(self._born_k)
        self.version += 1
        if not self._books:
            self._marks, self.next_k = Marks(self.grid(k)), k
        self._marks.widen(more)
        self._books = {name: np.pad(book, ((0, 0), (0, more))) for name, book in self._books.items()}
        self._since = {name: np.pad(since, (0, more), constant_values=NEVER) for name, since in self._since.items()}
        self._period = {name: np.pad(period, (0, more)) for name, period in self._period.items()}
        self._born_k = np.pad(self._born_k, (0, more))
        self._begun = np.pad(self._begun, (0, more))
        looks_ahead = any(one.objective.reaction.looks_ahead for one in fleet.objectives)
        looked = LAST_WEEK in self._books
        spans = {**fleet.windows, **({LAST_WEEK: Span(LAST_WEEK, WEEK_SECONDS)} if looks_ahead else {})}
        for name in set(self._books) - set(spans):
            del self._books[name], self._since[name], self._period[name], self._gone[name]
        fresh = fleet.fresh_places
        self._load_places(fleet)
        self._born_k[fresh], self._begun[fresh] = k - k % self._cells[fresh], False
        for name, span in spans.items():
            if name not in self._books:
                self._books[name], self._gone[name] = np.zeros((CLASSES, fleet.places), np.int64), 0
                self._since[name] = np.where(self._begun & (not span.calendar), self.grid(k), NEVER)
                self._period[name] = np.full(fleet.places, span.seconds, np.int64)
            self._books[name][:, fresh] = 0
            self._since[name][fresh] = NEVER
        if looks_ahead and not looked:
            self._remember_week(k)
        self._calendar = {name for name, span in spans.items() if span.calendar}
        days = [_LONGEST[span.calendar] * 86_400 if span.calendar else span.seconds for span in spans.values()]
        self._keep = (max(days, default=0) + LEAD_SECONDS) // fleet.seconds

    def _load_places(self, fleet: Fleet) -> None:
        fresh = set(fleet.fresh_places.tolist())
        self._rows_at = [()] * fleet.places
        self._cells = np.ones(fleet.places, np.int64)
        self._rules = {one.place: one.endpoint.uptime for one in fleet.endpoints}
        for one in fleet.endpoints:
            self._rows_at[one.place] = tuple(probe.row for probe in one.probes)
            self._cells[one.place] = one.endpoint.uptime.interval_ns // (fleet.seconds * SECOND) or 1
        self._steps = sorted({int(self._cells[place]) for place in self._rules})
        begin = [place for place in self._rules if place in fresh]
        self._classes.load(fleet.places, begin, [self._rules[place] for place in begin])
        repairing = [one.endpoint.place for one in fleet.objectives if one.objective.metric is Metric.TIME_TO_REPAIR]
        self.repairs.load(fleet.places, repairing, fleet.fresh_places)
        for k in range(self._marks.open_k, self._marks.end_k):
            mark = self._marks.open(k)
            fresh_mark = Mark.blank(fleet.places)
            mark.codes[fleet.fresh_places] = fresh_mark.codes[fleet.fresh_places]
            mark.standing[fleet.fresh_places] = fresh_mark.standing[fleet.fresh_places]

    def grid(self, k: int) -> int:
        """The cell with which the intervals of all contracts begin that hold cell `k`."""
        return k - k % (_GRID_SECONDS // self._seconds)

    def rows_of(self, places: IntArray) -> RowArray:
        """The rows of all probes at these places."""
        return np.array([row for place in places for row in self._rows_at[place]], np.int32)

    def period_cells(self, name: str, rows: RowArray) -> IntArray:
        """Cells in the period of a calendar window, for each of these rows."""
        place_of = {row: place for place, some in enumerate(self._rows_at) for row in some}
        places = np.array([place_of.get(int(row), 0) for row in rows], np.int64)
        return self._period[name][places] // self._seconds

    def rewind(self, windows: Mapping[str, Window], fleet: Fleet, first_k: int) -> None:
        """Begin anew with cell `first_k`: what was recorded is about to be told again."""
        for name, window in windows.items():
            self._books[name][:], self._gone[name] = 0, 0 if window.span.calendar else window.first_k
            for one in fleet.endpoints:
                rows = [window.place[probe.row] for probe in one.probes]
                if rows and rows[0] >= 0:
                    self._since[name][one.place] = window.since_k[rows[0]] if name in self._calendar else NEVER
        if LAST_WEEK in self._books:
            self._books[LAST_WEEK][:], self._gone[LAST_WEEK], self._since[LAST_WEEK][:] = 0, 0, NEVER
        self._begun[:] = False
        self._born_k[:] = self.grid(first_k)
        self._marks, self.next_k = Marks(self.grid(first_k)), self.grid(first_k)
        self._classes = Classes()
        places = list(self._rules)
        self._classes.load(fleet.places, places, [self._rules[place] for place in places])
        self.repairs.forget()
        self.version += 1

    # --- booking ------------------------------------------------------------------------------------

    def close(self, k: int, graded: Graded) -> list[Change]:
        """Cell `k` closed; `due` endpoints have a whole interval. Returns what became of packets."""
        self._marks.reach(k, len(self._born_k))
        here = self.duty.at(k)
        used = graded.due & self.duty.used
        standing = np.where(here.excluded, EXCLUDED_STANDING, graded.endpoints).astype(np.int8)
        self._begin_rolling(k, graded)
        self._marks.open(k).standing[used] = graded.endpoints[used]
        changes = self._book(k, used, self._classes.push((k + 1) // self._cells - 1, standing, used))
        self.next_k = k + 1
        self._slide_week(k + 1)
        self.version += 1
        self._marks.press(min(self._floor(), self.grid(k + 1)))
        self._marks.forget(self.grid(k - self._keep))
        return changes

    def _begin_rolling(self, k: int, graded: Graded) -> None:
        """A rolling window begins with the interval in which something was sent first."""
        new = np.flatnonzero(graded.begun & ~self._begun & self.duty.used)
        if len(new):
            self._begun[new] = True
            for name in set(self._books) - self._calendar:
                self._since[name][new] = k - k % self._cells[new]

    def _floor(self) -> int:
        """The first cell that the machine may still turn."""
        used = self.duty.used
        final = self._classes.track.final_before_k[used] * self._cells[used]
        return int(final.min(initial=NEVER))

    def _book(self, k: int, due: npt.NDArray[np.bool_], step: Assigned) -> list[Change]:
        changes: list[Change] = []
        for cells in self._steps:
            if (k + 1) % cells:
                continue
            places = np.flatnonzero(due & (self._cells == cells))
            for back in range(cells - 1, -1, -1):
                changes += self._put(k - back, places, step.codes[places])
        for number in sorted(set(step.k.tolist())):
            some = step.k == number
            changes += self._put_interval(number, step.place[some], step.code[some])
        for place, first, end, code in step.decided:
            changes += self._decide(place, first, end, code)
        self.repairs.note(step.ended, self._cells * self._seconds * SECOND)
        return changes

    def _put_interval(self, number: int, places: IntArray, codes: Codes) -> list[Change]:
        changes: list[Change] = []
        for cells in self._steps:
            mine = self._cells[places] == cells
            for cell in range(number * cells, (number + 1) * cells):
                changes += self._put(cell, places[mine], codes[mine])
        return changes

    def _decide(self, place: int, first: int, end: int, code: int) -> list[Change]:
        changes: list[Change] = []
        one, class_ = np.array([place]), np.array([code], np.int8)
        for cell in range(first * int(self._cells[place]), end * int(self._cells[place])):
            if (mark := self._marks.at(cell)) is not None and mark.codes[place] == UNDECIDED:
                changes += self._put(cell, one, class_)
        return changes

    def _put(self, k: int, places: IntArray, codes: Codes) -> list[Change]:
        """Book cell `k` of these places under these classes, whatever it was booked under."""
        if (mark := self._marks.at(k)) is None:
            return []
        old = mark.codes[places]
        turn = old != codes
        if not turn.all():
            places, codes, old = places[turn], codes[turn], old[turn]
            if not len(places):
                return []
        share = self.duty.at(k).share_ns[places]
        for name, book in self._books.items():
            if k < self._gone[name]:
                continue
            mine = self._since[name][places] <= k
            whole = bool(mine.all())
            at, was, now, time = (places, old, codes, share) if whole else (
                places[mine], old[mine], codes[mine], share[mine])  # fmt: skip
            known = was != PENDING
            if known.any():
                book[was[known], at[known]] -= time[known]
            book[now, at] += time
        mark.codes[places] = codes
        self._marks.put(k, mark)
        self.repairs.count(places, np.where(codes == DOWN, share, 0) - np.where(old == DOWN, share, 0))
        return self._changes_between(k, places, old, codes, self.duty)

    def _remove(self, name: str, mark: Mark, k: int) -> IntArray:
        """Take a cell out of a window; returns the places for which it was down time."""
        if k < self._gone[name]:
            return np.empty(0, np.int64)
        since = self._since[name][: len(mark.codes)]
        places = np.flatnonzero((since <= k) & (mark.codes != PENDING))
        codes = mark.codes[places]
        self._books[name][codes, places] -= self.duty.at(k).share_ns[places]
        down: IntArray = places[codes == DOWN]
        return down

    def _remember_week(self, k: int) -> None:
        """Somebody begins to look ahead: book what is held of the week before cell `k`."""
        self._gone[LAST_WEEK] = first_k = max(self._marks.first_k, k - WEEK_SECONDS // self._seconds)
        book, since = self._books[LAST_WEEK], self._since[LAST_WEEK]
        since[:] = np.where(self._begun, np.maximum(self._born_k, first_k), NEVER)
        for number in range(first_k, min(k, self._marks.end_k)):
            if (mark := self._marks.at(number)) is not None:
                places = np.flatnonzero((since[: len(mark.codes)] <= number) & (mark.codes != PENDING))
                book[mark.codes[places], places] += self.duty.at(number).share_ns[places]

    def _slide_week(self, end_k: int) -> None:
        """The week that the forecast looks back at ends with cell `end_k`; what is not booked yet never enters it."""
        if LAST_WEEK not in self._books:
            return
        first_k = end_k - WEEK_SECONDS // self._seconds
        for k in range(max(self._gone[LAST_WEEK], self._marks.first_k), min(first_k, self.next_k)):
            if (mark := self._marks.at(k)) is not None:
                self._remove(LAST_WEEK, mark, k)
        self._gone[LAST_WEEK] = max(self._gone[LAST_WEEK], first_k)

    def expire(self, name: str, k: int) -> RowArray:
        """Cell `k` leaves a window; returns the rows for which it was down time that counts."""
        if (mark := self._marks.at(k)) is None:
            return np.empty(0, np.int32)
        self.version += 1
        for before in range(max(self._gone[name], self._marks.first_k, k + 1 - max(self._steps, default=1)), k):
            if (older := self._marks.at(before)) is not None:
                self._remove(name, older, before)  # the first interval began before the window did
        down = self._remove(name, mark, k)
        self._gone[name] = k + 1
        return self.rows_of(down[~self.duty.at(k).away[down]])

    # --- silence, second thoughts -------------------------------------------------------------------

    def pass_over(self, end_k: int) -> None:
        """Nothing is recorded of the cells up to `end_k` (on the grid of all): they are unknown, or excluded.

        To be called where a longer silence changes nothing any more: see `quiet`.
        """
        self._slide_week(end_k)
        for name in self._books:
            places = np.flatnonzero(self.duty.used)
            since = np.maximum(self._since[name][places], self._gone[name])
            self._lay(name, places, np.maximum(since, self.next_k), end_k)
        self._mark_silence(self.next_k, end_k)
        used = np.flatnonzero(self.duty.used)
        self._classes.skip(used, end_k // self._cells[used])
        self.next_k = end_k
        self.version += 1

    def keep_silence(self, name: str, begin_k: int, end_k: int) -> None:
        """A rolling window holds cells [begin, end) from now on, of none of which there is a record."""
        places = np.flatnonzero(self.duty.used)
        self._books[name][:], self._gone[name] = 0, begin_k
        self._lay(name, places, np.maximum(self._since[name][places], begin_k), end_k)
        self.version += 1

    def _mark_silence(self, k: int, end_k: int) -> None:
        """Lay cells [k, end_k) as silent; what is the same for a stretch of them is pressed once for all of it."""
        while k < end_k:
            excluded, first_k = self.duty.at(k).excluded, k
            while k < end_k and self.duty.at(k).excluded is excluded:
                k += 1
            self._marks.lay(silent(excluded), k - first_k)

    def quiet(self) -> bool:
        """Whether every machine has given up waiting for a known interval."""
        return self._classes.track.quiet(np.flatnonzero(self.duty.used))

    def _lay(self, name: str, places: IntArray, first: IntArray, end_k: int | IntArray) -> None:
        """Book cells [first, end) of these places, of which there is no record."""
        end = np.broadcast_to(np.asarray(end_k, np.int64), first.shape)
        for a, b in {(int(x), int(y)) for x, y in zip(first, end, strict=True) if x < y}:
            counts, out = self.duty.spent(a, b)
            mine = places[(first == a) & (end == b)]
            self._books[name][UNKNOWN, mine] += counts[mine]
            self._books[name][EXCLUDED, mine] += out[mine]

    def retract(self, k: int) -> list[Change]:
        """The clock went back to cell `k`: what was booked from there on is taken out again."""
        changes = []
        while self.next_k > k:
            self.next_k -= 1
            if self._marks.end_k > self.next_k >= self._marks.first_k:
                changes += self._take_back(self.next_k, self._marks.pop())
        self.version += 1
        return changes + self._tell_again(np.flatnonzero(self.duty.used), k, self.duty)

    def _take_back(self, k: int, mark: Mark) -> list[Change]:
        for name in self._books:
            self._remove(name, mark, k)
        down = np.flatnonzero((mark.codes == DOWN) & ~self.duty.at(k).away[: len(mark.codes)])
        return [Change(k, down, down=False)] if len(down) else []

    def amend(self, before: Duty, duty: Duty, places: IntArray, from_k: int) -> list[Change]:
        """Other time counts from cell `from_k` on at these places; before the oldest cell held: in all windows."""
        self.duty = duty
        self.version += 1
        return self._tell_again(places, from_k, before) if from_k < self.next_k else []

    def _tell_again(self, places: IntArray, from_k: int, before: Duty) -> list[Change]:
        alike = [places[self._cells[places] == cells] for cells in np.unique(self._cells[places])]
        return [change for some in alike for change in self._tell_alike_again(some, from_k, before)]

    def _tell_alike_again(self, places: IntArray, from_k: int, before: Duty) -> list[Change]:
        """Places whose intervals are of one length."""
        whole = from_k < self._marks.first_k
        starts = self._replay_of(places).quiet_before(from_k)
        if whole:
            starts[:] = self._marks.first_k
        changes: list[Change] = []
        for start_k in sorted(set(starts.tolist())):
            mine = places[starts == start_k]
            parts = -(-max(self.next_k - start_k, 1) * len(mine) // _AT_ONCE)
            for some in np.array_split(mine, min(parts, len(mine))):
                changes += self._replay(some, start_k, before, whole=whole)
        return changes

    def _replay_of(self, places: IntArray) -> Replay:
        rules = [self._rules[int(place)] for place in places]
        return Replay(self._marks, places, self._born_k[places], int(self._cells[places[0]]), rules)

    def _replay(self, places: IntArray, start_k: int, before: Duty, *, whole: bool) -> list[Change]:
        replay, born = self._replay_of(places), self._born_k[places]
        found = replay.run(start_k, self.next_k, self.duty, self.repairs.concern(places))
        for name, book in self._books.items():
            since = np.maximum(self._since[name][places], self._gone[name])
            if whole:
                book[:, places] = 0
                self._lay(name, places, since, np.minimum(np.maximum(self._marks.first_k, born), self.next_k))
            replay.rebook(book, since, found, self.duty, whole=whole)
        self._classes.adopt(places, found.classes)
        self.repairs.replace(places, start_k * self._seconds * SECOND, found.repairs)
        changes = [
            change
            for k, old, new in replay.turned(found)
            for change in self._changes_between(k, places, old, new, before)
        ]
        replay.write_back(found)
        return changes

    def _changes_between(self, k: int, places: IntArray, old: Codes, new: Codes, before: Duty) -> list[Change]:
        was = (old == DOWN) & ~before.at(k).away[places]
        now = (new == DOWN) & ~self.duty.at(k).away[places]
        became, left = places[now & ~was], places[was & ~now]
        found = [Change(k, became, down=True)] if len(became) else []
        return [*found, Change(k, left, down=False)] if len(left) else found

    # --- looking ------------------------------------------------------------------------------------

    def outages(self, place: int) -> list[Repair]:
        """What is known of a place that has a time-to-repair objective, in order."""
        return self.repairs.of(place, self._classes.track, int(self._cells[place]) * self._seconds * SECOND)

    def begin_k(self, name: str) -> IntArray:
        """The cell with which a window begins, by endpoint place."""
        return self._since[name]

    def view(self, name: str) -> Availability:
        """Nanoseconds up, down, unknown and excluded in a window, by place."""
        book = self._books[name]
        unknown = book[UNKNOWN] + book[UNDECIDED]
        return Availability(book[UP], book[DOWN], unknown, book[EXCLUDED], self._period[name] * SECOND)

    # --- calendar -----------------------------------------------------------------------------------

    def enter(self, window: Window, k: int, fleet: Fleet) -> tuple[RowArray, RowArray]:
        """Rows of a calendar window whose period is over (or not begun) enter the one that holds cell `k`.

        All cells before `k` are closed. Returns the rows that enter, and those of them that were in another before.
        """
        over = (window.rows >= 0) & ((window.until_k <= k) | (window.until_k == np.iinfo(np.int64).max))
        if not over.any():
            return window.rows[over], window.rows[over]
        again = window.rows[over & (window.until_k <= k)]
        entering = set(window.rows[over].tolist())
        by_zone: dict[str, list[tuple[int, list[int]]]] = {}
        for one in fleet.endpoints:
            rows = [probe.row for probe in one.probes if probe.row in entering]
            if rows:
                by_zone.setdefault(one.agreement.timezone, []).append((one.place, rows))
        for zone, members in by_zone.items():
            start_ns, end_ns = period_around(window.span.calendar, ZoneInfo(zone), k * self._seconds * SECOND)
            self._enter(window, members, start_ns, end_ns, k)
        self.version += 1
        return np.array(sorted(entering), np.int32), again

    def _enter(self, window: Window, members: list[tuple[int, list[int]]], start_ns: int, end_ns: int, k: int) -> None:
        cell_ns = self._seconds * SECOND
        places = np.array([place for place, _ in members])
        rows = np.array([row for _, some in members for row in some])
        begun = window.until_k[window.place[rows]] != np.iinfo(np.int64).max
        old = rows[begun]
        start_k = start_ns // cell_ns
        window.restart(window.place[old], start_k)
        window.until_k[window.place[rows]] = end_ns // cell_ns
        name = window.span.name
        since = self._since[name][places]
        ended = places[(since < start_k) | (since == NEVER)]
        self._books[name][:, ended] = 0
        self._since[name][ended] = start_k
        self._period[name][places] = (end_ns - start_ns) // SECOND
        self._lay(name, ended, np.full(len(ended), start_k), k - k % self._cells[ended])
