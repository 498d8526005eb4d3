"""What is promised, to whom, and what is owed when it is not kept: an agreement and its parts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Any

from netsla.model.probing import SECOND, ProbeSpec


class Metric(StrEnum):
    """What an objective speaks of."""

    UPTIME = "uptime"
    PACKET_DELIVERY = "packet_delivery"
    LATENCY = "latency"
    JITTER = "jitter"
    TIME_TO_REPAIR = "time_to_repair"


class Standing(StrEnum):
    """Where an objective stands."""

    MET = "met"
    BREACHED = "breached"
    INSUFFICIENT = "insufficient_data"
    NO_DATA = "no_data"


class Kind(StrEnum):
    """Who promises what to whom."""

    CUSTOMER = "customer"
    INTERNAL = "internal"
    VENDOR = "vendor"
    MULTIPARTY = "multiparty"
    COMMITMENT = "commitment"


@dataclass(frozen=True, slots=True)
class Bound:
    """A target: `value` is a ratio, or nanoseconds; `text` is how the contract wrote it."""

    at_least: bool  # ">=" or "<="
    value: Fraction
    text: str


@dataclass(frozen=True, slots=True)
class Span:
    """A window: `seconds` for a rolling one, `calendar` (day, week, month, quarter, year) for the other."""

    name: str
    seconds: int = 0
    calendar: str = ""


@dataclass(frozen=True, slots=True)
class Clear:
    """When an alert ends: `count` good judgements in a row, or `x` of the last `y`.

    `below`, of forecast: once the projection is back under this share of the error budget.
    """

    count: int = 1
    x: int = 0
    y: int = 0
    below: Fraction | None = None


@dataclass(frozen=True, slots=True)
class Reaction:
    """When a bad judgement becomes an alert: immediate, consecutive, xofy, average, burn or forecast.

    `count` is how many in a row, or of burn the least number of bad intervals. `budget` are the shares of the error
    budget, ascending, that are told when they are spent (SLA R19).
    """

    type: str = "immediate"
    count: int = 1
    x: int = 0
    y: int = 0
    n: int = 0
    clear: Clear = field(default_factory=Clear)
    budget: tuple[Fraction, ...] = ()

    @property
    def looks_ahead(self) -> bool:
        """Whether it asks where the period is heading."""
        return self.type == "forecast" or bool(self.budget)


@dataclass(frozen=True, slots=True)
class Objective:
    """One promise of an agreement. `statistic` is mean, min, max or p<number> for latency, else empty.

    `percent` is the percentile as a ratio (p95 -> 19/20). `scope` is `all` or `available` (SLA R7).
    `probe` None means every probe that can feed the metric.
    """

    id: str
    metric: Metric
    target: Bound
    window: Span
    severity: str = "P2"
    statistic: str = ""
    percent: Fraction | None = None
    probe: str | None = None
    scope: str = "all"
    aggregate: str = "pooled"
    reaction: Reaction = field(default_factory=Reaction)
    no_data_after_ns: int | None = None


@dataclass(frozen=True, slots=True)
class UptimeRule:
    """How intervals become up and down (SLA R4). `loss_over`: an interval is BAD iff loss exceeds it.

    `method` is interval, sliding (`n`) or outage (`minimum_ns`); `all_lost` (profile google120) calls an
    interval BAD only if nothing came back. `feed` is any, all or the name of the deciding probe.
    """

    profile: str = "commercial"
    method: str = "outage"
    n: int = 1
    minimum_ns: int = 120 * SECOND
    interval_ns: int = 60 * SECOND
    loss_over: Fraction = Fraction(1, 2)
    all_lost: bool = False
    min_samples: int = 1
    feed: str = "any"


@dataclass(frozen=True, slots=True)
class Measurement:
    """How figures are accounted (SLA R5): see docs/sla.md for each choice."""

    unknown: str = "exclude"  # exclude | up | down
    fixed_denominator_ns: int | None = None
    exclusions: str = "remove"  # remove | count_as_up
    min_coverage: Fraction = Fraction(95, 100)
    percentile_lost: str = "exclude"  # exclude | infinite
    combine: str = "all"  # all | any | average endpoints


@dataclass(frozen=True, slots=True)
class Hours:
    """Service hours in local wall time; no `weekly` means round the clock.

    `weekly` holds (weekday 0 = Monday, from minute of day, to minute of day).
    """

    weekly: tuple[tuple[int, int, int], ...] = ()
    holidays: frozenset[date] = frozenset()


@dataclass(frozen=True, slots=True)
class MaintenanceWindow:
    """Planned work: an RRULE with a local start time, or one shot (`at`), and its duration."""

    duration_ns: int
    rrule: str | None = None
    start_minute: int = 0
    at: datetime | None = None
    announced: datetime | None = None
    reason: str = ""
    reference: str = ""
    endpoint: str | None = None


@dataclass(frozen=True, slots=True)
class Maintenance:
    """What planned maintenance the contract allows (SLA R10); `allowed` is (from, to) minutes of day."""

    notice: timedelta = timedelta(0)
    allowed: tuple[int, int] | None = None
    max_per_month_ns: int | None = None
    windows: tuple[MaintenanceWindow, ...] = ()


@dataclass(frozen=True, slots=True)
class Tier:
    """One step of a credit table: `limit` is a ratio (`below`) or nanoseconds (`over`), both strict."""

    limit: Fraction
    credit: Fraction


@dataclass(frozen=True, slots=True)
class CreditRule:
    """One rule of the credit table; `basis` says which of the other fields it reads."""

    objective: str
    basis: str = "availability"
    tiers: tuple[Tier, ...] = ()
    days: Fraction = Fraction(0)
    step: Fraction = Fraction(0)
    credit: Fraction = Fraction(0)


@dataclass(frozen=True, slots=True)
class Chronic:
    """A chronic-outage rule: `outages` each longer than `each_over_ns`, or `downtime_over_ns` in all.

    `within` is a :class:`Span`.
    """

    within: Span
    outages: int = 0
    each_over_ns: int = 0
    downtime_over_ns: int = 0


@dataclass(frozen=True, slots=True)
class Credits:
    """Money: rules, how they combine, the cap, and the claim's deadlines."""

    currency: str = "EUR"
    rules: tuple[CreditRule, ...] = ()
    combine: str = "sum"  # sum | max
    per_incident: str = "highest"
    cap: Fraction | None = None
    ticket_within: timedelta | None = None
    claim_by: timedelta | None = None
    chronic: tuple[Chronic, ...] = ()


@dataclass(frozen=True, slots=True)
class Party:
    """A party to an agreement, by its role (provider, customer, team, vendor)."""

    role: str
    name: str
    contacts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One end of a connection under an agreement, with the probes that watch it.

    `probes`, `objectives` and `uptime` are already merged: plan, then agreement, then endpoint.
    `active_from`/`active_to` bound its own denominator (SLA R13). `measurement` is its own accounting, merged likewise;
    None: the agreement's.
    """

    id: str
    address: str
    family: str = "any"  # any | ipv4 | ipv6
    probes: tuple[ProbeSpec, ...] = ()
    uptime: UptimeRule = field(default_factory=UptimeRule)
    objectives: tuple[Objective, ...] = ()
    active_from: datetime | None = None
    active_to: datetime | None = None
    labels: tuple[tuple[str, str], ...] = ()
    measurement: Measurement | None = None


@dataclass(frozen=True, slots=True)
class Agreement:
    """A contract, complete: what `show` prints, what the engine judges, what a report settles.

    `term_to` is exclusive, at local midnight after the last day. `document` keeps the free texts that
    only the document shows (title, description, demarcation, dependencies, severities).
    """

    id: str
    endpoints: tuple[Endpoint, ...]
    version: int = 1
    kind: Kind = Kind.CUSTOMER
    plan: str = ""
    parties: tuple[Party, ...] = ()
    timezone: str = "UTC"
    term_from: date | None = None
    term_to: date | None = None
    hours: Hours = field(default_factory=Hours)
    monthly_charge: Decimal | None = None
    maintenance: Maintenance = field(default_factory=Maintenance)
    measurement: Measurement = field(default_factory=Measurement)
    credits: Credits | None = None
    depends_on: tuple[str, ...] = ()
    document: dict[str, Any] = field(default_factory=dict, hash=False, compare=True)

    def measurement_of(self, endpoint: Endpoint) -> Measurement:
        """How the figures of one of its endpoints are accounted."""
        return endpoint.measurement or self.measurement

    @property
    def customer(self) -> str:
        """The name on the receiving side: the customer, else the first party that does not provide."""
        by_role = {party.role: party.name for party in self.parties}
        others = [party.name for party in self.parties if party.role != "provider"]
        return by_role.get("customer") or (others[0] if others else "")
