"""The vocabulary: frozen values and enums that every other module speaks in.

Rules: nothing here does anything. Times are integers of nanoseconds (`*_ns`: durations, or UTC since
the epoch), counted round-trip times are integers of microseconds (`*_us`, rounded up, so that
`rtt <= threshold` gives the same answer as in nanoseconds), ratios are `Fraction`. A *row* is the
number of a probe inside the running agent: every columnar array is indexed by it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import IntEnum, StrEnum
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

SECOND = 1_000_000_000  # ns
MILLISECOND = 1_000_000  # ns

IntArray = npt.NDArray[np.int64]
RowArray = npt.NDArray[np.int32]
ByteArray = npt.NDArray[np.uint8]


# --- probing ---------------------------------------------------------------------------------------


class ProbeType(StrEnum):
    """How an endpoint is asked."""

    ICMP = "icmp"
    TCP = "tcp"


class Outcome(IntEnum):
    """What one probe met. The first four end a probe; the rest are later notes about one.

    ANSWERED  a reply within the time limit (or, for TCP with `rst: up`, a refusal): received
    LOST      nothing within the time limit
    REFUSED   the network or the host said no (ICMP error, RST), and no reply came in time: sent, not received;
              `detail` says which
    UNMEASURED the probe did not leave, or its answer could not be heard: neither sent nor lost
    LATE      a reply to a probe already counted as lost (it stays lost)
    DUPLICATE a further copy of a reply
    STALE     the endpoint answers a fresh ICMP id while the old one is silent (never in a ratio)
    """

    ANSWERED = 0
    LOST = 1
    REFUSED = 2
    UNMEASURED = 3
    LATE = 4
    DUPLICATE = 5
    STALE = 6


class Reason(IntEnum):
    """Why a probe is unmeasured; the names are the `reason` label of the metrics."""

    NO_ROUTE = 0  # ENETUNREACH, EHOSTUNREACH, EINVAL (blackhole) from our own send
    PROHIBITED = 1  # EPERM, EACCES
    BUFFER_FULL = 2  # ENOBUFS, EAGAIN
    MESSAGE_TOO_LONG = 3  # EMSGSIZE
    SOURCE_GONE = 4  # EADDRNOTAVAIL
    NO_DESCRIPTORS = 5  # EMFILE, ENFILE, EADDRINUSE (no free port)
    INTERFACE_DOWN = 6  # ENETDOWN, ENODEV
    RECEIVE_DROP = 7  # our receive buffer overflowed while this probe was out
    NAME_UNRESOLVED = 8
    NO_SOCKET = 9  # the host allows no socket of this kind or family
    OVERRUN = 10  # the slot passed while the agent was busy or suspended
    CLOCK_STEP = 11
    LOCAL_FAULT = 12  # our own references failed
    AGENT_DOWN = 13
    OTHER = 14

    @property
    def label(self) -> str:
        """The reason as metrics and JSON spell it."""
        return self.name.lower()


class SampleFlag(IntEnum):
    """Bits of `Samples.flags`."""

    USER_STAMP = 1  # no kernel transmit stamp: the send time is that of user space
    CLOCK_STEP = 2  # the wall clock stepped in flight: the RTT is from the monotonic clock
    RETRANSMITTED = 4  # TCP: the SYN was sent more than once


@dataclass(frozen=True, slots=True)
class Samples:
    """A batch of outcomes, column by column; all arrays have the same length.

    `slot` numbers the probe's places in its timetable (consecutive slots differ by one), `sent_ns` is
    the UTC send time, `rtt_ns` is -1 where there is none. `detail` is a :class:`Reason` for UNMEASURED,
    `icmp_type << 8 | code` for an ICMP REFUSED (0xFFFF: a TCP reset), the SYN retransmissions for TCP.
    """

    row: RowArray
    slot: IntArray
    sent_ns: IntArray
    rtt_ns: IntArray
    outcome: ByteArray
    detail: npt.NDArray[np.uint16]
    flags: ByteArray

    def __len__(self) -> int:
        return len(self.row)

    def take(self, chosen: npt.NDArray[np.bool_] | IntArray) -> Samples:
        """The chosen ones, by mask or by index."""
        return Samples(*(getattr(self, column)[chosen] for column in _SAMPLE_COLUMNS))

    @staticmethod
    def join(batches: list[Samples]) -> Samples:
        """All batches as one, in order."""
        if len(batches) == 1:
            return batches[0]
        return Samples(*(np.concatenate([getattr(b, c) for b in batches]) for c in _SAMPLE_COLUMNS))

    @staticmethod
    def empty() -> Samples:
        """A batch of nothing."""
        whole = np.empty(0, np.int64)
        small = np.empty(0, np.uint8)
        return Samples(np.empty(0, np.int32), whole, whole, whole, small, np.empty(0, np.uint16), small)


_SAMPLE_COLUMNS = ("row", "slot", "sent_ns", "rtt_ns", "outcome", "detail", "flags")

TCP_RESET = 0xFFFF  # `Samples.detail` of a TCP refusal


@dataclass(frozen=True, slots=True)
class ProbeSpec:
    """A named way to probe. `size` is the ICMP payload in bytes (without the 8 bytes of ICMP header)."""

    name: str
    type: ProbeType
    interval_ns: int = SECOND
    timeout_ns: int = 3 * SECOND
    size: int = 56
    dscp: int = 0
    ttl: int = 64
    df: bool = False
    source: str | None = None
    port: int | None = None
    rst_is_up: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """What a prober needs of one row: where to, and how.

    `address` is numeric, or None while the name is unresolved; `key` is the identity from which the
    phase is hashed (`agreement/endpoint/probe`), stable over restarts and reloads.
    """

    row: int
    key: str
    address: str | None
    spec: ProbeSpec


# --- agreements ------------------------------------------------------------------------------------


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
    `active_from`/`active_to` bound its own denominator (SLA R13).
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

    @property
    def customer(self) -> str:
        """The name on the receiving side: the customer, else the first party that does not provide."""
        by_role = {party.role: party.name for party in self.parties}
        others = [party.name for party in self.parties if party.role != "provider"]
        return by_role.get("customer") or (others[0] if others else "")


# --- the whole configuration -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret that never prints itself. `file` is where it was read, to be read anew when used; "" if nowhere."""

    value: str
    file: str = field(default="", compare=False)

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """Who this agent is and where it keeps its things."""

    name: str
    labels: tuple[tuple[str, str], ...] = ()
    state_dir: str = "/var/lib/netsla"
    socket: str = "/run/netsla/netsla.sock"


@dataclass(frozen=True, slots=True)
class WebSettings:
    """Where HTTP listens; `config_file` is in the exporter-toolkit format; `compat` adds others' families."""

    listen: tuple[tuple[str, int], ...] = (("127.0.0.1", 9469),)
    config_file: str | None = None
    compat: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MqttSettings:
    """The broker; TLS when the URL's scheme is mqtts."""

    host: str
    port: int
    tls: bool = False
    username: str | None = None
    password: Secret | None = None
    prefix: str = "netsla"
    version: int = 5
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """A URL that every event is posted to; signed when there is a secret."""

    url: str
    secret: Secret | None = None
    timeout_ns: int = 10 * SECOND


@dataclass(frozen=True, slots=True)
class AlertmanagerSettings:
    """An Alertmanager; `url` is the base that /api/v2/alerts follows, without a final slash."""

    url: str


@dataclass(frozen=True, slots=True)
class Reference:
    """A target whose failure says that we ourselves are cut off."""

    name: str
    address: str
    spec: ProbeSpec


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole valid configuration, frozen. `digest` is of its meaning, not of its bytes."""

    agent: AgentSettings
    web: WebSettings
    agreements: tuple[Agreement, ...]
    references: tuple[Reference, ...] = ()
    mqtt: MqttSettings | None = None
    webhooks: tuple[WebhookSettings, ...] = ()
    alertmanagers: tuple[AlertmanagerSettings, ...] = ()
    digest: str = ""
    files: tuple[str, ...] = ()
