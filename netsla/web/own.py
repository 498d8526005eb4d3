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
        build = ((view.version, view.name), 1)
        yield _gauge("netsla_build_info", "The running version; always 1.", [build], "version", "agent")
        if "smokeping" in self._compat:  # by it dashboards know which probers there are
            other = ((f"netsla {view.version}",), 1)
            yield _gauge("smokeping_prober_build_info", "What stands in for it; always 1.", [other], "version")
        yield from _standing(view)
        drops, steps = "Packets that our own receive buffers dropped.", "Steps of the wall clock that were noticed."
        yield CounterMetricFamily("netsla_receive_drops", drops, view.receive_drops)
        yield CounterMetricFamily("netsla_clock_steps", steps, view.clock_steps)
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


def _standing(view: AgentView) -> Iterator[Metric]:
    """What is so now."""
    began, reloaded = "When the agent started (Unix time).", "1 unless the last reload was refused."
    yield GaugeMetricFamily("netsla_start_time_seconds", began, view.started_ns / 1e9)
    yield GaugeMetricFamily("netsla_config_last_reload_successful", reloaded, float(view.reload_ok))
    yield GaugeMetricFamily("netsla_problems", "Standing problems of the agent.", len(view.problems))
    parts = [((part,), count) for part, count in view.parts]
    yield _gauge("netsla_part_problems", "Standing problems of one part of the agent.", parts, "part")
    pending = "Events that some sink has still to be told."
    yield GaugeMetricFamily("netsla_outbox_pending", pending, view.outbox_pending)
    connected = "1 while the broker takes what we publish; absent without a broker."
    taken = [] if view.mqtt_connected is None else [((), float(view.mqtt_connected))]
    yield _gauge("netsla_mqtt_connected", connected, taken)


def _gauge(name: str, text: str, samples: Sequence[tuple[tuple[str, ...], float]], *labels: str) -> Metric:
    """A family with a sample for each set of label values."""
    family = GaugeMetricFamily(name, text, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family
