"""Advice on a whole valid configuration: what is allowed, and would disappoint (SLA §5).

Rules: nothing is judged here that makes a configuration meaningless; that is an error where it is read. The one
error of this file is a time grid too coarse for the promise: its verdicts would be chance.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from fractions import Fraction

from netsla.config.agreement import Built
from netsla.config.quantity import duration_text, percent_text
from netsla.config.source import Faults, Place
from netsla.config.terms import Terms
from netsla.model import SECOND, Agreement, Hours, Kind, Metric, ProbeSpec, ProbeType, Reference, Span

# Nominal lengths in seconds: the shortest of each, so that advice holds in every period.
CALENDAR_SECONDS = {"day": 86_400, "week": 604_800, "month": 28 * 86_400, "quarter": 90 * 86_400, "year": 365 * 86_400}
ERROR_SHARE, WARNING_SHARE = 4, 10  # Δt against the error budget (SLA §5)
PACKETS_PER_NETWORK = 1  # ICMP packets per second and /24 (SLA §5)
SHOWN = 5  # networks named one by one


def check(built: Sequence[Built], references: Sequence[Reference], faults: Faults) -> None:
    """Add what is found to `faults`."""
    for one in built:
        for terms in one.terms:
            _budget(one.agreement, terms, faults)
        _credits(one, faults)
        _promises(one, faults)
    _vendors(built, faults)
    _crowds(built, faults)


def _budget(agreement: Agreement, terms: Terms, faults: Faults) -> None:
    step = Fraction(terms.uptime.interval_ns, SECOND)
    for promise in terms.objectives:
        if promise.metric is not Metric.UPTIME or "%" not in promise.target.text:
            continue
        place = terms.places[promise.id]
        budget = (1 - promise.target.value) * _seconds(promise.window, agreement.hours)
        if promise.target.value == 1:
            problem = f"objective {promise.id!r}: one bad interval in {promise.window.name} breaks a promise of 100 %"
            faults.add(place, problem, "that may be what the contract says", warning=True)
        elif step > budget / WARNING_SHARE:
            wrong = step > budget / ERROR_SHARE
            share = ERROR_SHARE if wrong else WARNING_SHARE
            problem = (
                f"objective {promise.id!r}: its error budget is {_time(budget)} in {promise.window.name}, "
                f"too little for intervals of {_time(step)}"
            )
            fitting = max((n for n in range(1, 901) if 900 % n == 0 and n <= budget / share), default=0)
            remedy = f"make uptime.interval {fitting}s, or the window longer" if fitting else "make the window longer"
            faults.add(place, problem, remedy, warning=not wrong)


def _seconds(window: Span, hours: Hours) -> Fraction:
    """The service time in a window, nominally."""
    if not window.calendar:
        return Fraction(window.seconds)
    weekly = sum(end - begin for _, begin, end in hours.weekly) * 60
    share = Fraction(weekly, CALENDAR_SECONDS["week"]) if hours.weekly else Fraction(1)
    return CALENDAR_SECONDS[window.calendar] * share


def _time(seconds: Fraction) -> str:
    """A time rounded down to what people read."""
    whole = int(seconds * 1000)
    return duration_text(whole // 1000 * SECOND if whole >= 10_000 else whole * SECOND // 1000)


def _credits(one: Built, faults: Faults) -> None:
    money = one.agreement.credits
    if money is None:
        return
    if one.agreement.kind is Kind.INTERNAL:
        place = one.table.place("credits" if one.table.gives("credits") else "kind")
        faults.add(place, "an internal agreement pays no credits", "remove credits, or change kind", warning=True)
    targets = {o.id: o.target for terms in one.terms for o in terms.objectives}
    for rule in money.rules:
        target = targets.get(rule.objective)
        if rule.basis == "availability" and rule.tiers and target and rule.tiers[0].limit > target.value:
            limit = percent_text(rule.tiers[0].limit)
            problem = f"credits for {rule.objective!r} begin below {limit}, while its target {target.text} is still met"
            faults.add(one.table.place("credits"), problem, "lower the first tier, or raise the target", warning=True)


def _promises(one: Built, faults: Faults) -> None:
    """An agreement without objectives is more often a forgotten plan than a wish."""
    if not any(terms.ids for terms in one.terms):
        problem = f"agreement {one.agreement.id!r} promises nothing: it is measured and never judged"
        faults.add(one.table.place("id"), problem, "name its plan, or add objectives", warning=True)


def _vendors(built: Sequence[Built], faults: Faults) -> None:
    """What our suppliers promise, multiplied, is the most we can promise ourselves."""
    by_id = {one.agreement.id: one.agreement for one in built}
    for one in built:
        vendors = [by_id[n] for n in one.agreement.depends_on if n in by_id and by_id[n].kind is Kind.VENDOR]
        promised = [worst for vendor in vendors if (worst := _uptime(vendor)) is not None]
        own = _uptime(one.agreement)
        product = Fraction(1)
        for target in promised:
            product *= target
        if promised and own is not None and product < own:
            names = ", ".join(vendor.id for vendor in vendors)
            problem = f"uptime of {percent_text(own)} is promised, the vendors promise {percent_text(product)} together"
            faults.add(one.table.place("depends_on"), problem, f"compare {names}", warning=True)


def _uptime(agreement: Agreement) -> Fraction | None:
    """The highest uptime that an agreement promises over a calendar window, None when it promises none."""
    promises = {id(e.objectives): e.objectives for e in agreement.endpoints}
    targets = [
        promise.target.value
        for objectives in promises.values()
        for promise in objectives
        if promise.metric is Metric.UPTIME and promise.window.calendar
    ]
    return max(targets, default=None)


def _crowds(built: Sequence[Built], faults: Faults) -> None:
    """Routers limit the rate of ICMP replies: about one a second for a /24 is always safe."""
    counts: Counter[tuple[str, int]] = Counter()  # endpoints by network and set of probes
    first: dict[str, Place] = {}
    rate: dict[int, Fraction] = {}
    for one in built:
        for endpoint, place in zip(one.agreement.endpoints, one.places, strict=False):
            network, dot, last = endpoint.address.rpartition(".")
            if dot and last.isdigit() and not network.startswith("127."):
                key = id(endpoint.probes)
                if key not in rate:
                    rate[key] = _rate(endpoint.probes)
                counts[network, key] += 1
                first.setdefault(network, place)
    rates: dict[str, Fraction] = defaultdict(Fraction)
    members: Counter[str] = Counter()
    for (network, key), count in counts.items():
        rates[network] += rate[key] * count
        members[network] += count if rate[key] else 0
    crowded = sorted((n for n in rates if rates[n] > PACKETS_PER_NETWORK), key=lambda n: -rates[n])
    for i, network in enumerate(crowded[: SHOWN + 1]):
        if i < SHOWN:
            what = f"{network}.0/24 gets {float(rates[network]):.3g} ICMP packets/s from {members[network]} endpoints"
        else:
            what = f"{len(crowded) - SHOWN} more networks (/24) get more than 1 ICMP packet/s"
        remedy = "routers may limit their replies, which looks like loss: probe less often, or in turn"
        faults.add(first[network], what, remedy, warning=True)


def _rate(specs: Iterable[ProbeSpec]) -> Fraction:
    return sum((Fraction(SECOND, s.interval_ns) for s in specs if s.type is ProbeType.ICMP), Fraction(0))
