"""One attempt at a job, as its handler sees it: report what was done, stop when the job is no longer yours."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from cleanplate.contract.problems import Problem, StorageFull, StoreBusy
from cleanplate.runtime.board import Board
from cleanplate.runtime.jobs import Change, Job, LeaseLost, State, iso

log = logging.getLogger(__name__)
T = TypeVar("T")

STORE_PAUSE_S = 1.0


class Run:
    """Every method raises `LeaseLost` once the job was cancelled or has another worker; let it through.

    What the job's work has to tell or to fetch waits for a store that is locked, away or full, as long as the lease is
    not lost.
    """

    def __init__(self, board: Board, job: Job):
        self.board = board
        self.job = job

    async def report(
        self, stage: str, progress: float, *, checkpoint: dict[str, Any] | None = None, **data: Any
    ) -> None:
        """Log a unit of work really done. `progress` is that of the whole job, 0 to 1.

        A unit that an earlier attempt has reported is not told again, unless it comes with a checkpoint.
        """
        if checkpoint is None and progress <= self.job.progress:
            await self.still_mine()
            return
        elapsed_s = max(0.0, time.time() - (self.job.started_at or 0.0))
        eta_s = round(elapsed_s * (1 - progress) / progress, 2) if progress > 0 else None
        data = {"stage": stage, "progress": progress, "elapsed_s": round(elapsed_s, 3), "eta_s": eta_s, **data}
        await self._told(Change("progress", data, stage=stage, progress=progress, checkpoint=checkpoint))

    async def note(self, type_: str, *, checkpoint: dict[str, Any] | None = None, **data: Any) -> None:
        """Log something worth knowing that is no progress, such as a reconnect or a fallback."""
        await self._told(Change(type_, data, checkpoint=checkpoint))

    async def succeed(self, result: dict[str, Any]) -> None:
        """End the job. Its result must be fetchable before."""
        await self._told(Change("succeeded", {"progress": 1.0, **result}, State.SUCCEEDED, result=result))

    async def fail(self, problem: Problem) -> None:
        """End the job with a reason that its client may see."""
        body = problem.body()
        await self._record(Change("failed", body, State.FAILED, error=body))

    async def release(self, reason: str) -> None:
        """Give the job back to the queue."""
        await self._record(Change("requeued", {"reason": reason}, State.QUEUED))

    async def postpone(self, due_at: float, reason: str, *, checkpoint: dict[str, Any]) -> None:
        """Give the job back to the queue, not to be begun again before `due_at`, in seconds since 1970."""
        data = {"reason": reason, "due_at": iso(due_at)}
        await self._told(Change("postponed", data, State.QUEUED, due_at=due_at, checkpoint=checkpoint))

    async def still_mine(self) -> None:
        """Raise `LeaseLost` if it is not; to be asked before a unit that takes long."""
        job = await self._patient("a look at the job", lambda: self.board.get(self.job.id))
        if job.state is not State.RUNNING or job.attempt != self.job.attempt:
            raise LeaseLost(job.id)

    async def get(self, name: str) -> bytes:
        """Return a file that came with the job's submit."""
        files, kept = self.board.files, f"{self.job.digest[:16]}.{name}"
        return await self._patient(name, lambda: self.board.call(files.get, self.job.id, kept))

    async def put(self, name: str, data: bytes) -> None:
        """Keep a file with the job. Ask `still_mine` first where an older worker's bytes would do harm."""
        files = self.board.files
        await self._patient(name, lambda: self.board.call(files.put, self.job.id, name, data))

    async def _told(self, change: Change) -> None:
        await self._patient(change.type, lambda: self._record(change), (StoreBusy, StorageFull))

    async def _patient(
        self, what: str, call: Callable[[], Awaitable[T]], waits_for: tuple[type[Problem], ...] = (StoreBusy,)
    ) -> T:
        """Call again while it raises one of these problems."""
        while True:
            try:
                return await call()
            except waits_for as problem:
                log.warning("%s has to wait: %s", what, problem, extra={"job_id": self.job.id})
                await asyncio.sleep(STORE_PAUSE_S)

    async def _record(self, change: Change) -> None:
        self.job, _ = await self.board.record(self.job.id, change, self.job.attempt)
