"""Credits (SLA R17 and section 6)."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsla.model import SECOND, Chronic, Credits, Span, Tier
from netsla.sla.credit import (
    Line,
    amount,
    availability_share,
    chronic_downtime,
    chronic_outages,
    combined,
    days_share,
    step_share,
    tiers_from_ranges,
    time_share,
)
from tests.sla.contracts import DAY, HOUR, MINUTE, percent, tiers

AWS = tiers(("99.99", "10"), ("99", "25"), ("95", "100"))
DOWNTIME = tuple(
    Tier(Fraction(limit), percent(credit)) for limit, credit in ((10 * MINUTE, "5"), (45 * MINUTE, "50"), (DAY, "100"))
)


@pytest.mark.parametrize(("value", "credit"), [("99.99", 0), ("99.9899", 10), ("98.9999", 25), ("94.9999", 100)])
def test_availability_tiers(value: str, credit: int) -> None:
    assert availability_share(AWS, percent(value)) == Fraction(credit, 100)


@pytest.mark.parametrize(
    ("seconds", "credit"), [(600, 0), (601, 5), (2700, 5), (2701, 50), (86_400, 50), (86_401, 100)]
)
def test_downtime_tiers(seconds: int, credit: int) -> None:
    assert time_share(DOWNTIME, seconds * SECOND) == Fraction(credit, 100)


@pytest.mark.parametrize(("value", "credit"), [("99.63", 3), ("99.70", 2), ("99.9", 0), ("99.8999", 1), ("100", 0)])
def test_per_started_step(value: str, credit: int) -> None:
    got = step_share(percent("0.1"), percent("1"), percent("99.9"), percent(value))
    assert got == Fraction(credit, 100)


@pytest.mark.parametrize(("down_ns", "hours"), [(0, 0), (1, 1), (HOUR, 1), (HOUR + 1, 2)])
def test_days_per_started_hour(down_ns: int, hours: int) -> None:
    assert days_share(Fraction(1), down_ns) == Fraction(hours, 30)


def line(objective: str, share: int, *incidents: str) -> Line:
    return Line(objective, "hq", "availability", Fraction(share, 100), frozenset(incidents))


@pytest.mark.parametrize(
    ("rule", "cap", "expected", "money"),
    [("sum", None, 15, "135.00"), ("max", None, 10, "90.00"), ("sum", 12, 12, "108.00")],
)
def test_combining(rule: str, cap: int | None, expected: int, money: str) -> None:
    lines = [line("uptime", 10, "i1"), line("repair", 10, "i1"), line("delivery", 5)]
    terms = Credits(combine=rule, cap=None if cap is None else Fraction(cap, 100))
    share = combined(lines, terms)
    assert share == Fraction(expected, 100)
    assert amount(share, Decimal("900.00"), "EUR") == Decimal(money)


def test_a_month_and_its_outages_are_not_paid_twice() -> None:
    month, outages = line("uptime", 15, "i1", "i2", "i3"), [line("repair", 10, f"i{n}") for n in (1, 2)]
    assert combined([month, *outages], Credits()) == Fraction(20, 100)
    assert combined([month, outages[0]], Credits()) == Fraction(15, 100)
    assert combined([month, *outages], Credits(per_incident="sum")) == Fraction(35, 100)


@given(st.lists(st.tuples(st.integers(0, 30), st.frozensets(st.sampled_from("abc"), max_size=3)), max_size=6))
def test_more_lines_never_pay_less(found: list[tuple[int, frozenset[str]]]) -> None:
    lines = [Line("o", "hq", "per_outage", Fraction(share, 100), names) for share, names in found]
    terms = Credits(cap=Fraction(1, 2))
    paid = [combined(lines[:n], terms) for n in range(len(lines) + 1)]
    assert paid == sorted(paid)
    assert all(share <= Fraction(1, 2) for share in paid)


@pytest.mark.parametrize(
    ("share", "charge", "currency", "expected"),
    [
        ("1/200", "1.00", "EUR", "0.01"), ("1/3", "100", "EUR", "33.33"), ("1/8", "100", "JPY", "13"),
        ("1/7", "10", "KWD", "1.429"), ("0", "900", "EUR", "0.00"),
    ],
)  # fmt: skip
def test_rounded_once_half_up(share: str, charge: str, currency: str, expected: str) -> None:
    assert str(amount(Fraction(share), Decimal(charge), currency)) == expected


@pytest.mark.parametrize(("minutes", "chronic"), [((31, 45, 35), True), ((31, 45, 30), False), ((31, 45), False)])
def test_chronic_outages(minutes: tuple[int, ...], chronic: bool) -> None:
    rule = Chronic(Span("30d", 30 * 86_400), outages=3, each_over_ns=30 * MINUTE)
    outages = [(n * 10 * DAY, length * MINUTE) for n, length in enumerate(minutes)]
    assert chronic_outages(rule, outages, 30 * DAY) is chronic


def test_chronic_needs_them_near_each_other() -> None:
    rule = Chronic(Span("30d", 30 * 86_400), outages=2, each_over_ns=0)
    assert not chronic_outages(rule, [(0, 1), (31 * DAY, 1)], 30 * DAY)
    assert chronic_outages(rule, [(0, 1), (31 * DAY, 1), (40 * DAY, 1)], 30 * DAY)
    assert chronic_outages(rule, [(0, 1), (5 * DAY, 1)], 30 * DAY, 5 * DAY)
    assert not chronic_outages(rule, [(0, 1), (5 * DAY, 1)], 30 * DAY, 5 * DAY + 1)  # complete before
    assert chronic_downtime(Chronic(Span("month", calendar="month"), downtime_over_ns=DAY), DAY + 1)
    assert not chronic_downtime(Chronic(Span("month", calendar="month"), downtime_over_ns=DAY), DAY)


def test_tables_of_ranges() -> None:
    seamless = [("99", "99.9", "10"), ("90", "99", "25")]
    assert tiers_from_ranges([tuple(map(percent, row)) for row in seamless]) == tiers(("99.9", "10"), ("99", "25"))  # type: ignore[misc] # three each
    with pytest.raises(ValueError, match="hole"):
        tiers_from_ranges(
            [(percent("99.01"), percent("99.89"), percent("10")), (percent("90"), percent("99"), percent("25"))]
        )
    with pytest.raises(ValueError, match="overlap"):
        tiers_from_ranges(
            [(percent("99"), percent("99.9"), percent("10")), (percent("90"), percent("99.5"), percent("25"))]
        )
