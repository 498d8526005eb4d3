"""A whole configuration: the agent and where it tells, the agreements that it watches, its references."""

from __future__ import annotations

from dataclasses import dataclass, field

from netsla.model.agreement import Agreement
from netsla.model.probing import SECOND, ProbeSpec

OWN_ALERTS = "agent"  # the agreement that the agent's own alerts are told under


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
