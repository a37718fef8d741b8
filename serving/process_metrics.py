"""Memory, processor time, files and garbage collection of the process, under the names that all of Prometheus' clients use."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, GCCollector, ProcessCollector
from prometheus_client.metrics_core import Metric

from serving.readings import Rise


def collect_process(registry: CollectorRegistry) -> None:
    """Let ``registry`` tell of this process (``process_*``) and its garbage collector (``python_gc_*``)."""
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)


class Mirror:
    """The same for processes that share a folder of counts, of which prometheus_client shows what was set and counted alone.

    Gauges are shown for each process, with a label ``pid``; counters are of all together, also of those that have ended.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._own = CollectorRegistry()
        collect_process(self._own)
        self._gauges: dict[str, Gauge] = {}
        self._counters: dict[str, Counter] = {}
        self._rises: dict[tuple[str, tuple[str, ...]], Rise] = {}

    def read(self) -> None:
        """Note how the process fares now."""
        for family in self._own.collect():
            self._count(family) if family.type == "counter" else self._set(family)

    def _set(self, family: Metric) -> None:
        for sample in family.samples:
            if family.name not in self._gauges:
                self._gauges[family.name] = Gauge(family.name, family.documentation, registry=self._registry, multiprocess_mode="liveall")
            self._gauges[family.name].set(sample.value)

    def _count(self, family: Metric) -> None:
        for sample in family.samples:
            if family.name not in self._counters:
                self._counters[family.name] = Counter(family.name, family.documentation, [*sample.labels], registry=self._registry)
            key = (family.name, (*sample.labels.values(),))
            if key not in self._rises:
                counter = self._counters[family.name]
                self._rises[key] = Rise(counter.labels(**sample.labels) if sample.labels else counter)
            self._rises[key].to(sample.value)
