"""The dispatcher of a worker: a Celery worker in a thread takes ids from the broker, the event loop runs their jobs."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from concurrent.futures import CancelledError
from contextlib import suppress
from contextvars import copy_context
from functools import partial

from celery.worker import state

from cleanplate.contract.problems import Problem
from cleanplate.runtime.board import Board
from cleanplate.runtime.dispatch import Handler
from cleanplate.runtime.dispatch.broker import TASK, Broker
from cleanplate.runtime.dispatch.local import STOPPED, LocalDispatcher
from cleanplate.runtime.endings import give_up
from cleanplate.runtime.jobs import Job, new_id
from cleanplate.runtime.run import Run

log = logging.getLogger(__name__)

PAUSE_S = 1.0


class Worker(LocalDispatcher):
    """See `Dispatcher`. There is one in a process, for Celery keeps its state there.

    A message is acknowledged when its job is claimed and there is room for another: with one slot that is the job's
    end. From its claim on it is the lease that keeps a job from being lost.
    """

    def __init__(
        self,
        board: Board,
        handler: Handler,
        broker: Broker,
        *,
        slots: int = 1,
        lease_s: float = 30.0,
        limit_s: float | None = None,
    ):
        super().__init__(board, handler, slots=slots, lease_s=lease_s, limit_s=limit_s)
        self._broker = broker
        self._stopping = asyncio.Event()
        self._thread: threading.Thread | None = None

    async def start(self) -> None:
        loop = asyncio.get_running_loop()

        def take(job_id: str) -> None:
            with suppress(CancelledError):
                asyncio.run_coroutine_threadsafe(self._take(job_id), loop).result()

        self._broker.app.task(take, name=TASK, shared=False)
        consume = partial(copy_context().run, self._consume)  # spans of its jobs are told to whom this task's are
        self._thread = threading.Thread(target=consume, name=f"takes-{self._board.kind}")
        self._thread.start()

    async def stop(self) -> None:
        self._stopping.set()
        state.should_stop = os.EX_OK
        await super().stop()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    def _consume(self) -> None:
        state.should_stop = state.should_terminate = None
        self._broker.app.set_current()  # of this thread
        name = f"{self._board.kind}.{new_id()}@{self._worker}"
        quiet = {"without_mingle": True, "without_gossip": True, "without_heartbeat": True}
        worker = self._broker.app.WorkController(pool="solo", concurrency=1, hostname=name, **quiet)
        worker.start()
        if not self._stopping.is_set():
            log.critical("the worker cannot take jobs, the process ends")
            give_up()

    async def _take(self, job_id: str) -> None:
        """Begin the job that a message names, if nobody has it, and return when there is room for another."""
        await self._free.acquire()
        job = None
        try:
            job = await self._surely_claimed(job_id)
        finally:
            if job is None:
                self._free.release()
        if job is not None and self._stopping.is_set():
            self._free.release()
            await Run(self._board, job).release(STOPPED)
        elif job is not None:
            self._begin(job)
        await self._free.acquire()
        self._free.release()
        if self._suspected():
            await asyncio.wait(self._runs)

    async def _surely_claimed(self, job_id: str) -> Job | None:
        """Claim a job; while the store is away its message is kept."""
        while not self._stopping.is_set():
            try:
                return await self._claim(job_id=job_id)
            except Problem as problem:
                log.warning("cannot claim a job: %s", problem, extra={"job_id": job_id})
            with suppress(TimeoutError):
                async with asyncio.timeout(PAUSE_S):
                    await self._stopping.wait()
        return None
