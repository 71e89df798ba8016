"""Several files of one request: a batch, which is a durable job beside theirs that ends when they have all ended.

It is submitted with its members in one transaction, so that there are all of them or none, and only then is its id used
up. What a batch shows is asked of its members each time; the job itself is there to be found, and to be forgotten as
long after its end as any other.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from backend.intake import KIND as MEMBER_KIND
from cleanplate.contract.problems import Expired, NotFound, QueueFull
from cleanplate.runtime import idempotency
from cleanplate.runtime.board import Board
from cleanplate.runtime.jobs import Job, NewJob, State
from cleanplate.runtime.run import Run

KIND = "batch"
REMOVED = "removed"
FIRST_LOOK_S, LAST_LOOK_S = 2.0, 300.0
LOOK_SHARE = 0.1  # of its age a batch waits for its next look


def open_board(jobs: Board) -> Board:
    """Return the board of the batches, in the same store."""
    return Board(KIND, jobs.store, jobs.files, queue_limit=jobs.queue_limit, wakeups=jobs.wakeups)


class Batches:
    """The batches of a board's jobs. Handles theirs, too; see `Handler`."""

    def __init__(self, jobs: Board, batches: Board, *, clock: Callable[[], float] = time.time):
        self._jobs = jobs
        self._batches = batches
        self._clock = clock

    async def submit(
        self,
        members: Sequence[NewJob],
        files: Sequence[dict[str, bytes]],
        then: Sequence[NewJob],
        owner: str,
        batch: str,
    ) -> tuple[Job, list[Job]]:
        """Return the batch with its jobs, or those that its id found.

        Args:
            members: the jobs, under ids of their own that nobody has used.
            files: those of each job.
            then: what else is submitted in the same transaction.
            owner: whose.
            batch: its id.

        Raises:
            IdConflict: the id belongs to another batch.
            QueueFull: not all of them have room.
        """
        await self._check_room(len(members))
        digest = hashlib.sha256("".join(member.digest for member in members).encode()).hexdigest()
        new = NewJob(batch, KIND, {"jobs": [member.id for member in members]}, digest, owner)
        created = False
        try:
            for member, its in zip(members, files, strict=True):
                for name, data in its.items():
                    await self._jobs.call(self._jobs.files.put, member.id, f"{member.digest[:16]}.{name}", data)
            job, created = await self._batches.submit(new, {}, [*members, *then])
        finally:
            if not created:  # nobody else knows these ids
                for member in members:
                    await self._jobs.call(self._jobs.files.forget, member.id)
        self._jobs.wakeups.notify_queues()
        return job, [member for member in await self.members(job) if member is not None]

    async def get(self, batch: str, owner: str) -> Job:
        """Return a batch. Raises NotFound, Expired."""
        return await self._batches.get(batch, owner)

    async def members(self, batch: Job) -> list[Job | None]:
        """Return the jobs of a batch, in order; None for one that was removed."""
        return [await self._member(job_id) for job_id in batch.params["jobs"]]

    async def __call__(self, run: Run) -> None:
        """End the batch if its jobs have ended, else come back later."""
        members = await self.members(run.job)
        if all(member is None or member.final for member in members):
            await run.succeed(counts(members))
            return
        pause_s = min(max(FIRST_LOOK_S, LOOK_SHARE * (self._clock() - run.job.created_at)), LAST_LOOK_S)
        await run.postpone(self._clock() + pause_s, "its jobs have not all ended", checkpoint={})

    async def _member(self, job_id: str) -> Job | None:
        try:
            return await self._jobs.get(job_id)
        except (NotFound, Expired):
            return None

    async def _check_room(self, count: int) -> None:
        waiting = (await self._jobs.call(self._jobs.store.counts, MEMBER_KIND))[State.QUEUED]
        if waiting + count > self._jobs.queue_limit:
            told = f"{waiting} jobs wait already, and {count} more are too many"
            raise QueueFull(told, retry_after_s=5, queue_length=waiting, limit=self._jobs.queue_limit)


def batch_id(key: str | None, owner: str) -> str:
    """Return the id for an idempotency key; see `idempotency.job_id`."""
    return idempotency.job_id(key, KIND, owner)


def counts(members: Sequence[Job | None]) -> dict[str, int]:
    """Return how many of the jobs are in each state."""
    found = Counter(REMOVED if member is None else member.state.value for member in members)
    return {state: found[state] for state in (*(each.value for each in State), REMOVED)}


def batch_view(batch: Job, members: Sequence[Job | None]) -> dict[str, Any]:
    """Return what clients are shown of a batch."""
    found = counts(members)
    return {"batch_id": batch.id, "total": len(members), "ended": all_ended(members), "counts": found}


def all_ended(members: Sequence[Job | None]) -> bool:
    """Say whether nothing more is to come of a batch."""
    return all(member is None or member.final for member in members)
