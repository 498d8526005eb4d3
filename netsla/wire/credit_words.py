"""Credits and claims, in the words of the document of an agreement.

Rules: pure. Every figure comes from the agreement, the example from the functions that settle; what the contract does
not give, such as a right to end it, is not given here either.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

from netsla.model import SECOND, Agreement, Chronic, CreditRule, Credits, Kind, Measurement, Metric
from netsla.sla.credit import amount, availability_share
from netsla.wire.amounts import decimal_text, percent_text, span_text
from netsla.wire.blocks import Block, Table

_FEW = Fraction(1, 10_000)  # the example lies so far below its tier
_NAMES = {Metric.UPTIME: "uptime", Metric.PACKET_DELIVERY: "packet delivery"}


def credit_blocks(one: Agreement) -> list[Block]:
    """What is owed for a breach, how it adds up, and until when it is claimed."""
    terms = one.credits
    if one.kind is Kind.INTERNAL:
        return ["No money is involved."]
    if terms is None or not terms.rules:
        return ["No credits are agreed.", *(_chronic(terms) if terms else ())]
    charge = "the monthly charge" if one.monthly_charge is None else f"{one.monthly_charge} {terms.currency} a month"
    metrics = {objective.id: objective.metric for endpoint in one.endpoints for objective in endpoint.objectives}
    blocks: list[Block] = [f"Credits are shares of {charge}."]
    blocks += [block for rule in terms.rules for block in _rule(rule, metrics.get(rule.objective, Metric.UPTIME))]
    blocks += [_combining(terms, one.measurement, several=len(one.endpoints) > 1), *_claim(terms), *_chronic(terms)]
    example = _example(one, terms, metrics)
    return [*blocks, example] if example else blocks


def _rule(rule: CreditRule, metric: Metric) -> list[Block]:
    share = percent_text(rule.credit)
    if rule.basis == "per_step":
        return [f"{rule.objective}: {share} for every started {percent_text(rule.step)} below the target."]
    if rule.basis == "days_per_started_hour":
        days = "one day" if rule.days == 1 else f"{decimal_text(rule.days)} days"
        charge = f"the charge of {days} (a day is a thirtieth of the month)"
        return [f"{rule.objective}: {charge} for every started hour of down time."]
    what = {
        "availability": f"{_NAMES.get(metric, metric)} below",
        "cumulative_downtime": "down time in all over",
        "per_outage": "an outage over" if metric is Metric.UPTIME else "a repair over",
    }[rule.basis]
    show = percent_text if rule.basis == "availability" else lambda limit: span_text(int(limit))
    rows = [(f"{what} {show(tier.limit)}", percent_text(tier.credit)) for tier in rule.tiers]
    return [f"{rule.objective}: the last line that applies counts.", Table(("If", "Credit"), rows)]


def _combining(terms: Credits, how: Measurement, *, several: bool) -> str:
    cap = f", at most {percent_text(terms.cap)} in all" if terms.cap is not None else ""
    if terms.combine == "max":
        text = f"Credits do not add up: the highest counts{cap}."
    elif terms.per_incident == "highest":
        text = (
            "What one incident earns by several rules is paid once, the highest; credits of different incidents and "
            f"objectives are added{cap}."
        )
    else:
        text = f"Credits are added, also those of one incident{cap}."
    whose = {"all": "the one that earns most", "any": "the one that earns least", "average": "their mean"}[how.combine]
    if several:
        text += f" Of several endpoints {whose} decides what a rule earns; outages are credited one by one."
    return f"{text} The amount is rounded once, half up."


def _claim(terms: Credits) -> list[Block]:
    ticket = terms.ticket_within and f"A ticket is opened within {_hours(terms.ticket_within)} of each outage."
    until = terms.claim_by and f"Claims are made within {_hours(terms.claim_by)} after the period."
    said = [text for text in (ticket, until) if text]
    return [" ".join(said)] if said else ["No deadline for claims is agreed."]


def _hours(span: timedelta) -> str:
    return span_text(span // timedelta(microseconds=1) * (SECOND // 1_000_000))


def _chronic(terms: Credits) -> list[Block]:
    if not terms.chronic:
        return []
    return ["The service counts as chronically out of order after:", [_often(rule) for rule in terms.chronic]]


def _often(rule: Chronic) -> str:
    within = f"a calendar {rule.within.calendar}" if rule.within.calendar else span_text(rule.within.seconds * SECOND)
    if rule.outages:
        return f"{rule.outages} outages of more than {span_text(rule.each_over_ns)} each within {within}"
    return f"more than {span_text(rule.downtime_over_ns)} of down time within {within}"


def _example(one: Agreement, terms: Credits, metrics: dict[str, Metric]) -> str:
    """The first tier, worked out by the functions that settle."""
    rule = next((each for each in terms.rules if each.basis == "availability" and each.tiers), None)
    if rule is None or one.monthly_charge is None:
        return ""
    value = rule.tiers[0].limit - _FEW
    share = availability_share(rule.tiers, value)
    money = amount(share, Decimal(one.monthly_charge), terms.currency)
    name = _NAMES.get(metrics.get(rule.objective, Metric.UPTIME))
    return f"Example: a month with {percent_text(value)} {name} earns {percent_text(share)}: {money} {terms.currency}."
