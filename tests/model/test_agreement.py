from __future__ import annotations

from fractions import Fraction

import pytest

from netsla.model import Agreement, Party, Reaction


@pytest.mark.parametrize(
    ("parties", "customer"),
    [
        ((Party("provider", "ISP"), Party("customer", "ACME")), "ACME"),
        ((Party("provider", "Transit"), Party("team", "Network"), Party("customer", "ACME")), "ACME"),
        ((Party("provider", "ISP"), Party("team", "Network")), "Network"),
        ((Party("provider", "ISP"),), ""),
        ((), ""),
    ],
)
def test_the_customer_is_who_receives(parties: tuple[Party, ...], customer: str) -> None:
    assert Agreement("a", (), parties=parties).customer == customer


def test_a_reaction_looks_ahead_for_a_forecast_and_for_its_budget() -> None:
    assert [Reaction(one).looks_ahead for one in ("immediate", "burn", "forecast")] == [False, False, True]
    assert Reaction(budget=(Fraction(1, 2),)).looks_ahead
