"""The job board: submit, read, cancel and follow jobs without blocking the event loop. The store is the truth."""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from cleanplate.contract.messages import Event
from cleanplate.contract.problems import Expired, NotFound, Problem
from cleanplate.runtime.files import JobFiles
from cleanplate.runtime.jobs import Change, Job, NewJob, State, is_id
from cleanplate.runtime.store import JobStore

log = logging.getLogger(__name__)
T = TypeVar("T")

PAGE = 500
POLL_S = 2.0
SUBMIT_GRACE_S = 60.0
IDS_KEPT_S = 30 * 86_400.0  # a removed job is answered with 410 for so long, then with 404


class Wakeups:
    """Tells listeners in this process that there is something new. A hint: every listener also looks by itself."""

    def __init__(self) -> None:
        self._listeners: dict[str, set[asyncio.Event]] = {}

    @contextmanager
    def listen(self, topic: str) -> Iterator[asyncio.Event]:
        """Give an event that is set at each `notify` of the topic."""
        wakeup = asyncio.Event()
        self._listeners.setdefault(topic, set()).add(wakeup)
        try:
            yield wakeup
        finally:
            self._listeners[topic].discard(wakeup)
            if not self._listeners[topic]:
                del self._listeners[topic]

    def notify(self, topic: str) -> None:
        """Wake all listeners of the topic."""
        for wakeup in self._listeners.get(topic, ()):
            wakeup.set()

    def notify_queues(self) -> None:
        """Wake whoever claims jobs, of any kind."""
        for topic in [topic for topic in self._listeners if topic.startswith("queue:")]:
            self.notify(topic)


class Board:
    """One kind of jobs, their log and their files, for one service."""

    def __init__(
        self,
        kind: str,
        store: JobStore,
        files: JobFiles,
        *,
        queue_limit: int = 1000,
        poll_s: float = POLL_S,
        wakeups: Wakeups | None = None,
    ):
        self.kind = kind
        self.store = store
        self.files = files
        self.queue_limit = queue_limit
        self.wakeups = wakeups or Wakeups()
        self._poll_s = poll_s
        self._pool = ThreadPoolExecutor(4, thread_name_prefix="store")

    async def call(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Run a blocking call to the store or the files in the board's own threads."""
        return await asyncio.get_running_loop().run_in_executor(
            self._pool, functools.partial(function, *args, **kwargs)
        )

    async def submit(self, new: NewJob, files: dict[str, bytes], then: Sequence[NewJob] = ()) -> tuple[Job, bool]:
        """Keep the job's files, add it to the queue and wake a worker; see `JobStore.submit`."""
        named = {f"{new.digest[:16]}.{name}": data for name, data in files.items()}
        for name, data in named.items():
            await self.call(self.files.put, new.id, name, data)
        try:
            job, created = await self.call(self.store.submit, new, self.queue_limit, then)
        except Problem:
            if not await self._has_files_of(new):
                for name in named:
                    await self.call(self.files.remove, new.id, name)
            raise
        if created:
            self._tell(job)
        return job, created

    async def get(self, job_id: str, owner: str | None = None) -> Job:
        """Return a job of that owner (None: of anyone). Raises NotFound, Expired."""
        if not is_id(job_id):  # some of what a client may name cannot be said to a database
            raise NotFound("there is no such job")
        job = await self.call(self.store.get, job_id)
        if owner is not None and job.owner != owner:
            raise NotFound(f"there is no job {job_id}")
        return job

    async def record(self, job_id: str, change: Change, attempt: int | None = None) -> tuple[Job, Event]:
        """Append to the job's log and wake its listeners; see `JobStore.record`."""
        job, event = await self.call(self.store.record, job_id, change, attempt)
        self._tell(job)
        return job, event

    async def cancel(self, job_id: str) -> Job:
        """Cancel a job; its worker stops before its next unit. Raises Finished, NotFound."""
        job, _ = await self.record(job_id, Change("cancelled", state=State.CANCELLED))
        return job

    async def follow(self, job_id: str, after: int = 0) -> AsyncIterator[Event]:
        """Yield the job's events with a `seq` over `after` as they are committed, and end with the job."""
        with self.wakeups.listen(job_id) as wakeup:
            while True:
                wakeup.clear()
                found = await self.call(self.store.events, job_id, after, PAGE)
                for event in found:
                    yield event
                    after = event.seq
                if found:
                    continue
                job = await self.call(self.store.get, job_id)
                if job.final and after >= job.seq:
                    return
                await self.wait(wakeup)

    async def follow_all(self, owner: str | None, after: int) -> AsyncIterator[Event]:
        """Yield the events of all the owner's jobs with a `position` over `after`, without an end."""
        with self.wakeups.listen("") as wakeup:
            while True:
                wakeup.clear()
                found = await self.call(self.store.events_of_all, self.kind, owner, after, PAGE)
                for event in found:
                    yield event
                    after = event.position
                if not found:
                    await self.wait(wakeup)

    async def wait(self, wakeup: asyncio.Event) -> None:
        """Wait for a wake-up, or until it is time to look without one."""
        try:
            async with asyncio.timeout(self._poll_s):
                await wakeup.wait()
        except TimeoutError:
            return

    async def sweep(self, finished_before: float, limit_bytes: int) -> int:
        """Remove ended jobs that are too old, then the oldest while their files exceed `limit_bytes` (0: no limit)."""
        await self.call(self.store.prune, finished_before - IDS_KEPT_S)
        removed = 0
        for job_id in await self.call(self.store.expired, finished_before, PAGE):
            removed += await self.forget(job_id)
        usage = await self.call(self.files.usage) if limit_bytes else []
        total = sum(size for _, size, _ in usage)
        for changed, size, job_id in usage:
            if total <= limit_bytes or changed > time.time() - SUBMIT_GRACE_S:
                break
            if await self.forget(job_id):
                total -= size
                removed += 1
        return removed

    def close(self) -> None:
        """Let go of the store and the threads."""
        self._pool.shutdown(wait=True)
        self.store.close()

    async def forget(self, job_id: str) -> bool:
        """Remove an ended job with its files; False when it has not ended."""
        with suppress(NotFound, Expired):  # files without a job are left over from a refused or half-done submit
            job = await self.call(self.store.get, job_id)
            if not job.final:
                return False
            await self.call(self.store.forget, job_id)
        await self.call(self.files.forget, job_id)
        return True

    async def _has_files_of(self, new: NewJob) -> bool:
        """Say whether a job, of whoever, has this one's id and files; the same bytes have the same names."""
        try:
            return (await self.call(self.store.get, new.id)).digest[:16] == new.digest[:16]
        except (NotFound, Expired):
            return False

    def _tell(self, job: Job) -> None:
        self.wakeups.notify(job.id)
        self.wakeups.notify("")
        if job.final:
            self.wakeups.notify(f"end:{job.id}")
            self.wakeups.notify_queues()  # some job may wait for this one
        if job.state is State.QUEUED:
            self.wakeups.notify(f"queue:{job.kind}")
