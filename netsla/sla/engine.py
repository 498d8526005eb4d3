"""The live engine: samples in, standing out.

Rules: owns all counters; knows no clock, no sockets, no files. Every method takes `now_ns` (UTC) where
time matters, so that a year can be driven through it in minutes. Not thread-safe: one thread calls it.
What happens on a second: `count` the samples decided since, `step` to close the cells that are due and
to judge; `snapshot` whenever somebody looks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np

from netsla.model import SECOND, ByteArray, IntArray, Reason, RowArray, Samples, Span
from netsla.sla.accounts import Accounts
from netsla.sla.alerts import Alerts, Change
from netsla.sla.fleet import Fleet
from netsla.sla.grade import BoolArray, Graded, Grader
from netsla.sla.interval import NO_REASON, Cell, OpenCell, PackedCell, close
from netsla.sla.objective import Bench, Verdicts, arrange, judge
from netsla.sla.runs import Runs
from netsla.sla.tally import Column, Pairs, Spectrum, count
from netsla.sla.totals import Totals
from netsla.sla.window import Window

_GRACE_NS = SECOND  # a cell closes at its end + the longest time limit + this (SLA R1)
_KEEP_SECONDS = 3700  # closed cells kept at hand: the 1 h window gives them back
_YEAR_SECONDS = 366 * 86_400  # no calendar window is longer
_GAP = 1500  # cells; after a longer silence the windows begin anew rather than be slid one by one

_NOTHING = Spectrum(np.empty(0, np.int64), np.empty(0, np.uint32))

ReadCell = Callable[[int], tuple[IntArray, Spectrum] | None]


class Engine:
    """Tallies, windows and verdicts of the whole fleet."""

    def __init__(self, read_cell: ReadCell | None = None) -> None:
        self.fleet: Fleet | None = None
        self.totals = Totals()
        self.windows: dict[str, Window] = {}
        self.accounts = Accounts()
        self.verdicts = Verdicts.blank(0)
        self.runs, self.alerts = Runs(), Alerts()
        self.breaches = np.zeros(0, np.int64)  # opened, by objective number
        self._changes: list[Change] = []
        self.benches: tuple[Bench, ...] = ()
        self.grader = Grader()
        self.isolated = False
        self._read_cell = read_cell or (lambda _k: None)
        self._pairs = Pairs(0, 8)
        self._thresholds_us = np.empty((0, 0), np.int64)
        self._open: dict[int, OpenCell] = {}
        self._recent: deque[PackedCell] = deque()
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
        for cell in self._open.values():
            cell.grow(columns, fleet.rows)
            cell.forget(_mask(changed, fleet.rows))
        self.grader.load(fleet)
        self.accounts.load(fleet, k)
        self._cover_windows(fleet, columns, k)
        self._cover_verdicts(fleet)
        self.runs.cover(len(self._thresholds_us), fleet.rows, fleet.fresh_rows)
        self.alerts.load(fleet, now_ns)
        self.benches = arrange(fleet, self.windows)
        self._enter_periods(k)

    def _widen(self, fleet: Fleet) -> int:
        """Columns never get fewer while the agent runs, so that older cells always fit."""
        missing = len(self._thresholds_us) - len(fleet.thresholds_us)
        self._thresholds_us = np.pad(fleet.thresholds_us, ((0, max(missing, 0)), (0, 0)), constant_values=-1)
        return Column.LE + len(self._thresholds_us)

    def _begin(self, k: int) -> None:
        self._next_k, self._silent_k = k, -1
        self._open.clear()
        self._recent.clear()
        self.windows.clear()
        self.accounts = Accounts()

    def _cover_pairs(self, fleet: Fleet, changed: RowArray) -> None:
        slots = max((p.spec.timeout_ns // p.spec.interval_ns for p in fleet.watched), default=1) + 3
        if slots > self._pairs.depth:
            self._pairs = Pairs(fleet.rows, int(slots))
        self._pairs.grow(fleet.rows)
        self._pairs.forget(changed)

    def _cover_slots(self, fleet: Fleet, k: int) -> None:
        self._born_k = np.pad(self._born_k, (0, fleet.rows - len(self._born_k)), constant_values=k)
        self._born_k[fleet.fresh_rows] = k
        self._slots = np.zeros(fleet.rows, np.int64)
        for probe in fleet.watched:
            self._slots[probe.row] = fleet.seconds * SECOND // probe.spec.interval_ns

    def _cover_windows(self, fleet: Fleet, columns: int, k: int) -> None:
        for name in [name for name in self.windows if name not in fleet.windows]:
            del self.windows[name]
        for name, span in fleet.windows.items():
            if name not in self.windows:
                self.windows[name] = Window(span, columns)
                self.windows[name].first_k = self._next_k
            self.windows[name].hold(self._most(span, fleet))
            self.windows[name].cover(fleet.window_rows[name], fleet.fresh_rows, fleet.rows, columns, k)
        self.windows = {name: self.windows[name] for name in fleet.windows}

    @staticmethod
    def _most(span: Span, fleet: Fleet) -> int:
        """The most samples of one probe that a window can hold."""
        shortest_ns = min((probe.spec.interval_ns for probe in fleet.watched), default=SECOND)
        seconds = (span.seconds or _YEAR_SECONDS) + 2 * fleet.seconds + fleet.timeout_ns // SECOND + 1
        return seconds * SECOND // shortest_ns

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
        for k in np.unique(cell):
            here = cell == k
            self._count_cell(int(k), samples if here.all() else samples.take(here))

    def _count_cell(self, k: int, samples: Samples) -> None:
        counted = count(samples, self._pairs, self._thresholds_us)
        self.totals.add(samples, counted.matrix)
        if k < self._next_k:
            return  # its cell is closed: a note about an old probe, or a slot found missed long after
        if k not in self._open:
            self._open[k] = OpenCell.of(*counted.matrix.shape)
            self._enter_periods(k)
        self._open[k].add(counted)
        for window in self.windows.values():
            window.add(k, counted.matrix, counted.spectrum)

    # --- time ---------------------------------------------------------------------------------------

    def step(self, now_ns: int) -> list[Cell]:
        """Close what is due, judge; returns the closed cells, oldest first."""
        fleet = self.fleet
        if fleet is None:
            return []
        cell_ns = fleet.seconds * SECOND
        self._enter_periods(now_ns // cell_ns)
        due = (now_ns - fleet.timeout_ns - _GRACE_NS) // cell_ns  # cells before this one are over
        if due - self._next_k > _GAP:
            self._begin_anew(fleet, due)
        closed = []
        while self._next_k < due:
            closed.append(self._close(self._next_k, fleet))
        self._judge(now_ns)
        return closed

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
        while self._recent and self._recent[-1].k >= k:
            packed = self._recent.pop()
            for window in self.windows.values():
                if window.first_k <= packed.k:
                    window.add(packed.k, *packed.open(), sign=-1)
            self._suspect.add(packed.k)
        self._next_k = k

    def _begin_anew(self, fleet: Fleet, k: int) -> None:
        columns = Column.LE + len(self._thresholds_us)
        self._begin(k)
        self.accounts.load(fleet, k)
        self._cover_windows(fleet, columns, k)
        self.benches = arrange(fleet, self.windows)
        self._enter_periods(k)

    def _close(self, k: int, fleet: Fleet) -> Cell:
        opened = self._open.pop(k, None) or OpenCell.of(Column.LE + len(self._thresholds_us), fleet.rows)
        silent = self._own_up(k, opened)
        reason = self._reasons(k, opened, fleet)
        reason[silent] = Reason.AGENT_DOWN if k <= self._away_until_k else Reason.OVERRUN
        standing = self.grader.close(k, opened.matrix, reason != NO_REASON)
        cell = close(k, fleet.seconds, opened, standing.probes, reason)
        usable = cell.usable()
        if (reason != NO_REASON).any():
            for window in self.windows.values():
                window.add(k, cell.matrix, cell.spectrum, sign=-1)
                window.add(k, *usable)
        self._recent.append(PackedCell.of(cell))
        while self._recent[0].k < k - _KEEP_SECONDS // fleet.seconds:
            self._recent.popleft()
        self._next_k = k + 1
        self._suspect.discard(k)
        self._slide(k, fleet)
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
        for window in self.windows.values():
            window.add(k, matrix, _NOTHING)
        return silent

    def book(self, k: int, graded: Graded) -> None:
        """Account for a graded cell in the time of every window."""
        assert self.fleet is not None
        for change in self.accounts.close(k, graded.endpoints, graded.due):
            self._mark(change.k, change.places, change.down, self.fleet)

    def go_on_from(self, last_k: int, known: BoolArray) -> None:
        """The record ends with cell `last_k`; `known` rows were in it, so that silence since then is ours."""
        self._next_k = min(last_k + 1, self._next_k)
        self._away_until_k = max(self._born_k.max(initial=0), last_k)
        self._born_k[known] = last_k

    def open_cells(self) -> list[Cell]:
        """What the open cells hold so far, oldest first; nothing is judged of them yet."""
        return [self._open[k].so_far(k, self.fleet.seconds) for k in sorted(self._open)] if self.fleet else []

    def take_over(self, cell: Cell) -> bool:
        """Go on counting in a cell that was open when another agent ended; whether it still is."""
        if cell.k < self._next_k:
            return False
        opened = OpenCell.of(Column.LE + len(self._thresholds_us), len(self._slots))
        opened.matrix[: len(cell.matrix)] += cell.matrix[: len(opened.matrix)]
        opened.spectra.append(cell.spectrum)
        answered = cell.rtt_max_us >= 0
        opened.rtt_min_us[answered] = cell.rtt_min_us[answered]
        opened.rtt_max_us[:] = cell.rtt_max_us
        self._open[cell.k] = opened
        heard = opened.matrix.any(axis=0)
        self._born_k[heard] = np.minimum(self._born_k[heard], cell.k)
        self._enter_periods(cell.k)
        for window in self.windows.values():
            window.add(cell.k, opened.matrix, cell.spectrum)
        return True

    def _reasons(self, k: int, opened: OpenCell, fleet: Fleet) -> ByteArray:
        """Why rows cannot be vouched for in this cell, if so."""
        reason = np.full(fleet.rows, NO_REASON, np.uint8)
        if self.grader.references_failed(opened.matrix):
            reason[[probe.row for probe in fleet.probes]] = Reason.LOCAL_FAULT
        if k in self._suspect:
            reason[:] = Reason.CLOCK_STEP
        return reason

    def _mark(self, k: int, places: IntArray, down: bool, fleet: Fleet) -> None:
        rows = self.accounts.rows_of(places)
        cell = self._cell_at(k)
        if cell is None or not len(rows):
            return
        for window in self.windows.values():
            if k >= window.first_k:
                window.mark_down(k, cell[0], rows, sign=1 if down else -1)

    def _slide(self, k: int, fleet: Fleet) -> None:
        for window in self.windows.values():
            if window.span.calendar:
                continue
            keep = -(-window.span.seconds // fleet.seconds)
            while window.first_k <= k - keep:
                self._expire(window, window.first_k)
                window.first_k += 1

    def _expire(self, window: Window, k: int) -> None:
        down = self.accounts.expire(window.span.name, k)
        cell = self._cell_at(k)
        if cell is None:
            self._rebuild(window, k + 1)
            return
        window.add(k, *cell, sign=-1)
        if len(down):
            window.mark_down(k, cell[0], down, sign=-1)

    def _rebuild(self, window: Window, k: int) -> None:
        """A cell cannot be read back: begin anew from what can, rather than guess."""
        window.restart(window.member, k)
        for packed in self._recent:
            if packed.k >= k:
                window.add(packed.k, *packed.open())
        for number, cell in self._open.items():
            window.add(number, cell.matrix, Spectrum.merge(cell.spectra))

    def _cell_at(self, k: int) -> tuple[IntArray, Spectrum] | None:
        if self._recent and self._recent[0].k <= k <= self._recent[-1].k:
            packed = self._recent[k - self._recent[0].k]
            return packed.open() if packed.k == k else None
        return self._read_cell(k)

    def _enter_periods(self, k: int) -> None:
        """Calendar windows whose period is over begin the next one with cell `k`."""
        fleet = self.fleet
        if fleet is None:
            return
        for window in self.windows.values():
            if window.span.calendar:
                self.accounts.enter(window, k, fleet)

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
                judge(bench, self.windows[bench.window], self.accounts.view(bench.window), self.verdicts)
        changes = self.alerts.step(now_ns, self.verdicts, self.runs, isolated=isolated)
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


def _mask(rows: RowArray, capacity: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    mask = np.zeros(capacity, bool)
    mask[rows] = True
    return mask
