"""While a long past is read back: the last hour as it is, and not a word on what an hour cannot tell."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace

import numpy as np

from netsla.model import Metric, Outcome, Span
from netsla.sla.snapshot import STANDINGS, AgentView, Snapshot
from netsla.sla.standin import StandIn
from tests.sla.builders import FIVE, HOUR, MINUTE, MONTH, latency_objective, ratio_objective, samples
from tests.sla.builders import plan as make_plan
from tests.sla.test_engine import Drive

AGENT = AgentView("test", "0", 0, "", ())
DAY = Span("24h", seconds=86_400)
SHORT = ("packet_delivery-5m", "packet_delivery-1h", "latency-p95-5m")
PLAN = make_plan(
    2,
    objectives=(
        ratio_objective(window=FIVE),
        ratio_objective(window=HOUR),
        latency_objective(),
        replace(ratio_objective(window=FIVE), id="scoped", scope="available"),
        ratio_objective(Metric.UPTIME, "99", HOUR),
        ratio_objective(window=DAY),
        ratio_objective(window=MONTH),
        ratio_objective(Metric.UPTIME, "99", MONTH),
    ),
)


def stood_in(lost: int = 0) -> tuple[Drive, Snapshot, Snapshot]:
    """Some minutes lived, as a real engine and as a stand-in show them."""
    drive = Drive(PLAN)
    stand_in = StandIn(drive.fleet, {}, {drive.fleet.objectives[0].number: 77}, drive.now)
    rows, waiting = [probe.row for probe in drive.fleet.watched], []
    for second in range(400):
        outcome = [Outcome.LOST if second % 60 < lost else Outcome.ANSWERED] * len(rows)
        waiting.append(samples(rows, outcome, 10.0, drive.now, second, 0))
        drive.engine.count(waiting[-1:])
        drive.now += MINUTE // 60
        stand_in.turn(waiting, drive.now)
        drive.engine.step(drive.now)
    return drive, drive.look(), stand_in.view(drive.now, AGENT, {})


def standing(shot: Snapshot) -> dict[str, str]:
    named = zip(shot.roll.objective, shot.objectives.standing, strict=True)
    return {objective.id: STANDINGS[code] for objective, code in named}


def test_what_an_hour_is_enough_for_is_what_the_engine_says() -> None:
    for lost in (0, 3):
        _, whole, short = stood_in(lost)
        assert short.roll.objective == whole.roll.objective
        assert [window.name for window in short.windows] == ["5m", "1h"]
        for one, other in zip(short.windows, whole.windows, strict=False):
            for name in ("sent", "received", "unmeasured", "delivery", "coverage", "mean", "p95", "jitter"):
                assert np.array_equal(getattr(one, name), getattr(other, name), equal_nan=True), name
        mine, theirs = standing(short), standing(whole)
        assert {name: mine[name] for name in SHORT} == {name: theirs[name] for name in SHORT}
        assert mine["packet_delivery-5m"] == ("breached" if lost else "met")
        assert np.array_equal(short.sent, whole.sent)


def test_nothing_is_said_of_longer_windows_of_uptime_or_of_alerts() -> None:
    _, whole, short = stood_in(lost=60)
    mine = standing(short)
    assert {name for name, said in mine.items() if said != "no_data"} == {"packet_delivery-5m", "packet_delivery-1h"}
    long = [number for number, one in enumerate(short.roll.objective) if one.id not in SHORT]
    assert np.isnan(short.objectives.value[long]).all()
    assert all(np.isnan(window.uptime).all() for window in short.windows)
    assert (whole.objectives.breach_since_ns > 0).sum() > 1
    assert short.objectives.breach_since_ns.tolist() == [77] + [-1] * (len(short.roll.objective) - 1)
    assert not short.objectives.breaches.any()


def test_its_windows_go_with_it() -> None:
    """At once, by the count of references: what stands at a start is frozen, and no collection looks there again."""
    drive = Drive(PLAN)
    gc.collect()
    gc.disable()
    try:
        stand_in = StandIn(drive.fleet, {}, {}, drive.now)
        stand_in.turn([], drive.now)
        window = weakref.ref(stand_in.engine.windows["1h"])
        del stand_in
        assert window() is None
    finally:
        gc.enable()
