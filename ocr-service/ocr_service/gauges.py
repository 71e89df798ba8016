"""What Prometheus is told about the engines in memory; see `cleanplate.runtime.metrics` for the rest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ocr_service.readers import Readers


class EngineGauges(Collector):
    """Which engines are loaded, and how long they have worked."""

    def __init__(self, readers: Readers):
        self._readers = readers

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        loaded = GaugeMetricFamily("engine_loaded", "1: in memory, 0: let go while idle.", labels=("engine",))
        busy = CounterMetricFamily("engine_busy_seconds", "Time for which engines worked.", labels=("engine",))
        for stock in self._readers.stocks():
            loaded.add_metric((stock.name,), stock.loaded)
            busy.add_metric((stock.name,), stock.busy_s)
        yield loaded
        yield busy
