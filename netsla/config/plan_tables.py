"""The tables of a plan: probes, uptime rule, accounting, objectives and credits, as users write them.

Rules: as in tables.py. An agreement and an endpoint may say the same keys; the more special one wins.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import (
    ConfigDict,
    Field,
)

from netsla.config.profile import NAMES as PROFILES
from netsla.config.quantity import Wrong
from netsla.config.reading import (
    Boolean,
    Days,
    Dscp,
    Duration,
    Id,
    Numeric,
    Percent,
    PositiveDuration,
    ProbeInterval,
    ProbeTimeout,
    Short,
    Target,
    Text,
    Window,
    lookup,
    whole,
)
from netsla.config.source import Map, Scalar, Seq
from netsla.config.table import Table, by_word, either


class ProbeTable(Table):
    """A way to probe."""

    model_config = ConfigDict(
        json_schema_extra=by_word("type", {"icmp": ((), ("port", "rst")), "tcp": (("port",), ("size", "df"))}, "icmp")
    )
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


class AccountingTable(Table):
    """How the figures of an endpoint are accounted (SLA rule R5)."""

    unknown: Annotated[str, lookup("exclude", "up", "down")] | None = Field(
        None, description="What unknown time counts as."
    )
    denominator: Text | None = Field(
        None, description="actual, or fixed:43200m.", json_schema_extra={"pattern": r"^(actual|fixed:\s*\d+[a-z].*)$"}
    )
    exclusions: Annotated[str, lookup("remove", "count_as_up")] | None = Field(None, description="Excluded time.")
    min_coverage: Percent | None = Field(None, description="Less measured time: insufficient data.")
    percentile_lost: Annotated[str, lookup("exclude", "infinite")] | None = Field(
        None, description="Lost probes in percentiles: left out, or slower than any limit."
    )


class MeasurementTable(AccountingTable):
    """How figures are accounted, and several endpoints become one."""

    combine: Annotated[str, lookup("all", "any", "average")] | None = Field(None, description="Endpoints as one.")


class ClearTable(Table):
    """When an alert ends."""

    count: Annotated[int, whole(1, 10_000)] | None = Field(None, description="Good judgements in a row.")
    x: Annotated[int, whole(1, 64)] | None = Field(None, description="Good judgements …")
    y: Annotated[int, whole(1, 64)] | None = Field(None, description="… of the last y.")
    below: Percent | None = Field(None, description="forecast: the projection is under this share of the budget; 90%.")


class ReactionTable(Table):
    """When a bad judgement becomes an alert."""

    model_config = ConfigDict(
        json_schema_extra=by_word(
            "type",
            {
                "immediate": ((), ("count", "x", "y", "n", "min_bad_intervals")),
                "consecutive": (("count",), ("x", "y", "n", "min_bad_intervals")),
                "xofy": (("x", "y"), ("count", "n", "min_bad_intervals")),
                "average": (("n",), ("count", "x", "y", "min_bad_intervals")),
                "burn": ((), ("count", "x", "y", "n")),
                "forecast": ((), ("count", "x", "y", "n", "min_bad_intervals")),
            },
        )
    )
    type: Annotated[str, lookup("immediate", "consecutive", "xofy", "average", "burn", "forecast")] = Field(
        description="immediate, consecutive, xofy, average, burn or forecast."
    )
    count: Annotated[int, whole(1, 10_000)] | None = Field(None, description="consecutive: bad judgements in a row.")
    x: Annotated[int, whole(1, 64)] | None = Field(None, description="xofy: bad judgements …")
    y: Annotated[int, whole(1, 64)] | None = Field(None, description="xofy: … of the last y.")
    n: Annotated[int, whole(1, 10_000)] | None = Field(None, description="average: judgements to average.")
    min_bad_intervals: Annotated[int, whole(1, 1_000)] | None = Field(None, description="burn: fewer never alert; 2.")
    clear: ClearTable | None = Field(None, description="When it ends; like the rule itself unless given.")
    budget: list[Percent] | None = Field(
        None, description="Tell when these shares of the error budget are spent: [50%, 75%, 100%]."
    )


class ObjectiveTable(Table):
    """One promise. In an agreement or endpoint, the same id changes the keys given here and keeps the others."""

    id: Id = Field(description="Name, unique in its agreement.")
    metric: Annotated[str, lookup("uptime", "packet_delivery", "latency", "jitter", "time_to_repair")] | None = Field(
        None, description="What is promised."
    )
    target: Target | None = Field(None, description='">= 99.9%" or "<= 50ms".')
    window: Window | None = Field(None, description="Over which time: 1m to 90d, or day, week, month, quarter, year.")
    severity: Annotated[str, lookup("P1", "P2", "P3")] | None = Field(None, description="P1 is the worst.")
    statistic: Text | None = Field(
        None,
        description="latency: mean, min, max, p95 …; time_to_repair: mean or max.",
        json_schema_extra={"pattern": r"^(mean|min|max|p\d{1,3}(\.\d{1,6})?)$"},
    )
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

    model_config = ConfigDict(json_schema_extra=either("below", "over"))
    below: Percent | None = Field(None, description="Applies when the figure is below this.")
    over: Duration | None = Field(None, description="Applies when the time is over this.")
    credit: Percent = Field(description="Share of the monthly charge.")


class CreditRuleTable(Table):
    """What a broken promise costs."""

    model_config = ConfigDict(
        json_schema_extra=by_word(
            "basis",
            {
                "availability": (("tiers",), ("days", "step", "credit")),
                "cumulative_downtime": (("tiers",), ("days", "step", "credit")),
                "per_outage": (("tiers",), ("days", "step", "credit")),
                "days_per_started_hour": (("days",), ("tiers", "step", "credit")),
                "per_step": (("step", "credit"), ("tiers", "days")),
            },
            "availability",
        )
    )
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

    model_config = ConfigDict(json_schema_extra=either("outages", "downtime_over"))
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
    if isinstance(node, Scalar):
        raise Wrong("a list of names is expected", "write probes: [ping], or probes: {ping: {type: icmp}}")
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
