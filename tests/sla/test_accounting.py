"""Accounts, ratios and verdicts (SLA R5, R6 and section 6)."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsla.model import SECOND, Bound, Measurement, Standing
from netsla.sla.accounting import Account, account, availability, verdict
from netsla.sla.spans import spans, total_ns
from tests.sla.contracts import DAY, percent

APRIL = 30 * DAY


def booked(unknown: int, down: int, excluded: int = 0, total: int = APRIL) -> Account:
    """Seconds of each class in a month."""
    known = (unknown + down + excluded) * SECOND
    return Account(excluded * SECOND, unknown * SECOND, down * SECOND, total - known)


def standing(time: Account, target: str, **options: object) -> tuple[Standing, bool]:
    measurement = Measurement(**options)  # type: ignore[arg-type] # options by name
    goal = Bound(True, percent(target), f">= {target}%")
    found = verdict(availability(time, measurement), goal, measurement.min_coverage)
    return found.standing, found.conclusive


def test_error_budget_to_the_second() -> None:
    assert standing(booked(0, 259), "99.99") == (Standing.MET, True)
    assert standing(booked(0, 260), "99.99") == (Standing.BREACHED, True)


@pytest.mark.parametrize(
    ("excluded", "down", "mode", "expected"),
    [(7200, 1800, "remove", 99.930362), (7200, 1800, "count_as_up", 99.930556), (0, 7200, "remove", 99.722222)],
)
def test_maintenance_in_april(excluded: int, down: int, mode: str, expected: float) -> None:
    figure = availability(booked(0, down, excluded), Measurement(exclusions=mode))
    assert float(figure.value or 0) * 100 == pytest.approx(expected, abs=5e-7)


def test_unknown_time() -> None:
    time = booked(21_600, 1200)
    figure = availability(time, Measurement())
    shown = [round(float(x or 0) * 100, 6) for x in (figure.value, figure.low, figure.high)]
    assert shown == [99.953315, 99.120370, 99.953704]
    assert float(figure.coverage or 0) * 100 == pytest.approx(99.1667, abs=5e-5)
    assert standing(time, "99.9") == (Standing.MET, False)
    assert standing(time, "99.99") == (Standing.BREACHED, True)
    assert standing(time, "99") == (Standing.MET, True)


def test_options_for_unknown_and_denominator() -> None:
    time = booked(21_600, 1200)
    assert availability(time, Measurement(unknown="up")).value == 1 - Fraction(1200, 2_592_000)
    assert availability(time, Measurement(unknown="down")).value == 1 - Fraction(22_800, 2_592_000)
    fixed = Measurement(fixed_denominator_ns=43_200 * 60 * SECOND)
    assert availability(booked(0, 600, total=31 * DAY), fixed).value == 1 - Fraction(600, 2_592_000)
    assert availability(booked(0, 2_600_000, total=31 * DAY), fixed).value == 0


def test_nothing_known_is_no_data_whatever_the_policy() -> None:
    for policy in ("exclude", "up", "down"):
        assert standing(Account(unknown_ns=APRIL), "50", unknown=policy)[0] is Standing.NO_DATA
    assert standing(Account(), "50")[0] is Standing.NO_DATA
    assert standing(Account(excluded_ns=APRIL), "50", exclusions="count_as_up")[0] is Standing.NO_DATA


def test_too_little_coverage_unless_it_is_hopeless() -> None:
    half = Account(0, APRIL // 2, 0, APRIL // 2)
    assert standing(half, "99")[0] is Standing.INSUFFICIENT
    assert standing(Account(0, APRIL // 2, APRIL // 4, APRIL // 4), "99") == (Standing.BREACHED, True)


CODES = st.lists(st.sampled_from([1, 0, -1, -2]), max_size=40)


@given(CODES, st.integers(0, 40), st.lists(st.tuples(st.integers(-5, 45), st.integers(-5, 45)), max_size=4))
def test_a_period_is_the_sum_of_its_parts(codes: list[int], cut: int, hours: list[tuple[int, int]]) -> None:
    code, start = np.array(codes, np.int8), np.arange(len(codes)) * 10
    end = 10 * len(codes)
    scheduled = spans((max(a, 0), min(b * 10, end)) for a, b in hours)
    first, second = (
        spans((max(int(a), low), min(int(b), high)) for a, b in scheduled)
        for low, high in ((0, 7 * cut), (7 * cut, 9999))
    )
    whole = account(code, start, 10, scheduled)
    assert account(code, start, 10, first) + account(code, start, 10, second) == whole
    assert whole.scheduled_ns == total_ns(scheduled)


@given(st.integers(0, 100), st.integers(0, 100), st.integers(0, 100), st.sampled_from(["exclude", "up", "down"]))
def test_more_downtime_never_raises_uptime(up: int, down: int, unknown: int, policy: str) -> None:
    options = Measurement(unknown=policy)
    better = availability(Account(0, unknown, down, up + 1), options).value
    worse = availability(Account(0, unknown, down + 1, up), options).value
    assert worse is not None
    assert better is not None
    assert worse <= better
