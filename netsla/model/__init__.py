"""The vocabulary: frozen values and enums that every other module speaks in.

Rules: nothing here does anything. Times are integers of nanoseconds (`*_ns`: durations, or UTC since
the epoch), counted round-trip times are integers of microseconds (`*_us`, rounded up, so that
`rtt <= threshold` gives the same answer as in nanoseconds), ratios are `Fraction`. A *row* is the
number of a probe inside the running agent: every columnar array is indexed by it. Others import from
here: which file a word stands in is nobody's business but ours.
"""

from __future__ import annotations

from netsla.model.agreement import (
    Agreement,
    Bound,
    Chronic,
    Clear,
    CreditRule,
    Credits,
    Endpoint,
    Hours,
    Kind,
    Maintenance,
    MaintenanceWindow,
    Measurement,
    Metric,
    Objective,
    Party,
    Reaction,
    Span,
    Standing,
    Tier,
    UptimeRule,
)
from netsla.model.plan import (
    OWN_ALERTS,
    AgentSettings,
    AlertmanagerSettings,
    MqttSettings,
    Plan,
    Reference,
    Secret,
    WebhookSettings,
    WebSettings,
)
from netsla.model.probing import (
    MILLISECOND,
    SECOND,
    TCP_RESET,
    ByteArray,
    IntArray,
    Outcome,
    ProbeSpec,
    ProbeType,
    Reason,
    RowArray,
    SampleFlag,
    Samples,
    Target,
)

__all__ = [
    "MILLISECOND",
    "OWN_ALERTS",
    "SECOND",
    "TCP_RESET",
    "AgentSettings",
    "Agreement",
    "AlertmanagerSettings",
    "Bound",
    "ByteArray",
    "Chronic",
    "Clear",
    "CreditRule",
    "Credits",
    "Endpoint",
    "Hours",
    "IntArray",
    "Kind",
    "Maintenance",
    "MaintenanceWindow",
    "Measurement",
    "Metric",
    "MqttSettings",
    "Objective",
    "Outcome",
    "Party",
    "Plan",
    "ProbeSpec",
    "ProbeType",
    "Reaction",
    "Reason",
    "Reference",
    "RowArray",
    "SampleFlag",
    "Samples",
    "Secret",
    "Span",
    "Standing",
    "Target",
    "Tier",
    "UptimeRule",
    "WebSettings",
    "WebhookSettings",
]
