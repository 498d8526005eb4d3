"""The live engine driven with a given `now`: no clock, no packets."""

from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction

import numpy as np
import pytest

from netsla.model import SECOND, IntArray, Metric, Objective, Outcome, Plan, Reason, Span, UptimeRule
from netsla.sla import engine as engine_module
from netsla.sla.engine import Engine
from netsla.sla.fleet import Fleet, Roster
from netsla.sla.interval import Cell
from netsla.sla.snapshot import STANDINGS, AgentView, Snapshot
from netsla.sla.tally import Spectrum
from netsla.sla.view import Viewer
from netsla.sla.windows import ReadCell, ReadRows
from tests.sla.builders import (
    HOUR,
    MINUTE,
    MONTH,
    START,
    latency_objective,
    plan,
    ratio_objective,
    samples,
    seconds,
)

AGENT = AgentView("test", "0", 0, "", ())


class Drive:
    """An engine with a hand-held clock: probes at 1/s, a minute at a time."""

    def __init__(
        self, first: Plan, now_ns: int = START, read_cell: ReadCell | None = None, read_rows: ReadRows | None = None
    ) -> None:
        self.roster, self.engine, self.now = Roster(), Engine(read_cell, read_rows), now_ns
        self.viewer = Viewer(self.engine)
        self.load(first)
        self.slot = 0

    def load(self, plan: Plan) -> None:
        self.fleet = self.roster.lay_out(plan, self.now)
        self.engine.load(self.fleet, self.now)

    def second(self, outcome: int | dict[int, int] = Outcome.ANSWERED, rtt_ms: float = 10.0, detail: int = 0) -> None:
        """One probe on each row; `outcome` for all, or by row."""
        rows = [probe.row for probe in self.fleet.watched]
        each = [outcome.get(r, Outcome.ANSWERED) if isinstance(outcome, dict) else outcome for r in rows]
        batch = samples(rows, each, rtt_ms, self.now, self.slot, detail)
        self.engine.count([batch])
        self.slot += 1
        self.now += SECOND

    def minute(self, lost: int = 0, rtt_ms: float = 10.0, rows: tuple[int, ...] | None = None) -> None:
        """A minute of probes of which the first `lost` are lost (on `rows` only, if given)."""
        for number in range(60):
            fate = Outcome.LOST if number < lost else Outcome.ANSWERED
            self.second(fate if rows is None else dict.fromkeys(rows, fate), rtt_ms)
        self.engine.step(self.now)

    def settle(self) -> None:
        """Let the last minute close."""
        self.engine.step(self.now + 4 * SECOND)

    def look(self) -> Snapshot:
        return self.viewer.view(self.now, AGENT, {})

    def standing(self, number: int = 0) -> str:
        return STANDINGS[self.look().objectives.standing[number]]


def test_nothing_measured_reads_as_no_data_and_never_as_100_percent() -> None:
    drive = Drive(plan(objectives=(ratio_objective(), latency_objective(), ratio_objective(Metric.UPTIME))))
    drive.settle()
    shot = drive.look()
    assert [STANDINGS[s] for s in shot.objectives.standing] == ["no_data"] * 3
    assert np.isnan(shot.objectives.value).all()
    assert np.isnan(shot.objectives.budget).all(), "nor is a budget untouched of which nothing is known"
    assert np.isnan(shot.windows[0].delivery).all()
    assert np.isnan(shot.windows[0].coverage).all()
    assert shot.standing.tolist() == [-1]


def test_a_rolling_window_slides_exactly_and_is_always_fresh() -> None:
    drive = Drive(plan())
    for number in range(8):
        drive.minute(lost=number)
    drive.settle()
    five = drive.look().windows[0]
    assert (five.sent[0], five.received[0]) == (300, 300 - (3 + 4 + 5 + 6 + 7))
    drive.second()
    assert drive.look().windows[0].sent[0] == 301


def test_jitter_and_delay_variation_of_the_example() -> None:
    """SLA section 6: 20, 10, 20, 25, 20 ms: mean |IPDV| 7.5 ms, PDV (p99.9 less the least) 15 ms."""
    drive = Drive(plan())
    for rtt_ms in (20, 10, 20, 25, 20):
        drive.second(rtt_ms=rtt_ms)
    shown = drive.look().windows[0]
    assert shown.jitter[0] == pytest.approx(0.0075)
    assert shown.variation[0] == pytest.approx(0.015, rel=0.022)  # the difference of two buckets' middles


def test_delivery_is_met_at_the_target_and_breached_one_packet_below() -> None:
    drive = Drive(plan(objectives=(ratio_objective(percent="99"),)))
    for _ in range(4):
        drive.minute()
    drive.minute(lost=3)
    assert drive.standing() == "met"  # 297/300 is 99 % exactly
    drive.second(Outcome.LOST)
    drive.engine.step(drive.now)
    assert drive.standing() == "breached"
    assert drive.engine.alerts.breaches[0].decided_ns == drive.now
    assert drive.engine.breaches[0] == 1


def test_percentile_verdict_is_by_exact_counter_and_the_value_never_contradicts_it() -> None:
    """SLA section 6: of 1000, 949 <= 30 ms is breached, 950 is met."""
    drive = Drive(plan(objectives=(latency_objective("p95", 30, HOUR),)))
    for number in range(1000):
        drive.second(rtt_ms=30.0 if number < 949 else 30.001)
    drive.engine.step(drive.now)
    assert drive.standing() == "breached"
    assert drive.look().objectives.value[0] > 0.030
    drive = Drive(plan(objectives=(latency_objective("p95", 30, HOUR),)))
    for number in range(1000):
        drive.second(rtt_ms=30.0 if number < 950 else 30.001)
    drive.engine.step(drive.now)
    assert drive.standing() == "met"
    assert drive.look().objectives.value[0] <= 0.030


def test_unmeasured_changes_no_ratio_but_coverage_and_is_said_with_its_reason() -> None:
    drive = Drive(plan(objectives=(ratio_objective(),)))
    for _ in range(30):
        drive.second()
    for _ in range(30):
        drive.second(Outcome.UNMEASURED, detail=Reason.NO_ROUTE)
    drive.engine.step(drive.now)
    shot = drive.look()
    assert shot.windows[0].delivery[0] == 1.0
    assert shot.windows[0].coverage[0] == 0.5
    assert shot.unmeasured_by[Reason.NO_ROUTE, 0] == 30
    assert drive.standing() == "insufficient_data"


def test_commercial_uptime_counts_an_outage_of_two_minutes_in_full_and_one_minute_not() -> None:
    drive = Drive(plan(objectives=(ratio_objective(Metric.UPTIME, "99", HOUR),)))
    for lost in (0, 60, 0, 60, 60, 60, 0, 0, 0, 0):
        drive.minute(lost=lost)
    drive.settle()
    assert drive.look().objectives.value[0] == pytest.approx(7 / 10)
    time = seconds(drive.engine.accounts.view("1h"))
    assert (time.up[0], time.down[0], time.unknown[0]) == (420, 180, 0)


def test_sliding_method_turns_at_the_onset_worked_example() -> None:
    """SLA section 6, n=3: GGBBGBBBGBGGGGBG -> up 5, down 5, up 4, and two that nobody knows yet."""
    rule = UptimeRule("", "sliding", 3)
    drive = Drive(plan(rule=rule, objectives=(ratio_objective(Metric.UPTIME, "99", HOUR),)))
    for letter in "GGBBGBBBGBGGGGBG":
        drive.minute(lost=60 if letter == "B" else 0)
    drive.settle()
    time = seconds(drive.engine.accounts.view("1h"))
    assert (time.up[0], time.down[0], time.unknown[0]) == (9 * 60, 5 * 60, 2 * 60)
    assert drive.look().objectives.value[0] == 9 / 14


def test_own_references_failing_makes_the_interval_unknown_and_freezes_judgement() -> None:
    drive = Drive(plan(objectives=(ratio_objective(), ratio_objective(Metric.UPTIME, "99", HOUR)), references=2))
    drive.minute()
    drive.minute(lost=60)  # everything, the references too
    assert drive.engine.isolated
    assert drive.standing() == "met"  # frozen
    drive.minute()
    drive.settle()
    shot = drive.look()
    assert not drive.engine.isolated
    assert (shot.windows[0].sent[0], shot.windows[0].unmeasured[0]) == (120, 60)
    assert shot.windows[0].delivery[0] == 1.0
    time = seconds(drive.engine.accounts.view("1h"))
    assert (time.up[0], time.down[0], time.unknown[0]) == (120, 0, 60)


def test_everything_down_with_references_well_is_down() -> None:
    drive = Drive(plan(2, objectives=(ratio_objective(),), references=2))
    rows = tuple(probe.row for probe in drive.fleet.probes)
    drive.minute()
    drive.minute(lost=60, rows=rows)
    drive.settle()
    assert drive.look().windows[0].delivery.tolist() == [0.5, 0.5]
    assert drive.standing() == "breached"


def test_regression_01_a_reply_after_the_edge_belongs_to_the_interval_of_its_send_time() -> None:
    """A late decision never lifts a ratio over 100 %, nor does it move to the next interval."""
    drive = Drive(plan())
    edge = START + MINUTE
    drive.engine.count([samples(0, sent_ns=edge - 1, slot=1), samples(0, Outcome.LOST, sent_ns=edge, slot=2)])
    closed = drive.engine.step(edge + 4 * SECOND)
    assert closed[0].matrix[:2, 0].tolist() == [1, 1]
    closed = drive.engine.step(edge + MINUTE + 4 * SECOND)
    assert closed[0].matrix[:2, 0].tolist() == [1, 0]


def test_regression_17_a_reload_keeps_the_windows_of_what_is_unchanged() -> None:
    first = plan(3, objectives=(ratio_objective(),))
    drive = Drive(first)
    drive.minute(lost=6)
    agreement = first.agreements[0]
    moved = replace(agreement.endpoints[1], probes=(replace(agreement.endpoints[1].probes[0], size=200),))
    endpoints = (agreement.endpoints[0], moved, agreement.endpoints[2])
    drive.load(replace(first, agreements=(replace(agreement, endpoints=endpoints),)))
    shot = drive.look()
    assert shot.windows[0].sent.tolist() == [60, 0, 60]
    assert shot.received.tolist() == [54, 0, 54]
    drive.minute()
    drive.settle()
    assert drive.look().windows[0].sent.tolist() == [120, 60, 120]


def test_a_new_threshold_begins_its_window_anew_and_a_dropped_one_needs_no_care() -> None:
    first = plan(objectives=(latency_objective("p95", 30), latency_objective("p99", 40)))
    drive = Drive(first)
    drive.minute()
    drive.load(plan(objectives=(latency_objective("p95", 30),)))
    drive.minute(rtt_ms=31)
    assert drive.standing() == "breached"
    assert drive.look().windows[0].sent[0] == 60


def test_calendar_window_begins_with_the_local_month_and_stragglers_stay_in_theirs() -> None:
    november = int(datetime(2026, 10, 31, 23, tzinfo=UTC).timestamp()) * SECOND  # midnight in Berlin
    objectives = (ratio_objective(window=MONTH),)
    drive = Drive(plan(objectives=objectives, timezone="Europe/Berlin"), now_ns=november - MINUTE)
    for _ in range(60):
        drive.second()
    assert drive.look().windows[-1].sent[0] == 60
    late = samples(0, Outcome.LOST, sent_ns=november - 1, slot=999)
    drive.second()
    drive.engine.count([late])
    assert drive.look().windows[-1].sent[0] == 61
    assert drive.look().windows[0].sent[0] == 62
    drive.settle()
    assert drive.look().windows[-1].sent[0] == 61  # the month is over, and this is its last word
    drive.settle()
    assert drive.look().windows[-1].sent[0] == 1
    assert seconds(drive.engine.accounts.view("month")).period[0] == 30 * 86400


def test_scope_available_leaves_out_down_time_in_calendar_windows() -> None:
    """SLA section 6, Y.1540: S=12, R = 12,12,11,9,0,0,5,10,12,12 at C 0.20: available 69/72, all 83/120."""
    rule = UptimeRule("y1540-2019", "interval", loss_over=Fraction(20, 100))
    drive = Drive(plan(rule=rule, objectives=(ratio_objective(window=MONTH), ratio_objective(window=HOUR))))
    for received in (12, 12, 11, 9, 0, 0, 5, 10, 12, 12):
        for number in range(12):
            drive.second(Outcome.ANSWERED if number < received else Outcome.LOST)
        drive.now += 48 * SECOND
    drive.settle()
    values = dict(zip((o.window.name for o in drive.look().roll.objective), drive.look().objectives.value, strict=True))
    assert values == {"month": pytest.approx(69 / 72), "1h": pytest.approx(83 / 120)}


def test_clock_step_makes_every_touched_interval_unknown() -> None:
    """SLA section 6: at 12:00:30 the wall goes +90 s: 12:00, 12:01 and 12:02 are suspect, the next is not."""
    drive = Drive(plan(objectives=(ratio_objective(Metric.UPTIME, "99", HOUR),)))
    for _ in range(30):
        drive.second()
    drive.engine.suspect(drive.now, drive.now + 90 * SECOND)
    drive.now += 90 * SECOND
    for _ in range(60):
        drive.second()
    drive.minute()
    closed = drive.engine.step(drive.now + 4 * SECOND)
    time = seconds(drive.engine.accounts.view("1h"))
    assert (time.up[0], time.down[0], time.unknown[0]) == (60, 0, 180)
    assert closed[-1].reason[0] == 255


def test_regression_22_an_hour_of_suspension_is_unknown_and_the_engine_goes_on() -> None:
    drive = Drive(plan(objectives=(ratio_objective(Metric.UPTIME, "99", HOUR), ratio_objective())))
    drive.minute()
    missed = [drive.now + i * SECOND for i in range(3600)]
    drive.engine.count(
        [samples([0] * 3600, Outcome.UNMEASURED, sent_ns=missed, slot=range(60, 3660), detail=Reason.OVERRUN)]
    )
    drive.now += 3600 * SECOND
    drive.engine.step(drive.now)
    drive.minute()
    drive.settle()
    shot = drive.look()
    assert shot.windows[1].delivery[0] == 1.0
    assert shot.unmeasured_by[Reason.OVERRUN, 0] == 3600
    time = seconds(drive.engine.accounts.view("1h"))
    assert (time.up[0], time.down[0], time.unknown[0]) == (60, 0, 59 * 60)


def test_an_hour_of_which_nobody_tells_anything_is_unmeasured_all_the_same() -> None:
    """Coverage says so even if the prober was stopped with the host and could not count the slots it missed."""
    drive = Drive(plan(objectives=(ratio_objective(window=HOUR),)))
    drive.minute()
    drive.now += 3540 * SECOND
    drive.settle()
    shot = drive.look()
    assert (shot.windows[1].sent[0], shot.windows[1].unmeasured[0]) == (60, 3540)
    assert shot.unmeasured_by[Reason.OVERRUN, 0] == 3540
    assert drive.standing() == "insufficient_data"


@pytest.mark.parametrize("seconds", [86_400, 30 * 86_400])
def test_a_cell_that_cannot_be_read_back_is_forgotten_rather_than_guessed(seconds: int) -> None:
    """Without a store a long window holds what memory holds; it never subtracts what it does not know."""
    long = Span("long", seconds=seconds)
    drive = Drive(plan(objectives=(ratio_objective(window=long),)))
    drive.minute(lost=30)
    drive.engine.windows["long"].first_k -= seconds // 60
    drive.minute()
    drive.settle()
    window = drive.engine.windows["long"]
    assert window.matrix[0].tolist() == [60 * 2]
    assert (window.histogram >= 0).all()


def test_an_endpoints_own_denominator_begins_with_its_first_probe() -> None:
    drive = Drive(plan(objectives=(ratio_objective(Metric.UPTIME, "99", HOUR),)))
    drive.now += MINUTE
    drive.minute()
    drive.settle()
    time = seconds(drive.engine.accounts.view("1h"))
    assert (time.up[0], time.unknown[0]) == (60, 0)
    assert drive.standing() == "met"


def test_objective_numbers_are_stable_when_others_leave() -> None:
    objectives: tuple[Objective, ...] = (ratio_objective(), ratio_objective(window=HOUR))
    drive = Drive(plan(objectives=objectives))
    drive.second(Outcome.LOST)
    drive.engine.step(drive.now)
    since = drive.engine.alerts.breaches[1].onset_ns
    drive.load(plan(objectives=objectives[1:]))
    drive.engine.step(drive.now + SECOND)
    assert drive.look().objectives.breach_since_ns.tolist() == [since]


@pytest.mark.parametrize("hours", [8, 30])
def test_a_long_silence_is_passed_over_and_reads_as_if_every_cell_had_been_closed(
    hours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    day, rule = Span("1d", seconds=86_400), UptimeRule(interval_ns=300 * SECOND)
    objectives = (
        ratio_objective(window=HOUR), ratio_objective(window=day), ratio_objective(window=MONTH),
        ratio_objective(Metric.UPTIME, window=day), ratio_objective(Metric.UPTIME, window=MONTH),
    )  # fmt: skip
    shots = []
    for gap in (100, 10**9):
        monkeypatch.setattr(engine_module, "_GAP", gap)
        kept: dict[int, tuple[IntArray, Spectrum]] = {}
        drive = Drive(plan(2, objectives=objectives, rule=rule), read_cell=kept.get)
        remember(drive.engine, kept)
        for _ in range(30):
            drive.minute(lost=40 if drive.slot < 600 else 0, rows=(1,))
        drive.now += hours * 3600 * SECOND
        for _ in range(7):
            drive.minute()
        shots.append(drive.look())
        assert (len(kept) < 300) == (gap == 100), "one of them passed over"
    one, other = shots
    assert one.unmeasured.tolist() == other.unmeasured.tolist()
    for mine, theirs in zip(one.windows, other.windows, strict=True):
        for name in ("sent", "received", "delivery", "uptime", "coverage", "p95", "jitter"):
            assert np.array_equal(getattr(mine, name), getattr(theirs, name), equal_nan=True), (mine.name, name)
    for name in ("standing", "value", "low", "high", "coverage"):
        assert np.array_equal(getattr(one.objectives, name), getattr(other.objectives, name), equal_nan=True), name


def remember(engine: Engine, kept: dict[int, tuple[IntArray, Spectrum]]) -> None:
    """Store the cells that leave an engine's memory."""
    close = engine._close

    def closing(k: int, fleet: Fleet) -> Cell:
        cell = close(k, fleet)
        kept[k] = cell.usable()
        return cell

    engine._close = closing  # type: ignore[method-assign]  # to hear of every cell


def test_what_was_booked_before_the_first_cell_leaves_the_window_too() -> None:
    """A contract's interval of several cells is booked whole, though the agent began in the middle of it."""
    drive = Drive(plan(objectives=(ratio_objective(Metric.UPTIME),), rule=UptimeRule(interval_ns=300 * SECOND)))
    assert drive.now // MINUTE % 5 == 4
    for number in range(22):
        drive.minute(lost=40 if number < 10 else 0)
    assert drive.look().windows[0].uptime[0] == 1.0
