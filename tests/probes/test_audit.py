from __future__ import annotations

from bisect import bisect_left
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsla.model import MILLISECOND, SECOND
from netsla.probes.audit import Audit, Clock
from netsla.probes.prober import LATENESS_BOUNDS


@given(st.integers(0, 2 * SECOND), st.integers(0, 2 * SECOND), st.integers(0, 5000))
def test_every_probe_is_counted_once_between_first_and_last(first: int, more: int, probes: int) -> None:
    audit = Audit()
    audit.late(first, first + more, probes)
    assert sum(audit.lateness) == probes
    assert first * probes <= audit.lateness_ns <= (first + more) * probes


@given(st.integers(0, 2 * SECOND), st.integers(0, 2 * SECOND), st.integers(1, 300))
def test_each_probe_is_counted_as_late_as_it_was(first: int, more: int, probes: int) -> None:
    audit = Audit()
    audit.late(first, first + more, probes)
    late = [Fraction(first) + Fraction(more * nth, probes) for nth in range(1, probes + 1)]
    bounds = [round(bound * SECOND) for bound in LATENESS_BOUNDS]
    expected = [0] * (len(bounds) + 1)
    for each in late:
        expected[bisect_left(bounds, each)] += 1
    assert audit.lateness == expected
    assert audit.lateness_ns == int(sum(late))


@pytest.mark.parametrize(("late_ns", "place"), [(0, 0), (100_000, 0), (100_001, 1), (MILLISECOND, 2), (SECOND + 1, 11)])
def test_bounds_are_inclusive(late_ns: int, place: int) -> None:
    audit = Audit()
    audit.late(late_ns, late_ns, 1)
    assert audit.lateness.index(1) == place
    assert len(audit.lateness) == len(LATENESS_BOUNDS) + 1


def test_a_process_that_is_put_aside_between_two_readings_sees_no_step() -> None:
    class Interrupted(Clock):
        """Loses 30 ms between its first reading of one clock and that of the other."""

        def __init__(self) -> None:
            self.now, self.pauses = SECOND, [0, 30 * MILLISECOND]

        def mono(self) -> int:
            self.now += self.pauses.pop() if self.pauses else 0
            return self.now

        def wall(self) -> int:
            self.now += self.pauses.pop() if self.pauses else 0
            return self.now + 7 * SECOND

    mono, wall = Interrupted().both()
    assert wall - mono == 7 * SECOND


def test_the_real_clocks_agree_with_themselves() -> None:
    clock = Clock()
    first, second = clock.both(), clock.both()
    assert second[0] >= first[0]
    assert abs((second[1] - second[0]) - (first[1] - first[0])) < MILLISECOND
    assert clock.asleep() >= -MILLISECOND
