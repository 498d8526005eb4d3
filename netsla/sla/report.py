"""A report: the settlement of one agreement for one period, a pure function of what is recorded (SLA R18).

    report = settle_agreement(agreement, period, read, exclusions, until_ns=None, histogram=None, tell=None, watch=None)

`read(endpoint id)` gives its records (:class:`netsla.sla.recorded.Recorded`), in the period and as far around it
as outages and rolling windows reach; it is called once per endpoint, so that a thousand of them need not be in
memory together. `until_ns`: how far all that is known reaches; None when the period is over. The same arguments
give the same report, to the bit, on either side of the contract.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

from netsla.model import SECOND, Agreement, Chronic, Endpoint, IntArray, Metric, Objective, Standing
from netsla.sla.accounting import Account, answerable_ns, lost_ns
from netsla.sla.burn import WEEK_SECONDS, budget_spent, projected
from netsla.sla.calendar import Period, month_spans
from netsla.sla.credit import Line, amount, combined
from netsla.sla.exclusion import Exclusion, Ruled, planned, rule
from netsla.sla.fleet import deciding
from netsla.sla.packets import Figure, feeding, judge
from netsla.sla.promise import denominated, judge_time, repaired_in
from netsla.sla.recorded import Recorded
from netsla.sla.settlement import Case, chronic, lines, own_share
from netsla.sla.spans import total_ns
from netsla.sla.timeline import FOR_EVER, Balance, Timeline, timeline

Read = Callable[[str], Sequence[Recorded]]
Histogram = Callable[[str, tuple[str, ...]], IntArray | None]  # (endpoint, probes) -> BUCKETS counts over the period
Watch = Callable[[Endpoint, Timeline, Sequence[Recorded]], None]  # sees every endpoint's time as it is settled
_Value = Fraction | float | None
_BEFORE_NS, _AFTER_NS = 93 * 86_400 * SECOND, 31 * 86_400 * SECOND  # planned work matters to context, too


@dataclass(frozen=True, slots=True)
class Result:
    """One objective of one endpoint. `credit` is what it alone earns, before combining and cap.

    `other_scope` is the packet delivery of the other scope (SLA R7), `unexcluded` the value if nothing were excluded
    (None where nothing is); `forecast_ns` the downtime projected for the end of a running period, `budget_ns` the
    error budget of the whole period and `budget_spent` the share of it that is used (SLA R19).
    """

    endpoint: str
    objective: Objective
    figure: Figure
    account: Account
    unknown_ns: dict[str, int]
    micro_outages: int
    credit: Decimal | None
    other_scope: Fraction | float | None = None
    unexcluded: Fraction | float | None = None
    budget_ns: Fraction | None = None
    forecast_ns: Fraction | None = None
    budget_spent: Fraction | None = None


@dataclass(frozen=True, slots=True)
class Incident:
    """An outage as the report lists it: `down_ns` is what of it is scheduled in the period, `whole_ns` all of it.

    `repair_ns` is None for an excused outage, and in any period but the one in which it began (SLA R12).
    """

    endpoint: str
    start_ns: int
    end_ns: int | None  # None: still open
    down_ns: int
    whole_ns: int
    repair_ns: int | None
    excluded_by: str | None
    provisional: bool


@dataclass(frozen=True, slots=True)
class Ruling:
    """An exclusion with what counted of it, in ns, and why not if not."""

    exclusion: Exclusion
    counted_ns: int
    flag: str
    why: str


@dataclass(frozen=True, slots=True)
class Credit:
    """The money: `share` of the charge after combining and cap; `amount` None without a monthly charge.

    `claim_until_ns` is the end of the time in which it has to be claimed, None if the contract sets no end.
    """

    currency: str
    share: Fraction
    amount: Decimal | None
    charge: Decimal | None
    lines: tuple[Line, ...]
    chronic: tuple[tuple[str, Chronic], ...] = ()
    claim_until_ns: int | None = None
    ticket_within_ns: int | None = None  # of the start of an outage


@dataclass(frozen=True, slots=True)
class Report:
    """A settled period. `final` is false while anything in it may still change."""

    agreement: Agreement
    period: Period
    until_ns: int
    final: bool
    standing: Standing
    results: tuple[Result, ...]
    incidents: tuple[Incident, ...]
    exclusions: tuple[Ruling, ...]
    credit: Credit | None


@dataclass(frozen=True, slots=True, eq=False)
class _Settled:
    """One endpoint: its time, its judged objectives. The arrays are let go: there may be thousands."""

    time: Balance
    chronic: list[Chronic]
    cases: tuple[Case, ...]
    others: tuple[_Value, ...]
    unexcluded: tuple[_Value, ...]


def settle_agreement(
    agreement: Agreement,
    period: Period,
    read: Read,
    exclusions: Iterable[Exclusion] = (),
    *,
    until_ns: int | None = None,
    histogram: Histogram | None = None,
    tell: Callable[[int, int], None] | None = None,
    watch: Watch | None = None,
) -> Report:
    """Settle a period; `tell(done, of)` is called after every endpoint, `watch` with the settled time of each.

    Raises NetslaError on unusable records.
    """
    known_ns = FOR_EVER if until_ns is None else until_ns
    judging = _Rules(agreement, period, tuple(exclusions))
    settled: dict[str, _Settled] = {}
    for number, endpoint in enumerate(agreement.endpoints, 1):
        settled[endpoint.id] = _endpoint(
            agreement, period, endpoint, read(endpoint.id), judging, known_ns, histogram, watch
        )
        if tell is not None:
            tell(number, len(agreement.endpoints))
    cases = [case for one in settled.values() for case in one.cases]
    money = _credit(agreement, period, cases, [(name, rule) for name, one in settled.items() for rule in one.chronic])
    results = tuple(
        _result(agreement, period, case, other, plain, known_ns)
        for one in settled.values()
        for case, other, plain in zip(one.cases, one.others, one.unexcluded, strict=True)
    )
    incidents = tuple(i for name, one in settled.items() for i in _incidents(name, one.time, period, known_ns))
    final = known_ns >= period.end_ns and all(one.time.settled_for_good for one in settled.values())
    standing = overall(results, agreement.measurement.combine)
    known_ns = min(known_ns, period.end_ns)
    return Report(agreement, period, known_ns, final, standing, results, incidents, judging.rulings(), money)


class _Rules:
    """Exclusions after the rules, for one endpoint after another; endpoints without their own share the answer."""

    def __init__(self, agreement: Agreement, period: Period, given: tuple[Exclusion, ...]) -> None:
        self._agreement, self._zone = agreement, ZoneInfo(agreement.timezone)
        months = month_spans(self._zone, period.start_ns - _BEFORE_NS, period.end_ns + _AFTER_NS)
        begin, end = months[0][0], months[-1][1]
        own = planned(agreement.maintenance, self._zone, begin, end, agreement.term_from)
        self._given = (*own, *(one for one in given if not _planned_already(one, own)))
        self._period = period
        self._named = {one.endpoint for one in self._given if one.endpoint is not None}
        self._shared: tuple[Ruled, ...] | None = None
        self._found: dict[Exclusion, dict[str, list[tuple[str, Ruled]]]] = {}  # by why it does not count, "" if it does

    def of(self, endpoint: Endpoint) -> tuple[Ruled, ...]:
        """What counts for this endpoint."""
        if endpoint.id in self._named:
            ruled = rule(self._given, self._agreement.maintenance, self._zone, endpoint.id)
        else:
            if self._shared is None:
                self._shared = rule(self._given, self._agreement.maintenance, self._zone)
            ruled = self._shared
        for one in ruled:
            if one.exclusion.start_ns < self._period.end_ns and one.exclusion.end_ns > self._period.start_ns:
                self._found.setdefault(one.exclusion, {}).setdefault(one.why, []).append((endpoint.id, one))
        return ruled

    def rulings(self) -> tuple[Ruling, ...]:
        """Every exclusion that touches the period, in order of start.

        One for all endpoints is told endpoint by endpoint where it counts for some and not for others: each has its
        own month's cap.
        """
        out = []
        for told, found in self._found.items():
            split = len(found) > 1
            for endpoint, one in (pair for pairs in found.values() for pair in (pairs if split else pairs[:1])):
                exclusion = replace(told, endpoint=endpoint) if split else told
                out.append(Ruling(exclusion, total_ns(one.spans), one.flag, one.why))
        return tuple(sorted(out, key=_place))


def _place(one: Ruling) -> tuple[int, str, str]:
    return one.exclusion.start_ns, one.exclusion.id, one.exclusion.endpoint or ""


def _planned_already(one: Exclusion, own: list[Exclusion]) -> bool:
    """An exported pack repeats what the agreement plans."""
    return any(one.id == other.id for other in own)


# --- one endpoint -------------------------------------------------------------------------------------


def _endpoint(
    agreement: Agreement, period: Period, endpoint: Endpoint, parts: Sequence[Recorded], judging: _Rules, known_ns: int,
    histogram: Histogram | None, watch: Watch | None,
) -> _Settled:  # fmt: skip
    names = {spec.name for spec in deciding(endpoint)}
    votes = [part for part in parts if part.probe in names]
    line = timeline(agreement, endpoint, period, votes, judging.of(endpoint), known_ns)
    if watch is not None:
        watch(endpoint, line, parts)
    judged = [_judge(agreement, period, endpoint, one, line, parts, histogram) for one in endpoint.objectives]
    cases = (
        Case(endpoint.id, o, figure, line.balance, agreement.measurement_of(endpoint))
        for o, (figure, _) in zip(endpoint.objectives, judged, strict=True)
    )
    unexcluded: list[_Value] = [None] * len(judged)
    if line.balance.account.excluded_ns:
        plain = timeline(agreement, endpoint, period, votes, (), known_ns)
        unexcluded = [_judge(agreement, period, endpoint, o, plain, parts, None)[0].value for o in endpoint.objectives]
    return _Settled(
        line.balance, chronic(agreement, line, period), tuple(cases), tuple(other for _, other in judged),
        tuple(unexcluded),
    )  # fmt: skip


def _judge(
    agreement: Agreement, period: Period, endpoint: Endpoint, objective: Objective, line: Timeline,
    parts: Sequence[Recorded], histogram: Histogram | None,
) -> tuple[Figure, _Value]:  # fmt: skip
    measurement = agreement.measurement_of(endpoint)
    if objective.metric in (Metric.UPTIME, Metric.TIME_TO_REPAIR):
        return judge_time(objective, line, measurement, period), None
    counts = None
    if histogram is not None and objective.percent is not None:
        counts = histogram(endpoint.id, tuple(part.probe for part in feeding(objective, endpoint, parts)))
    figure = judge(objective, endpoint, line, parts, measurement, counts)
    if objective.metric is not Metric.PACKET_DELIVERY:
        return figure, None
    scope = "all" if objective.scope == "available" else "available"
    return figure, judge(_scoped(objective, scope), endpoint, line, parts, measurement).value


def _scoped(objective: Objective, scope: str) -> Objective:
    return replace(objective, scope=scope)


def _result(
    agreement: Agreement, period: Period, case: Case, other: _Value, plain: _Value, known_ns: int
) -> Result:  # fmt: skip
    time = case.time
    uptime = case.objective.metric is Metric.UPTIME
    spent = budget = None
    if uptime:
        goal, terms = case.objective.target.value, denominated(case.objective, case.measurement)
        whole_ns = answerable_ns(time.account, time.due_ns, terms)
        spent, budget = budget_spent(lost_ns(time.account, terms), whole_ns, goal), (1 - goal) * whole_ns
    forecast = _forecast(time, period, known_ns) if uptime and known_ns < period.end_ns else None
    return Result(
        case.endpoint, case.objective, case.figure, time.account, time.unknown_ns, time.micro_outages,
        _own_credit(agreement, period, case), other, plain, budget, forecast, spent,
    )  # fmt: skip


def _forecast(time: Balance, period: Period, known_ns: int) -> Fraction:
    """Down time projected for the end of the period (SLA R19)."""
    remaining_ns = period.end_ns - known_ns
    return projected(time.account.down_ns, time.down_last_week_ns, remaining_ns, WEEK_SECONDS * SECOND)


# --- incidents ----------------------------------------------------------------------------------------


def _incidents(endpoint: str, time: Balance, period: Period, known_ns: int) -> list[Incident]:
    out = []
    for outage in time.outages:
        began_here = period.start_ns <= outage.start_ns < period.end_ns
        if not outage.within_ns and not (began_here and outage.counts and outage.excluded_by is None):
            continue
        running = outage.open and known_ns < period.end_ns
        repair = None if outage.excluded_by or not began_here else repaired_in(outage, time)
        out.append(
            Incident(
                endpoint, outage.start_ns, None if running else outage.end_ns, outage.within_ns, outage.down_ns, repair,
                outage.excluded_by, outage.provisional,
            )
        )  # fmt: skip
    return out


# --- money, and the whole -----------------------------------------------------------------------------


def _charge(agreement: Agreement, period: Period) -> Decimal | None:
    """The charge that credits are a share of: the month's, of a quarter or a year as many."""
    return None if agreement.monthly_charge is None else agreement.monthly_charge * max(period.months, 1)


def _own_credit(agreement: Agreement, period: Period, case: Case) -> Decimal | None:
    if agreement.credits is None:
        return Decimal("0.00")
    charge = _charge(agreement, period)
    rules = [one for one in agreement.credits.rules if one.objective == case.objective.id]
    share = max((own_share(one, case, period) for one in rules), default=Fraction(0))
    return None if charge is None else amount(share, charge, agreement.credits.currency)


def _credit(agreement: Agreement, period: Period, cases: list[Case], often: list[tuple[str, Chronic]]) -> Credit | None:
    terms = agreement.credits
    if terms is None:
        return None
    due = lines(agreement, cases, period)
    share, charge = combined(due, terms), _charge(agreement, period)
    money = None if charge is None else amount(share, charge, terms.currency)
    until_ns = None if terms.claim_by is None else period.end_ns + _ns(terms.claim_by)
    ticket_ns = None if terms.ticket_within is None else _ns(terms.ticket_within)
    return Credit(terms.currency, share, money, charge, tuple(due), tuple(often), until_ns, ticket_ns)


def _ns(span: timedelta) -> int:
    return span // timedelta(microseconds=1) * 1000


_WORST_FIRST = (Standing.BREACHED, Standing.INSUFFICIENT, Standing.NO_DATA, Standing.MET)


def overall(results: Sequence[Result], combine: str) -> Standing:
    """The agreement's standing: of each objective over its endpoints, then the worst objective's.

    `all` takes the worst endpoint, `any` the best; `average` holds the mean of the figures against the target where
    there is one of each endpoint, else it takes the worst, too.
    """
    by_objective: dict[str, list[Result]] = {}
    for result in results:
        by_objective.setdefault(result.objective.id, []).append(result)
    each = [_combined_standing(some, combine) for some in by_objective.values()]
    return min(each, key=_WORST_FIRST.index, default=Standing.NO_DATA)


def _combined_standing(results: Sequence[Result], combine: str) -> Standing:
    standings = [one.figure.standing for one in results]
    if combine == "any":
        return max(standings, key=_WORST_FIRST.index)
    if combine == "average" and Standing.BREACHED in standings and _met_on_average(results):
        standings = [Standing.MET if one is Standing.BREACHED else one for one in standings]
    return min(standings, key=_WORST_FIRST.index)


def _met_on_average(results: Sequence[Result]) -> bool:
    judged = [one for one in results if one.figure.standing in (Standing.MET, Standing.BREACHED)]
    values = [Fraction(one.figure.value) for one in judged if one.figure.value is not None]
    promise = judged[0].objective
    alike = {(one.objective.target, one.objective.window) for one in judged} == {(promise.target, promise.window)}
    if len(values) < len(judged) or not alike or not promise.window.calendar:
        return False
    mean = sum(values, Fraction(0)) / len(values)
    if promise.metric in (Metric.UPTIME, Metric.PACKET_DELIVERY):
        return mean >= promise.target.value
    return mean * SECOND <= promise.target.value
