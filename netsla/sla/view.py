"""From the engine to a frozen Snapshot: the only place where verdicts become figures to look at."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from netsla.model import IntArray, Metric, RowArray
from netsla.sla.engine import Engine
from netsla.sla.fleet import Fleet
from netsla.sla.histogram import GREATEST, LEAST
from netsla.sla.objective import NO_DATA, Availability, ratio, read_percentiles
from netsla.sla.snapshot import AgentView, FloatArray, ObjectiveView, Roll, Snapshot, WindowView
from netsla.sla.tally import Column
from netsla.sla.window import Window

_SHARES = (LEAST, Fraction(50, 100), Fraction(95, 100), Fraction(99, 100), Fraction(999, 1000), GREATEST)


@dataclass(frozen=True, slots=True)
class _Layout:
    """What follows from the fleet and the addresses of its names alone."""

    fleet: Fleet
    addresses: dict[int, str]
    roll: Roll
    rows: RowArray  # of the fleet's probes, in its order
    position: RowArray  # by row: where its probe stands; -1: nowhere
    place: IntArray  # by row: of its endpoint; -1: none
    number: IntArray  # of the fleet's objectives, in its order
    target: FloatArray  # seconds or ratio


class Viewer:
    """Makes Snapshots of one engine; keeps what changes only at a reload."""

    def __init__(self, engine: Engine, whole: Fleet | None = None) -> None:
        """`whole`: the fleet to show, where the engine judges only a part of it."""
        self._engine, self._whole = engine, whole
        self._layout: _Layout | None = None

    def view(self, now_ns: int, agent: AgentView, addresses: dict[int, str]) -> Snapshot:
        """Everything at this instant; `addresses` by row where a name was resolved."""
        engine, fleet = self._engine, self.fleet
        layout = self._layout
        if layout is None or layout.fleet is not fleet or layout.addresses != addresses:
            layout = self._layout = _lay_out(fleet, addresses)
        rows, totals = layout.rows, engine.totals
        return Snapshot(
            at_ns=now_ns,
            roll=layout.roll,
            agent=agent,
            standing=engine.grader.probes[rows],
            sent=totals.matrix[Column.SENT, rows],
            received=totals.matrix[Column.RECEIVED, rows],
            unmeasured=totals.matrix[Column.UNMEASURED, rows],
            unmeasured_by=totals.unmeasured_by[:, rows],
            late=totals.matrix[Column.LATE, rows],
            duplicate=totals.matrix[Column.DUPLICATE, rows],
            stale=totals.stale[rows],
            rtt_sum_us=totals.matrix[Column.RTT_SUM, rows],
            ladder=totals.ladder[:, rows],
            last_at_ns=totals.at_ns[rows],
            last_outcome=totals.outcome[rows],
            last_detail=totals.detail[rows],
            last_rtt_ns=totals.rtt_ns[rows],
            windows=tuple(
                _window(window, fleet.window_rows[name], layout, engine.accounts.view(name))
                for name, window in engine.windows.items()
            ),
            objectives=self._objectives(layout),
        )

    @property
    def fleet(self) -> Fleet:
        """Who is shown."""
        fleet = self._whole or self._engine.fleet
        assert fleet is not None, "the engine has no fleet yet"
        return fleet

    def _objectives(self, layout: _Layout) -> ObjectiveView:
        engine = self._engine
        verdicts, breaches = engine.verdicts, engine.alerts.breaches
        for bench in engine.benches:
            read_percentiles(bench, engine.windows[bench.window], verdicts)
        number = layout.number
        since_ns = np.full(len(verdicts.standing), -1, np.int64)
        for one, breach in breaches.items():
            since_ns[one] = breach.onset_ns
        return ObjectiveView(
            standing=verdicts.standing[number],
            value=verdicts.value[number],
            low=verdicts.low[number],
            high=verdicts.high[number],
            target=layout.target,
            coverage=verdicts.coverage[number],
            conclusive=verdicts.conclusive[number],
            budget=np.where(verdicts.standing[number] == NO_DATA, np.nan, verdicts.budget[number]),
            breach_since_ns=since_ns[number],
            breaches=engine.breaches[number],
        )


_RATIOS = (Metric.UPTIME, Metric.PACKET_DELIVERY)


def _lay_out(fleet: Fleet, addresses: dict[int, str]) -> _Layout:
    rows = np.array([probe.row for probe in fleet.probes], np.int32)
    position = np.full(fleet.rows, -1, np.int32)
    position[rows] = np.arange(len(rows))
    place = np.full(fleet.rows, -1, np.int64)
    place[rows] = [probe.endpoint for probe in fleet.probes]
    target = [float(o.objective.target.value) / (1 if o.objective.metric in _RATIOS else 1e9) for o in fleet.objectives]
    return _Layout(
        fleet=fleet,
        addresses=dict(addresses),
        roll=_roll(fleet, addresses),
        rows=rows,
        position=position,
        place=place,
        number=np.array([one.number for one in fleet.objectives], np.int64),
        target=np.array(target, np.float64),
    )


def _roll(fleet: Fleet, addresses: dict[int, str]) -> Roll:
    pairs = [(one, probe) for one in fleet.endpoints for probe in one.probes]
    return Roll(
        agreement=tuple(one.agreement.id for one, _ in pairs),
        endpoint=tuple(one.endpoint.id for one, _ in pairs),
        probe=tuple(probe.spec.name for _, probe in pairs),
        type=tuple(str(probe.spec.type) for _, probe in pairs),
        address=tuple(addresses.get(probe.row, probe.address) for _, probe in pairs),
        customer=tuple(one.agreement.customer for one, _ in pairs),
        plan=tuple(one.agreement.plan for one, _ in pairs),
        objective_agreement=tuple(one.endpoint.agreement.id for one in fleet.objectives),
        objective_endpoint=tuple(one.endpoint.endpoint.id for one in fleet.objectives),
        objective=tuple(one.objective for one in fleet.objectives),
    )


def _mean_seconds(total_us: IntArray, count: IntArray) -> FloatArray:
    return ratio(total_us, count) / 1e6


def _window(window: Window, rows: RowArray, layout: _Layout, time: Availability) -> WindowView:
    position, endpoint = layout.position, layout.place
    rows = rows[np.argsort(position[rows])]
    places = window.place[rows]
    matrix = window.matrix[:, places]
    sent, received, unmeasured = (matrix[c] for c in (Column.SENT, Column.RECEIVED, Column.UNMEASURED))
    smallest, p50, p95, p99, p999, greatest = window.quantiles(_SHARES, places)
    up, down = time.up[endpoint[rows]], time.down[endpoint[rows]]
    return WindowView(
        name=window.span.name,
        member=position[rows],
        sent=sent,
        received=received,
        unmeasured=unmeasured,
        delivery=ratio(received, sent),
        uptime=ratio(up, up + down),
        coverage=ratio(sent, sent + unmeasured + window.missing[places]),
        mean=_mean_seconds(matrix[Column.RTT_SUM], received),
        min=smallest,
        p50=p50,
        p95=p95,
        p99=p99,
        max=greatest,
        jitter=_mean_seconds(matrix[Column.JITTER_SUM], matrix[Column.JITTER_PAIRS]),
        variation=p999 - smallest,
    )
