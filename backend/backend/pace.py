"""How long jobs take here, by the newest that succeeded: what a client that waits is told."""

from __future__ import annotations

import time

from backend.parts import numbers
from cleanplate.runtime.board import Board
from cleanplate.runtime.jobs import Job, State

MEASURED = 5
KEPT_S = 10.0  # many submits in a row have one look at the store in common


class Pace:
    """Estimates from what was measured; there is none before the first job has succeeded."""

    def __init__(self, board: Board, slots: int):
        self._board = board
        self._slots = slots
        self._newest: list[Job] = []
        self._look_at = 0.0

    async def estimate_s(self, job: Job, ahead: int) -> float | None:
        """Return how many seconds a job that waits is from its end, so many others being before it."""
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + KEPT_S
            await self._look()
        if not self._newest:
            return None
        seconds = sum((done.finished_at or 0.0) - (done.started_at or 0.0) for done in self._newest)
        page_s = seconds / sum(_pages(done) for done in self._newest)
        return page_s * _pages(job) + seconds / len(self._newest) * ahead / self._slots

    async def _look(self) -> None:
        store, kind = self._board.store, self._board.kind
        how = {"kind": kind, "owner": None, "states": [State.SUCCEEDED], "before": None, "limit": MEASURED}
        self._newest = await self._board.call(store.list_jobs, **how)


def _pages(job: Job) -> int:
    return len(numbers(job)) or 1
