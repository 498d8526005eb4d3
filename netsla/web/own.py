"""The agent's own metrics, by prometheus_client in a registry of their own.

Rules: a scrape reads the newest AgentView that was shown.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from netsla.sla.snapshot import AgentView
from netsla.wire.labelling import Pairs


class _Labelled(Collector):
    """What a registry holds, with further labels."""

    def __init__(self, registry: CollectorRegistry, labels: Mapping[str, str]) -> None:
        self._registry, self._labels = registry, labels

    def collect(self) -> Iterator[Metric]:
        for metric in self._registry.collect():
            metric.samples = [sample._replace(labels={**self._labels, **sample.labels}) for sample in metric.samples]
            yield metric


class OwnMetrics(Collector):
    """Families of the agent itself, from `AgentView`; `bounds` are those of its lateness counts, in seconds.

    `compat` as in `WebSettings`.
    """

    def __init__(self, registry: CollectorRegistry, bounds: Sequence[float] = (), compat: Collection[str] = ()) -> None:
        self._bounds, self._compat = bounds, compat
        self._view: AgentView | None = None
        self._registry = registry
        registry.register(self)
        ProcessCollector(registry=registry)

    def text(self, view: AgentView, labels: Pairs = ()) -> bytes:
        """Everything in the registry, with `view` for the agent, each sample with `labels` as well."""
        self._view = view
        return generate_latest(_Labelled(self._registry, dict(labels)) if labels else self._registry)

    def collect(self) -> Iterable[Metric]:
        """Called by the registry; nothing before the first view."""
        return iter(()) if self._view is None else self._families(self._view)

    def _families(self, view: AgentView) -> Iterator[Metric]:
        build = GaugeMetricFamily("netsla_build_info", "The running version; always 1.", labels=("version", "agent"))
        build.add_metric((view.version, view.name), 1)
        yield build
        if "smokeping" in self._compat:  # by it dashboards know which probers there are
            other = GaugeMetricFamily(
                "smokeping_prober_build_info", "What stands in for it; always 1.", labels=("version",)
            )
            other.add_metric((f"netsla {view.version}",), 1)
            yield other
        yield GaugeMetricFamily(
            "netsla_start_time_seconds", "When the agent started (Unix time).", view.started_ns / 1e9
        )
        yield GaugeMetricFamily(
            "netsla_config_last_reload_successful",
            "1 unless the last reload was refused.",
            float(view.reload_ok),
        )
        yield GaugeMetricFamily("netsla_problems", "Standing problems of the agent.", len(view.problems))
        parts = GaugeMetricFamily(
            "netsla_part_problems", "Standing problems of one part of the agent.", labels=("part",)
        )
        for part, count in view.parts:
            parts.add_metric((part,), count)
        yield parts
        yield GaugeMetricFamily(
            "netsla_outbox_pending", "Events that some sink has still to be told.", view.outbox_pending
        )
        connected = GaugeMetricFamily(
            "netsla_mqtt_connected", "1 while the broker takes what we publish; absent without a broker.", labels=()
        )
        if view.mqtt_connected is not None:
            connected.add_metric((), float(view.mqtt_connected))
        yield connected
        yield CounterMetricFamily(
            "netsla_receive_drops",
            "Packets that our own receive buffers dropped.",
            view.receive_drops,
        )
        yield CounterMetricFamily("netsla_clock_steps", "Steps of the wall clock that were noticed.", view.clock_steps)
        if view.lateness_counts and len(view.lateness_counts) == len(self._bounds) + 1:
            yield self._lateness(view)

    def _lateness(self, view: AgentView) -> Metric:
        family = HistogramMetricFamily(
            "netsla_schedule_lateness_seconds", "True send time minus its place in the timetable."
        )
        edges = [*map(str, self._bounds), "+Inf"]
        family.add_metric(
            (), list(zip(edges, accumulate(view.lateness_counts), strict=True)), view.lateness_sum_seconds
        )
        return family
