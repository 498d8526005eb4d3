"""Accounts of time, and verdicts on them: exact, additive, never 100 % of nothing (SLA R5, R6).

account(code, start_ns, length_ns, scheduled) -> Account       seconds by class; accounts add up
availability(account, measurement) -> Availability             A, low, high, coverage as fractions
lost_ns(account, measurement), answerable_ns(account, due_ns, measurement)       what error budgets and credits stand on
verdict(availability, target, min_coverage) -> Verdict         standing, and whether the evidence decides it
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from netsla.model import Bound, IntArray, Measurement, Standing
from netsla.sla.spans import Spans, covered_ns
from netsla.sla.standing import EXCLUDED, UNKNOWN, Standings
from netsla.sla.uptime import DOWN, UP


@dataclass(frozen=True, slots=True)
class Account:
    """Scheduled time by class, in ns. The account of a period is the sum of those of its parts."""

    excluded_ns: int = 0
    unknown_ns: int = 0
    down_ns: int = 0
    up_ns: int = 0

    @property
    def scheduled_ns(self) -> int:
        """All of it."""
        return self.excluded_ns + self.unknown_ns + self.down_ns + self.up_ns

    def __add__(self, other: Account) -> Account:
        return Account(
            self.excluded_ns + other.excluded_ns,
            self.unknown_ns + other.unknown_ns,
            self.down_ns + other.down_ns,
            self.up_ns + other.up_ns,
        )


def account(code: Standings, start_ns: IntArray, length_ns: int, scheduled: Spans) -> Account:
    """Book intervals [start, start + length) of these classes, as far as they are scheduled.

    `scheduled` is window ∩ service hours ∩ active time; all of it must be covered by the intervals.
    """
    covered = covered_ns(scheduled, start_ns, length_ns)
    excluded, unknown, down, up = (int(covered[code == one].sum()) for one in (EXCLUDED, UNKNOWN, DOWN, UP))
    return Account(excluded, unknown, down, up)


@dataclass(frozen=True, slots=True)
class Availability:
    """The ratio under the contract's options, both bounds, and coverage; None where they do not exist."""

    value: Fraction | None
    low: Fraction | None
    high: Fraction | None
    coverage: Fraction | None


def availability(time: Account, measurement: Measurement) -> Availability:
    """SLA R5. `count_as_up` adds excluded time to up; a fixed denominator stands in for the measured one."""
    up = time.up_ns + (time.excluded_ns if measurement.exclusions == "count_as_up" else 0)
    down, unknown = time.down_ns, time.unknown_ns
    everything = up + down + unknown
    coverage = _ratio(up + down, everything)
    if time.up_ns + down == 0:
        return Availability(None, _ratio(up, everything), _ratio(up + unknown, everything), coverage)
    as_down = unknown if measurement.unknown == "down" else 0
    if measurement.fixed_denominator_ns is not None:
        fixed = measurement.fixed_denominator_ns
        return Availability(_rest(down + as_down, fixed), _rest(down + unknown, fixed), _rest(down, fixed), coverage)
    as_up = unknown if measurement.unknown == "up" else 0
    value = _ratio(up + as_up, up + as_up + down + as_down)
    return Availability(value, _ratio(up, everything), _ratio(up + unknown, everything), coverage)


def lost_ns(time: Account, measurement: Measurement) -> int:
    """Down time as the contract counts it: what nobody knows is down, too, where it says so."""
    return time.down_ns + (time.unknown_ns if measurement.unknown == "down" else 0)


def answerable_ns(time: Account, due_ns: int, measurement: Measurement) -> int:
    """What the availability of a whole period is a share of, if all that is to come of `due_ns` counts.

    An error budget is a share of it: once the period is over, more than the budget is lost iff the target is missed.
    """
    if measurement.fixed_denominator_ns is not None:
        return measurement.fixed_denominator_ns
    removed = time.excluded_ns if measurement.exclusions == "remove" else 0
    return due_ns - removed - (time.unknown_ns if measurement.unknown == "exclude" else 0)


def _ratio(part: int, whole: int) -> Fraction | None:
    return Fraction(part, whole) if whole else None


def _rest(lost: int, fixed: int) -> Fraction:
    return max(Fraction(fixed - lost, fixed), Fraction(0))


@dataclass(frozen=True, slots=True)
class Verdict:
    """Where an objective stands, and whether what is not known could change it."""

    standing: Standing
    conclusive: bool

    @property
    def evidence(self) -> str:
        """As reports spell it."""
        return "conclusive" if self.conclusive else "inconclusive"


def verdict(figure: Availability, target: Bound, min_coverage: Fraction) -> Verdict:
    """SLA R6, for a ratio that must be at least the target. Compared unrounded."""
    if figure.value is None or figure.low is None or figure.high is None or figure.coverage is None:
        return Verdict(Standing.NO_DATA, conclusive=False)
    goal = target.value
    hopeless = figure.high < goal
    conclusive = figure.low >= goal or hopeless
    if figure.coverage < min_coverage and not hopeless:
        return Verdict(Standing.INSUFFICIENT, conclusive)
    return Verdict(Standing.MET if figure.value >= goal else Standing.BREACHED, conclusive)
