from __future__ import annotations

from datetime import timedelta
from fractions import Fraction
from pathlib import Path

import pytest

from netsla.model import SECOND, Chronic, CreditRule, Credits, Span, Tier
from tests.config.writing import agreement, mistakes

MINUTE = 60 * SECOND
UP = '{id: up, metric: uptime, target: ">= 99.9%", window: month}'
DELIVERY = '{id: d, metric: packet_delivery, target: ">= 99.9%", window: month}'
REPAIR = '{id: r, metric: time_to_repair, target: "<= 4h", window: month}'


def merged(folder: Path, text: str, plan: str = "") -> Credits:
    top = f"plans: {{p: {{credits: {plan}}}}}" if plan else ""
    keys = f"{'plan: p' if plan else ''}\nobjectives: [{UP}, {DELIVERY}, {REPAIR}]\ncredits: {text}"
    found = agreement(folder, keys, top).credits
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (
            "{objective: up, tiers: [{below: 99.9%, credit: 5%}, {below: 99%, credit: 25%}]}",
            CreditRule(
                "up", tiers=(Tier(Fraction(999, 1000), Fraction(1, 20)), Tier(Fraction(99, 100), Fraction(1, 4)))
            ),
        ),
        (
            "{objective: up, basis: cumulative_downtime, tiers: [{over: 10m, credit: 5%}, {over: 45m, credit: 10%}]}",
            CreditRule(
                "up",
                "cumulative_downtime",
                (Tier(Fraction(10 * MINUTE), Fraction(1, 20)), Tier(Fraction(45 * MINUTE), Fraction(1, 10))),
            ),
        ),
        (
            "{objective: r, basis: per_outage, tiers: [{over: 0s, credit: 5%}]}",
            CreditRule("r", "per_outage", (Tier(Fraction(0), Fraction(1, 20)),)),
        ),
        (
            "{objective: up, basis: days_per_started_hour, days: 0.5}",
            CreditRule("up", "days_per_started_hour", days=Fraction(1, 2)),
        ),
        (
            "{objective: d, basis: per_step, step: 0.1%, credit: 1%}",
            CreditRule("d", "per_step", step=Fraction(1, 1000), credit=Fraction(1, 100)),
        ),
    ],
)
def test_every_basis(tmp_path: Path, text: str, rule: CreditRule) -> None:
    assert merged(tmp_path, f"{{rules: [{text}]}}").rules == (rule,)


def test_the_rest(tmp_path: Path) -> None:
    text = """{currency: CHF, combine: {rule: max, per_incident: sum}, cap: 50%, claim: {ticket_within: 72h, by: 30d},
      chronic: [{outages: 3, each_over: 30m, within: 30d}, {downtime_over: 24h, within: month}]}"""
    found = merged(tmp_path, text)
    assert (found.currency, found.combine, found.per_incident, found.cap) == ("CHF", "max", "sum", Fraction(1, 2))
    assert (found.ticket_within, found.claim_by) == (timedelta(hours=72), timedelta(days=30))
    assert found.chronic == (
        Chronic(Span("30d", seconds=30 * 86_400), outages=3, each_over_ns=30 * MINUTE),
        Chronic(Span("month", calendar="month"), downtime_over_ns=24 * 60 * MINUTE),
    )


def test_agreement_over_plan_key_by_key(tmp_path: Path) -> None:
    found = merged(
        tmp_path,
        "{cap: 20%}",
        plan="{currency: USD, cap: 50%, rules: [{objective: up, tiers: [{below: 99%, credit: 5%}]}]}",
    )
    assert (found.currency, found.cap, len(found.rules)) == ("USD", Fraction(1, 5), 1)


def wrong(promise: str, tiers: str) -> str:
    return f"""
agreements:
  - id: a
    objectives: [{promise}]
    credits: {{rules: [{{objective: up, tiers: {tiers}}}]}}
    endpoints: [{{id: e, address: 192.0.2.1}}]
"""


def test_defaults(tmp_path: Path) -> None:
    assert merged(tmp_path, "{}") == Credits()


@pytest.mark.parametrize("tiers", ["[]", "[{below: 99%, credit: 5%}, {below: 99.5%, credit: 9%}]", "[{credit: 5%}]"])
def test_tables_that_would_surprise(tmp_path: Path, tiers: str) -> None:
    text = wrong(UP, tiers)
    assert len(mistakes(tmp_path, text)) == 1


def test_a_rule_about_a_wrong_objective_is_not_a_second_mistake(tmp_path: Path) -> None:
    bad = UP.replace(">= 99.9%", "99.9")
    text = wrong(bad, "[{below: 99%, credit: 5%}]")
    (line,) = mistakes(tmp_path, text)
    assert "target" in line
