"""Prometheus rules for the agreements in force: what to record, and when to alert.

Rules: pure; only metrics that the agent exposes (docs/interface.md, section 4). The agent's own verdict decides
`NetslaBreach`; the burn alerts are those of the SRE Workbook, chapter 5, over packets.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import yaml

from netsla.model import Agreement, Metric, Objective, ProbeType
from netsla.sla.burn import BURNS, Burn

_SEVERITIES = {"P1": "critical", "P2": "warning", "P3": "info"}
_RECORDED = (300, 1800, 3600, 7200, 21_600, 86_400, 259_200)
Rule = dict[str, Any]


def render(agreements: Iterable[Agreement], *, alerts: bool) -> str:
    """A rule file; recording rules, and with `alerts` alerting rules as well."""
    groups = []
    for one in agreements:
        rules = _records(one) + (_breaches(one) + _burns(one) + _silence(one) if alerts else [])
        groups.append({"name": f"netsla-{one.id}", "rules": rules})
    return yaml.safe_dump({"groups": groups}, sort_keys=False, allow_unicode=True, width=120)


def _records(one: Agreement) -> list[Rule]:
    found = []
    for seconds in _RECORDED:
        window = _window(seconds)
        received, sent = (_echoes(one, f"netsla_probe_{what}_total", window) for what in ("received", "sent"))
        found.append(_record(one, f"endpoint:netsla_packet_delivery:ratio_rate{window}", f"{received} / {sent}"))
    met = f"avg by (agreement) (netsla_objective_met{{agreement={_quoted(one.id)}}})"
    return [*found, _record(one, "agreement:netsla_objectives_met:ratio", met)]


def _echoes(one: Agreement, counter: str, window: str) -> str:
    """The rate of a counter by endpoint, of its echo probes alone: TCP hides loss (SLA §1)."""
    mine = f"agreement={_quoted(one.id)}"
    echo = f'on (agreement, endpoint, probe) netsla_probe_info{{{mine},type="{ProbeType.ICMP}"}}'
    return f"sum by (agreement, endpoint) (rate({counter}{{{mine}}}[{window}]) and {echo})"


def _record(one: Agreement, name: str, expression: str) -> Rule:
    """The label makes rules of different agreements different ones."""
    return {"record": name, "expr": expression, "labels": {"agreement": one.id}}


def _breaches(one: Agreement) -> list[Rule]:
    """The agent's own verdicts, by severity, which `netsla_breaches_total` tells."""
    mine = f"agreement={_quoted(one.id)}"
    who = "on (agreement, endpoint, objective)"
    severities = {objective.severity for endpoint in one.endpoints for objective in endpoint.objectives}
    return [
        {
            "alert": "NetslaBreach",
            "expr": f"netsla_breach_open{{{mine}}} == 1 and {who} "
            f"netsla_breaches_total{{{mine},severity={_quoted(severity)}}}",
            "labels": {"severity": _SEVERITIES[severity], "priority": severity, "agreement": one.id},
            "annotations": {
                "summary": "{{ $labels.agreement }}/{{ $labels.endpoint }}: {{ $labels.objective }} is breached",
                "description": f"Customer: {_plain(one.customer) or 'none named'}. See netsla breaches {one.id}.",
            },
        }
        for severity in sorted(severities)
    ]


def _burns(one: Agreement) -> list[Rule]:
    """Error budgets of packet delivery that go too fast."""
    targets = {o.target.value for endpoint in one.endpoints for o in endpoint.objectives if _has_budget(o)}
    return [_burn(one, max(targets), burn) for burn in BURNS] if targets else []


def _has_budget(one: Objective) -> bool:
    return one.metric is Metric.PACKET_DELIVERY and bool(one.window.calendar) and one.target.value < 1


def _burn(one: Agreement, target: Fraction, burn: Burn) -> Rule:
    limit = f"{float(burn.factor):g} * {float(1 - target):.6g}"
    sides = [
        f"(1 - endpoint:netsla_packet_delivery:ratio_rate{_window(seconds)}{{agreement={_quoted(one.id)}}}) > {limit}"
        for seconds in (burn.long_seconds, burn.short_seconds)
    ]
    page = burn.long_seconds <= 6 * 3600
    return {
        "alert": "NetslaBudgetBurns",
        "expr": " and ".join(sides),
        "labels": {
            "severity": "critical" if page else "warning",
            "window": _window(burn.long_seconds),
            "agreement": one.id,
        },
        "annotations": {
            "summary": "{{ $labels.agreement }}/{{ $labels.endpoint }}: packets are lost "
            f"{float(burn.factor):g} times faster than {one.id} allows"
        },
    }


def _silence(one: Agreement) -> list[Rule]:
    return [
        {
            "alert": "NetslaNoData",
            "expr": f"absent(netsla_probe_sent_total{{agreement={_quoted(one.id)}}})",
            "for": "5m",
            "labels": {"severity": "critical", "agreement": one.id},
            "annotations": {"summary": f"nothing is measured for {one.id}"},
        }
    ]


def _window(seconds: int) -> str:
    return f"{seconds // 3600}h" if seconds % 3600 == 0 else f"{seconds // 60}m"


def _plain(text: str) -> str:
    """A text in a label or an annotation: these are Go templates."""
    return text.replace("{{", '{{ "{{" }}')


def _quoted(text: str) -> str:
    """A PromQL string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
