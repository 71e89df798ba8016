"""The default dispatcher: runs jobs in this process, a few at a time, as tasks of the event loop."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from contextlib import suppress

from cleanplate.contract.problems import Internal, Problem
from cleanplate.runtime.board import Board
from cleanplate.runtime.dispatch import Handler
from cleanplate.runtime.jobs import LeaseLost
from cleanplate.runtime.run import Run

log = logging.getLogger(__name__)

CRASH_LIMIT = 10


class LocalDispatcher:
    """See `Dispatcher`. A lease is renewed three times before it would expire; a job whose lease is lost is dropped."""

    def __init__(self, board: Board, handler: Handler, *, slots: int = 1, lease_s: float = 30.0):
        self._board = board
        self._handler = handler
        self._slots = slots
        self._lease_s = lease_s
        self._worker = f"{socket.gethostname()}:{os.getpid()}"
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        self._tasks = [asyncio.create_task(self._serve(), name=f"slot-{slot}") for slot in range(self._slots)]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self) -> None:
        board = self._board
        with board.wakeups.listen(f"queue:{board.kind}") as wakeup:
            while True:
                wakeup.clear()
                try:
                    job = await board.call(board.store.claim, [board.kind], self._worker, self._lease_s, CRASH_LIMIT)
                except Exception:  # a worker must outlive a store that is locked or away
                    log.exception("cannot claim a job")
                    job = None
                if job is None:
                    await board.wait(wakeup)
                else:
                    board.wakeups.notify(job.id)
                    board.wakeups.notify("")
                    await self._run(Run(board, job))

    async def _run(self, run: Run) -> None:
        work = asyncio.ensure_future(self._handler(run))
        lease = asyncio.create_task(self._keep_lease(run, work))
        try:
            await work
        except asyncio.CancelledError:
            if work.cancelled() and not _being_cancelled():
                log.info("job lost its lease", extra={"job_id": run.job.id})
                return
            work.cancel()
            await asyncio.wait([work])
            with suppress(LeaseLost, Problem):
                await run.release("the service stopped")
            raise
        except LeaseLost:
            log.info("job was cancelled or taken over", extra={"job_id": run.job.id})
        except Problem as problem:
            await self._fail(run, problem)
        except Exception:
            log.exception("job failed", extra={"job_id": run.job.id})
            await self._fail(run, Internal())
        finally:
            lease.cancel()

    async def _fail(self, run: Run, problem: Problem) -> None:
        log.warning("job failed: %s", problem, extra={"job_id": run.job.id})
        with suppress(LeaseLost, Problem):
            await run.fail(problem)

    async def _keep_lease(self, run: Run, work: asyncio.Future[None]) -> None:
        """Renew the lease; stop the work when that fails, at once if the job was ended in this process."""
        with self._board.wakeups.listen(f"end:{run.job.id}") as ended:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._lease_s / 3):
                        await ended.wait()
                try:
                    await self._board.call(self._board.store.renew, run.job.id, run.job.attempt, self._lease_s)
                except LeaseLost:
                    work.cancel()
                    return
                except Exception:  # the store is away: the lease may still hold when it is back
                    log.exception("cannot renew a lease", extra={"job_id": run.job.id})
                    await asyncio.sleep(self._lease_s / 10)


def _being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
