"""The live engine: samples in, standing out.

Rules: owns all counters; knows no clock, no sockets, no files. Every method takes `now_ns` (UTC) where
time matters, so that a year can be driven through it in minutes. Not thread-safe: one thread calls it.
What happens on a second: `count` the samples decided since, `step` to close the cells that are due and
to judge; `snapshot` whenever somebody looks.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from netsla.model import SECOND, ByteArray, IntArray, Reason, RowArray, Samples
from netsla.sla.accounts import Accounts
from netsla.sla.alerts import Alerts, Change
from netsla.sla.blanks import Blanks
from netsla.sla.duty import Duty
from netsla.sla.early import Lookout
from netsla.sla.exclusion import Exclusion
from netsla.sla.fleet import Fleet
from netsla.sla.grade import Graded, Grader
from netsla.sla.interval import NO_REASON, Cell, OpenCell, close
from netsla.sla.objective import OF_TIME, Bench, Verdicts, arrange, judge
from netsla.sla.runs import Runs
from netsla.sla.standing import BoolArray
from netsla.sla.tally import Column, Pairs, count
from netsla.sla.timely import judge_time
from netsla.sla.totals import Totals
from netsla.sla.windows import NOTHING, ReadCell, ReadRows, Windows, mask_of

_GRACE_NS = SECOND  # a cell closes at its end + the longest time limit + this (SLA R1)
_GAP = 1500  # cells; a longer silence is passed over at once, without a record of each cell
_TOO_LONG = 400 * 86_400  # seconds; after that it was rather the clock that was wrong: begin anew


class Engine:
    """Tallies, windows and verdicts of the whole fleet."""

    def __init__(
        self, read_cell: ReadCell | None = None, read_rows: ReadRows | None = None, *, scoped: bool = True
    ) -> None:
        """`scoped`: see :class:`Windows`."""
        self.fleet: Fleet | None = None
        self.totals = Totals()
        self._read_cell, self._read_rows, self._scoped = read_cell or (lambda _k: None), read_rows, scoped
        self.accounts, self.blanks = Accounts(), Blanks()
        self.windows = self._no_windows()
        self.verdicts = Verdicts.blank(0)
        self.runs, self.alerts, self.early = Runs(), Alerts(), Lookout()
        self.breaches = np.zeros(0, np.int64)  # opened, by objective number
        self._changes: list[Change] = []
        self._objective_places = np.zeros(0, np.int64)  # by objective, in the fleet's order
        self.benches: tuple[Bench, ...] = ()
        self.grader = Grader()
        self.isolated = False
        self.duty: Duty
        self._given: dict[str, tuple[Exclusion, ...]] = {}
        self._judged = -1  # the version of the accounts that time was judged by
        self._pairs = Pairs(0, 8)
        self._thresholds_us = np.empty((0, 0), np.int64)
        self._suspect: set[int] = set()
        self._away_until_k = 0  # cells before this one passed while no agent ran
        self._next_k = 0  # the oldest cell still open
        self._silent_k = -1  # the newest cell in which our references were silent
        self._slots = np.zeros(0, np.int64)  # of a probe in a cell
        self._born_k = np.zeros(0, np.int64)  # the cell in which a row began

    # --- layout -------------------------------------------------------------------------------------

    def load(self, fleet: Fleet, now_ns: int) -> None:
        """Take a new layout; what is unchanged goes on."""
        begun = self.fleet is not None and self.fleet.seconds == fleet.seconds
        k = now_ns // (fleet.seconds * SECOND)
        if not begun:
            self._begin(k)
        self.fleet = fleet
        columns = self._widen(fleet)
        changed = np.union1d(fleet.fresh_rows, fleet.gone_rows).astype(np.int32)
        self.totals.cover(fleet.rows, fleet.fresh_rows)
        self._cover_pairs(fleet, changed)
        self._cover_slots(fleet, k)
        for cell in self.windows.open.values():
            cell.grow(columns, fleet.rows)
            cell.forget(mask_of(changed, fleet.rows))
        self.grader.load(fleet)
        before, self.duty = self.duty if begun else None, Duty(fleet, self._given)
        self.accounts.load(fleet, self.duty, self._next_k)
        self.blanks.load(fleet, self._next_k)
        self.windows.load(fleet, self.duty, columns, k, self._next_k)
        self._cover_verdicts(fleet)
        self.runs.cover(len(self._thresholds_us), fleet.rows, fleet.fresh_rows)
        self.alerts.load(fleet, now_ns)
        self.early.load(fleet)
        self._objective_places = np.array([one.endpoint.place for one in fleet.objectives], np.int64)
        self.benches = arrange(fleet, self.windows)
        self.windows.enter_periods(self._next_k, fleet)
        if before is not None:
            fresh = set(fleet.fresh_places.tolist())
            stayed = (one.place for one in fleet.endpoints if one.place not in fresh)
            other = [place for place in stayed if self.duty.differs(before, place)]
            self._amend(before, np.array(other, np.int64), 0)

    def _widen(self, fleet: Fleet) -> int:
        """Columns never get fewer while the agent runs, so that older cells always fit."""
        missing = len(self._thresholds_us) - len(fleet.thresholds_us)
        self._thresholds_us = np.pad(fleet.thresholds_us, ((0, max(missing, 0)), (0, 0)), constant_values=-1)
        return Column.LE + len(self._thresholds_us)

    def _begin(self, k: int) -> None:
        self._next_k, self._silent_k = k, -1
        self.blanks.forget()
        self.accounts = Accounts()
        self.windows = self._no_windows()

    def _no_windows(self) -> Windows:
        return Windows(self.accounts, self.blanks, self._read_cell, self._read_rows, scoped=self._scoped)

    def _cover_pairs(self, fleet: Fleet, changed: RowArray) -> None:
        if fleet.slots_in_flight > self._pairs.depth:
            self._pairs = Pairs(fleet.rows, fleet.slots_in_flight)
        self._pairs.grow(fleet.rows)
        self._pairs.forget(changed)

    def _cover_slots(self, fleet: Fleet, k: int) -> None:
        self._born_k = np.pad(self._born_k, (0, fleet.rows - len(self._born_k)), constant_values=k)
        self._born_k[fleet.fresh_rows] = k
        self._slots = np.zeros(fleet.rows, np.int64)
        for probe in fleet.watched:
            self._slots[probe.row] = fleet.seconds * SECOND // probe.spec.interval_ns

    def _cover_verdicts(self, fleet: Fleet) -> None:
        more = fleet.numbers - len(self.breaches)
        self.breaches = np.pad(self.breaches, (0, more))
        self.breaches[list(fleet.gone_numbers)] = 0
        self.verdicts = Verdicts.blank(fleet.numbers)

    # --- counting -----------------------------------------------------------------------------------

    def count(self, batches: list[Samples]) -> None:
        """Count what the probers decided."""
        fleet = self.fleet
        if fleet is None or not batches:
            return
        samples = Samples.join(batches)
        self.runs.add(samples, self._thresholds_us)
        cell = samples.sent_ns // (fleet.seconds * SECOND)
        if cell.min() == cell.max():  # as a rule
            self._count_cell(int(cell[0]), samples)
            return
        for k in np.unique(cell):
            self._count_cell(int(k), samples.take(cell == k))

    def _count_cell(self, k: int, samples: Samples) -> None:
        counted = count(samples, self._pairs, self._thresholds_us)
        self.totals.add(samples, counted)
        if k < self._next_k:
            return  # its cell is closed: a note about an old probe, or a slot found missed long after
        if k not in self.windows.open:
            self.windows.open[k] = OpenCell.of(*counted.matrix.shape)
        self.windows.open[k].add(counted)
        self.windows.add(k, counted.matrix, counted.spectrum)

    # --- time ---------------------------------------------------------------------------------------

    def step(self, now_ns: int) -> list[Cell]:
        """Close what is due, judge; returns the closed cells, oldest first."""
        fleet = self.fleet
        if fleet is None:
            return []
        self.windows.enter_periods(self._next_k, fleet)
        due = self.due(fleet, now_ns)
        if due - self._next_k > _TOO_LONG // fleet.seconds:
            self._begin_anew(fleet, due)
        closed = []
        while self._next_k < due:
            self.windows.enter_periods(self._next_k, fleet)
            if not self._pass_over(due, fleet):
                closed.append(self._close(self._next_k, fleet))
        self._judge(now_ns)
        return closed

    @staticmethod
    def due(fleet: Fleet, now_ns: int) -> int:
        """The oldest cell of which something may still come in."""
        return (now_ns - fleet.timeout_ns - _GRACE_NS) // (fleet.seconds * SECOND)

    def suspect(self, begin_ns: int, end_ns: int) -> None:
        """The clock cannot be trusted for what lies in [begin, end]: SLA R15."""
        if self.fleet is None:
            return
        cell_ns = self.fleet.seconds * SECOND
        begin_k, end_k = begin_ns // cell_ns, end_ns // cell_ns
        self._suspect |= set(range(begin_k, min(end_k, begin_k + _GAP) + 1))
        if begin_k < self._next_k:
            self._reopen(int(begin_k))

    def _reopen(self, k: int) -> None:
        """The wall clock went back: cells from `k` on are taken out of the windows and closed again."""
        for turned in self.accounts.retract(k):
            self.windows.mark(turned)
        for number in range(self._next_k - 1, k - 1, -1):
            cell = self.windows.cell_at(number)
            if cell is not None:
                self.windows.add(number, *cell, sign=-1)
            self._suspect.add(number)
        self.windows.drop(k)
        self._next_k = k

    def _begin_anew(self, fleet: Fleet, k: int) -> None:
        columns = Column.LE + len(self._thresholds_us)
        self._begin(k)
        self.blanks.first_k[:] = k
        self.accounts.load(replace(fleet, fresh_places=np.arange(fleet.places, dtype=np.int32)), self.duty, k)
        self.windows.load(fleet, self.duty, columns, k, k)
        self.benches = arrange(fleet, self.windows)
        self.windows.enter_periods(k, fleet)

    def _pass_over(self, due: int, fleet: Fleet) -> bool:
        """A long silence need not be told cell by cell; whether one was passed over."""
        first, grid = self._next_k, self.accounts.grid
        end = grid(min([due, *(k for k in self.windows.open if k > first)]))
        edges = [int(w.until_k[w.member].min(initial=end)) for w in self.windows.values() if w.span.calendar]
        end = min([end, *edges])
        if first in self.windows.open or end - first <= _GAP or grid(first) != first or not self.accounts.quiet():
            return False
        self.book_silence(end)
        missing = np.where(self._born_k < first, self._slots, 0) * (end - first)
        self.totals.matrix[Column.UNMEASURED] += missing
        self.totals.unmeasured_by[Reason.AGENT_DOWN] += missing
        self._next_k = end
        self.windows.slide_over(first, end, fleet.seconds)
        return True

    def book_silence(self, end_k: int) -> None:
        """There is no record of the cells up to `end_k`; what was due in them is missing (`Windows.count_missing`)."""
        first = self.accounts.next_k
        if first >= end_k:
            return
        while self.accounts.next_k < end_k:
            k, until = self.accounts.next_k, self.accounts.grid(end_k)
            if self.accounts.quiet() and self.accounts.grid(k) == k < until:
                self.accounts.pass_over(until)
            else:
                self.book(k, self.grader.blank(k))
        self.blanks.add(first, end_k, np.arange(len(self.blanks.first_k), dtype=np.int32))

    def _close(self, k: int, fleet: Fleet) -> Cell:
        opened = self.windows.open.pop(k, None) or OpenCell.of(Column.LE + len(self._thresholds_us), fleet.rows)
        silent = self._own_up(k, opened)
        reason = self._reasons(k, opened, fleet)
        reason[silent] = Reason.AGENT_DOWN if k <= self._away_until_k else Reason.OVERRUN
        standing = self.grader.close(k, opened.matrix, reason != NO_REASON)
        cell = close(k, fleet.seconds, opened, standing.probes, reason)
        if (reason != NO_REASON).any():
            self.windows.add(k, cell.matrix, cell.spectrum, sign=-1)
            self.windows.add(k, *cell.usable())
        self.windows.keep(cell)
        self._next_k = k + 1
        self._suspect.discard(k)
        self.windows.slide(k, fleet.seconds)
        self.book(k, standing)
        return cell

    def _own_up(self, k: int, opened: OpenCell) -> BoolArray:
        """A probe that nobody heard of in a whole cell was not measured: we were not there.

        So it is with the rest of a cell in which an agent ended, or the next one began; says who was silent throughout.
        """
        heard = opened.matrix[[Column.SENT, Column.UNMEASURED]].sum(axis=0)
        silent: BoolArray = (heard == 0) & (self._born_k < k)
        missing = np.where(silent, self._slots, 0)
        if k <= self._away_until_k:
            missing = np.where(self._born_k <= k, np.maximum(self._slots - heard, 0), 0)
        if not missing.any():
            return silent
        matrix = np.zeros_like(opened.matrix)
        matrix[Column.UNMEASURED] = missing
        opened.matrix += matrix
        self.totals.matrix += matrix[: Column.LE]
        self.totals.unmeasured_by[Reason.AGENT_DOWN if k <= self._away_until_k else Reason.OVERRUN] += missing
        self.windows.add(k, matrix, NOTHING)
        return silent

    def book(self, k: int, graded: Graded) -> None:
        """Account for a graded cell in the time of every window."""
        assert self.fleet is not None
        self.early.push(graded)
        for turned in self.accounts.close(k, graded):
            self.windows.mark(turned)

    def go_on_from(self, last_k: int, known: BoolArray) -> None:
        """The record ends with cell `last_k`; `known` rows were in it, so that silence since then is ours."""
        begin_k, self._next_k = self._next_k, last_k + 1
        if begin_k <= last_k:
            self._reopen(begin_k)  # the clock went back between the two agents
        self._away_until_k = max(self._born_k.max(initial=0), last_k)
        self._born_k[known] = last_k

    def open_cells(self) -> list[Cell]:
        """What the open cells hold so far, oldest first; nothing is judged of them yet."""
        lying = self.windows.open
        return [lying[k].so_far(k, self.fleet.seconds) for k in sorted(lying)] if self.fleet else []

    def take_over(self, cell: Cell) -> bool:
        """Go on counting in a cell that was open when another agent ended; whether it still is."""
        if cell.k < self._next_k:
            return False
        opened = OpenCell.again(cell, Column.LE + len(self._thresholds_us), len(self._slots))
        self.windows.open[cell.k] = opened
        heard = opened.matrix.any(axis=0)
        self._born_k[heard] = np.minimum(self._born_k[heard], cell.k)
        self.windows.add(cell.k, opened.matrix, cell.spectrum)
        return True

    def _reasons(self, k: int, opened: OpenCell, fleet: Fleet) -> ByteArray:
        """Why rows cannot be vouched for in this cell, if so."""
        reason = np.full(fleet.rows, NO_REASON, np.uint8)
        if self.grader.references_failed(opened.matrix):
            reason[[probe.row for probe in fleet.probes]] = Reason.LOCAL_FAULT
        if k in self._suspect:
            reason[:] = Reason.CLOCK_STEP
        return reason

    # --- exclusions ---------------------------------------------------------------------------------

    def exclude(self, agreement: str, exclusions: tuple[Exclusion, ...], now_ns: int) -> None:
        """These are all exclusions that are agreed at run time for an agreement; effective also for what has passed."""
        old = self._given.get(agreement, ())
        differing = set(old) ^ set(exclusions)
        self._given[agreement] = exclusions
        if self.fleet is None or not differing:
            return
        before = self.duty
        self.duty = self.windows.duty = before.amended(agreement, exclusions)
        named = {one.endpoint for one in differing}
        theirs = [one for one in self.fleet.endpoints if one.agreement.id == agreement]
        places = [one.place for one in theirs if None in named or one.endpoint.id in named]
        begin_ns = min(one.start_ns for one in differing)
        self._amend(before, np.array(places, np.int64), begin_ns // (self.fleet.seconds * SECOND))
        self._judge(now_ns)

    def _amend(self, before: Duty, places: IntArray, from_k: int) -> None:
        """Other time counts at these places from cell `from_k` on than `before`: correct every window."""
        from_k = self.accounts.grid(from_k)
        turned = self.accounts.amend(before, self.duty, places, from_k)
        if not len(places):
            return
        for change in turned:
            self.windows.mark(change)
        self.windows.recount(before, places, from_k, self._next_k)

    # --- judging ------------------------------------------------------------------------------------

    def _look_isolated(self, now_ns: int) -> bool:
        """Isolated while references are silent, and until every cell in which they were is closed.

        An open cell still counts as loss what its close will take back.
        """
        assert self.fleet is not None
        k = now_ns // (self.fleet.seconds * SECOND)
        if self.grader.references_silent(self.totals.outcome, self.totals.at_ns, now_ns):
            self._silent_k = k
        self._silent_k = min(self._silent_k, k)  # the wall clock may have gone back
        self.isolated = self._next_k <= self._silent_k
        return self.isolated

    def _judge(self, now_ns: int) -> None:
        isolated = self._look_isolated(now_ns)  # then what we see says nothing about customers: standings stay
        if not isolated:
            for bench in self.benches:
                if bench.metric not in OF_TIME:
                    judge(bench, self.windows[bench.window], self.verdicts)
                elif self._judged != self.accounts.version:
                    judge_time(bench, self.accounts, self.verdicts)
            self._judged = self.accounts.version
        here = self.duty.at(now_ns // self.duty.cell_ns)
        excluded = here.away[self._objective_places] if here.any_away else None
        early = self.early.look(len(self.breaches), self.accounts)
        changes = self.alerts.step(now_ns, self.verdicts, self.runs, isolated=isolated, excluded=excluded, early=early)
        for change in changes:
            if change.kind == "opened" and change.number >= 0:
                self.breaches[change.number] += 1
        self._changes += changes

    def acknowledge(self, number: int, by: str, why: str, now_ns: int, mute_ns: int) -> bool:
        """A person sees to an open breach; whether there is one."""
        change = self.alerts.acknowledge(number, by, why, now_ns, self.verdicts, mute_ns=mute_ns)
        self._changes += [change] if change else []
        return change is not None

    def changes(self) -> list[Change]:
        """What alerts have to tell since the last call, in order."""
        told, self._changes = self._changes, []
        return told
