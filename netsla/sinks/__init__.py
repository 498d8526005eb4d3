"""Where events go. A new sink is one file and one line here."""

from __future__ import annotations

from netsla.model import Plan
from netsla.sinks.alertmanager import AlertmanagerSink
from netsla.sinks.base import Sink
from netsla.sinks.mqtt import MqttSink
from netsla.sinks.webhook import WebhookSink


def sinks_of(plan: Plan) -> list[Sink]:
    """Every sink that a plan wants."""
    found: list[Sink] = []
    if plan.mqtt is not None:
        found.append(MqttSink(plan.mqtt, plan.agent.name))
    found += [WebhookSink(one) for one in plan.webhooks]
    found += [AlertmanagerSink(one) for one in plan.alertmanagers]
    return found
