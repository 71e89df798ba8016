"""What the logs of boards tell, in figures: how jobs end, how long they wait, run, and stay in which stage.

The log has the jobs of every process that works on a store, so each of these processes counts them all.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Histogram

from cleanplate.contract.messages import Event
from cleanplate.contract.problems import Problem
from cleanplate.runtime.board import POLL_S, Board
from cleanplate.runtime.jobs import FINAL
from cleanplate.runtime.store.rows import LEASE_EXPIRED

log = logging.getLogger(__name__)

PAUSE_S = 0.5
SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)
_ENDS = frozenset(state.value for state in FINAL)


@dataclass
class _Attempt:
    """A job at work: when it was begun and told of last, in seconds since 1970, and the time of each stage."""

    begun: float
    told: float
    stages: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))


class Tallies:
    """Counts from where the log stands when `follow` begins. Labels are what the code names, never ids."""

    def __init__(self, registry: CollectorRegistry):
        self._events = Counter("job_events_total", "Events logged.", ("kind", "type"), registry=registry)
        self._failures = Counter(
            "job_failures_total",
            "Jobs failed, by whether the request or the service is at fault.",
            ("kind", "fault"),
            registry=registry,
        )
        self._takeovers = Counter("job_takeovers_total", "Leases that expired.", ("kind",), registry=registry)
        self._waits = _histogram("job_wait_seconds", "From submit to the first start.", ("kind",), registry)
        self._runs = _histogram("job_seconds", "From a job's last start to its end.", ("kind", "state"), registry)
        self._stages = _histogram("job_stage_seconds", "A stage of an ended job.", ("kind", "stage"), registry)
        self._queued: dict[str, float] = {}
        self._attempts: dict[str, _Attempt] = {}

    async def follow(self, board: Board) -> None:
        """Count, without an end."""
        after: int | None = None
        while True:
            try:
                if after is None:
                    after = await board.call(board.store.last_position)
                async for event in board.follow_all(None, after, pause_s=PAUSE_S):
                    after = event.position
                    self.add(board.kind, event)
            except Problem as problem:  # the store is away
                log.warning("cannot count the jobs of kind %s: %s", board.kind, problem)
                await asyncio.sleep(POLL_S)

    def add(self, kind: str, event: Event) -> None:
        """Count one event."""
        at, name = datetime.fromisoformat(event.at).timestamp(), event.job_id
        self._events.labels(kind, event.type).inc()
        if event.type == "queued":
            self._queued[name] = at
        elif event.type == "started":
            if name in self._queued:
                self._waits.labels(kind).observe(at - self._queued.pop(name))
            self._attempts[name] = _Attempt(at, at)
        elif event.type == "progress" and name in self._attempts:
            attempt = self._attempts[name]
            attempt.stages[event.data["stage"]] += at - attempt.told
            attempt.told = at
        elif event.type in {"requeued", "postponed"}:
            self._attempts.pop(name, None)
            if event.data.get("reason") == LEASE_EXPIRED:
                self._takeovers.labels(kind).inc()
        elif event.type in _ENDS:
            self._end(kind, event, at)

    def _end(self, kind: str, event: Event, at: float) -> None:
        self._queued.pop(event.job_id, None)
        if event.type == "failed":
            self._failures.labels(kind, "service" if event.data.get("status", 500) >= 500 else "request").inc()
        if (attempt := self._attempts.pop(event.job_id, None)) is not None:
            self._runs.labels(kind, event.type).observe(at - attempt.begun)
            for stage, seconds in attempt.stages.items():
                self._stages.labels(kind, stage).observe(seconds)


def _histogram(name: str, about: str, labels: tuple[str, ...], registry: CollectorRegistry) -> Histogram:
    return Histogram(name, about, labels, buckets=SECONDS, registry=registry)
