"""An agreement as a document of twelve sections (docs/sla.md, section 5), as paragraphs, lists and tables.

Rules: pure; document_page.py renders it. Every figure that settles something stands in words and in numbers, and
comes from the configuration as it is in force, plan and overrides worked in. What is not agreed is said to be not
agreed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from netsla.model import SECOND, Agreement, Endpoint, Hours, Kind, Measurement, Objective, UptimeRule
from netsla.sla.exclusion import CAUSES, PLANNED, STOP_CLOCK, planned
from netsla.wire.amounts import span_text
from netsla.wire.blocks import Block, Row, Section, Table
from netsla.wire.credit_words import credit_blocks
from netsla.wire.promise_words import (
    accounting_words,
    allowance,
    definitions,
    metric_words,
    own_accounting_words,
    uptime_words,
    window_words,
)

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_AHEAD_NS = 92 * 86_400 * SECOND  # planned work is listed so far ahead
_MOST = 20  # endpoints, or dates, before a list is cut short
_CAUSES = ", ".join(cause.replace("_", " ") for cause in CAUSES if cause not in PLANNED | STOP_CLOCK)
_KINDS = {
    Kind.CUSTOMER: "a service level agreement between a provider and its customer",
    Kind.INTERNAL: "an operational level agreement between teams of one organisation; no money is involved",
    Kind.VENDOR: "an agreement with a supplier: what is measured here is what we are owed",
    Kind.MULTIPARTY: "a service level agreement between several parties",
    Kind.COMMITMENT: "a one-sided, published commitment",
}


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
        Section("Credits and claims", credit_blocks(agreement)),
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
    every, limit = span_text(spec.interval_ns), span_text(spec.timeout_ns)
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
    allowed = "Allowed in 30 days" + (" (service hours)" if one.hours.weekly else "")
    head = ("Objective", "Metric", "Target", "Over", allowed, "Severity")
    blocks: list[Block] = []
    for objectives, names in groups.items():
        if len(groups) > 1:
            blocks.append(f"For {_some(names)}:")
        rows = [_target(objective, one.hours) for objective in objectives]
        blocks.append(Table(head, rows) if rows else "No objective is agreed.")
    return blocks


def _target(one: Objective, hours: Hours) -> Row:
    return one.id, metric_words(one), one.target.text, window_words(one), allowance(one, hours), one.severity


def _method(one: Agreement) -> list[Block]:
    rules: dict[UptimeRule, list[str]] = {}
    for endpoint in one.endpoints:
        rules.setdefault(endpoint.uptime, []).append(endpoint.id)
    blocks: list[Block] = []
    for rule, names in rules.items():
        text = uptime_words(rule)
        blocks.append(f"For {_some(names)}: {text[0].lower()}{text[1:]}" if len(rules) > 1 else text)
    own: dict[Measurement, list[str]] = {}
    for endpoint in one.endpoints:
        if endpoint.measurement not in (None, one.measurement):
            own.setdefault(one.measurement_of(endpoint), []).append(endpoint.id)
    others = [f"For {_some(names)}: {own_accounting_words(how)}" for how, names in own.items()]
    return [*blocks, *accounting_words(one.measurement), *others, *definitions(one)]


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_MOST]) + (f" and {len(names) - _MOST} more" if len(names) > _MOST else "")


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
    needs = [f"is announced {f'at least {_length(terms.notice)} ' if terms.notice else ''}before it begins"]
    if terms.allowed:
        begin, end = map(_clock, terms.allowed)
        needs.append(f"lies between {begin} and {end} ({one.timezone})")
    if terms.max_per_month_ns is not None:
        needs.append(f"fits into {span_text(terms.max_per_month_ns)} a month")
    rule = (
        f"Planned maintenance is excluded if it {' and '.join(needs)}. Otherwise it is ordinary time. Only whole "
        "intervals inside it are excluded; what goes on longer counts, and unused time earns nothing."
    )
    blocks: list[Block] = [rule]
    coming = planned(terms, zone, now_ns, now_ns + _AHEAD_NS, one.term_from)
    rows = [
        (_local(each.start_ns, zone), _local(each.end_ns, zone), each.endpoint or "all", each.reason,
         each.reference or "-")
        for each in coming[:_MOST]
    ]  # fmt: skip
    if rows:
        blocks += ["Planned in the next three months:", Table(("From", "To", "Endpoint", "Reason", "Reference"), rows)]
    elif terms.windows:
        blocks.append("Nothing is planned in the next three months.")
    return blocks


def _length(span: timedelta) -> str:
    return span_text(span // timedelta(microseconds=1) * 1000)


def _local(at_ns: int, zone: ZoneInfo) -> str:
    return f"{datetime.fromtimestamp(at_ns // SECOND, UTC).astimezone(zone):%Y-%m-%d %H:%M %Z}"


def _dependencies(one: Agreement) -> list[Block]:
    if not one.depends_on:
        return ["This agreement depends on no other."]
    return ["A breach of one of these explains a breach here, and excuses none:", list(one.depends_on)]


def _exclusions(one: Agreement) -> list[Block]:
    told = [str(each) for each in one.document.get("exclusions") or ()]
    causes = (
        f"What happens while the service runs is excluded for one of these causes: {_CAUSES}. Waiting for the customer "
        "stops the clock of a repair, and excuses no down time."
    )
    record = (
        "Every exclusion has an id, a cause, a reason, a reference, and who announced or accepted it and when; it is "
        "recorded for good and listed in every report, with the figures as they would be without it."
    )
    return [told or "Beside planned maintenance nothing is excluded by this agreement itself.", causes, record]


def _reports(one: Agreement) -> list[Block]:
    told = one.document.get("reports")
    settled = f"A report is settled from the closed intervals by `netsla report {one.id}`, for any period."
    evidence = (
        f"Every interval is kept in a hash-chained ledger. `netsla export {one.id}` hands over the evidence of a "
        "period; either party recomputes the same figures from it alone with `netsla report --evidence`, and "
        "`netsla verify` finds every byte that was changed."
    )
    return [f"{str(told).rstrip('.')}. {settled}" if told else settled, evidence]


def _review(one: Agreement) -> list[Block]:
    review = one.document.get("review")
    told = one.document.get("changes")
    changes = f"Changes: {str(told).rstrip('.')}." if told else "Changes raise the version of the agreement."
    return [f"To be reviewed by {review}." if review else "No review is agreed.", changes]
