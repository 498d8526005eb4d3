"""A life of an agent for tests: the live engine with a hand-held clock, and all that it records beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from zoneinfo import ZoneInfo

import numpy as np

from netsla.model import SECOND, Agreement, IntArray, Outcome, Plan, Reason, Samples
from netsla.sla.calendar import Period
from netsla.sla.engine import Engine
from netsla.sla.exclusion import Exclusion
from netsla.sla.fleet import Fleet, FleetObjective, Roster
from netsla.sla.histogram import BUCKETS
from netsla.sla.interval import Cell
from netsla.sla.packets import Figure
from netsla.sla.period import period_around
from netsla.sla.recorded import Recorded
from netsla.sla.report import Report, settle_agreement
from netsla.sla.resume import Stood, Sum, resume
from netsla.sla.snapshot import STANDINGS, AgentView
from netsla.sla.tally import Column, Spectrum
from netsla.sla.view import Viewer

GRACE = 4 * SECOND  # a cell closes at its end + 3 s + 1 s
_NOBODY = AgentView("test", "0", 0, "", ())
_REACH = 40 * 86_400 * SECOND  # how much of the record a settlement is given before its period


@dataclass
class Life:
    """`outages`: (endpoint id or "" for all, start, end) in ns; `lossy`: chance of a lost probe at other times."""

    plan: Plan
    now: int
    seconds: int
    outages: Sequence[tuple[str, int, int]] = ()
    lossy: float = 0.003
    rolling: bool = True  # whether to have windows that slide, too
    cells: dict[int, Cell] = field(default_factory=dict)
    given: dict[str, tuple[Exclusion, ...]] = field(default_factory=dict)
    checked: int = 0

    def __post_init__(self) -> None:
        self._rng = np.random.default_rng(2028)
        self._begin()

    # --- living -------------------------------------------------------------------------------------

    def _begin(self) -> None:
        self.roster, self.engine = Roster(), Engine(self._read)
        self.viewer = Viewer(self.engine)
        self._load()
        for agreement, some in self.given.items():
            self.engine.exclude(agreement, some, self.now)

    def _load(self) -> None:
        fleet = self.roster.lay_out(self.plan, self.now)
        windows = {name: span for name, span in fleet.windows.items() if self.rolling or span.calendar}
        self.fleet: Fleet = replace(fleet, seconds=self.seconds, windows=windows)
        self.engine.load(self.fleet, self.now)

    def _read(self, k: int) -> tuple[IntArray, Spectrum]:
        if k in self.cells:
            return self.cells[k].usable()
        return np.zeros((Column.LE, self.fleet.rows), np.int64), Spectrum.merge([])

    def reload(self, agreements: tuple[Agreement, ...]) -> None:
        """The configuration is read again."""
        self.plan = replace(self.plan, agreements=agreements)
        self._load()

    def exclude(self, agreement: str, *exclusions: Exclusion) -> None:
        """From now on these are all that hold."""
        self.given[agreement] = exclusions
        self.engine.exclude(agreement, exclusions, self.now)

    def restart(self, away_ns: int) -> None:
        """Killed now, started again after so long; what was open is lost."""
        self.now += away_ns
        self._begin()
        last_k = max(self.cells)
        pieces, first = [], horizon_of(self.engine, self.fleet, last_k)
        for a, b in zip(first, [*first[1:], last_k + 1], strict=True):
            some = [self.cells[k].usable() for k in range(a, b) if k in self.cells]
            if some:
                pieces.append(Sum(a, b - a, np.sum([m for m, _ in some], axis=0), Spectrum.merge([s for _, s in some])))
        stood = (
            Stood(k, self.cells[k].standing, np.ones(self.fleet.rows, bool))
            for k in range(first[0], last_k + 1)
            if k in self.cells
        )
        tail = (self.cells[k] for k in range(self.engine.accounts.grid(last_k + 1), last_k + 1) if k in self.cells)
        resume(self.engine, self.fleet, last_k, pieces, stood, tail)

    def step_clock(self, by_ns: int) -> None:
        """The wall clock is set."""
        then, self.now = self.now, self.now + by_ns
        self.engine.suspect(min(then, self.now), max(then, self.now))

    def silence(self, ns: int) -> None:
        """The host stood still: no probe, no step."""
        self.now += ns

    def run(self, until: int, block: int = 21_600 * SECOND) -> None:
        """Probe, count and close; at the end of every agreement's month both sides are compared."""
        while self.now < until:
            ends = {a.id: period_around("month", ZoneInfo(a.timezone), self.now)[1] for a in self.plan.agreements}
            stop = min(until, (self.now // block + 1) * block, *(end for end in ends.values() if end > self.now))
            self._probe(self.now, stop)
            self.now = stop
            self._close(stop + GRACE)
            for agreement in self.plan.agreements:
                if ends[agreement.id] == stop:
                    self.compare(agreement, stop)

    def _close(self, now: int) -> None:
        for cell in self.engine.step(now):
            self.cells[cell.k] = cell

    def _probe(self, start: int, end: int) -> None:
        batches = []
        for one in self.fleet.endpoints:
            down = [(a, b) for name, a, b in self.outages if name in ("", one.endpoint.id) and a < end and b > start]
            for probe in one.probes:
                every = probe.spec.interval_ns
                slot = np.arange(-(-start // every), -(-end // every))
                sent = slot * every
                lost = self._rng.random(len(slot)) < self.lossy
                for a, b in down:
                    lost |= (sent >= a) & (sent < b)
                unmeasured = self._rng.random(len(slot)) < self.lossy
                outcome = np.where(unmeasured, Outcome.UNMEASURED, np.where(lost, Outcome.LOST, Outcome.ANSWERED))
                rtt = np.where(outcome == Outcome.ANSWERED, self._rng.integers(8, 60, len(slot)) * 1_000_000, -1)
                batches.append(Samples(
                    np.full(len(slot), probe.row, np.int32), slot, sent, rtt, outcome.astype(np.uint8),
                    np.where(unmeasured, Reason.NO_ROUTE, 0).astype(np.uint16), np.zeros(len(slot), np.uint8),
                ))  # fmt: skip
        self.engine.count(batches)

    # --- the other side -----------------------------------------------------------------------------

    def records(self, agreement: Agreement, begin_ns: int) -> list[Recorded]:
        """What a ledger would hold of an agreement from then on."""
        ks = [k for k in sorted(self.cells) if k * self.seconds * SECOND >= begin_ns]
        matrix = np.array([self.cells[k].matrix for k in ks])  # (cells, columns, rows)
        cells = [self.cells[k] for k in ks]
        out = []
        for one in self.fleet.endpoints:
            if one.agreement.id != agreement.id:
                continue
            for probe in one.probes:
                row = probe.row
                column = {c: matrix[:, c, row] for c in Column if c < Column.LE}
                within = {limit: matrix[:, Column.LE + n, row] for n, limit in enumerate(probe.thresholds_us)}
                out.append(Recorded(
                    one.endpoint.id, probe.spec.name, np.array(ks) * self.seconds, np.full(len(ks), self.seconds),
                    column[Column.SENT], column[Column.RECEIVED], column[Column.UNMEASURED], column[Column.LATE],
                    column[Column.DUPLICATE], column[Column.RTT_SUM],
                    np.array([c.rtt_min_us[row] for c in cells]), np.array([c.rtt_max_us[row] for c in cells]),
                    column[Column.JITTER_SUM], column[Column.JITTER_PAIRS],
                    np.array([c.reason[row] for c in cells], np.uint8), within,
                ))  # fmt: skip
        return out

    def settle(self, agreement: Agreement, start_ns: int, end_ns: int, until_ns: int) -> Report:
        """The report on a period as far as it is known, from the record alone."""
        parts = self.records(agreement, start_ns - _REACH)

        step = self.seconds * SECOND
        spectra = [self.cells[k].usable()[1] for k in range(start_ns // step, until_ns // step) if k in self.cells]
        whole = Spectrum.merge(spectra)
        counts = np.zeros(self.fleet.rows * BUCKETS, np.int64)
        counts[whole.keys] = whole.counts

        def histogram(endpoint: str, probes: tuple[str, ...]) -> IntArray:
            rows = [p.row for one in self.fleet.endpoints if one.agreement.id == agreement.id
                    and one.endpoint.id == endpoint for p in one.probes if p.spec.name in probes]  # fmt: skip
            found: IntArray = counts.reshape(-1, BUCKETS)[rows].sum(axis=0)
            return found

        return settle_agreement(
            agreement, Period("", start_ns, end_ns, 1), lambda name: [p for p in parts if p.endpoint == name],
            self.given.get(agreement.id, ()), until_ns=until_ns, histogram=histogram,
        )  # fmt: skip

    def check(self) -> None:
        """Compare all agreements as they stand, in the midst of a month; `now` is on the grid of all."""
        for agreement in self.plan.agreements:
            self.compare(agreement, self.now)

    def compare(self, agreement: Agreement, at_ns: int) -> None:
        """What the live windows say of the month that ends, or is running, is what the report says, bit for bit."""
        start_ns, end_ns = period_around("month", ZoneInfo(agreement.timezone), at_ns - SECOND)
        report = self.settle(agreement, start_ns, end_ns, at_ns)
        told = {(r.endpoint, r.objective.id): r for r in report.results}
        shot = self.viewer.view(at_ns, _NOBODY, {}).objectives
        time = self.engine.accounts.view("month")
        for position, one in enumerate(self.fleet.objectives):
            if one.endpoint.agreement.id != agreement.id or not one.objective.window.calendar:
                continue
            result = told[one.endpoint.endpoint.id, one.objective.id]
            where = (np.datetime64(at_ns, "ns"), agreement.id, one.endpoint.endpoint.id, one.objective.id)
            place = one.endpoint.place
            live_time = tuple(int(column[place]) for column in (time.up, time.down, time.unknown, time.excluded))
            account = result.account
            settled_time = (account.up_ns, account.down_ns, account.unknown_ns, account.excluded_ns)
            assert (where, live_time) == (where, settled_time), (live_time, settled_time)
            live = (
                STANDINGS[shot.standing[position]], *map(_plain, (shot.value[position], shot.low[position],
                shot.high[position], shot.coverage[position])), bool(shot.conclusive[position]),
            )  # fmt: skip
            assert (where, live) == (where, _figures(result.figure, one))
            self.checked += 1


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _figures(figure: Figure, one: FleetObjective) -> tuple[object, ...]:
    numbers = (figure.value, figure.low, figure.high, figure.coverage)
    return (str(figure.standing), *(None if n is None else float(n) for n in numbers), figure.conclusive)


def horizon_of(engine: Engine, fleet: Fleet, last_k: int) -> list[int]:
    """Where sums are to be cut, as the history of an agent does it."""
    from netsla.sla.resume import horizon

    return sorted({int(k) for some in horizon(engine, fleet, last_k + 1).values() for k in some.tolist()})
