from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsla.config import quantity
from netsla.config.quantity import Wrong
from netsla.model import SECOND, Bound, Span

MS = SECOND // 1000


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("500ms", 500 * MS),
        ("5m", 300 * SECOND),
        ("1h30m", 5400 * SECOND),
        ("30d", 30 * 86_400 * SECOND),
        ("1w", 7 * 86_400 * SECOND),
        ("1y", 365 * 86_400 * SECOND),
        ("1s500ms", 1500 * MS),
        ("250us", 250_000),
        ("43200m", 30 * 86_400 * SECOND),
        ("0s", 0),
    ],
)
def test_duration(text: str, value: int) -> None:
    assert quantity.duration(text) == value


@pytest.mark.parametrize(
    "text", ["", "5", "5 m", "m5", "30m1h", "1.5s", "-5m", "5min", "5M", "9" * 5000 + "s", "999y", "\u0665m", "1h30"]
)
def test_not_a_duration(text: str) -> None:
    with pytest.raises(Wrong) as caught:
        quantity.duration(text)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("text", "likely"),
    [
        ("5 days", "5d"),
        ("30D", "30d"),
        ("10 min", "10m"),
        ("50 ms", "50ms"),
        ("0.05s", "50ms"),
        ("1.5h", "1h30m"),
        ("1 year", "1y"),
    ],
)
def test_what_a_duration_was_meant_to_be_is_one(text: str, likely: str) -> None:
    with pytest.raises(Wrong) as caught:
        quantity.duration(text)
    assert caught.value.remedy == f"write {likely}"
    assert quantity.duration(likely)


def test_an_unclear_duration_is_not_guessed() -> None:
    for text in ("1M", "5 parsecs", "0.0000000001s", "." + "9" * 5000 + "s"):  # a minute or a month?
        with pytest.raises(Wrong) as caught:
            quantity.duration(text)
        assert "1500ms" in caught.value.remedy or "1h30m" in caught.value.remedy, text


@given(st.integers(0, quantity.LONGEST_NS // 1000).map(lambda n: n * 1000))
def test_duration_text_is_read_back(nanoseconds: int) -> None:
    assert quantity.duration(quantity.duration_text(nanoseconds)) == nanoseconds


@pytest.mark.parametrize(
    ("text", "ratio"),
    [("99.9%", Fraction(999, 1000)), ("0%", Fraction(0)), ("100 %", Fraction(1)), ("0.1%", Fraction(1, 1000))],
)
def test_percent_is_exact(text: str, ratio: Fraction) -> None:
    assert quantity.percent(text) == ratio


@pytest.mark.parametrize("text", ["99.9", "-1%", "100.1%", "1e2%", ".5%", "5 percent", "%", "9" * 5000 + "%"])
def test_not_a_percentage(text: str) -> None:
    with pytest.raises(Wrong):
        quantity.percent(text)


@given(st.decimals(0, 100, places=6))
def test_percent_text_is_read_back(number: object) -> None:
    ratio = Fraction(str(number)) / 100
    assert quantity.percent(quantity.percent_text(ratio)) == ratio


def test_target() -> None:
    assert quantity.target(">= 99.9%") == Bound(at_least=True, value=Fraction(999, 1000), text=">= 99.9%")
    assert quantity.target("<=50ms") == Bound(at_least=False, value=Fraction(50 * MS), text="<=50ms")


def test_span() -> None:
    assert quantity.span("5m") == Span("5m", seconds=300)
    assert quantity.span("90d") == Span("90d", seconds=90 * 86_400)
    assert quantity.span("quarter") == Span("quarter", calendar="quarter")
    for text in ("59s", "91d", "1m500ms", "fortnight", "Month", "60"):
        with pytest.raises(Wrong):
            quantity.span(text)


def test_a_window_in_words_is_named() -> None:
    for text in ("1 month", "months", "1month"):
        with pytest.raises(Wrong) as caught:
            quantity.span(text)
        assert "month" in caught.value.remedy


def test_what_a_target_suggests_is_a_target() -> None:
    """A ratio is the likelier meaning of a number below one."""
    with pytest.raises(Wrong) as caught:
        quantity.target(">= 0.999")
    assert caught.value.remedy == "write 99.9% or 0.999%, or a time such as 50ms"
    with pytest.raises(Wrong) as caught:
        quantity.target("99.9")
    assert quantity.target(caught.value.remedy.split('"')[1])


def test_clock() -> None:
    assert [quantity.clock(text) for text in ("00:00", "08:05", "24:00")] == [0, 485, 1440]
    assert quantity.clock_text(485) == "08:05"
    for text in ("8:05", "24:01", "12:60", "12", "aa:bb"):
        with pytest.raises(Wrong):
            quantity.clock(text)


def test_clock_range_may_run_over_midnight() -> None:
    assert quantity.clock_range("00:00-06:00") == (0, 360)
    assert quantity.clock_range("22:00 - 04:00") == (1320, 240)
    with pytest.raises(Wrong):
        quantity.clock_range("01:00-01:00")


def test_day_and_moment() -> None:
    assert quantity.day("2024-02-29") == date(2024, 2, 29)
    assert quantity.moment("2026-02-01") == date(2026, 2, 1)
    assert quantity.moment("2026-02-01T02:00") == datetime(2026, 2, 1, 2)  # noqa: DTZ001 - local, on purpose
    assert quantity.moment("2026-02-01T02:00+01:00") == datetime(2026, 2, 1, 2, tzinfo=timezone(timedelta(hours=1)))
    for text in ("2026-02-29", "1.2.2026", "2026-2-1"):
        with pytest.raises(Wrong):
            quantity.day(text)
    with pytest.raises(Wrong):
        quantity.moment("2026-02-01T25:00")


def test_percentile() -> None:
    assert quantity.percentile("p95") == Fraction(19, 20)
    assert quantity.percentile("p99.9") == Fraction(999, 1000)
    assert quantity.percentile("mean") is None
    for text in ("p0", "p101"):
        with pytest.raises(Wrong):
            quantity.percentile(text)


def test_weekdays() -> None:
    assert quantity.weekdays("mon-fri") == [0, 1, 2, 3, 4]
    assert quantity.weekdays("Sat") == [5]
    assert quantity.weekdays("sat-mon") == [5, 6, 0]
    with pytest.raises(Wrong):
        quantity.weekdays("mon-fry")


def test_meant() -> None:
    assert quantity.meant("agnet", ["agent", "web"]) == "did you mean 'agent'?"
    assert quantity.meant("GOLD", ["gold"]) == "did you mean 'gold'?"
    assert quantity.meant("zzz", ["b", "a"]) == "known: a, b"
    assert quantity.meant("zzz", []) == ""


@pytest.mark.parametrize(
    "text", ["no", "Yes", "ON", "off", "1:30", "12:30:45", "010", "08", "0x1F", "0o17", "1_000", "-010"]
)
def test_trap(text: str) -> None:
    assert quantity.trap(text) is not None


@pytest.mark.parametrize(
    "text", ["north", "0", "10", "1.5", "2026-02-01", "::1", "10.0.0.1", "0s", "true", "a:b", "0.5", "08:00", "00:30"]
)
def test_no_trap(text: str) -> None:
    assert quantity.trap(text) is None


@given(st.fractions(min_value=0).map(lambda f: Fraction(f.numerator, 10**6)))
def test_decimal_text_is_exact(value: Fraction) -> None:
    assert Fraction(quantity.decimal_text(value)) == value
