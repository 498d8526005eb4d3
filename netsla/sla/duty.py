"""Which time counts: for every endpoint and cell of the grid, what is scheduled of it, and whether it is excluded.

    duty = Duty(fleet, given)                 `given`: exclusions agreed at run time, by agreement
    duty.at(k) -> Here                        of one cell, columnar over endpoint places
    duty.spent(first_k, end_k) -> (counts_ns, excluded_ns)      of many cells, by place
    duty.scheduled(start_ns, end_ns) -> IntArray                 of a whole period, exclusions included, by place
    duty.due(places, interval_ns, first_k, end_k) -> IntArray    probes that were due in cells without a record
    duty.changed(amended, agreement, exclusions) …              see `amended`

Rules: the same words as in settlement (timeline.py): scheduled is term ∩ active time ∩ service hours; an interval
lying wholly inside what planned work and agreed exclusions leave out is excluded; packets of an interval that is
excluded, or of which nothing is scheduled, do not count. Worked out an hour at a time for each group of endpoints with
the same contract terms; an hour in which everything counts costs nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from netsla.model import SECOND, Agreement, Hours, IntArray
from netsla.sla.calendar import instant_ns, month_spans, service_spans
from netsla.sla.exclusion import Exclusion, excluded, planned, rule, stopped
from netsla.sla.fleet import Fleet, FleetEndpoint
from netsla.sla.period import midnight_ns
from netsla.sla.spans import Spans, covered_ns, intersect, spans, total_ns, union

BoolArray = npt.NDArray[np.bool_]
Given = Mapping[str, tuple[Exclusion, ...]]

_HOUR = 3600  # seconds: what is worked out at once; every interval divides it
_HOURS_KEPT = 48  # the present one, and the one that every window is leaving
_DAY = 24  # hours: spans are looked up for a day at once
_DAYS_KEPT = 48
_CELLS_KEPT = 16
_PERIODS = 16  # whose schedules are kept
_FOR_EVER = 2**62  # ns
_ON, _OFF = 0, 1  # rows of every hour's table: everything counts, nothing does
_NOTHING = spans([])
_Rulings = dict[tuple[str, str | None, int], tuple[Spans, Spans]]


@dataclass(frozen=True, slots=True, eq=False)
class Here:
    """One cell, by endpoint place.

    `share_ns` of it is scheduled; `excluded`: its interval is; `away`: its packets do not count.
    """

    share_ns: IntArray
    excluded: BoolArray
    away: BoolArray
    any_away: bool


@dataclass(frozen=True, slots=True)
class _Group:
    """Endpoints for which the same time counts; `endpoint` only if an exclusion names it."""

    hours: Hours
    zone: str
    start_ns: int
    end_ns: int
    cells: int  # of an interval
    agreement: str  # "" if nothing can be excluded
    endpoint: str | None


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """An hour: arrays (rows, cells), and the row of each place."""

    share_ns: IntArray
    excluded: BoolArray
    away: BoolArray
    row: IntArray
    plain: bool  # everything counts, for everybody


@dataclass(frozen=True, slots=True, eq=False)
class _Near:
    """Spans of a day in UTC: scheduled by contract terms, excluded by agreement and endpoint."""

    start_ns: int
    scheduled: dict[tuple[Hours, str, int, int], Spans]
    without: dict[tuple[str, str | None], Spans]

    @property
    def end_ns(self) -> int:
        return self.start_ns + _DAY * _HOUR * SECOND


class Duty:
    """Answers for one fleet under one set of exclusions; never changes."""

    def __init__(self, fleet: Fleet, given: Given, known: Duty | None = None, changed: str = "") -> None:
        """`known` answered for the same fleet before the exclusions of agreement `changed` were others."""
        self.given = given
        self._fleet = fleet
        self.cell_ns = fleet.seconds * SECOND  # of a cell
        self._count = _HOUR // fleet.seconds
        self._periods: dict[tuple[int, int], IntArray] = {}  # [start, end) -> scheduled of it
        self._agreements = {one.agreement.id: one.agreement for one in fleet.endpoints}
        self._named = {name: _named(one, given.get(name, ())) for name, one in self._agreements.items()}
        self._keys: list[_Group | None] = [None] * fleet.places
        for one in fleet.endpoints:
            self._keys[one.place] = self._group_of(one)
        self._groups = tuple(dict.fromkeys(key for key in self._keys if key is not None))
        number = {key: n for n, key in enumerate(self._groups)}
        self.used = np.array([key is not None for key in self._keys], bool)
        self._group = np.array([0 if key is None else number[key] for key in self._keys], np.int64)
        self._interval = np.array([1 if key is None else key.cells for key in self._keys], np.int64)
        self._tables: OrderedDict[int, _Table] = OrderedDict()
        self._cells: OrderedDict[int, Here] = OrderedDict()
        self._days: OrderedDict[int, _Near] = OrderedDict()
        self._ruled: _Rulings = known.rulings_but(changed) if known else {}
        everything = np.full(fleet.places, self.cell_ns, np.int64) * self.used
        nothing = np.zeros(fleet.places, bool)
        self._plain = Here(everything, nothing, nothing, any_away=False)

    def amended(self, agreement: str, exclusions: tuple[Exclusion, ...]) -> Duty:
        """The same with other exclusions agreed for one agreement."""
        return Duty(self._fleet, {**self.given, agreement: exclusions}, self, agreement)

    def rulings_but(self, agreement: str) -> _Rulings:
        """What has been worked out of all other agreements: (excluded, stopped) by agreement, endpoint and month."""
        return {key: found for key, found in self._ruled.items() if key[0] != agreement}

    def differs(self, other: Duty, place: int) -> bool:
        """Whether this place has other terms (planned work and exclusions apart) than in `other`."""
        mine, its = self._keys[place], other._keys[place]
        return mine is not None and its is not None and mine != its

    def _group_of(self, one: FleetEndpoint) -> _Group:
        agreement, endpoint = one.agreement, one.endpoint
        zone = ZoneInfo(agreement.timezone)
        bounds = (
            midnight_ns(agreement.term_from, zone) if agreement.term_from else 0,
            midnight_ns(agreement.term_to, zone) if agreement.term_to else _FOR_EVER,
            instant_ns(endpoint.active_from) if endpoint.active_from else 0,
            instant_ns(endpoint.active_to) if endpoint.active_to else _FOR_EVER,
        )
        named = endpoint.id if endpoint.id in self._named[agreement.id] else None
        concerned = bool(agreement.maintenance.windows or self.given.get(agreement.id))
        return _Group(
            agreement.hours, agreement.timezone, max(bounds[0], bounds[2]), min(bounds[1], bounds[3]),
            endpoint.uptime.interval_ns // self.cell_ns or 1, agreement.id if concerned else "", named,
        )  # fmt: skip

    # --- one cell -----------------------------------------------------------------------------------

    def at(self, k: int) -> Here:
        """What counts of cell `k`."""
        table = self._table(k // self._count)
        if table.plain:
            return self._plain
        here = self._cells.get(k)
        if here is None:
            column = k % self._count
            away = table.away[:, column][table.row] & self.used
            here = Here(
                table.share_ns[:, column][table.row], table.excluded[:, column][table.row], away,
                any_away=bool(away.any()),
            )  # fmt: skip
            self._cells[k] = here
            if len(self._cells) > _CELLS_KEPT:
                self._cells.popitem(last=False)
        return here

    def _table(self, hour: int) -> _Table:
        found = self._tables.get(hour)
        if found is None:
            found = self._tables[hour] = self._work_out(hour)
            if len(self._tables) > _HOURS_KEPT:
                self._tables.popitem(last=False)
        return found

    def _work_out(self, hour: int) -> _Table:
        count = self._count
        share = [np.full(count, self.cell_ns, np.int64), np.zeros(count, np.int64)]
        out, away = [np.zeros(count, bool)] * 2, [np.zeros(count, bool), np.ones(count, bool)]
        numbers = np.empty(len(self._groups), np.int64)
        near = self._near(hour // _DAY)
        for number, group in enumerate(self._groups):
            found = self._row(group, hour * _HOUR * SECOND, near)
            if isinstance(found, int):
                numbers[number] = found
                continue
            numbers[number] = len(share)
            for rows, row in zip((share, out, away), found, strict=True):
                rows.append(row)
        row_of: IntArray = np.full(len(self.used), _OFF, np.int64)
        row_of[self.used] = numbers[self._group[self.used]]
        plain = bool((row_of[self.used] == _ON).all())
        return _Table(np.array(share), np.array(out), np.array(away), row_of, plain)

    def _near(self, day: int) -> _Near:
        found = self._days.get(day)
        if found is None:
            found = self._days[day] = _Near(day * _DAY * _HOUR * SECOND, {}, {})
            if len(self._days) > _DAYS_KEPT:
                self._days.popitem(last=False)
        return found

    def _row(self, group: _Group, start_ns: int, near: _Near) -> int | tuple[IntArray, BoolArray, BoolArray]:
        end_ns = start_ns + _HOUR * SECOND
        without = self._without(group, near)
        without = without[(without[:, 1] > start_ns) & (without[:, 0] < end_ns)]
        if (end_ns <= group.start_ns or start_ns >= group.end_ns) and not len(without):
            return _OFF
        round_the_clock = not group.hours.weekly and not group.hours.holidays
        if round_the_clock and group.start_ns <= start_ns and end_ns <= group.end_ns and not len(without):
            return _ON
        scheduled = self._scheduled(group, near)
        cell_ns, step_ns = self.cell_ns, self.cell_ns * group.cells
        share = covered_ns(scheduled, start_ns + np.arange(self._count) * cell_ns, cell_ns)
        idle = share.reshape(-1, group.cells).sum(axis=1) == 0
        out = covered_ns(without, start_ns + np.arange(self._count // group.cells) * step_ns, step_ns) == step_ns
        return share, np.repeat(out, group.cells), np.repeat(out | idle, group.cells)

    # --- exclusions ---------------------------------------------------------------------------------

    @staticmethod
    def _scheduled(group: _Group, near: _Near) -> Spans:
        key = (group.hours, group.zone, group.start_ns, group.end_ns)
        if key not in near.scheduled:
            hours = service_spans(group.hours, ZoneInfo(group.zone), near.start_ns, near.end_ns)
            near.scheduled[key] = intersect(hours, spans([(group.start_ns, group.end_ns)]))
        return near.scheduled[key]

    def _without(self, group: _Group, near: _Near) -> Spans:
        if not group.agreement:
            return _NOTHING
        key = (group.agreement, group.endpoint)
        if key not in near.without:
            out = self._rulings(*key, near.start_ns, near.end_ns)[0]
            near.without[key] = out[(out[:, 1] > near.start_ns) & (out[:, 0] < near.end_ns)]
        return near.without[key]

    def stopped(self, place: int, start_ns: int, end_ns: int) -> Spans:
        """What stops the clock of a repair in this time."""
        group = self._keys[place]
        if group is None or not group.agreement:
            return _NOTHING
        return self._rulings(group.agreement, group.endpoint, start_ns, end_ns)[1]

    def _rulings(self, agreement: str, endpoint: str | None, start_ns: int, end_ns: int) -> tuple[Spans, Spans]:
        """(excluded, stopped) in whole months around: what a month's cap leaves is a matter of that month alone."""
        zone = ZoneInfo(self._agreements[agreement].timezone)
        months = month_spans(zone, start_ns, max(end_ns, start_ns + 1))
        parts = [self._month(agreement, endpoint, zone, *month) for month in months]
        return parts[0] if len(parts) == 1 else (union(*(p[0] for p in parts)), union(*(p[1] for p in parts)))

    def _month(self, agreement: str, endpoint: str | None, zone: ZoneInfo, begin: int, end: int) -> tuple[Spans, Spans]:
        key = (agreement, endpoint, begin)
        if key not in self._ruled:
            whole = self._agreements[agreement]
            own = planned(whole.maintenance, zone, begin, end, whole.term_from)
            names = {one.id for one in own}
            given = [
                one
                for one in self.given.get(agreement, ())
                if one.start_ns < end and one.end_ns > begin and one.id not in names
            ]
            found = rule((*own, *given), whole.maintenance, zone, endpoint)
            month = spans([(begin, end)])
            self._ruled[key] = intersect(excluded(found), month), intersect(stopped(found), month)
        return self._ruled[key]

    # --- many cells ---------------------------------------------------------------------------------

    def spent(self, first_k: int, end_k: int) -> tuple[IntArray, IntArray]:
        """Scheduled time of cells [first, end) by place, in ns: what is not excluded of it, and what is."""
        counts, out = np.zeros(len(self.used), np.int64), np.zeros(len(self.used), np.int64)
        for table, part in self._hours(first_k, end_k):
            if table.plain:
                counts += self._plain.share_ns * (part.stop - part.start)
                continue
            share, without = table.share_ns[:, part], table.excluded[:, part]
            counts += np.where(without, 0, share).sum(axis=1)[table.row]
            out += np.where(without, share, 0).sum(axis=1)[table.row]
        return counts, out

    def scheduled(self, start_ns: int, end_ns: int) -> IntArray:
        """All that contracts schedule of [start, end), in ns by place, whether it is excluded or not.

        Kept for a few periods: it takes a look at every contract's hours.
        """
        if (start_ns, end_ns) in self._periods:
            return self._periods[start_ns, end_ns]
        each: dict[tuple[Hours, str, int, int], int] = {}
        for group in self._groups:
            key = (group.hours, group.zone, group.start_ns, group.end_ns)
            if key not in each:
                hours = service_spans(group.hours, ZoneInfo(group.zone), start_ns, end_ns)
                each[key] = total_ns(intersect(hours, spans([(group.start_ns, group.end_ns)])))
        of_group = np.array([each[g.hours, g.zone, g.start_ns, g.end_ns] for g in self._groups], np.int64)
        found: IntArray = np.zeros(len(self.used), np.int64)
        found[self.used] = of_group[self._group[self.used]]
        while len(self._periods) >= _PERIODS:
            del self._periods[next(iter(self._periods))]
        self._periods[start_ns, end_ns] = found
        return found

    def due(self, places: IntArray, interval_ns: IntArray, first_k: int, end_k: int) -> IntArray:
        """Probes, one every `interval_ns`, that were due at these places in cells [first, end) without a record."""
        keys = np.stack([self._group[places], interval_ns])
        distinct, first, which = np.unique(keys, axis=1, return_index=True, return_inverse=True)
        some = [(int(places[at]), int(every)) for at, every in zip(first, distinct[1], strict=True)]
        totals = np.zeros(len(some), np.int64)
        for hour in range(first_k // self._count, -(-end_k // self._count)):
            table = self._table(hour)
            k = np.arange(hour * self._count, (hour + 1) * self._count)
            silent = (k >= first_k) & (k < end_k)
            known: dict[tuple[int, int, int], int] = {}
            for number, (place, every) in enumerate(some):
                key = (int(table.row[place]), int(self._interval[place]), every)
                if key not in known:
                    known[key] = self._due(table, silent, *key)
                totals[number] += known[key]
        found: IntArray = totals[which.reshape(-1)]
        return found

    def _due(self, table: _Table, silent: BoolArray, row: int, cells: int, interval_ns: int) -> int:
        """As settlement counts what is missing: scheduled time less recorded time, interval by interval."""
        share = table.share_ns[row].reshape(-1, cells).sum(axis=1)
        recorded = (~silent).reshape(-1, cells).sum(axis=1) * self.cell_ns
        missing = np.maximum(share - recorded, 0) // interval_ns
        return int(missing[~table.away[row].reshape(-1, cells)[:, 0]].sum())

    def excluded(self, places: IntArray, first_k: int, end_k: int) -> BoolArray:
        """(cells, places): whether the interval that holds each of cells [first, end) is excluded."""
        found, at = np.zeros((end_k - first_k, len(places)), bool), 0
        for table, part in self._hours(first_k, end_k):
            count = part.stop - part.start
            if not table.plain:
                found[at : at + count] = table.excluded[table.row[places], part].T
            at += count
        return found

    def edges(self, first_k: int, end_k: int) -> list[int]:
        """Cells in (first, end) at which somebody's packets begin or cease to count."""
        out, before = [], self.at(first_k).away
        for k in range(first_k + 1, end_k):
            if k % self._count and self._table(k // self._count).plain:
                continue
            now = self.at(k).away
            if now is not before and (now != before).any():
                out.append(k)
            before = now
        return out

    def _hours(self, first_k: int, end_k: int) -> list[tuple[_Table, slice]]:
        out = []
        while first_k < end_k:
            hour = first_k // self._count
            end = min(end_k, (hour + 1) * self._count)
            out.append((self._table(hour), slice(first_k - hour * self._count, end - hour * self._count)))
            first_k = end
        return out


def _named(agreement: Agreement, given: tuple[Exclusion, ...]) -> set[str]:
    """Endpoints with exclusions of their own."""
    planned_for = [one.endpoint for one in agreement.maintenance.windows]
    return {name for name in (*planned_for, *(one.endpoint for one in given)) if name is not None}
