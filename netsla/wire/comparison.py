"""Two agreements side by side: the same question to both, in the same unit, and which one promises more.

Rules: pure. Uptime is compared as down time allowed in the service hours of 30 days, and by how long an outage must
last to count; packets and times by the strictest target per metric and statistic. `stricter` is "a", "b", "same", or
"incomparable" where one says nothing or the two speak of different things.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

from netsla.model import SECOND, Agreement, Metric, Objective, UptimeRule
from netsla.wire.amounts import duration_text, percent_text
from netsla.wire.promise_words import service_share

_MONTH_S = 30 * 86_400
_WEEK_HOURS = 7 * 24


@dataclass(frozen=True, slots=True)
class Row:
    """One question and both answers; "-" where there is none."""

    question: str
    a: str
    b: str
    stricter: str  # a | b | same | incomparable


def compare(a: Agreement, b: Agreement) -> list[Row]:
    """Every row, the most important first."""
    rows = [
        _row("down time allowed in 30 days", _allowed(a), _allowed(b), _time, least=True),
        _row("an outage counts from", _counts_from(a), _counts_from(b), _time, least=True),
        _row("an interval is bad above a loss of", _criterion(a), _criterion(b), percent_text, least=True),
        _row("interval", _interval(a), _interval(b), _time, least=True),
    ]
    kinds = dict.fromkeys((*_packet_kinds(a), *_packet_kinds(b)))
    for metric, statistic, window in kinds:
        name = f"{str(metric).replace('_', ' ')}{f' {statistic}' if statistic else ''} over {window}"
        show = percent_text if metric is Metric.PACKET_DELIVERY else _time
        mine, its = (_target(one, metric, statistic, window) for one in (a, b))
        rows.append(_row(name, mine, its, show, least=metric is not Metric.PACKET_DELIVERY))
    return [
        *rows,
        _row("service hours a week", _hours(a), _hours(b), lambda value: f"{float(value):g} h", least=False),
        _row(
            "time that must be known", a.measurement.min_coverage, b.measurement.min_coverage, percent_text, least=False
        ),
        _row("maintenance: notice", _notice(a), _notice(b), _time, least=False),
        _row("maintenance: at most a month", _cap(a), _cap(b), _time, least=True),
        _row("credit for the first breach of uptime", _first(a), _first(b), percent_text, least=False),
        _row("credit at most", _most(a), _most(b), percent_text, least=False),
        _words("unknown time", a.measurement.unknown, b.measurement.unknown),
        _words("excluded time", a.measurement.exclusions, b.measurement.exclusions),
        _words("several endpoints", a.measurement.combine, b.measurement.combine),
    ]


def to_json(rows: list[Row]) -> list[dict[str, Any]]:
    """As `netsla agreement compare --format json` prints it."""
    return [asdict(row) for row in rows]


def _row(question: str, a: Fraction | None, b: Fraction | None, show: Callable[[Fraction], str], *, least: bool) -> Row:
    shown = "-" if a is None else show(a), "-" if b is None else show(b)
    if a is None and b is None:
        return Row(question, *shown, "same")
    if a is None or b is None:
        return Row(question, *shown, "incomparable")
    return Row(question, *shown, "same" if a == b else "a" if (a < b) == least else "b")


def _words(question: str, a: str, b: str) -> Row:
    return Row(question, a, b, "same" if a == b else "incomparable")


def _time(value: Fraction) -> str:
    """Seconds."""
    return duration_text(int(value * SECOND) or 0) if value else "0s"


# --- what an agreement answers ------------------------------------------------------------------------


def _objectives(one: Agreement) -> list[Objective]:
    return list(dict.fromkeys(o for endpoint in one.endpoints for o in endpoint.objectives))


def _rules(one: Agreement) -> list[UptimeRule]:
    return list(dict.fromkeys(endpoint.uptime for endpoint in one.endpoints))


def _allowed(one: Agreement) -> Fraction | None:
    targets = [o.target.value for o in _objectives(one) if o.metric is Metric.UPTIME and o.window.calendar]
    targets = targets or [o.target.value for o in _objectives(one) if o.metric is Metric.UPTIME]
    return (1 - max(targets)) * _MONTH_S * service_share(one.hours) if targets else None


def counts_from(rule: UptimeRule) -> Fraction:
    """Seconds that an outage must last to be down time for certain."""
    step = Fraction(rule.interval_ns, SECOND)
    if rule.method == "sliding":
        return rule.n * step
    return max(Fraction(rule.minimum_ns, SECOND), step) if rule.method == "outage" else step


def _counts_from(one: Agreement) -> Fraction | None:
    return max((counts_from(rule) for rule in _rules(one)), default=None)


def _criterion(one: Agreement) -> Fraction | None:
    return max((Fraction(1) if rule.all_lost else rule.loss_over for rule in _rules(one)), default=None)


def _interval(one: Agreement) -> Fraction | None:
    return max((Fraction(rule.interval_ns, SECOND) for rule in _rules(one)), default=None)


def _packet_kinds(one: Agreement) -> list[tuple[Metric, str, str]]:
    return [(o.metric, o.statistic, o.window.name) for o in _objectives(one) if o.metric is not Metric.UPTIME]


def _target(one: Agreement, metric: Metric, statistic: str, window: str) -> Fraction | None:
    """The strictest; ratios as such, times in seconds."""
    found = [
        o.target.value
        for o in _objectives(one)
        if (o.metric, o.statistic, o.window.name) == (metric, statistic, window)
    ]
    if not found:
        return None
    return max(found) if metric is Metric.PACKET_DELIVERY else min(found) / SECOND


def _hours(one: Agreement) -> Fraction:
    return _WEEK_HOURS * service_share(one.hours)


def _notice(one: Agreement) -> Fraction:
    return Fraction(one.maintenance.notice.total_seconds())


def _cap(one: Agreement) -> Fraction | None:
    most = one.maintenance.max_per_month_ns
    return None if most is None else Fraction(most, SECOND)


def _first(one: Agreement) -> Fraction | None:
    rules = one.credits.rules if one.credits else ()
    shares = [rule.tiers[0].credit for rule in rules if rule.basis == "availability" and rule.tiers]
    return max(shares, default=None)


def _most(one: Agreement) -> Fraction | None:
    return one.credits.cap if one.credits else None
