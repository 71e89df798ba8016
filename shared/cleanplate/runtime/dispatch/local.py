"""The default dispatcher: runs jobs in this process, a few at a time, as tasks of the event loop."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from contextlib import suppress

from cleanplate.contract.problems import Internal, Problem, StorageFull, StoreBusy, TimedOut
from cleanplate.runtime import logs, traces
from cleanplate.runtime.board import Board
from cleanplate.runtime.dispatch import Handler
from cleanplate.runtime.jobs import SUSPECT, Job, LeaseLost, State
from cleanplate.runtime.run import Run
from cleanplate.runtime.traces import ERROR

log = logging.getLogger(__name__)

CRASH_LIMIT = 10
STOPPED = "the service stopped"


class LocalDispatcher:
    """See `Dispatcher`. A lease is renewed three times before it would expire; a job whose lease is lost is dropped.

    One that takes longer than `limit_s` is failed; None: it may take as long as it takes. While a job is at work that
    was there at `SUSPECT` deaths, no other is begun, so that the next death is its own; its next checkpoint clears it.
    """

    def __init__(
        self, board: Board, handler: Handler, *, slots: int = 1, lease_s: float = 30.0, limit_s: float | None = None
    ):
        self._board = board
        self._handler = handler
        self._lease_s = lease_s
        self._limit_s = limit_s
        self._worker = f"{socket.gethostname()}:{os.getpid()}"
        self._free = asyncio.Semaphore(slots)
        self._claimer: asyncio.Task[None] | None = None
        self._runs: dict[asyncio.Task[None], Run] = {}

    async def start(self) -> None:
        self._claimer = asyncio.create_task(self._serve(), name=f"claims-{self._board.kind}")

    async def stop(self) -> None:
        if self._claimer is not None:  # first, lest it takes again what is given back
            await _end(self._claimer)
        await _end(*self._runs)

    async def _serve(self) -> None:
        with self._board.wakeups.listen(f"queue:{self._board.kind}") as wakeup:
            while True:
                await self._free.acquire()
                wakeup.clear()
                job = None if self._suspected() else await self._next()
                if job is None:
                    self._free.release()
                    await self._board.wait(wakeup)
                else:
                    self._begin(job)

    def _suspected(self) -> bool:
        """Say whether a suspect is at work."""
        return any(run.job.crashes >= SUSPECT for run in self._runs.values())

    def _begin(self, job: Job) -> None:
        """Run a job that was claimed, in a slot that was acquired."""
        self._board.tell(job)
        run = Run(self._board, job)
        task = asyncio.create_task(self._run(run), name=f"job-{job.id}")
        self._runs[task] = run
        task.add_done_callback(self._leave)

    def _leave(self, task: asyncio.Task[None]) -> None:
        del self._runs[task]
        self._free.release()
        self._board.wakeups.wake(f"queue:{self._board.kind}")  # here a job may wait that has to be alone

    async def _next(self) -> Job | None:
        """Claim the next job, if there is one and the store answers."""
        try:
            return await self._claim()
        except Problem as problem:
            log.warning("cannot claim a job: %s", problem)
            return None
        except Exception:  # a worker must outlive whatever it is
            log.exception("cannot claim a job")
            return None

    async def _claim(self, **which: str) -> Job | None:
        """Claim a job. Its thread cannot be stopped, so what it takes while the service stops is given back."""
        board, alone = self._board, not self._runs
        claim = asyncio.ensure_future(
            board.call_for_work(
                board.store.claim, [board.kind], self._worker, self._lease_s, CRASH_LIMIT, alone=alone, **which
            )
        )
        try:
            return await asyncio.shield(claim)
        except asyncio.CancelledError:
            with suppress(LeaseLost, Problem):
                if (job := await claim) is not None:
                    await Run(board, job).release(STOPPED)
            raise

    async def _run(self, run: Run) -> None:
        """Carry out an attempt, in the trace of the job's submit."""
        job = run.job
        logs.traceparent.set(job.traceparent or "")
        with traces.span(f"job {job.kind}", {"job.id": job.id, "job.attempt": job.attempt}, kind="consumer") as span:
            try:
                await self._attempt(run)
            finally:
                span.attributes["job.state"] = run.job.state.value
                if run.job.error is not None:
                    span.attributes[ERROR] = run.job.error["code"]

    async def _attempt(self, run: Run) -> None:
        work = asyncio.create_task(self._handle(run))
        lease = asyncio.create_task(self._keep_lease(run, work))
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError:
            work.cancel()
            await asyncio.wait([work])
            raise
        finally:
            lost = lease.done()
            lease.cancel()
            await self._settle(run, work, lost)

    async def _handle(self, run: Run) -> None:
        limit = asyncio.timeout(self._limit_s)
        try:
            async with limit:
                await self._handler(run)
        except TimeoutError:
            if not limit.expired():  # the handler's own
                raise
            raise TimedOut(f"not done within {self._limit_s:g} s", limit=self._limit_s) from None

    async def _settle(self, run: Run, work: asyncio.Future[None], lost: bool) -> None:
        """Record how the work ended, unless it did so itself or is no longer ours."""
        error = None if work.cancelled() else work.exception()
        try:
            if isinstance(error, LeaseLost) or (work.cancelled() and lost):
                log.info("job was cancelled or taken over", extra={"job_id": run.job.id})
            elif work.cancelled():
                await run.release(STOPPED)
            elif isinstance(error, Problem):
                log.warning("job failed: %s", error, extra={"job_id": run.job.id})
                await run.fail(error)
            elif error is not None or run.job.state is State.RUNNING:
                log.error("job failed", exc_info=error, extra={"job_id": run.job.id})
                await run.fail(Internal())
        except (StoreBusy, StorageFull) as problem:  # the lease expires, and another attempt is made
            log.warning("cannot record how a job ended: %s", problem, extra={"job_id": run.job.id})
        except (LeaseLost, Problem):
            log.info("job has ended meanwhile", extra={"job_id": run.job.id})
        except Exception:  # whatever it is, the lease expires, and another attempt is made
            log.exception("cannot record how a job ended", extra={"job_id": run.job.id})

    async def _keep_lease(self, run: Run, work: asyncio.Future[None]) -> None:
        """Renew the lease; stop the work when that fails, at once if the job was ended in this process."""
        with self._board.wakeups.listen(f"end:{run.job.id}") as ended:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._lease_s / 3):
                        await ended.wait()
                if run.job.final:  # by its own work, which is about to return
                    return
                try:
                    await self._board.call_for_work(self._board.store.renew, run.job.id, run.job.attempt, self._lease_s)
                except LeaseLost:
                    work.cancel()
                    return
                except Exception:  # the store is away: the lease may still hold when it is back
                    log.exception("cannot renew a lease", extra={"job_id": run.job.id})
                    await asyncio.sleep(self._lease_s / 10)


async def _end(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(outcome, Exception):
            log.error("a task ended badly", exc_info=outcome)
