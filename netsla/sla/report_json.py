"""A report as JSON of schema netsla.report/1: the shape that docs/interface.md promises.

Rules: a value that does not exist is null, never 0 or 100 %. Floats carry full precision and are for display:
the exact figures are the integers under `seconds`. Text shown to people is made by whoever shows it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from netsla.model import SECOND, Agreement, Chronic, Measurement, UptimeRule
from netsla.sla.accounting import Account
from netsla.sla.burn import warning
from netsla.sla.credit import Line, amount
from netsla.sla.report import Credit, Incident, Report, Result, Ruling

SCHEMA = "netsla.report/1"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_json(report: Report, *, chained: bool) -> dict[str, Any]:
    """The document; `chained` says whether the records stand in a verified hash chain."""
    agreement, period = report.agreement, report.period
    return {
        "schema": SCHEMA,
        "agreement": {"id": agreement.id, "version": agreement.version, "customer": agreement.customer},
        "period": {
            "name": period.name,
            "start": instant(period.start_ns),
            "end": instant(period.end_ns),
            "seconds": seconds(period.end_ns - period.start_ns),
            "timezone": agreement.timezone,
            "final": report.final,
            "until": instant(report.until_ns),
        },
        "chained": chained,
        "measurement": _measurement(agreement.measurement),
        **_own_measurements(agreement),
        "uptime": _uptime_rules(agreement),
        "standing": str(report.standing),
        "objectives": [_result(one) for one in report.results],
        "incidents": [_incident(one) for one in report.incidents],
        "exclusions": [_ruling(one) for one in report.exclusions],
        "credit": _credit(report.credit) if report.credit else None,
    }


def instant(at_ns: int) -> str:
    """ISO 8601 UTC, to the second unless there is a fraction."""
    at = _EPOCH + timedelta(microseconds=at_ns // 1000)
    return at.isoformat().removesuffix("+00:00") + "Z"


def seconds(span_ns: int) -> int | float:
    """Whole seconds as an integer."""
    return span_ns / SECOND if span_ns % SECOND else span_ns // SECOND


def _number(value: Fraction | float | None) -> float | None:
    return None if value is None else float(value)


def _money(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:f}"


def _result(one: Result) -> dict[str, Any]:
    figure = one.figure
    row: dict[str, Any] = {
        "endpoint": one.endpoint,
        "objective": one.objective.id,
        "metric": str(one.objective.metric),
        "statistic": one.objective.statistic or None,
        "target": one.objective.target.text,
        "window": one.objective.window.name,
        "severity": one.objective.severity,
        "standing": str(figure.standing),
        "value": _number(figure.value),
        "low": _number(figure.low),
        "high": _number(figure.high),
        "coverage_ratio": _number(figure.coverage),
        "evidence": "conclusive" if figure.conclusive else "inconclusive",
        "seconds": _account(one.account),
        "unknown_seconds": {word: seconds(span) for word, span in one.unknown_ns.items()},
        "micro_outages": one.micro_outages,
        "credit": _money(one.credit),
    }
    if figure.met_share is not None:
        row["met_ratio"] = _number(figure.met_share)
    if one.other_scope is not None:
        row["scope"] = one.objective.scope
        row["value_other_scope"] = _number(one.other_scope)
    if one.unexcluded is not None:
        row["value_without_exclusions"] = _number(one.unexcluded)
    if one.budget_ns is not None:
        row["budget_seconds"] = float(one.budget_ns / SECOND)
    if one.budget_spent is not None:
        row["budget_spent_ratio"] = _number(one.budget_spent)
        row["budget_warning_ratio"] = _number(warning(one.budget_spent))
    if one.forecast_ns is not None:
        row["forecast_down_seconds"] = float(one.forecast_ns / SECOND)
    return row


def _own_measurements(agreement: Agreement) -> dict[str, Any]:
    """Accounting that endpoints override, if any does."""
    found: dict[Measurement, list[str]] = {}
    for endpoint in agreement.endpoints:
        if endpoint.measurement not in (None, agreement.measurement):
            found.setdefault(endpoint.measurement, []).append(endpoint.id)
    return (
        {"own_measurement": [{"endpoints": names, **_measurement(one)} for one, names in found.items()]}
        if found
        else {}
    )


def _measurement(rules: Measurement) -> dict[str, Any]:
    fixed = rules.fixed_denominator_ns
    return {
        "unknown": rules.unknown,
        "denominator": "actual" if fixed is None else _fixed(fixed),
        "exclusions": rules.exclusions,
        "min_coverage_ratio": _number(rules.min_coverage),
        "percentile_lost": rules.percentile_lost,
        "combine": rules.combine,
    }


def _fixed(span_ns: int) -> str:
    """`fixed:43200m`, as contracts write it; in seconds if it is no whole number of minutes."""
    whole = span_ns % (60 * SECOND) == 0
    return f"fixed:{span_ns // (60 * SECOND)}m" if whole else f"fixed:{seconds(span_ns)}s"


def _uptime_rules(agreement: Agreement) -> list[dict[str, Any]]:
    """The uptime method in force, copied into every report (SLA §5); `endpoints` null: of all."""
    found: dict[UptimeRule, list[str]] = {}
    for endpoint in agreement.endpoints:
        found.setdefault(endpoint.uptime, []).append(endpoint.id)
    return [
        {
            "endpoints": None if len(found) == 1 else names,
            "profile": rule.profile,
            "method": rule.method,
            "n": rule.n if rule.method == "sliding" else None,
            "minimum_seconds": seconds(rule.minimum_ns) if rule.method == "outage" else None,
            "interval_seconds": seconds(rule.interval_ns),
            "loss_over_ratio": None if rule.all_lost else _number(rule.loss_over),
            "min_samples": rule.min_samples,
            "feed": rule.feed,
        }
        for rule, names in found.items()
    ]


def _account(time: Account) -> dict[str, int | float]:
    return {
        "scheduled": seconds(time.scheduled_ns),
        "excluded": seconds(time.excluded_ns),
        "unknown": seconds(time.unknown_ns),
        "down": seconds(time.down_ns),
        "up": seconds(time.up_ns),
    }


def _incident(one: Incident) -> dict[str, Any]:
    return {
        "endpoint": one.endpoint,
        "start": instant(one.start_ns),
        "end": None if one.end_ns is None else instant(one.end_ns),
        "seconds": seconds(one.down_ns),
        "whole_seconds": seconds(one.whole_ns),
        "repair_seconds": None if one.repair_ns is None else seconds(one.repair_ns),
        "excluded_by": one.excluded_by,
        "provisional": one.provisional,
    }


def _ruling(one: Ruling) -> dict[str, Any]:
    told = one.exclusion
    return {
        "id": told.id,
        "endpoint": told.endpoint,
        "start": instant(told.start_ns),
        "end": instant(told.end_ns),
        "cause": told.cause,
        "reason": told.reason,
        "reference": told.reference,
        "announced": None if told.announced_ns is None else instant(told.announced_ns),
        "accepted_by": told.accepted_by or None,
        "excluded_seconds": seconds(one.counted_ns),
        "flag": one.flag or None,
        "why": one.why or None,
    }


def _credit(one: Credit) -> dict[str, Any]:
    return {
        "currency": one.currency,
        "amount": _money(one.amount),
        "percent": float(one.share * 100),
        "charge": None if one.charge is None else _money(amount(Fraction(1), one.charge, one.currency)),
        "lines": [_line(line, one) for line in one.lines],
        "chronic": [{"endpoint": endpoint, "rule": _chronic(rule)} for endpoint, rule in one.chronic],
        **_claim(one),
    }


def _claim(one: Credit) -> dict[str, Any]:
    """How and until when the money is to be claimed, if the contract says so."""
    if one.claim_until_ns is None and one.ticket_within_ns is None:
        return {}
    until = None if one.claim_until_ns is None else instant(one.claim_until_ns)
    within = None if one.ticket_within_ns is None else seconds(one.ticket_within_ns)
    return {"claim": {"until": until, "ticket_within_seconds": within}}


def _line(line: Line, money: Credit) -> dict[str, Any]:
    return {
        "objective": line.objective,
        "endpoint": line.endpoint or None,
        "basis": line.basis,
        "percent": float(line.share * 100),
        "amount": None if money.charge is None else _money(amount(line.share, money.charge, money.currency)),
        "incidents": len(line.incidents),
    }


def _chronic(rule: Chronic) -> str:
    if rule.outages == 1:
        return f"an outage over {seconds(rule.each_over_ns)} s within {rule.within.name}"
    if rule.outages:
        return f"{rule.outages} outages over {seconds(rule.each_over_ns)} s each within {rule.within.name}"
    return f"downtime over {seconds(rule.downtime_over_ns)} s within {rule.within.name}"
