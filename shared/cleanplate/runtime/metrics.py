"""What Prometheus reads at /metrics. Labels are route templates and states, never ids."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from cleanplate.runtime.board import Board
from cleanplate.runtime.lane import Lane

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


class Metrics:
    """One service's metrics, in a registry of their own."""

    def __init__(self, service: str):
        self.registry = CollectorRegistry()
        names = ("method", "route", "status")
        self.requests = Counter("http_requests_total", "Requests answered.", names, registry=self.registry)
        self.seconds = Histogram(
            "http_request_duration_seconds",
            "Time to the end of the answer.",
            names[:2],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.sockets = Gauge("websocket_connections", "Open WebSockets.", registry=self.registry)
        Gauge("service_info", "Always 1.", ("service",), registry=self.registry).labels(service).set(1)

    def watch(self, lanes: Callable[[], Iterable[Lane]], boards: Iterable[Board]) -> None:
        """Report the queues of these lanes and boards at each scrape."""
        self.registry.register(_Queues(lanes, tuple(boards)))

    def text(self) -> bytes:
        """Return all metrics in Prometheus' text format. Blocking: asks the store."""
        return generate_latest(self.registry)


class _Queues(Collector):
    def __init__(self, lanes: Callable[[], Iterable[Lane]], boards: tuple[Board, ...]):
        self._lanes = lanes
        self._boards = boards

    def describe(self) -> Iterable[Metric]:
        return ()  # else the registry would ask the store while the service starts

    def collect(self) -> Iterator[Metric]:
        waiting = GaugeMetricFamily("lane_waiting", "Calls that wait for an engine.", labels=("lane",))
        for lane in self._lanes():
            waiting.add_metric((lane.name,), lane.waiting)
        yield waiting
        jobs = GaugeMetricFamily("jobs", "Jobs kept, by state.", labels=("kind", "state"))
        for board in self._boards:
            for state, number in board.store.counts(board.kind).items():
                jobs.add_metric((board.kind, state.value), number)
        yield jobs
