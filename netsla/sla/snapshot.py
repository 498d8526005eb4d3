"""What everybody may look at: a frozen, columnar picture of the agent.

Rules: made by the engine, read by exposition, status API, page and command line, changed by nobody.
NaN means "does not exist" in every float column and becomes null, or an absent line; never 0 or 100 %.
Arrays are over probes (all the same length and order as `Roll.agreement`) or over objectives.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from netsla.model import ByteArray, IntArray, Objective, RowArray

FloatArray = npt.NDArray[np.float64]

NEVER = -1  # `last_outcome` before the first decided probe


@dataclass(frozen=True, slots=True, eq=False)
class Roll:
    """Who the columns speak of. The same object is reused until the next reload: cache by identity."""

    agreement: tuple[str, ...]
    endpoint: tuple[str, ...]
    probe: tuple[str, ...]
    type: tuple[str, ...]
    address: tuple[str, ...]  # as configured, or as last resolved
    customer: tuple[str, ...]
    plan: tuple[str, ...]
    objective_agreement: tuple[str, ...]
    objective_endpoint: tuple[str, ...]
    objective: tuple[Objective, ...]


@dataclass(frozen=True, slots=True, eq=False)
class WindowView:
    """One window over the probes that have it: `member` holds their positions in the Roll.

    Counts are of packets, times are seconds, ratios 0..1.
    """

    name: str
    member: RowArray
    sent: IntArray
    received: IntArray
    unmeasured: IntArray
    delivery: FloatArray
    uptime: FloatArray
    coverage: FloatArray
    mean: FloatArray
    min: FloatArray
    p50: FloatArray
    p95: FloatArray
    p99: FloatArray
    max: FloatArray
    jitter: FloatArray
    variation: FloatArray  # PDV: p99.9 less the least (RFC 5481, section 4.2)


@dataclass(frozen=True, slots=True, eq=False)
class ObjectiveView:
    """Every objective's verdict; `standing` indexes :data:`STANDINGS`.

    `value`, `low`, `high` are ratios or seconds as the metric is; `target` likewise.
    """

    standing: ByteArray
    value: FloatArray
    low: FloatArray
    high: FloatArray
    target: FloatArray
    coverage: FloatArray
    conclusive: npt.NDArray[np.bool_]
    budget: FloatArray  # error budget remaining, 1 = untouched, below 0 = overdrawn
    breach_since_ns: IntArray  # -1: no open breach
    breaches: IntArray  # opened since the agent started


STANDINGS = ("met", "breached", "insufficient_data", "no_data")


@dataclass(frozen=True, slots=True, eq=False)
class AgentView:
    """The agent's own health."""

    name: str
    version: str
    started_ns: int
    config_digest: str
    problems: tuple[str, ...]
    reload_ok: bool = True
    lateness_counts: tuple[int, ...] = ()
    lateness_sum_seconds: float = 0.0
    receive_drops: int = 0
    clock_steps: int = 0
    parts: tuple[tuple[str, int], ...] = ()  # every part of the agent, and how many problems it has
    outbox_pending: int = 0  # events that some sink has still to be told
    mqtt_connected: bool | None = None  # None: no broker is configured


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """Everything, at one instant. Totals count since the probe's row began."""

    at_ns: int
    roll: Roll
    agent: AgentView
    standing: npt.NDArray[np.int8]  # of the probe's last closed interval: 1 good, 0 bad, -1 unknown
    sent: IntArray
    received: IntArray
    unmeasured: IntArray  # all reasons
    unmeasured_by: IntArray  # shape (reasons, probes), by :class:`netsla.model.Reason`
    late: IntArray
    duplicate: IntArray
    stale: IntArray
    rtt_sum_us: IntArray
    ladder: IntArray  # shape (bounds + 1, probes): received by RTT, see `netsla.sla.totals`
    last_at_ns: IntArray  # 0 before the first decided probe
    last_outcome: npt.NDArray[np.int8]  # an :class:`netsla.model.Outcome`, or NEVER
    last_detail: npt.NDArray[np.uint16]  # as `Samples.detail`
    last_rtt_ns: IntArray  # -1: none
    windows: tuple[WindowView, ...]
    objectives: ObjectiveView
