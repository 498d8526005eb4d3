"""Named uptime profiles: a contract names one, every report copies its values.

Rules: values are those of SLA.md §5; (memory) marks the two whose loss threshold was not read from the
standard itself. Every part can be overridden in the configuration.
"""

from __future__ import annotations

from fractions import Fraction

from netsla.model import SECOND, UptimeRule

CUSTOM = "custom"  # what a rule is called that names no profile but changes a part

_HALF = Fraction(1, 2)

PROFILES = {
    rule.profile: rule
    for rule in (
        UptimeRule("commercial", "outage", minimum_ns=120 * SECOND, loss_over=_HALF),
        UptimeRule("google120", "outage", minimum_ns=120 * SECOND, loss_over=_HALF, all_lost=True),
        UptimeRule("y1540-2019", "interval", minimum_ns=0, loss_over=Fraction(1, 5)),  # (memory)
        UptimeRule(
            "y1540-2002", "interval", minimum_ns=0, interval_ns=300 * SECOND, loss_over=Fraction(3, 4)
        ),  # (memory)
        UptimeRule("mef", "sliding", n=10, minimum_ns=0, loss_over=_HALF),
        UptimeRule("att1m", "outage", minimum_ns=60 * SECOND, loss_over=_HALF),
        UptimeRule(CUSTOM, "outage", minimum_ns=120 * SECOND, loss_over=_HALF),
    )
}
NAMES = tuple(PROFILES)
SLIDING_N = 10  # intervals, MEF 10's usual n
OUTAGE_MINIMUM_NS = 120 * SECOND
