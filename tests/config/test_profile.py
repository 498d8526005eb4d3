from __future__ import annotations

from fractions import Fraction

from netsla.config.profile import PROFILES
from netsla.model import SECOND, UptimeRule


def test_profiles_are_those_of_the_contract_page() -> None:
    """Every value of the named profiles, as SLA §5 lists them."""
    half, minute = Fraction(1, 2), 60 * SECOND
    told = {
        name: (
            rule.interval_ns // SECOND,
            rule.loss_over,
            rule.method,
            rule.n,
            rule.minimum_ns // SECOND,
            rule.all_lost,
        )
        for name, rule in PROFILES.items()
    }
    assert told == {
        "commercial": (60, half, "outage", 1, 120, False),
        "google120": (60, half, "outage", 1, 120, True),
        "y1540-2019": (60, Fraction(1, 5), "interval", 1, 0, False),
        "y1540-2002": (300, Fraction(3, 4), "interval", 1, 0, False),
        "mef": (60, half, "sliding", 10, 0, False),
        "att1m": (60, half, "outage", 1, 60, False),
        "custom": (60, half, "outage", 1, 120, False),
    }
    assert PROFILES["commercial"] == UptimeRule()
    assert all(15 * minute % rule.interval_ns == 0 for rule in PROFILES.values())
