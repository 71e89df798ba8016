"""This wire's metrics, beside those of every service: tasks that came and ended, the queue, and the GPU's memory."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from cleanplate.contract.problems import Problem
from cleanplate.runtime.board import POLL_S, Board
from cleanplate.runtime.jobs import State
from cleanplate.runtime.tallies import PAUSE_S
from ocr_service.machine import Memory, gpu_memory

log = logging.getLogger(__name__)

_COUNTED = {"queued": "submitted", "succeeded": "succeeded", "failed": "failed"}  # by the type of an event


class TaskMetrics(Collector):
    """Counts by the board's log, from when `follow` began; the rest is looked up at each scrape."""

    def __init__(self, board: Board, gpu: Callable[[], Memory | None] = gpu_memory):
        self._board = board
        self._gpu = gpu
        self._seen: Counter[str] = Counter()

    async def follow(self) -> None:
        """Count, without an end."""
        after: int | None = None
        while True:
            try:
                if after is None:
                    after = await self._board.call(self._board.store.last_position)
                async for event in self._board.follow_all(None, after, pause_s=PAUSE_S):
                    after = event.position
                    if event.type != "queued" or event.seq == 1:
                        self._seen[event.type] += 1
            except Problem as problem:  # the store is away
                log.warning("cannot count documents: %s", problem)
                await asyncio.sleep(POLL_S)

    def describe(self) -> Iterable[Metric]:
        return ()  # else the registry would ask the store while the service starts

    def collect(self) -> Iterator[Metric]:
        for type_, name in _COUNTED.items():
            yield CounterMetricFamily(f"tasks_{name}", f"Documents {name}.", self._seen[type_])
        with suppress(Problem):  # the store is away; what else there is to tell is told
            counts = self._board.store.counts(self._board.kind)
            yield GaugeMetricFamily("queue_size", "Documents that wait.", counts[State.QUEUED])
            yield GaugeMetricFamily("running_workers", "Documents that are being read.", counts[State.RUNNING])
        memory = self._gpu()
        if memory is not None:
            yield GaugeMetricFamily("gpu_memory_free_gb", "Free memory of the first GPU.", memory.free_gb)
            yield GaugeMetricFamily("gpu_memory_total_gb", "Memory of the first GPU.", memory.total_gb)
