from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsla.model import MILLISECOND, SECOND
from netsla.probes.schedule import GRAIN_NS, LONGEST_NS, Timetable, pace_ns, phase_share, tick_ns

INTERVALS = st.sampled_from(
    [3_333_333, 10 * MILLISECOND, 25 * MILLISECOND, 333_333_333, SECOND, 7 * SECOND, 60 * SECOND]
)


@given(
    INTERVALS, st.integers(1, 60), st.lists(st.integers(0, 3 * SECOND), min_size=1, max_size=30), st.integers(0, 2**61)
)
def test_every_slot_exactly_once_whatever_the_ticks(interval: int, probes: int, gaps: list[int], start: int) -> None:
    table = Timetable([f"p{i}" for i in range(probes)], interval)
    now = start
    first = begin = table.grain_at(now) + 1
    served: list[tuple[int, int]] = []
    for gap in gaps:
        now += min(gap, 20 * interval)
        end = table.grain_at(now) + 1
        for slot, low, high in table.due(first, end):
            served += [(slot, position) for position in range(low, high)]
        first = max(first, end)
    expected = {
        (slot, position)
        for slot in range(begin // table.grains - 1, first // table.grains + 1)
        for position, grain in enumerate(table.grain.tolist())
        if begin <= slot * table.grains + grain < first
    }
    assert len(served) == len(set(served))
    assert set(served) == expected


@given(INTERVALS, st.integers(0, 2**62))
def test_a_grain_holds_the_instant_at_which_it_begins(interval: int, now: int) -> None:
    table = Timetable(["a"], interval)
    grain = table.grain_at(now)
    assert table.time_of(grain) <= now < table.time_of(grain + 1)
    assert table.grain_at(table.time_of(grain)) == grain


@given(st.text(min_size=1))
def test_phase_is_the_same_in_every_run(key: str) -> None:
    assert phase_share(key) == phase_share(key)
    assert 0 <= phase_share(key) < 2**64


def test_phase_is_pinned() -> None:
    """A restart, a reload and the next version must all keep everybody's place."""
    assert phase_share("acme/berlin-hq/ping") == 12679974628906938826
    assert Timetable(["acme/berlin-hq/ping"], SECOND).grain.tolist() == [68]


def test_a_reload_moves_nobody_else() -> None:
    keys = [f"a/e{i}/ping" for i in range(10_000)]
    before, after = Timetable(keys, SECOND), Timetable([*keys[:5000], "new", *keys[5001:]], SECOND)
    was = dict(zip(before.order.tolist(), before.grain.tolist(), strict=True))
    now = dict(zip(after.order.tolist(), after.grain.tolist(), strict=True))
    assert [i for i in was if was[i] != now[i]] in ([5000], [])


def test_load_is_flat() -> None:
    table = Timetable([f"a/e{i}/ping" for i in range(50_000)], SECOND)
    load = np.bincount(table.grain, minlength=100)
    assert load.sum() == 50_000
    assert 400 < load.min() <= load.max() < 600  # 500 each, give or take 4.5 deviations


def test_times_of_follow_the_grains() -> None:
    table = Timetable([f"p{i}" for i in range(50)], SECOND)
    times = table.times_of(7, 0, 50)
    assert (np.diff(times) >= 0).all()
    assert [table.grain_at(int(at)) for at in times] == (7 * table.grains + table.grain).tolist()


@pytest.mark.parametrize(
    ("intervals", "wanted", "tick"),
    [
        ([], 100, 100),
        ([1000], 100, 100),
        ([1000], 80, 100),
        ([1000], 60, 50),
        ([1000], 20, 20),
        ([200, 1000, 60_000], 100, 100),
        ([80, 1000], 100, 40),
        ([50, 1000], 20, 10),
        ([70, 1000], 100, 10),
        ([1, 1000], 100, 1),
        ([15], 100, 10),
    ],
)
def test_a_tick_is_as_long_as_wanted_and_divides_every_interval(intervals: list[int], wanted: int, tick: int) -> None:
    assert tick_ns([one * MILLISECOND for one in intervals], wanted * MILLISECOND) == tick * MILLISECOND


@given(st.lists(st.integers(MILLISECOND, 100 * SECOND), min_size=1))
def test_a_tick_is_never_longer_than_an_interval(intervals: list[int]) -> None:
    assert min(GRAIN_NS, *intervals) <= tick_ns(intervals) <= min(LONGEST_NS, *intervals)


@given(st.floats(1e6, 1e8), st.lists(st.integers(1, 6000), min_size=1))
def test_every_interval_of_whole_grains_is_a_whole_number_of_ticks(wanted: float, grains: list[int]) -> None:
    tick = tick_ns([one * GRAIN_NS for one in grains], wanted)
    assert not any(one * GRAIN_NS % tick for one in grains)


@given(st.floats(0, 1e6))
def test_the_probes_of_a_tick_leave_within_it(rate: float) -> None:
    assert 0 < pace_ns(rate) <= 14_000
    assert pace_ns(rate) * rate <= 0.8e9
