"""Everything that a snapshot has to export, as families of `prometheus-client`, in a registry of our own."""

from __future__ import annotations

from importlib.metadata import version
from itertools import chain
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from mens_console.exporter.labels import label
from mens_console.exporter.machine import machine_samples
from mens_console.exporter.metrics import METRICS
from mens_console.exporter.quality import health_samples, kpi_samples
from mens_console.exporter.runs import alert_samples, fleet_samples
from mens_console.exporter.soaks import soak_samples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from prometheus_client.core import Metric as Family

    from mens_console.exporter.labels import Samples
    from mens_console.exporter.metrics import Metric
    from mens_console.store.snapshot import Snapshot

MAX_RUNS: Final = 50
"""Runs that are published unless said otherwise: some forty series each."""


def samples(snapshot: Snapshot, *, most_runs: int = MAX_RUNS, engine_up: bool = True) -> Samples:
    """Yield everything that a snapshot has to export."""
    yield "mens_exporter_info", (label(version("mens-console")),), 1.0
    yield "mens_exporter_engine_up", (), float(engine_up)
    yield "mens_exporter_scanning", (), float(snapshot.scanning)
    yield "mens_exporter_problems", (), float(len(snapshot.problems))
    yield "mens_exporter_snapshot_timestamp_seconds", (), snapshot.at
    yield from fleet_samples(snapshot, most_runs)
    yield from alert_samples(snapshot)
    yield from chain(health_samples(snapshot.health), kpi_samples(snapshot.kpi), soak_samples(snapshot.soaks))
    yield from machine_samples(snapshot.machine)


class SnapshotCollector(Collector):
    """Makes the families of the newest snapshot whenever it is asked, on the thread that asks."""

    def __init__(
        self,
        snapshot: Callable[[], Snapshot],
        *,
        most_runs: int = MAX_RUNS,
        engine_up: Callable[[], bool] = lambda: True,
    ) -> None:
        self._snapshot = snapshot
        self._most_runs = most_runs
        self._engine_up = engine_up

    def describe(self) -> Iterable[Family]:
        """Return the names of all families, so that registering collects nothing."""
        return [_family(metric) for metric in METRICS.values()]

    def collect(self) -> Iterable[Family]:
        """Return the families that have samples, in the table's order."""
        families = {name: _family(metric) for name, metric in METRICS.items()}
        told: set[tuple[str, tuple[str, ...]]] = set()
        for name, labels, value in samples(self._snapshot(), most_runs=self._most_runs, engine_up=self._engine_up()):
            if (name, labels) not in told:  # one series twice would cost the whole scrape
                told.add((name, labels))
                families[name].add_metric(labels, value)
        return [family for family in families.values() if family.samples]


def _family(metric: Metric) -> GaugeMetricFamily | CounterMetricFamily:
    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    return kind(metric.family, metric.help, labels=metric.labels, unit=metric.unit)


def registry_of(collector: SnapshotCollector) -> CollectorRegistry:
    """Return a registry that holds this collector alone: nothing of the process or the interpreter."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    return registry
