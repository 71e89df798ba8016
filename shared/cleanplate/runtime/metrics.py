"""What Prometheus reads at /metrics. Labels are route templates and states, never ids."""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from cleanplate.contract.problems import Problem
from cleanplate.runtime.board import Board
from cleanplate.runtime.cancelling import cancelled
from cleanplate.runtime.tallies import Tallies

log = logging.getLogger(__name__)

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
MEMORY_LIMIT = Path("/sys/fs/cgroup/memory.max")


class Queue(Protocol):
    """What calls wait in: a lane, or something like it."""

    name: str

    @property
    def waiting(self) -> int:
        """How many calls wait."""


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
        self.ready = Gauge("service_ready", "Whether a check of /readyz is well.", ("check",), registry=self.registry)
        self._tallies, self._boards = Tallies(self.registry), list[Board]()
        ProcessCollector(registry=self.registry)
        Gauge("service_info", "Always 1.", ("service",), registry=self.registry).labels(service).set(1)

    def watch(self, lanes: Callable[[], Iterable[Queue]], boards: Iterable[Board], data: Path | None = None) -> None:
        """Report the queues of these lanes and boards, and the room where the data folder is, at each scrape.

        The first board is the service's own: what its log tells is counted, too.
        """
        self._boards.extend(boards)
        self.registry.register(_Queues(lanes, self._boards))
        if data is not None:
            _add_room(self.registry, data)

    @asynccontextmanager
    async def counting(self) -> AsyncIterator[None]:
        """Count what the log of the service's own board tells, while open."""
        following = [asyncio.create_task(self._tallies.follow(board)) for board in self._boards[:1]]
        try:
            yield
        finally:
            await cancelled(following)

    def text(self) -> bytes:
        """Return all metrics in Prometheus' text format. Blocking: asks the store."""
        return generate_latest(self.registry)


class _Queues(Collector):
    def __init__(self, lanes: Callable[[], Iterable[Queue]], boards: Iterable[Board]):
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
        oldest = GaugeMetricFamily("jobs_oldest_waiting_seconds", "Age of the oldest job that waits.", labels=("kind",))
        limit = GaugeMetricFamily("jobs_queue_limit", "Jobs that may wait.", labels=("kind",))
        for board in self._boards:
            try:
                counts, since = board.store.counts(board.kind), board.store.waiting_since(board.kind)
            except Problem as problem:  # the store is away; what else there is to tell is told
                log.warning("cannot count the jobs that are kept: %s", problem)
                break
            for state, number in counts.items():
                jobs.add_metric((board.kind, state.value), number)
            oldest.add_metric((board.kind,), 0.0 if since is None else max(0.0, time.time() - since))
            limit.add_metric((board.kind,), board.queue_limit)
        yield from (jobs, oldest, limit)


def _add_room(registry: CollectorRegistry, data: Path) -> None:
    """Report the disk of the data folder, and the memory that the process may take where that is limited."""
    size = Gauge("disk_size_bytes", "Size of the disk that has the data folder.", registry=registry)
    size.set_function(lambda: shutil.disk_usage(data).total)
    free = Gauge("disk_free_bytes", "What is free of it.", registry=registry)
    free.set_function(lambda: shutil.disk_usage(data).free)
    limit = MEMORY_LIMIT.read_text().strip() if MEMORY_LIMIT.exists() else "max"
    if limit.isdigit():
        told = Gauge("memory_limit_bytes", "Memory that the container may take.", registry=registry)
        told.set(int(limit))
