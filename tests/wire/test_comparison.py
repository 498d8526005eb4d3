"""Two agreements side by side."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from fractions import Fraction

import pytest

from netsla.model import SECOND, Agreement, Hours, Maintenance, UptimeRule
from netsla.wire.comparison import Row, compare, counts_from, to_json
from tests.sla.contracts import contract, delivery, latency, uptime


def rows(a: Agreement, b: Agreement) -> dict[str, Row]:
    return {row.question: row for row in compare(a, b)}


def test_an_agreement_is_as_strict_as_itself() -> None:
    one = contract(uptime(), delivery(), latency(30))
    assert {row.stricter for row in compare(one, one)} == {"same"}


def test_targets_in_the_same_unit() -> None:
    a = contract(uptime("99.9"), delivery("99"), latency(30))
    b = contract(uptime("99.95"), delivery("98"), latency(40))
    found = rows(a, b)
    down = found["down time allowed in 30 days"]
    assert (down.a, down.b, down.stricter) == ("43m12s", "21m36s", "b")
    assert found["packet delivery over month"].stricter == "a"
    assert (found["latency over month"].a, found["latency over month"].stricter) == ("30ms", "a")


def test_short_hours_leave_little_room() -> None:
    """The same target over a third of the week allows a third of the down time."""
    day = Hours(tuple((weekday, 480, 960) for weekday in range(7)))
    down = rows(contract(uptime()), replace(contract(uptime()), hours=day))["down time allowed in 30 days"]
    assert (down.a, down.b, down.stricter) == ("43m12s", "14m24s", "b")


def test_what_one_does_not_say_is_not_comparable() -> None:
    found = rows(contract(uptime(), delivery()), contract(uptime()))
    one = found["packet delivery over month"]
    assert (one.a, one.b, one.stricter) == ("99%", "-", "incomparable")


@pytest.mark.parametrize(
    ("rule", "seconds"),
    [
        (UptimeRule("", "interval", interval_ns=60 * SECOND), 60),
        (UptimeRule("", "sliding", 10, interval_ns=60 * SECOND), 600),
        (UptimeRule("", "outage", 1, 120 * SECOND), 120),
        (UptimeRule("", "outage", 1, 30 * SECOND), 60),
    ],
)
def test_how_long_an_outage_must_last(rule: UptimeRule, seconds: int) -> None:
    assert counts_from(rule) == Fraction(seconds)


def test_terms_around_it() -> None:
    a = replace(contract(), maintenance=Maintenance(timedelta(days=5), None, 4 * 3600 * SECOND))
    b = replace(contract(), maintenance=Maintenance(timedelta(days=2)), hours=Hours(((0, 480, 1080),)))
    found = rows(a, b)
    assert found["maintenance: notice"].stricter == "a"
    assert found["maintenance: at most a month"].stricter == "incomparable"
    assert (found["service hours a week"].a, found["service hours a week"].b) == ("168 h", "10 h")


def test_as_json() -> None:
    first = to_json(compare(contract(), contract()))[0]
    assert set(first) == {"question", "a", "b", "stricter"}
