from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsla.wire import digits


def texts(slots: digits.Slots) -> list[str]:
    first, last = slots
    return [(a.tobytes() + b.tobytes()).decode() for a, b in zip(first, last, strict=True)]


@given(st.lists(st.integers(0, 10**16 - 1), max_size=40))
def test_integers_are_exact_and_right_aligned(values: list[int]) -> None:
    assert texts(digits.integers(np.asarray(values, np.int64))) == [str(value).rjust(16) for value in values]


@given(st.lists(st.floats(-9999, 9999), min_size=1, max_size=40))
def test_decimals_are_right_to_a_nanosecond(values: list[float]) -> None:
    for value, text in zip(values, texts(digits.decimals(np.asarray(values))), strict=True):
        assert abs(float(text) - value) <= 1e-9
        assert len(text) == 16
        assert text.lstrip(" -").replace(".", "", 1).isdigit()


@given(st.lists(st.floats(), min_size=1, max_size=40))
def test_any_float_fits_a_slot_and_reads_back(values: list[float]) -> None:
    for value, text in zip(values, texts(digits.decimals(np.asarray(values))), strict=True):
        assert len(text) == 16
        read = float(text)
        assert math.isnan(read) if math.isnan(value) else math.isclose(read, value, rel_tol=1e-8, abs_tol=1e-9)


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=40))
def test_any_integer_fits_a_slot(values: list[int]) -> None:
    for value, text in zip(values, texts(digits.integers(np.asarray(values, np.int64))), strict=True):
        assert len(text) == 16
        assert math.isclose(float(text), value, rel_tol=1e-8)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.000000000"),
        (-0.0, "0.000000000"),
        (0.29, "0.290000000"),
        (0.9999999999, "0.999999999"),  # not 1: a packet was lost
        (1.0, "1.000000000"),
        (-1.5, "-1.500000000"),
        (-0.25, "-0.250000000"),
        (9999.9999999999, "9999.999999999"),
        (2674800.0, "2674800.000000"),
        (10_000.0, "10000.000000"),
        (31_557_600.123457, "31557600.123457"),  # a year of a sum, to the microsecond
        (999_999_998.999999, "999999998.999999"),
        (999_999_999.5, "1e+09"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
        (math.nan, "NaN"),
    ],
)
def test_particular_figures(value: float, text: str) -> None:
    assert texts(digits.decimals(np.asarray([value])))[0].strip() == text


def test_nothing_is_nothing() -> None:
    assert texts(digits.integers(np.empty(0, np.int64))) == []
    assert texts(digits.decimals(np.empty(0))) == []


@given(st.lists(st.integers(10_000 * 10**6, 999_999_998 * 10**6), min_size=1, max_size=40))
def test_sums_of_times_grow_by_each_microsecond(micros: list[int]) -> None:
    found = texts(digits.decimals(np.asarray(micros) / 1e6))
    assert [text.strip() for text in found] == [f"{us // 10**6}.{us % 10**6:06d}" for us in micros]
