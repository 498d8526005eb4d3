"""Values to text and back: what is written is read back to the same value."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsla.config.quantity import duration, percent
from netsla.model import SECOND
from netsla.wire.amounts import counted, decimal_text, duration_text, percent_text, span_text


@given(st.integers(1, 10**15).map(lambda us: us * 1000))
def test_durations_come_back(nanoseconds: int) -> None:
    assert duration(duration_text(nanoseconds)) == nanoseconds


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (365 * 86_400 * 10**9, "1y"),
        (7 * 86_400 * 10**9, "1w"),
        (86_400 * 10**9 + 3600 * 10**9, "1d1h"),
        (61 * 10**9, "1m1s"),
        (10**6 + 10**3, "1ms1us"),
        (0, "0s"),
    ],
)
def test_units_are_what_they_are_called(nanoseconds: int, text: str) -> None:
    assert duration_text(nanoseconds) == text
    assert duration(text) == nanoseconds


@given(st.integers(0, 10**9))
def test_percentages_come_back(parts: int) -> None:
    ratio = Fraction(parts, 10**9)
    assert percent(percent_text(ratio)) == ratio


@pytest.mark.parametrize(
    ("value", "text"), [(Fraction(0), "0"), (Fraction(5, 4), "1.25"), (Fraction(1, 1000), "0.001")]
)
def test_decimals_in_full(value: Fraction, text: str) -> None:
    assert decimal_text(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(30 * 86_400, "30d"), (400 * 86_400, "400d"), (129_600, "1d12h"), (90, "1m30s"), (0, "0s")]
)
def test_a_contract_counts_days_never_weeks(seconds: int, text: str) -> None:
    assert span_text(seconds * SECOND) == text


def test_one_is_no_plural() -> None:
    assert [counted(count, "probe") for count in (0, 1, 2)] == ["0 probes", "1 probe", "2 probes"]
