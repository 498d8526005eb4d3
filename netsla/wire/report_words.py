"""Words and figures that a report uses as text and as HTML alike.

Rules: pure; from the JSON document, so that no form says more than what both sides can recompute. What is bad is
rounded up, what is good rounded down (SLA §2).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from netsla.wire.figures import figure, percent

Json = dict[str, Any]
VERDICTS = {"met": "MET", "breached": "BREACHED", "insufficient_data": "TOO LITTLE DATA", "no_data": "NO DATA"}
CLASSES = ("scheduled", "excluded", "unknown", "down", "up")


def duration(seconds: float) -> str:
    """Days, hours, minutes, seconds; a begun second counts."""
    whole = math.ceil(seconds)
    days, rest = divmod(whole, 86_400)
    text = f"{rest // 3600}:{rest // 60 % 60:02d}:{rest % 60:02d}"
    return f"{days}d {text}" if days else text


def moment(told: str, zone: ZoneInfo) -> str:
    """An instant of the document on the clocks of the contract's zone: `2026-03-17 11:00 CET`."""
    at = datetime.fromisoformat(told).astimezone(zone)
    return f"{at:%Y-%m-%d %H:%M}{f':{at:%S}' if at.second else ''} {at:%Z}"


def used(ratio: float) -> str:
    """A share of what should not be used up, rounded up."""
    tenths = math.ceil(Decimal(repr(ratio)) * 1000)
    return f"{tenths // 10}.{tenths % 10} %"


def money(credit: Json) -> str:
    """`45.00 EUR (5 % of 900.00 EUR)`; a share alone where no charge is known."""
    share = f"{Decimal(str(credit['percent'])).normalize():f} %"
    if credit["amount"] is None:
        return f"{share} of the charge"
    return f"{credit['amount']} {credit['currency']} ({share} of {credit['charge']} {credit['currency']})"


def claim(credit: Json, zone: ZoneInfo) -> str:
    """How and until when money is to be claimed; "" if there is none, or the contract sets no terms."""
    terms = credit.get("claim")
    if not terms or not (credit["lines"] or credit["chronic"]):
        return ""
    said = [f"to be claimed until {moment(terms['until'], zone)}"] if terms["until"] else []
    if terms["ticket_within_seconds"] is not None:
        said.append(f"a ticket within {duration(terms['ticket_within_seconds'])} of each outage")
    return "; ".join(said)


def remarks(one: Json) -> list[str]:
    """What stands beside an objective's figure: its other figures."""
    told = []
    if one.get("met_ratio") is not None:
        told.append(f"met {percent(one['met_ratio'])} of the time, worst value shown")
    if one.get("value_other_scope") is not None:
        other = "of all packets" if one["scope"] == "available" else "while available"
        told.append(f"{figure('packet_delivery', one['value_other_scope'])} {other}")
    if one.get("value_without_exclusions") is not None:
        told.append(f"{figure(one['metric'], one['value_without_exclusions'])} without exclusions")
    return told


def method(rule: Json) -> str:
    """An uptime method, in a sentence."""
    bad = "nothing came back" if rule["loss_over_ratio"] is None else f"over {_share(rule['loss_over_ratio'])} was lost"
    every = duration(rule["interval_seconds"])
    down = {
        "interval": "every bad interval is down",
        "sliding": f"down from the first of {rule['n']} bad intervals in a row, up from the first of {rule['n']} good",
        "outage": f"bad intervals in a row are down from {duration(rule['minimum_seconds'] or 0)} on",
    }[rule["method"]]
    whose = "" if rule["endpoints"] is None else f" ({_some(rule['endpoints'])})"
    feed = {"any": "good if any probe is", "all": "good if all probes are"}.get(rule["feed"], f"by {rule['feed']}")
    return f"{rule['profile']}{whose}: an interval of {every} is bad if {bad}; {down}; {feed}"


def accountings(document: Json) -> Iterator[str]:
    """How time is accounted, and where an endpoint has it otherwise."""
    yield accounting(document["measurement"])
    for own in document.get("own_measurement", ()):
        yield f"{_some(own['endpoints'])}: {accounting(own)}"


def accounting(rules: Json) -> str:
    """How time is accounted, in a sentence."""
    treated = {"exclude": "left out", "up": "counted as up", "down": "counted as down"}[rules["unknown"]]
    excluded = {"remove": "left out", "count_as_up": "counted as up"}[rules["exclusions"]]
    text = (
        f"unknown time is {treated}, excluded time {excluded}; coverage of {_share(rules['min_coverage_ratio'])} needed"
    )
    return text if rules["denominator"] == "actual" else f"{text}; denominator {rules['denominator']}"


def outlook(document: Json) -> Iterator[str]:
    """Warnings: error budgets that run out, and what is to be expected of a running period."""
    for one in document["objectives"]:
        whose = f"{one['endpoint']} {one['objective']}"
        if one.get("budget_warning_ratio") is not None:
            budget = duration(one["budget_seconds"])
            level = f"{one['budget_warning_ratio'] * 100:.0f} %"
            spent = used(one["budget_spent_ratio"])
            yield f"{whose}: {spent} of the error budget of {budget} is used (warning at {level})"
        forecast, budget_s = one.get("forecast_down_seconds"), one.get("budget_seconds")
        if forecast and budget_s is not None:
            verdict = "more than the error budget allows" if forecast > budget_s else "within the error budget"
            yield f"{whose}: {duration(forecast)} down expected by the end of the period, {verdict}"


def _share(ratio: float) -> str:
    return f"{(Decimal(repr(ratio)) * 100).normalize():f} %"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
