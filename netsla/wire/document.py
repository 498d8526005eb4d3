"""An agreement as a document of twelve sections (docs/sla.md, section 5), as paragraphs, lists and tables.

Rules: pure; document_page.py renders it. Every figure that settles something stands in words and in numbers, and
comes from the configuration as it is in force, plan and overrides worked in. What is not agreed is said to be not
agreed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from netsla.model import SECOND, Agreement, CreditRule, Credits, Endpoint, Hours, Kind, Metric, Objective, UptimeRule
from netsla.sla.exclusion import planned
from netsla.wire.amounts import decimal_text, duration_text, percent_text

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTH_NS = 30 * 86_400 * SECOND
_AHEAD_NS = 92 * 86_400 * SECOND  # planned work is listed so far ahead
_MOST = 20  # endpoints, or dates, before a list is cut short
_KINDS = {
    Kind.CUSTOMER: "a service level agreement between a provider and its customer",
    Kind.INTERNAL: "an operational level agreement between teams of one organisation; no money is involved",
    Kind.VENDOR: "an agreement with a supplier: what is measured here is what we are owed",
    Kind.MULTIPARTY: "a service level agreement between several parties",
    Kind.COMMITMENT: "a one-sided, published commitment",
}
Row = Sequence[str]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under a head."""

    head: Row
    rows: Sequence[Row]


Block = str | Table | list[str]  # a paragraph, a table, a list


@dataclass(frozen=True, slots=True)
class Section:
    """One of the twelve."""

    title: str
    blocks: Sequence[Block]


def sections(agreement: Agreement, now_ns: int) -> list[Section]:
    """The twelve, in order."""
    return [
        Section("Parties and term", _parties(agreement)),
        Section("Service and demarcation", _service(agreement)),
        Section("Operating hours", _hours(agreement.hours, agreement.timezone)),
        Section("Metrics and targets", _targets(agreement)),
        Section("Measurement method", _method(agreement)),
        Section("Severity levels", _severities(agreement)),
        Section("Maintenance and notice", _maintenance(agreement, now_ns)),
        Section("Dependencies", _dependencies(agreement)),
        Section("Exclusions", _exclusions(agreement)),
        Section("Reports and evidence", _reports(agreement)),
        Section("Credits and claims", _credits(agreement)),
        Section("Review and changes", _review(agreement)),
    ]


def title(agreement: Agreement) -> str:
    """What stands on top."""
    return str(agreement.document.get("title") or f"Agreement {agreement.id}")


# --- the sections -------------------------------------------------------------------------------------


def _parties(one: Agreement) -> list[Block]:
    rows = [(p.role, p.name, ", ".join(f"{word} {how}" for word, how in p.contacts) or "-") for p in one.parties]
    blocks: list[Block] = [f"Agreement {one.id}, version {one.version}: {_KINDS[one.kind]}."]
    blocks.append(Table(("Role", "Name", "Contacts"), rows) if rows else "No parties are named.")
    begin = f"from {one.term_from}" if one.term_from else "from the first measurement"
    end = f"until the end of {one.term_to - timedelta(days=1)}" if one.term_to else "without an end"
    launch = f" The service was launched on {one.document['launch']}." if "launch" in one.document else ""
    blocks.append(f"It is in force {begin} {end}. Times without an offset are those of {one.timezone}.{launch}")
    return blocks


def _service(one: Agreement) -> list[Block]:
    told = one.document
    blocks: list[Block] = [str(told.get("description") or "The service is not described.")]
    if told.get("demarcation"):
        blocks.append(f"It is handed over at: {told['demarcation']}.")
    if told.get("technologies"):
        blocks.append(f"Technologies: {', '.join(told['technologies'])}.")
    rows = [(e.id, e.address, ", ".join(_probe(spec) for spec in e.probes), _active(e)) for e in one.endpoints[:_MOST]]
    blocks.append(Table(("Endpoint", "Address", "Probes", "Counts"), rows))
    if len(one.endpoints) > _MOST:
        blocks.append(f"and {len(one.endpoints) - _MOST} more endpoints, {len(one.endpoints)} in all.")
    return blocks


def _probe(spec: Any) -> str:
    port = f" to port {spec.port}" if spec.port else ""
    every, limit = duration_text(spec.interval_ns), duration_text(spec.timeout_ns)
    return f"{spec.name} ({spec.type}{port} every {every}, lost after {limit})"


def _active(one: Endpoint) -> str:
    begin = f"from {one.active_from:%Y-%m-%d %H:%M}" if one.active_from else ""
    end = f"until {one.active_to:%Y-%m-%d %H:%M}" if one.active_to else ""
    return f"{begin} {end}".strip() or "always"


def _hours(hours: Hours, zone: str) -> list[Block]:
    if not hours.weekly:
        return ["The service is due around the clock, every day of the year."]
    rows = [(_DAYS[day], _clock(begin), _clock(end)) for day, begin, end in hours.weekly]
    holidays = ", ".join(str(day) for day in sorted(hours.holidays))
    return [
        f"The service is due at these times, in {zone}:",
        Table(("Day", "From", "To"), rows),
        f"Not on: {holidays}." if holidays else "There are no holidays.",
    ]


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _targets(one: Agreement) -> list[Block]:
    groups: dict[tuple[Objective, ...], list[str]] = {}
    for endpoint in one.endpoints:
        groups.setdefault(endpoint.objectives, []).append(endpoint.id)
    head = ("Objective", "Metric", "Target", "Over", "Allowed in 30 days", "Severity")
    blocks: list[Block] = []
    for objectives, names in groups.items():
        if len(groups) > 1:
            more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
            blocks.append(f"For {', '.join(names[:_MOST])}{more}:")
        rows = [(o.id, metric_words(o), o.target.text, window_words(o), allowance(o), o.severity) for o in objectives]
        blocks.append(Table(head, rows) if rows else "No objective is agreed.")
    return blocks


def metric_words(one: Objective) -> str:
    """Metric, statistic, probe and scope in words."""
    name = {
        Metric.UPTIME: "uptime",
        Metric.PACKET_DELIVERY: "packet delivery (received / sent)",
        Metric.LATENCY: f"round-trip time, {one.statistic}",
        Metric.JITTER: "jitter (mean difference of consecutive round-trip times)",
        Metric.TIME_TO_REPAIR: f"time to repair{f', {one.statistic}' if one.statistic else ''}",
    }[one.metric]
    probe = f" of {one.probe}" if one.probe else ""
    counts_packets = one.metric not in (Metric.UPTIME, Metric.TIME_TO_REPAIR)
    scope = ", only while up" if counts_packets and one.scope == "available" else ""
    return f"{name}{probe}{scope}"


def window_words(one: Objective) -> str:
    """The window in words."""
    if one.window.calendar:
        return f"each calendar {one.window.calendar}"
    return f"the last {duration_text(one.window.seconds * SECOND)}, at any time"


def allowance(one: Objective) -> str:
    """What a ratio leaves room for in 30 days."""
    if one.metric is Metric.UPTIME:
        return f"{duration_text(int((1 - one.target.value) * _MONTH_NS) // SECOND * SECOND)} down"
    if one.metric is Metric.PACKET_DELIVERY:
        return f"{percent_text(1 - one.target.value)} of all packets lost"
    return "-"


def _method(one: Agreement) -> list[Block]:
    rules = dict.fromkeys(endpoint.uptime for endpoint in one.endpoints)
    how = one.measurement
    unknown = {"exclude": "is left out of the account", "up": "counts as up", "down": "counts as down"}[how.unknown]
    excluded = "is left out of the account" if how.exclusions == "remove" else "counts as up"
    lost = "are left out of percentiles" if how.percentile_lost == "exclude" else "count as slower than any limit"
    combine = {"all": "every one of them", "any": "at least one of them", "average": "their average"}[how.combine]
    denominator = (
        f"always {duration_text(how.fixed_denominator_ns)}"
        if how.fixed_denominator_ns
        else "the time that is accountable"
    )
    return [
        *(uptime_words(rule) for rule in rules),
        (
            "A probe that our own host could not send is unmeasured: neither sent nor lost. Time that we cannot vouch "
            "for (no measurement, own references failed, clock stepped) is unknown and "
            f"{unknown}; excluded time {excluded}."
        ),
        (
            f"Uptime is Up / (Up + Down); its denominator is {denominator}. A verdict needs "
            f"{percent_text(how.min_coverage)} of the "
            "time to be known; otherwise it is `insufficient data`, unless even the best case is a breach."
        ),
        (
            f"A lost packet is one without a reply within its time limit; lost probes {lost}. Verdicts are exact, from "
            f"integer "
            f"counters. Of several endpoints, {combine} decides."
        ),
    ]


def uptime_words(rule: UptimeRule) -> str:
    """An uptime rule as a paragraph."""
    step = duration_text(rule.interval_ns)
    bad = "nothing came back" if rule.all_lost else f"more than {percent_text(rule.loss_over)} of its probes are lost"
    feed = {"any": "any probe is enough", "all": "every probe is needed"}.get(rule.feed, f"probe {rule.feed} decides")
    method = {
        "interval": "Each bad interval is down time.",
        "sliding": f"The service is down from the first of {rule.n} bad intervals in a row, and up again from the "
        "first of "
        f"{rule.n} good ones in a row.",
        "outage": "A run of bad intervals is down time, all of it, if it lasts at least "
        f"{duration_text(rule.minimum_ns)}; shorter runs are micro-outages: counted, and up.",
    }[rule.method]
    name = f"Profile {rule.profile}: time" if rule.profile else "Time"
    samples = f" One with fewer than {rule.min_samples} probes is unknown." if rule.min_samples > 1 else ""
    return f"{name} is cut into intervals of {step}; an interval is bad if {bad} ({feed}).{samples} {method}"


def _severities(one: Agreement) -> list[Block]:
    told = one.document.get("severities") or {}
    if not told:
        return ["No response and restoration times are agreed; severities order alerts only."]
    rows = [
        (name, str(level.get("description") or "-"), str(level.get("respond") or "-"), str(level.get("restore") or "-"))
        for name, level in sorted(told.items())
    ]
    return [Table(("Severity", "When", "Response within", "Restoration within"), rows)]


def _maintenance(one: Agreement, now_ns: int) -> list[Block]:
    terms, zone = one.maintenance, ZoneInfo(one.timezone)
    notice = f"announced at least {_span(terms.notice)} before" if terms.notice else "announced before it begins"
    allowed = f", between {_clock(terms.allowed[0])} and {_clock(terms.allowed[1])}" if terms.allowed else ""
    cap = f", at most {duration_text(terms.max_per_month_ns)} a month" if terms.max_per_month_ns is not None else ""
    blocks: list[Block] = [
        (
            f"Planned maintenance does not count if it is {notice}{allowed}{cap}. Otherwise it is ordinary time. Only "
            f"whole "
            "intervals inside it are excluded; what goes on longer counts, and unused time earns nothing."
        )
    ]
    coming = planned(terms, zone, now_ns, now_ns + _AHEAD_NS, one.term_from)
    rows = [
        (
            _local(each.start_ns, zone),
            _local(each.end_ns, zone),
            each.endpoint or "all",
            each.reason,
            each.reference or "-",
        )
        for each in coming[:_MOST]
    ]
    if rows:
        blocks += ["Planned in the next three months:", Table(("From", "To", "Endpoint", "Reason", "Reference"), rows)]
    elif terms.windows:
        blocks.append("Nothing is planned in the next three months.")
    return blocks


def _span(span: timedelta) -> str:
    rest = span - timedelta(days=span.days)
    days = f"{span.days}d" if span.days else ""
    return days + (duration_text(int(rest.total_seconds()) * SECOND) if rest or not days else "")


def _local(at_ns: int, zone: ZoneInfo) -> str:
    return f"{datetime.fromtimestamp(at_ns // SECOND, UTC).astimezone(zone):%Y-%m-%d %H:%M %Z}"


def _dependencies(one: Agreement) -> list[Block]:
    if not one.depends_on:
        return ["This agreement depends on no other."]
    return ["A breach of one of these explains a breach here, and excuses none:", list(one.depends_on)]


def _exclusions(one: Agreement) -> list[Block]:
    told = [str(each) for each in one.document.get("exclusions") or ()]
    blocks: list[Block] = (
        [told] if told else ["Beside planned maintenance nothing is excluded by this agreement itself."]
    )
    blocks.append(
        "Every exclusion that is used has an id, a cause, a reason, a reference, and who announced or accepted it "
        "and when; "
        "it is recorded for good and listed in every report, with the figures."
    )
    return blocks


def _reports(one: Agreement) -> list[Block]:
    when = f"{one.document['reports']}. " if one.document.get("reports") else ""
    return [
        f"{when}A report is settled from the closed intervals by `netsla report {one.id}`, for any period.",
        (
            f"Every interval is kept in a hash-chained ledger. `netsla export {one.id}` hands over the evidence of a "
            "period; either party recomputes the same figures from it alone with `netsla report --evidence`, and "
            "`netsla verify` finds "
            "every byte that was changed."
        ),
    ]


def _credits(one: Agreement) -> list[Block]:
    if one.kind is Kind.INTERNAL:
        return ["No money is involved."]
    if one.credits is None or not one.credits.rules:
        return ["No credits are agreed."]
    charge = (
        f"{one.monthly_charge} {one.credits.currency} a month"
        if one.monthly_charge is not None
        else "the monthly charge"
    )
    blocks: list[Block] = [f"Credits are shares of {charge}."]
    blocks += [block for rule in one.credits.rules for block in _rule(rule)]
    blocks.append(_combining(one.credits))
    blocks += _chronic(one.credits)
    example = _example(one)
    return [*blocks, example] if example else blocks


def _rule(rule: CreditRule) -> list[Block]:
    share = percent_text(rule.credit)
    if rule.basis == "per_step":
        return [f"{rule.objective}: {share} for every started {percent_text(rule.step)} below the target."]
    if rule.basis == "days_per_started_hour":
        days = decimal_text(rule.days)
        return [
            f"{rule.objective}: {days} day(s) of the charge, a thirtieth each, for every started hour of down time."
        ]
    what = {
        "availability": "uptime below",
        "cumulative_downtime": "down time in all over",
        "per_outage": "an outage over",
    }[rule.basis]
    rows = [
        (f"{what} {percent_text(tier.limit) if rule.basis == 'availability' else duration_text(int(tier.limit))}",
         percent_text(tier.credit))
        for tier in rule.tiers
    ]  # fmt: skip
    return [f"{rule.objective}: the last line that applies counts.", Table(("If", "Credit"), rows)]


def _combining(terms: Credits) -> str:
    how = "are added" if terms.combine == "sum" else "do not add up: the highest counts"
    cap = f", at most {percent_text(terms.cap)} in all" if terms.cap is not None else ""
    claim = f" A ticket is opened within {_span(terms.ticket_within)}." if terms.ticket_within else ""
    by = f" Claims are made within {_span(terms.claim_by)} after the period." if terms.claim_by else ""
    return (
        f"Of one incident the highest credit counts; credits of different incidents and objectives {how}{cap}. The "
        f"amount is "
        f"rounded once, half up.{claim}{by}"
    )


def _chronic(terms: Credits) -> list[Block]:
    lines = [
        f"{rule.outages} outages of more than {duration_text(rule.each_over_ns)} each within {rule.within.name}"
        if rule.outages
        else f"more than {duration_text(rule.downtime_over_ns)} of down time within {rule.within.name}"
        for rule in terms.chronic
    ]
    return (
        ["The service is chronically out of order, and either party may end the agreement, after:", lines]
        if lines
        else []
    )


def _example(one: Agreement) -> str:
    """The first tier, worked out by the functions that settle."""
    from netsla.sla.credit import amount, availability_share  # noqa: PLC0415 - for the example only

    assert one.credits is not None
    rule = next((each for each in one.credits.rules if each.basis == "availability" and each.tiers), None)
    if rule is None or one.monthly_charge is None:
        return ""
    value = rule.tiers[0].limit - Fraction(1, 10_000)
    share = availability_share(rule.tiers, value)
    money = amount(share, Decimal(one.monthly_charge), one.credits.currency)
    earned = f"{percent_text(share)}: {money} {one.credits.currency}"
    return f"Example: a month with {percent_text(value)} uptime earns {earned}."


def _review(one: Agreement) -> list[Block]:
    review = one.document.get("review")
    changes = str(one.document.get("changes") or "Changes raise the version of the agreement")
    return [f"To be reviewed by {review}." if review else "No review is agreed.", f"{changes.rstrip('.')}."]
