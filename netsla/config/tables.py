"""The tables of a configuration, as users write them: this file is the reference of every key.

Rules: one class per table, one line of description per key, no meaning beyond single values; what several keys
mean together is decided in plan.py and its neighbours. A key that Python reserves ends in `_`. Every table
remembers the node it came from, so that later complaints know their place.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    model_validator,
)

from netsla.config.profile import NAMES as PROFILES
from netsla.config.quantity import Wrong
from netsla.config.reading import (
    Amount,
    Boolean,
    Clock,
    ClockRange,
    Day,
    Days,
    Dscp,
    Duration,
    Host,
    Id,
    Labels,
    Leaf,
    Listen,
    Moment,
    Numeric,
    Percent,
    PositiveDuration,
    ProbeInterval,
    ProbeTimeout,
    Short,
    Target,
    Text,
    Weekdays,
    Window,
    lookup,
    whole,
)
from netsla.config.secrets import Where, read_where
from netsla.config.source import Map, Place, Scalar, Seq


def _key(name: str) -> str:
    return name.rstrip("_")


class Table(BaseModel):
    """A group of keys; unknown ones are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True, alias_generator=_key)
    node: ClassVar[Map] = Map(Place(""))  # what a table was read from; tables made by default have none

    @model_validator(mode="wrap")
    @classmethod
    def _remember(cls, data: Any, handler: ModelWrapValidatorHandler[Table]) -> Table:
        """Keep the node; a key without a value is as good as none."""
        if isinstance(data, Map):
            if None in data.values():
                known = {_key(name) for name in cls.model_fields}
                table = handler({k: v for k, v in data.items() if v is not None or k not in known})
            else:
                table = handler(data)
            table.__dict__["node"] = data  # beside the fields; a private attribute costs ten times as much
            return table
        return handler(data)

    def place(self, key: str = "") -> Place:
        """The place of a key's value, else of the table."""
        return self.node.at(key)

    def gives(self, key: str) -> bool:
        """Whether the key was written, rightly or wrongly."""
        return key in self.node.keys_at

    def value(self, key: str) -> Any:
        """The value of a key by its written name."""
        return getattr(self, key if key in type(self).model_fields else key + "_")


SecretPlace = Annotated[
    Where,
    Leaf(
        read_where,
        {"type": "string", "pattern": r"^(\$\{[A-Za-z_][A-Za-z0-9_]*\}|credential:\s*[A-Za-z0-9._-]+)$"},
    ),
]


class AgentTable(Table):
    """The agent itself."""

    name: Id | None = Field(None, description="Name in topics and reports; the host's name unless given.")
    labels: Labels = Field((), description="Labels of every metric of this agent.")
    state_dir: Text = Field("/var/lib/netsla", description="Folder of ledger and outbox; relative to this file.")
    socket: Text = Field("/run/netsla/netsla.sock", description="Control socket; relative to this file.")


class WebTable(Table):
    """HTTP: metrics, status API, page."""

    listen: list[Listen] = Field([("127.0.0.1", 9469)], description="Addresses as host:port; [] for no HTTP.")
    config_file: Text | None = Field(None, description="TLS and users, in the format of Prometheus' exporter-toolkit.")
    compat: list[Annotated[str, lookup("blackbox", "smokeping")]] = Field(
        [], description="Also expose the metric families of these exporters."
    )


class MqttTable(Table):
    """The MQTT broker that is told of breaches."""

    url: Text = Field(description="mqtt://host[:1883] or mqtts://host[:8883].")
    username: Text | None = Field(None, description="User name.")
    password: SecretPlace | None = Field(None, description="${ENV} or credential:NAME (systemd); never the secret.")
    password_file: Text | None = Field(None, description="File whose first line is the password.")
    prefix: Text = Field("netsla", description="First part of every topic.")
    version: Annotated[str, lookup("5", "3.1.1")] = Field("5", description="MQTT version.")
    ca_file: Text | None = Field(None, description="Certificates to trust instead of the system's (PEM).")
    cert_file: Text | None = Field(None, description="Our client certificate (PEM).")
    key_file: Text | None = Field(None, description="Key of our client certificate (PEM).")


class ProbeTable(Table):
    """A way to probe."""

    type: Annotated[str, lookup("icmp", "tcp")] = Field(description="icmp (echo) or tcp (handshake).")
    interval: ProbeInterval = Field(1_000_000_000, description="Time from one probe to the next.")
    timeout: ProbeTimeout | None = Field(None, description="Tmax: a later reply is lost. icmp 3s, tcp 900ms.")
    size: Annotated[int, whole(24, 65_507, " (24 is netsla's own token)")] | None = Field(
        None, description="ICMP payload in bytes, 56 unless given; at least 24, which netsla's token needs."
    )
    dscp: Dscp = Field(0, description="Differentiated services code point: ef, af41, cs1 … or 0 to 63.")
    source: Numeric | None = Field(None, description="Address of this host to send from.")
    df: Boolean | None = Field(None, description="Forbid fragmentation (icmp).")
    ttl: Annotated[int, whole(1, 255)] = Field(64, description="Time to live, hop limit.")
    port: Annotated[int, whole(1, 65_535)] | None = Field(None, description="Port (tcp).")
    rst: Annotated[str, lookup("up", "down")] | None = Field(
        None, description="What a refused connection says of the host (tcp); down unless given."
    )


class ReferenceProbe(ProbeTable):
    """How a reference is probed."""

    type: Annotated[str, lookup("icmp", "tcp")] = Field("icmp", description="icmp (echo) or tcp (handshake).")


class ReferenceTable(Table):
    """A target of our own (gateway, upstream) whose failure says that we are cut off."""

    address: Host = Field(description="Address or host name.")
    name: Id | None = Field(None, description="Name in status and reports; the address unless given.")
    probe: ReferenceProbe | None = Field(None, description="How to probe it; icmp, 1s, 3s unless given.")


class UptimeTable(Table):
    """How intervals become up and down time."""

    profile: Annotated[str, lookup(*PROFILES)] | None = Field(None, description="A named set of the keys below.")
    method: Annotated[str, lookup("interval", "sliding", "outage")] | None = Field(None, description="SLA rule R4.")
    n: Annotated[int, whole(1, 1000)] | None = Field(None, description="sliding: bad intervals in a row.")
    min: PositiveDuration | None = Field(None, description="outage: shorter runs are micro-outages, and up.")
    interval: PositiveDuration | None = Field(None, description="Δt; must divide 15m.")
    loss_over: Percent | None = Field(None, description="An interval is bad if more than this is lost.")
    min_samples: Annotated[int, whole(1, 1_000_000)] | None = Field(None, description="Fewer probes: unknown.")
    feed: Id | None = Field(None, description="Which probes decide: any, all, or a probe's name.")


class MeasurementTable(Table):
    """How figures are accounted (SLA rule R5)."""

    unknown: Annotated[str, lookup("exclude", "up", "down")] | None = Field(
        None, description="What unknown time counts as."
    )
    denominator: Text | None = Field(None, description="actual, or fixed:43200m.")
    exclusions: Annotated[str, lookup("remove", "count_as_up")] | None = Field(None, description="Excluded time.")
    min_coverage: Percent | None = Field(None, description="Less measured time: insufficient data.")
    percentile_lost: Annotated[str, lookup("exclude", "infinite")] | None = Field(
        None, description="Lost probes in percentiles: left out, or slower than any limit."
    )
    combine: Annotated[str, lookup("all", "any", "average")] | None = Field(None, description="Endpoints as one.")


class ClearTable(Table):
    """When an alert ends."""

    count: Annotated[int, whole(1, 10_000)] | None = Field(None, description="Good judgements in a row.")
    x: Annotated[int, whole(1, 10_000)] | None = Field(None, description="Good judgements …")
    y: Annotated[int, whole(1, 10_000)] | None = Field(None, description="… of the last y.")


class ReactionTable(Table):
    """When a bad judgement becomes an alert."""

    type: Annotated[str, lookup("immediate", "consecutive", "xofy", "average")] = Field(description="The rule.")
    count: Annotated[int, whole(1, 10_000)] | None = Field(None, description="consecutive: bad judgements in a row.")
    x: Annotated[int, whole(1, 10_000)] | None = Field(None, description="xofy: bad judgements …")
    y: Annotated[int, whole(1, 10_000)] | None = Field(None, description="xofy: … of the last y.")
    n: Annotated[int, whole(1, 10_000)] | None = Field(None, description="average: judgements to average.")
    clear: ClearTable | None = Field(None, description="When it ends; like the rule itself unless given.")


class ObjectiveTable(Table):
    """One promise. In an agreement or endpoint, the same id changes the keys given here and keeps the others."""

    id: Id = Field(description="Name, unique in its agreement.")
    metric: Annotated[str, lookup("uptime", "packet_delivery", "latency", "jitter", "time_to_repair")] | None = Field(
        None, description="What is promised."
    )
    target: Target | None = Field(None, description='">= 99.9%" or "<= 50ms".')
    window: Window | None = Field(None, description="Over which time: 1m to 90d, or day, week, month, quarter, year.")
    severity: Annotated[str, lookup("P1", "P2", "P3")] | None = Field(None, description="P1 is the worst.")
    statistic: Text | None = Field(None, description="latency: mean, min, max, p95 …; time_to_repair: mean or max.")
    probe: Id | None = Field(None, description="Which probe; every one that can tell unless given.")
    scope: Annotated[str, lookup("all", "available")] | None = Field(
        None, description="All probes, or only while up; rolling windows all, calendar windows available."
    )
    aggregate: Annotated[str, lookup("pooled", "mean_of_intervals")] | None = Field(
        None, description="packet_delivery."
    )
    reaction: ReactionTable | None = Field(None, description="When to alert; at once unless given.")
    no_data_after: PositiveDuration | None = Field(None, description="Alert when there was no data for so long.")
    drop: Boolean = Field(False, description="Leave out this objective of the level above.")


class TierTable(Table):
    """One step of a credit table; thresholds are strict, the last tier that applies counts."""

    below: Percent | None = Field(None, description="Applies when the figure is below this.")
    over: Duration | None = Field(None, description="Applies when the time is over this.")
    credit: Percent = Field(description="Share of the monthly charge.")


class CreditRuleTable(Table):
    """What a broken promise costs."""

    objective: Id = Field(description="Id of the objective.")
    basis: Annotated[
        str, lookup("availability", "cumulative_downtime", "per_outage", "days_per_started_hour", "per_step")
    ] = Field("availability", description="How the credit is worked out (SLA rule R17).")
    tiers: list[TierTable] | None = Field(None, description="availability: below …; the downtime bases: over ….")
    days: Days | None = Field(None, description="days_per_started_hour: days of charge.")
    step: Percent | None = Field(None, description="per_step: size of a started step below the target.")
    credit: Percent | None = Field(None, description="per_step: credit per step.")


class CombineTable(Table):
    """How credits add up."""

    rule: Annotated[str, lookup("sum", "max")] = Field("sum", description="Over objectives: sum or max.")
    per_incident: Annotated[str, lookup("highest", "sum")] = Field("highest", description="Within one incident.")


class ClaimTable(Table):
    """What the customer must do, and until when."""

    ticket_within: PositiveDuration | None = Field(None, description="Report the outage within.")
    by: PositiveDuration | None = Field(None, description="Claim the credit within, after the period.")


class ChronicTable(Table):
    """A right that repeated outages give."""

    outages: Annotated[int, whole(1, 10_000)] | None = Field(None, description="So many outages …")
    each_over: Duration | None = Field(None, description="… each longer than this.")
    downtime_over: PositiveDuration | None = Field(None, description="Or so much downtime in all.")
    within: Window = Field(description="Within which window.")


class CreditsTable(Table):
    """Money."""

    currency: Text | None = Field(None, description="ISO 4217 code.")
    rules: list[CreditRuleTable] | None = Field(None, description="The credit table.")
    combine: CombineTable | None = Field(None, description="How credits add up.")
    cap: Percent | None = Field(None, description="Never more than this share of the charge.")
    claim: ClaimTable | None = Field(None, description="Deadlines of a claim.")
    chronic: list[ChronicTable] | None = Field(None, description="Chronic-outage rules.")


def _named(node: Any) -> Any:
    """A list of probe names becomes the mapping it abbreviates."""
    if not isinstance(node, Seq):
        return node
    named = Map(node.place)
    for item in node:
        if not isinstance(item, Scalar):
            raise Wrong("a probe's name is expected", "write probes: [ping], or probes: {ping: {type: icmp}}")
        if item.text in named.keys_at:
            raise Wrong(f"probe {item.text!r} is named twice", "name it once", item.place)
        named.keys_at[item.text] = item
        named[item.text] = None
    return named


class TermsTable(Table):
    """What a plan, an agreement and an endpoint can all say; the more special one wins, key by key."""

    probes: Annotated[
        dict[str, ProbeTable | None] | None,
        Short(_named, {"type": "array", "items": {"type": "string"}}),
    ] = Field(None, description="Names of probes, or probes of its own by name.")
    uptime: UptimeTable | None = Field(None, description="How intervals become up and down time.")
    objectives: list[ObjectiveTable] | None = Field(None, description="The promises.")


class PlanTable(TermsTable):
    """A service class, written once and used by many agreements."""

    measurement: MeasurementTable | None = Field(None, description="How figures are accounted.")
    credits: CreditsTable | None = Field(None, description="Money.")


class PartyTable(Table):
    """A party: its name, and contacts under any key (noc, contact, phone …)."""

    model_config = ConfigDict(extra="allow")
    name: Text = Field(description="Legal name.")


class TermTable(Table):
    """When the agreement is in force."""

    from_: Day | None = Field(None, description="First day.")
    to: Day | None = Field(None, description="Last day, included.")
    review: Day | None = Field(None, description="Day of the next review.")


class WeeklyTable(Table):
    """Hours on some days of the week, in local time."""

    days: list[Weekdays] = Field(description="mon, tue …, or mon-fri.")
    from_: Clock = Field(description='"08:00".')
    to: Clock = Field(description='"18:00"; earlier than `from`: on the next day.')


class HoursTable(Table):
    """Service hours."""

    weekly: list[WeeklyTable] | None = Field(None, description="Round the clock unless given.")
    holidays: list[Day] = Field([], description="Days without service.")


def _round_the_clock(node: Any) -> Any:
    """The word 24x7 is the short form of no weekly hours."""
    if isinstance(node, Scalar):
        if node.text != "24x7":
            raise Wrong(f"{node.text!r} are no service hours", "write 24x7, or hours: {weekly: [...]}")
        return Map(node.place)
    return node


class ServiceTable(Table):
    """What is delivered."""

    description: Text | None = Field(None, description="What is delivered.")
    demarcation: Text | None = Field(None, description="Where our responsibility ends.")
    technologies: list[Text] = Field([], description="How it is delivered.")
    hours: Annotated[
        HoursTable | None,
        Short(_round_the_clock, {"const": "24x7"}),
    ] = Field(None, description="24x7, or weekly hours and holidays.")
    monthly_charge: Amount | None = Field(None, description="What credits are a share of.")


class MaintenanceWindowTable(Table):
    """Planned work, once (`at`) or again and again (`rrule` and `start`)."""

    rrule: Text | None = Field(None, description="RFC 5545 recurrence rule: FREQ=MONTHLY;BYDAY=2SU.")
    start: Clock | None = Field(None, description='Local time at which each occurrence starts: "02:00".')
    at: Moment | None = Field(None, description="Start of a single window: 2026-03-01T02:00.")
    duration: PositiveDuration = Field(description="How long it lasts.")
    announced: Moment | None = Field(None, description="When the customer was told.")
    reason: Text = Field("", description="Why.")
    reference: Text = Field("", description="Ticket or change number.")
    endpoint: Id | None = Field(None, description="Only this endpoint.")


class MaintenanceTable(Table):
    """What planned maintenance the contract allows."""

    notice: Duration | None = Field(None, description="Announced at least so long before.")
    allowed: ClockRange | None = Field(None, description='Local hours: "00:00-06:00".')
    max_per_month: Duration | None = Field(None, description="At most so much a month.")
    windows: list[MaintenanceWindowTable] = Field([], description="What is planned.")


class ActiveTable(Table):
    """Since when, and until when, an endpoint counts."""

    from_: Moment | None = Field(None, description="First day, or instant.")
    to: Moment | None = Field(None, description="Last day, included; or the instant of the end.")


class EndpointTable(TermsTable):
    """One end of a connection, or a file with thousands of them."""

    id: Id = Field(description="Name, unique in its agreement; with addresses_file, of the group.")
    address: Host | None = Field(None, description="Address or host name.")
    addresses_file: Text | None = Field(None, description="CSV with the header id,address[,labels].")
    family: Annotated[str, lookup("any", "ipv4", "ipv6")] = Field("any", description="Which addresses of a name.")
    active: ActiveTable | None = Field(None, description="Since when, until when it counts.")
    labels: Labels = Field((), description="Labels of its metrics.")


class SeverityTable(Table):
    """What a severity means."""

    description: Text | None = Field(None, description="When it applies.")
    respond: PositiveDuration | None = Field(None, description="Time to respond.")
    restore: PositiveDuration | None = Field(None, description="Time to restore.")


class AgreementTable(PlanTable):
    """An agreement."""

    id: Id = Field(description="Name, unique in this agent.")
    title: Text | None = Field(None, description="Title of the document.")
    version: Annotated[int, whole(1, 1_000_000)] = Field(1, description="Version of the agreement.")
    kind: Annotated[str, lookup("customer", "internal", "vendor", "multiparty", "commitment")] = Field(
        "customer", description="Who promises what to whom."
    )
    parties: dict[str, PartyTable] = Field({}, description="By role: provider, customer, team, vendor …")
    plan: Id | None = Field(None, description="The service class.")
    based_on: Id | None = Field(None, description="Plan whose keys are written in here (by netsla export).")
    timezone: Text = Field("UTC", description="IANA time zone: Europe/Berlin.")
    launch: Day | None = Field(None, description="Day the service went live.")
    term: TermTable | None = Field(None, description="When it is in force.")
    service: ServiceTable | None = Field(None, description="What is delivered.")
    maintenance: MaintenanceTable | None = Field(None, description="Planned maintenance.")
    endpoints: list[EndpointTable] = Field(description="What is measured.")
    depends_on: list[Id] = Field([], description="Agreements this one stands on.")
    severities: dict[str, SeverityTable] = Field({}, description="What P1, P2 and P3 mean.")
    exclusions: list[Text] = Field([], description="What the contract does not count, in words.")
    reports: Text | None = Field(None, description="How and when figures are delivered, in words.")
    changes: Text | None = Field(None, description="How the agreement is changed, in words.")


class ConfigTable(Table):
    """A whole configuration of netsla."""

    agent: AgentTable = Field(AgentTable(), description="This agent.")
    web: WebTable = Field(WebTable(), description="HTTP: metrics, status API, page.")
    mqtt: MqttTable | None = Field(None, description="The broker that is told of breaches.")
    references: list[ReferenceTable] = Field([], description="Our own health.")
    probes: dict[str, ProbeTable] | None = Field(None, description="Ways to probe by name; {ping: {type: icmp}}.")
    plans: dict[str, PlanTable] = Field({}, description="Service classes by name.")
    agreements: list[AgreementTable] = Field([], description="Agreements.")
    agreements_dir: Text | None = Field(None, description="Folder with one agreement per *.yaml file.")


def document() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a configuration file."""
    schema = ConfigTable.model_json_schema(by_alias=True)
    for table in (schema, *schema["$defs"].values()):
        table.pop("title", None)
        for key in table.get("properties", {}).values():
            key.pop("title", None)
            key.pop("default", None)  # ours are values already read; the description says what is written
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "netsla configuration", **schema}
