"""Time to repair: restore - start - stopped clock, and its mean (SLA R16)."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from netsla.model import Bound, Standing
from netsla.sla.accounting import Verdict
from netsla.sla.spans import Spans, intersect, spans, total_ns


def repair_ns(start_ns: int, restored_ns: int, stopped: Spans) -> int:
    """Elapsed time less the time in which the provider's clock stood (excluded, waiting for the customer)."""
    return restored_ns - start_ns - total_ns(intersect(spans([(start_ns, restored_ns)]), stopped))


def mean_ns(repairs: Sequence[int]) -> Fraction | None:
    """MTTR; None without an incident."""
    return Fraction(sum(repairs), len(repairs)) if repairs else None


def figure_ns(repairs: Sequence[int], statistic: str) -> Fraction | None:
    """What the objective speaks of: the mean, or (unless said) every single repair, so the longest."""
    if statistic == "mean":
        return mean_ns(repairs)
    return Fraction(max(repairs)) if repairs else None


def repair_verdict(repairs: Sequence[int], statistic: str, target: Bound, *, complete: bool = True) -> Verdict:
    """No incident is met. `complete` is false while an outage is open or time is unknown: then more may come."""
    figure = figure_ns(repairs, statistic)
    met = figure is None or figure <= target.value
    sure = complete or (not met and statistic != "mean")  # a repair that took too long stays too long
    return Verdict(Standing.MET if met else Standing.BREACHED, sure)
