"""A lane: one engine, its own threads, a bounded queue. The event loop waits for it and never runs it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

from cleanplate.contract.problems import EngineBusy, EngineUnavailable, TimedOut

T = TypeVar("T")


class Lane:
    """Runs blocking calls in `threads` threads of its own; more than `queue_limit` waiting are refused."""

    def __init__(self, name: str, threads: int = 1, queue_limit: int = 64):
        self.name = name
        self.threads = threads
        self.queue_limit = queue_limit
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._closed = False
        self._inside = 0
        self._began: dict[object, float] = {}
        self._lock = threading.Lock()

    @property
    def waiting(self) -> int:
        """How many calls wait for a thread."""
        return max(0, self._inside - self.threads)

    @property
    def oldest_s(self) -> float:
        """How long the call that began first of those that run has run, in seconds; 0 when none runs."""
        with self._lock:
            return time.monotonic() - min(self._began.values()) if self._began else 0.0

    async def run(self, call: Callable[[], T], timeout_s: float | None = None, queue_s: float | None = None) -> T:
        """Run the call in one of the lane's threads and return what it returns.

        Raises:
            EngineBusy: the queue is full.
            EngineUnavailable: the lane was closed before the call began, or it had not begun after `queue_s`.
            TimedOut: the answer did not come in time. A call that has begun runs on to its end, and holds its thread.
        """
        with self._lock:
            if self._inside >= self.threads + self.queue_limit:
                raise EngineBusy(
                    f"{self.waiting} calls wait already",
                    retry_after_s=2,
                    queue_length=self.waiting,
                    limit=self.queue_limit,
                )
            self._inside += 1
        try:
            future = self._pool.submit(copy_context().run, self._timed, call)  # so that its log lines know the request
        except RuntimeError:
            self._leave(None)
            raise EngineUnavailable(f"{self.name} is closed") from None
        future.add_done_callback(self._leave)
        giving_up = asyncio.get_running_loop().call_later(queue_s, future.cancel) if queue_s is not None else None
        limit = asyncio.timeout(timeout_s)
        try:
            async with limit:
                return await asyncio.wrap_future(future)
        except TimeoutError:
            if not limit.expired():  # the call's own
                raise
            raise TimedOut(f"no answer within {timeout_s} s", limit=timeout_s) from None
        except asyncio.CancelledError:
            if _being_cancelled() or not future.cancelled():
                raise
            if self._closed:
                raise EngineUnavailable(f"{self.name} is closed") from None
            detail = f"{self.name}: not its turn within {queue_s:g} s"
            raise EngineUnavailable(detail, retry_after_s=2, queue_length=self.waiting) from None
        finally:
            if giving_up is not None:
                giving_up.cancel()

    def close(self) -> None:
        """Let running calls end and drop waiting ones."""
        self._closed = True
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _timed(self, call: Callable[[], T]) -> T:
        key = object()
        with self._lock:
            self._began[key] = time.monotonic()
        try:
            return call()
        finally:
            with self._lock:
                del self._began[key]

    def _leave(self, _: object) -> None:
        with self._lock:
            self._inside -= 1


def _being_cancelled() -> bool:
    """Say whether the current task itself is asked to end, rather than something that it waits for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
