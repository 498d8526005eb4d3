"""Money: from figures to credits, exactly (SLA R17). Shares are of the monthly charge, as `Fraction`.

    Line(objective, endpoint, basis, share, incidents)       what one rule gives
    availability_share · downtime_share · outage_share · days_share · step_share
    combined(lines, credits) -> Fraction                     per incident, then sum or max, then the cap
    amount(share, charge, currency) -> Decimal               rounded once, half up, to the currency's unit
    chronic_met(rule, outages, ...) -> bool

Rules: thresholds are strict, and of a table the last tier that applies counts. What one incident earns by several
rules is credited once, at the highest. A line over many incidents (a month's availability) and the lines of those
same incidents are never added: what pays more is paid.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from netsla.model import SECOND, Chronic, Credits, Tier

HOUR_NS = 3600 * SECOND
_DAYS = 30  # a day is monthly_charge / 30
_NO_DECIMALS = frozenset(
    (
        "BIF",
        "CLP",
        "DJF",
        "GNF",
        "ISK",
        "JPY",
        "KMF",
        "KRW",
        "PYG",
        "RWF",
        "UGX",
        "UYI",
        "VND",
        "VUV",
        "XAF",
        "XOF",
        "XPF",
    )
)  # ISO 4217
_THREE_DECIMALS = frozenset(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"))


@dataclass(frozen=True, slots=True)
class Line:
    """What one rule gives: `incidents` are those it stems from, empty when from none in particular."""

    objective: str
    endpoint: str
    basis: str
    share: Fraction
    incidents: frozenset[str] = frozenset()
    note: str = ""


# --- bases --------------------------------------------------------------------------------------------


def availability_share(tiers: Sequence[Tier], value: Fraction) -> Fraction:
    """The last tier with value < `below`."""
    return next((tier.credit for tier in reversed(tiers) if value < tier.limit), Fraction(0))


def time_share(tiers: Sequence[Tier], down_ns: int) -> Fraction:
    """The last tier with time > `over`: for cumulative downtime, or for one outage."""
    return next((tier.credit for tier in reversed(tiers) if down_ns > tier.limit), Fraction(0))


def days_share(days: Fraction, down_ns: int) -> Fraction:
    """So many days' charges for each started hour of downtime, added up over the period."""
    return days * -(-down_ns // HOUR_NS) / _DAYS


def step_share(step: Fraction, credit: Fraction, target: Fraction, value: Fraction) -> Fraction:
    """A credit for each started step below the target."""
    missing = target - value
    return credit * -(-missing // step) if missing > 0 else Fraction(0)


def tiers_from_ranges(ranges: Sequence[tuple[Fraction, Fraction, Fraction]]) -> tuple[Tier, ...]:
    """Tiers of a table of (from, up to but not including, credit), best first; ValueError unless it is seamless.

    For contracts that print ranges: "99.01-99.89 → 10 %, 90-99 → 25 %" says nothing of 99.005.
    """
    for (low, high, _), (next_low, next_high, _) in itertools.pairwise(ranges):
        if next_high > low:
            raise ValueError(f"ranges overlap, or are in the wrong order: {next_low}-{next_high} after {low}-{high}")
        if next_high < low:
            raise ValueError(f"ranges leave a hole from {float(next_high):.4%} to {float(low):.4%}")
    return tuple(Tier(high, credit) for _, high, credit in ranges)


# --- combining ----------------------------------------------------------------------------------------


def combined(lines: Iterable[Line], credits: Credits) -> Fraction:  # noqa: A002 - the contract's word
    """The share that is due, capped."""
    due = [line for line in lines if line.share > 0]
    if credits.combine == "max":
        total = max((line.share for line in due), default=Fraction(0))
    elif credits.per_incident == "highest":
        total = sum((_group(group) for group in _groups(due)), Fraction(0))
    else:
        total = sum((line.share for line in due), Fraction(0))
    return total if credits.cap is None else min(total, credits.cap)


def _groups(lines: list[Line]) -> list[list[Line]]:
    """Lines that share an incident, directly or through others, together; lines of none each alone."""
    groups: list[tuple[set[str], list[Line]]] = []
    for line in lines:
        members, names = [line], set(line.incidents)
        rest = []
        for other_names, other in groups:
            if names & other_names:
                names |= other_names
                members = other + members
            else:
                rest.append((other_names, other))
        groups = [*rest, (names, members)]
    return [members for _, members in groups]


def _group(lines: list[Line]) -> Fraction:
    """Every incident credited once, in the way that pays most: lines of several incidents, or those of each."""
    best: dict[frozenset[str], Fraction] = {}
    for line in lines:
        best[line.incidents] = max(best.get(line.incidents, Fraction(0)), line.share)
    several = [(names, share) for names, share in best.items() if len(names) > 1]
    single = {names: share for names, share in best.items() if len(names) <= 1}
    return _packed(several, single, frozenset())


def _packed(
    several: list[tuple[frozenset[str], Fraction]], single: dict[frozenset[str], Fraction], taken: frozenset[str]
) -> Fraction:
    """The most that disjoint lines pay; there are no more lines of several incidents than rules in a table."""
    if not several:
        return sum((share for names, share in single.items() if not names & taken), Fraction(0))
    (names, share), *rest = several
    without = _packed(rest, single, taken)
    return without if names & taken else max(without, share + _packed(rest, single, taken | names))


def amount(share: Fraction, charge: Decimal, currency: str) -> Decimal:
    """The share of the charge, rounded half up to the currency's smallest unit."""
    places = 0 if currency in _NO_DECIMALS else 3 if currency in _THREE_DECIMALS else 2
    exact = share * Fraction(charge) * 10**places
    whole = (2 * exact.numerator + exact.denominator) // (2 * exact.denominator)
    return Decimal(whole).scaleb(-places).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


# --- chronic ------------------------------------------------------------------------------------------


def chronic_outages(rule: Chronic, outages: Iterable[tuple[int, int]], within_ns: int, since_ns: int = 0) -> bool:
    """Whether `rule.outages` outages (start_ns, length_ns), each longer than the limit, begin within the span.

    The last of them from `since_ns` on: what was complete before that was told when it was.
    """
    starts = sorted(start for start, length in outages if length > rule.each_over_ns)
    first = zip(starts, starts[max(rule.outages, 1) - 1 :], strict=False)
    return any(last - begin <= within_ns and last >= since_ns for begin, last in first)


def chronic_downtime(rule: Chronic, down_ns: int) -> bool:
    """Whether the downtime of a span is over the limit."""
    return down_ns > rule.downtime_over_ns
