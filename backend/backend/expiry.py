"""Removing a job when its own time to live is over: a durable job beside it, which begins when that one has ended."""

from __future__ import annotations

import time
from collections.abc import Callable

from cleanplate.contract.problems import Expired, NotFound
from cleanplate.runtime.board import Board
from cleanplate.runtime.jobs import Job, NewJob, new_id
from cleanplate.runtime.run import Run

KIND = "expiry"


def open_board(jobs: Board) -> Board:
    """Return the board of the removals to come, in the same store."""
    return Board(KIND, jobs.store, jobs.files, queue_limit=jobs.queue_limit, wakeups=jobs.wakeups)


def promise(job: NewJob) -> NewJob:
    """Return the job that will remove this one, to be submitted in the same transaction."""
    name = new_id()
    return NewJob(name, KIND, {"job_id": job.id}, digest=name, owner=job.owner, waits_for=job.id)


class Expiry:
    """Handles these jobs."""

    def __init__(self, jobs: Board, *, clock: Callable[[], float] = time.time):
        self._jobs = jobs
        self._clock = clock

    async def __call__(self, run: Run) -> None:
        """Remove the job if it is time, else come back later: it may have been retried meanwhile."""
        due_at = await self._due_at(run.job.params["job_id"])
        if due_at is not None and due_at > self._clock():
            await run.postpone(due_at, "the job is kept until then", checkpoint={})
            return
        if due_at is not None:
            await self._jobs.forget(run.job.params["job_id"])
        await run.succeed({})

    async def _due_at(self, job_id: str) -> float | None:
        """Return when the job is to be removed, None when nothing is left to do.

        The job says it itself: under its id there may be another by now, which came after its removal.
        """
        try:
            job: Job = await self._jobs.get(job_id)
        except (NotFound, Expired):
            return None
        ttl: float | None = job.params["options"].get("ttl")
        return None if ttl is None else (job.finished_at or self._clock()) + ttl
