"""What is promised and how it is measured, in the words of the document of an agreement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from netsla.model import SECOND, Agreement, Hours, Measurement, Metric, Objective, ProbeSpec, ProbeType, UptimeRule
from netsla.sla.uptime import method_of
from netsla.wire.amounts import percent_text, span_text

_MONTH_NS = 30 * 86_400 * SECOND
_WEEK_MINUTES = 7 * 1440
_UNNAMED = "custom"  # the profile of a rule whose parts the contract chose itself
_LOST = {"exclude": "are left out of percentiles", "infinite": "count in percentiles as slower than any limit"}
_TREATED = {"exclude": "is left out of the account", "up": "counts as up", "down": "counts as down"}
_EXCLUDED = {"remove": "is left out of the account", "count_as_up": "counts as up"}
_COMBINED = {
    "all": "Each endpoint is judged by itself, and every one of them has to keep the promise.",
    "any": "Each endpoint is judged by itself; one that keeps the promise is enough.",
    "average": "The promise is kept if the mean of the endpoints' figures keeps it.",
}


def metric_words(one: Objective) -> str:
    """Metric, statistic, probe, scope and aggregate in words."""
    name = {
        Metric.UPTIME: "uptime",
        Metric.PACKET_DELIVERY: "packet delivery (received / sent)",
        Metric.LATENCY: f"round-trip time, {one.statistic}",
        Metric.JITTER: "jitter",
        Metric.TIME_TO_REPAIR: f"time to repair, {one.statistic or 'each'}",
    }[one.metric]
    probe = f" of {one.probe}" if one.probe else ""
    counts_packets = one.metric not in (Metric.UPTIME, Metric.TIME_TO_REPAIR)
    scope = ", only while up" if counts_packets and one.scope == "available" else ""
    mean = ", mean of the intervals' ratios" if one.aggregate == "mean_of_intervals" else ""
    return f"{name}{probe}{scope}{mean}"


def window_words(one: Objective) -> str:
    """The window in words."""
    if one.window.calendar:
        return f"each calendar {one.window.calendar}"
    return f"the last {span_text(one.window.seconds * SECOND)}, at any time"


def service_share(hours: Hours) -> Fraction:
    """The share of a week in which the service is due; holidays apart."""
    minutes = sum(end - begin for _, begin, end in hours.weekly) if hours.weekly else _WEEK_MINUTES
    return Fraction(minutes, _WEEK_MINUTES)


def allowance(one: Objective, hours: Hours) -> str:
    """What a ratio leaves room for in the service hours of 30 days."""
    if one.metric is Metric.UPTIME:
        due_ns = _MONTH_NS * service_share(hours)
        return f"{span_text(int((1 - one.target.value) * due_ns) // SECOND * SECOND)} down"
    if one.metric is Metric.PACKET_DELIVERY:
        return f"{percent_text(1 - one.target.value)} of all packets lost"
    return "-"


def uptime_words(rule: UptimeRule) -> str:
    """An uptime rule as a paragraph."""
    step = span_text(rule.interval_ns)
    bad = "nothing came back" if rule.all_lost else f"more than {percent_text(rule.loss_over)} of its probes are lost"
    samples = f", and unknown with fewer than {rule.min_samples} probes" if rule.min_samples > 1 else ""
    feed = {
        "any": "Where several probes watch an endpoint, one of them that is good is enough.",
        "all": "Where several probes watch an endpoint, all of them have to be good.",
    }.get(rule.feed, f"Probe {rule.feed} alone decides.")
    method = {
        "interval": "Each bad interval is down time.",
        "sliding": (
            f"The service is down from the first of {rule.n} bad intervals in a row, and up again from the first of "
            f"{rule.n} good ones in a row."
        ),
        "outage": (
            f"A run of bad intervals is down time, all of it, if it lasts at least {span_text(rule.minimum_ns)}; "
            "shorter runs are micro-outages: counted, and up."
        ),
    }[rule.method]
    if rule.method != "interval":
        method += f" {_gap(method_of(rule).gap)} a run; a longer gap ends it."
    name = "Time" if rule.profile == _UNNAMED else f"Profile {rule.profile}: time"
    return f"{name} is cut into intervals of {step}; an interval is bad if {bad}{samples}. {feed} {method}"


def _gap(most: int) -> str:
    if most == 1:
        return "One unknown interval neither extends nor breaks"
    return f"Up to {most} unknown intervals in a row neither extend nor break"


def accounting_words(how: Measurement) -> Iterator[str]:
    """How time is accounted, as paragraphs."""
    yield (
        "A probe that the measuring host could not send is unmeasured: neither sent nor lost. Time that cannot be "
        "vouched for (no measurement, the measuring host's own references failed, its clock stepped) is unknown, and "
        f"{_TREATED[how.unknown]}; excluded time {_EXCLUDED[how.exclusions]}."
    )
    yield (
        f"Uptime is {_share(how)}. A verdict needs {percent_text(how.min_coverage)} of the time to be "
        "known; otherwise it is `insufficient data`, unless even the best case is a breach. "
        "A figure is held against its target unrounded."
    )
    yield _COMBINED[how.combine]


def own_accounting_words(how: Measurement) -> str:
    """The same for endpoints that have it otherwise, in a sentence."""
    return (
        f"unknown time {_TREATED[how.unknown]}, excluded time {_EXCLUDED[how.exclusions]}, uptime is {_share(how)}, a "
        f"verdict needs {percent_text(how.min_coverage)} of the time to be known, and lost probes "
        f"{_LOST[how.percentile_lost]}."
    )


def _share(how: Measurement) -> str:
    if how.fixed_denominator_ns is None:
        return "Up / (Up + Down)"
    return f"1 - Down / {span_text(how.fixed_denominator_ns)}, however long the period is"


def definitions(one: Agreement) -> Iterator[str]:
    """What the words of the targets mean, of those that are used."""
    promised = [objective for endpoint in one.endpoints for objective in endpoint.objectives]
    metrics = {objective.metric for objective in promised}
    if metrics - {Metric.TIME_TO_REPAIR}:
        lost = f"; lost probes {_LOST[one.measurement.percentile_lost]}" if _has_percentile(promised) else ""
        yield f"A probe is lost if no reply came within its time limit; a later one does not mend that{lost}."
    if _has_percentile(promised):
        yield (
            "A percentile p is the smallest round-trip time that at least p % of all are no longer than, without "
            "interpolation: p95 keeps its limit if at least 95 % came within it."
        )
    if Metric.JITTER in metrics:
        yield "Jitter is the mean difference of the round-trip times of consecutive probes that were both answered."
    if Metric.TIME_TO_REPAIR in metrics:
        yield (
            "Time to repair runs from the begin of down time to its end, without excluded time and without time that "
            "was spent waiting for the customer."
        )
    if any(_is_tcp(spec) for endpoint in one.endpoints for spec in endpoint.probes):
        yield "A TCP probe measures the handshake; it tells uptime and round-trip time, and never packet delivery."


def _has_percentile(promised: Sequence[Objective]) -> bool:
    return any(one.percent is not None for one in promised)


def _is_tcp(spec: ProbeSpec) -> bool:
    return spec.type is ProbeType.TCP
