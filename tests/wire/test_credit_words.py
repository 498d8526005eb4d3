"""What the document of an agreement says of money: whatever settles otherwise is worded otherwise."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from netsla.model import SECOND, Agreement, Chronic, CreditRule, Kind, Measurement, Span, Tier
from netsla.wire.blocks import Table
from netsla.wire.credit_words import credit_blocks
from tests.sla.contracts import contract, credits_of, delivery, percent, repair, tiers, uptime

MINUTES = 60 * SECOND
UPTIME_TIERS = CreditRule("uptime-month", tiers=tiers(("99.9", "5"), ("99", "25")))
DELIVERY_TIERS = CreditRule("delivery", tiers=tiers(("99", "10")))


def agreed(*rules: CreditRule, endpoints: tuple[str, ...] = ("hq",), **more: Any) -> Agreement:
    made = contract(uptime(), delivery(), repair(), endpoints=endpoints)
    return replace(made, credits=credits_of(*rules, **more), monthly_charge=Decimal("900.00"))


def text(agreement: Agreement) -> str:
    lines: list[str] = []
    for block in credit_blocks(agreement):
        if isinstance(block, Table):
            lines += [" | ".join(row) for row in block.rows]
        else:
            lines += [block] if isinstance(block, str) else block
    return "\n".join(lines)


def over(objective: str, basis: str) -> CreditRule:
    return CreditRule(objective, basis, tiers=(Tier(percent("100") * 30 * MINUTES, percent("5")),))


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (UPTIME_TIERS, "uptime below 99.9% | 5%\nuptime below 99% | 25%"),
        (DELIVERY_TIERS, "packet delivery below 99% | 10%"),
        (over("uptime-month", "cumulative_downtime"), "down time in all over 30m | 5%"),
        (over("uptime-month", "per_outage"), "an outage over 30m | 5%"),
        (over("repair", "per_outage"), "a repair over 30m | 5%"),
        (CreditRule("uptime-month", "per_step", step=percent("0.1"), credit=percent("1")), "1% for every started 0.1%"),
        (CreditRule("uptime-month", "days_per_started_hour", days=percent("100")), "the charge of one day (a day"),
        (CreditRule("uptime-month", "days_per_started_hour", days=percent("250")), "the charge of 2.5 days (a day"),
    ],
)
def test_each_basis_says_what_it_reads(rule: CreditRule, said: str) -> None:
    assert said in text(agreed(rule))


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        ({}, "What one incident earns by several rules is paid once, the highest"),
        ({"cap": percent("50")}, "are added, at most 50% in all."),
        ({"per_incident": "sum"}, "Credits are added, also those of one incident."),
        ({"combine": "max"}, "Credits do not add up: the highest counts."),
        ({}, "No deadline for claims is agreed."),
        ({"claim_by": timedelta(days=30)}, "Claims are made within 30d after the period."),
        ({"ticket_within": timedelta(hours=36)}, "A ticket is opened within 1d12h of each outage."),
    ],
)
def test_how_credits_add_up_and_are_claimed(terms: dict[str, Any], said: str) -> None:
    assert said in text(agreed(UPTIME_TIERS, **terms))


@pytest.mark.parametrize(
    ("combine", "said"),
    [("all", "the one that earns most"), ("any", "the one that earns least"), ("average", "their mean")],
)
def test_several_endpoints_earn_one_credit(combine: str, said: str) -> None:
    both = replace(agreed(UPTIME_TIERS, endpoints=("hq", "dr")), measurement=Measurement(combine=combine))
    assert f"Of several endpoints {said} decides" in text(both)
    assert "Of several endpoints" not in text(agreed(UPTIME_TIERS))


def test_a_chronic_rule_gives_no_right_that_nobody_agreed() -> None:
    month, days = Span("month", calendar="month"), Span("30d", seconds=30 * 86_400)
    rules = (Chronic(days, 3, 30 * MINUTES), Chronic(month, downtime_over_ns=24 * 60 * MINUTES))
    told = text(agreed(UPTIME_TIERS, chronic=rules))
    assert "3 outages of more than 30m each within 30d" in told
    assert "more than 1d of down time within a calendar month" in told
    assert "end the agreement" not in told


def test_the_example_is_settled_by_the_functions_that_settle() -> None:
    assert text(agreed(UPTIME_TIERS)).endswith("Example: a month with 99.89% uptime earns 5%: 45.00 EUR.")
    assert text(agreed(DELIVERY_TIERS)).endswith("a month with 98.99% packet delivery earns 10%: 90.00 EUR.")


def test_where_no_money_is_agreed_none_is_named() -> None:
    assert text(replace(agreed(UPTIME_TIERS), kind=Kind.INTERNAL)) == "No money is involved."
    assert text(agreed()) == "No credits are agreed."
