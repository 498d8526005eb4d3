"""The tables of a configuration, as users write them: with plan_tables.py the reference of every key.

Rules: one class per table, one line of description per key, no meaning beyond single values; what several keys
mean together is decided in loading.py and what it calls. A key that Python reserves ends in `_`.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import (
    ConfigDict,
    Field,
)

from netsla.config.plan_tables import (
    AccountingTable,
    PlanTable,
    ProbeTable,
    ReferenceProbe,
    TermsTable,
)
from netsla.config.quantity import Wrong
from netsla.config.reading import (
    Amount,
    Clock,
    ClockRange,
    Day,
    Duration,
    Host,
    Id,
    Labels,
    Leaf,
    Listen,
    Moment,
    PositiveDuration,
    Short,
    Text,
    WebhookTimeout,
    Weekdays,
    lookup,
    whole,
)
from netsla.config.secrets import Where, read_where
from netsla.config.source import Map, Scalar
from netsla.config.table import Table, either, not_both
from netsla.model import SECOND

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

    model_config = ConfigDict(
        json_schema_extra={
            **not_both("password", "password_file"),
            "dependentRequired": {"cert_file": ["key_file"], "key_file": ["cert_file"]},
        }
    )
    url: Text = Field(
        description="mqtt://host[:1883] or mqtts://host[:8883].",
        json_schema_extra={"pattern": r"^mqtts?://[^@/?#]+/?$"},
    )
    username: Text | None = Field(None, description="User name.")
    password: SecretPlace | None = Field(None, description="${ENV} or credential:NAME (systemd); never the secret.")
    password_file: Text | None = Field(None, description="File whose first line is the password.")
    prefix: Text = Field(
        "netsla", description="First part of every topic.", json_schema_extra={"pattern": "^[^+#/]([^+#]*[^+#/])?$"}
    )
    version: Annotated[str, lookup("5", "3.1.1")] = Field("5", description="MQTT version.")
    ca_file: Text | None = Field(None, description="Certificates to trust instead of the system's (PEM).")
    cert_file: Text | None = Field(None, description="Our client certificate (PEM).")
    key_file: Text | None = Field(None, description="Key of our client certificate (PEM).")


class WebhookTable(Table):
    """A URL that every event is posted to."""

    model_config = ConfigDict(json_schema_extra=not_both("secret", "secret_file"))
    url: Text = Field(
        description="https://… or http://…", json_schema_extra={"pattern": r"^https?://[^@/?#]+([/?][^#]*)?$"}
    )
    secret: SecretPlace | None = Field(None, description="${ENV} or credential:NAME; signs what is posted.")
    secret_file: Text | None = Field(None, description="File whose first line is the secret.")
    timeout: WebhookTimeout = Field(10 * SECOND, description="An answer is waited for so long; 10s unless given.")


class AlertmanagerTable(Table):
    """An Alertmanager of Prometheus, version 0.22 or later."""

    url: Text = Field(
        description="http://alertmanager.example.net:9093; what stands before /api/v2/alerts.",
        json_schema_extra={"pattern": r"^https?://[^@/?#]+(/[^?#]*)?$", "not": {"pattern": "/api/v2/alerts/?$"}},
    )


class ReferenceTable(Table):
    """A target of our own (gateway, upstream) whose failure says that we are cut off."""

    address: Host = Field(description="Address or host name.")
    name: Id | None = Field(None, description="Name in status and reports; the address unless given.")
    probe: ReferenceProbe | None = Field(None, description="How to probe it; icmp, 1s, 3s unless given.")


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

    model_config = ConfigDict(json_schema_extra=either("at", "rrule+start"))
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

    model_config = ConfigDict(json_schema_extra=not_both("address", "addresses_file"))
    id: Id = Field(description="Name, unique in its agreement; with addresses_file, of the group.")
    address: Host | None = Field(None, description="Address or host name.")
    addresses_file: Text | None = Field(None, description="CSV with the header id,address[,labels].")
    family: Annotated[str, lookup("any", "ipv4", "ipv6")] = Field("any", description="Which addresses of a name.")
    active: ActiveTable | None = Field(None, description="Since when, until when it counts.")
    measurement: AccountingTable | None = Field(None, description="How its figures are accounted.")
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
    endpoints: list[EndpointTable] = Field(description="What is measured.", json_schema_extra={"minItems": 1})
    depends_on: list[Id] = Field([], description="Agreements this one stands on.")
    severities: dict[str, SeverityTable] = Field(
        {}, description="What P1, P2 and P3 mean.", json_schema_extra={"propertyNames": {"enum": ["P1", "P2", "P3"]}}
    )
    exclusions: list[Text] = Field([], description="What the contract does not count, in words.")
    reports: Text | None = Field(None, description="How and when figures are delivered, in words.")
    changes: Text | None = Field(None, description="How the agreement is changed, in words.")


class ConfigTable(Table):
    """A whole configuration of netsla."""

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [{"required": ["agreements"]}, {"required": ["agreements_dir"]}]}
    )
    agent: AgentTable = Field(AgentTable(), description="This agent.")
    web: WebTable = Field(WebTable(), description="HTTP: metrics, status API, page.")
    mqtt: MqttTable | None = Field(None, description="The broker that is told of breaches.")
    webhook: list[WebhookTable] = Field([], description="URLs that every event is posted to.")
    alertmanager: list[AlertmanagerTable] = Field([], description="Alertmanagers that hear of breaches.")
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
