"""The job board: submit, read, cancel and follow jobs without blocking the event loop. The store is the truth."""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from typing import Any, TypeVar

from cleanplate.contract.messages import Event
from cleanplate.contract.problems import Expired, NotFound, Problem, StoreBusy
from cleanplate.runtime import logs
from cleanplate.runtime.access import seen_by
from cleanplate.runtime.files import JobFiles
from cleanplate.runtime.jobs import Change, Job, NewJob, State, is_id
from cleanplate.runtime.store import JobStore

log = logging.getLogger(__name__)
T = TypeVar("T")

PAGE = 500
POLL_S = 2.0
SUBMIT_GRACE_S = 60.0
ALL_QUEUES = "queue:"
FETCH_GRACE_S = 60.0  # a result that is larger than all that may be kept can be fetched for so long
TIDY_EVERY_S = 3600.0
IDS_KEPT_S = 30 * 86_400.0  # a removed job is answered with 410 for so long, then with 404


class Wakeups:
    """Tells listeners in this process that there is something new. A hint: every listener also looks by itself."""

    def __init__(self) -> None:
        self._listeners: dict[str, set[asyncio.Event]] = {}
        self._watchers: list[Callable[[str], object]] = []

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Be connected with whatever it takes, while open."""
        yield

    def watch(self, watcher: Callable[[str], object]) -> None:
        """Call the watcher with each topic, before its listeners are woken."""
        self._watchers.append(watcher)

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

    def is_heard(self, topic: str) -> bool:
        """Say whether anybody listens to the topic."""
        return topic in self._listeners

    def notify(self, topic: str) -> None:
        """Wake all listeners of the topic, those of `ALL_QUEUES` being whoever claims jobs, of any kind."""
        self.wake(topic)

    def wake(self, topic: str) -> None:
        """Wake the listeners in this process."""
        for watcher in self._watchers:
            watcher(topic)
        topics = [each for each in self._listeners if each.startswith(topic)] if topic == ALL_QUEUES else [topic]
        for wakeup in [wakeup for each in topics for wakeup in self._listeners.get(each, ())]:
            wakeup.set()

    def wake_all(self) -> None:
        """Wake everybody in this process, when something may have been missed."""
        for topic in list(self._listeners):
            self.wake(topic)

    def notify_queues(self) -> None:
        """Wake whoever claims jobs, of any kind."""
        self.notify(ALL_QUEUES)


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
        self.log_topic = f"log:{kind}"
        self.store = store
        self.files = files
        self.queue_limit = queue_limit
        self.wakeups = wakeups or Wakeups()
        self._poll_s = poll_s
        self._tidy_at = 0.0
        self._reads: dict[str, dict[int, tuple[float, asyncio.Future[tuple[list[Event], bool]]]]] = {}
        self._pool = ThreadPoolExecutor(4, thread_name_prefix="store")
        self._pool_of_work = ThreadPoolExecutor(1, thread_name_prefix="work")
        self.wakeups.watch(lambda topic: self._reads.pop(topic, None))  # what was read before is old now

    async def call(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Run a blocking call to the store or the files in the board's own threads."""
        return await asyncio.get_running_loop().run_in_executor(
            self._pool, functools.partial(function, *args, **kwargs)
        )

    async def call_for_work(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Run a blocking call of whoever runs jobs: it does not stand in line with those of clients."""
        return await asyncio.get_running_loop().run_in_executor(
            self._pool_of_work, functools.partial(function, *args, **kwargs)
        )

    async def submit(self, new: NewJob, files: dict[str, bytes], then: Sequence[NewJob] = ()) -> tuple[Job, bool]:
        """Keep the job's files, add it to the queue and wake a worker; see `JobStore.submit`."""
        named = {f"{new.digest[:16]}.{name}": data for name, data in files.items()}
        try:
            await self.call(self._put_all, new.id, named)
            traced = _traced([new, *then])
            job, created = await self.call(self.store.submit, traced[0], self.queue_limit, traced[1:])
        except Problem:
            if not await self._has_files_of(new):
                for name in named:
                    await self.call(self.files.remove, new.id, name)
            raise
        if created:
            self.tell(job)
        return job, created

    async def get(self, job_id: str, owner: str | None = None) -> Job:
        """Return a job of this kind and that owner (None: of anyone). Raises NotFound, Expired."""
        if not is_id(job_id):  # some of what a client may name cannot be said to a database
            raise NotFound("there is no such job")
        job = await self.call(self.store.get, job_id)
        if job.kind != self.kind or seen_by(owner) not in (None, job.owner):
            raise NotFound(f"there is no job {job_id}")
        return job

    async def record(
        self, job_id: str, change: Change, attempt: int | None = None, then: Sequence[NewJob] = ()
    ) -> tuple[Job, Event]:
        """Append to the job's log and wake its listeners; see `JobStore.record`."""
        job, event = await self.call(self.store.record, job_id, change, attempt, _traced(then))
        self.tell(job)
        return job, event

    async def cancel(self, job_id: str) -> Job:
        """Cancel a job; its worker stops before its next unit. Raises Finished, NotFound."""
        job, _ = await self.record(job_id, Change("cancelled", state=State.CANCELLED))
        return job

    async def follow(self, job_id: str, after: int = 0) -> AsyncIterator[Event]:
        """Yield the job's events with a `seq` over `after` as they are committed, and end with the job.

        While the store is away there are none, and no error: who is connected need not know.
        """
        try:
            with self.wakeups.listen(job_id) as wakeup:
                over = False
                while not over:
                    wakeup.clear()
                    try:
                        found, over = await self._read(job_id, after)
                    except StoreBusy:
                        found, over = [], False
                    for event in found:
                        yield event
                        after = event.seq
                    if not over and len(found) < PAGE:  # as in `follow_all`
                        await self.wait(wakeup)
        finally:
            if not self.wakeups.is_heard(job_id):
                self._reads.pop(job_id, None)

    async def follow_all(self, owner: str | None, after: int, *, pause_s: float = 0.0) -> AsyncIterator[Event]:
        """Yield the events of all the owner's jobs with a `position` over `after`, without an end; see `follow`.

        Those of `pause_s` come together, with one look at the store.
        """
        with self.wakeups.listen(self.log_topic) as wakeup:
            while True:
                wakeup.clear()
                try:
                    found = await self.call(self.store.events_of_all, self.kind, seen_by(owner), after, PAGE)
                except StoreBusy:
                    found = []
                for event in found:
                    yield event
                    after = event.position
                if len(found) < PAGE:  # all there is; what is committed since this look has set the wake-up
                    await self.wait(wakeup)
                    await asyncio.sleep(pause_s)

    async def ended(self, job_id: str) -> Job:
        """Return the job once it has ended; its log is not looked at. While the store is away it has not."""
        with self.wakeups.listen(f"end:{job_id}") as wakeup:
            while True:
                wakeup.clear()
                with suppress(StoreBusy):
                    job = await self.call(self.store.get, job_id)
                    if job.final:
                        return job
                await self.wait(wakeup)

    async def wait(self, wakeup: asyncio.Event) -> None:
        """Wait for a wake-up, or until it is time to look without one."""
        try:
            async with asyncio.timeout(self._poll_s):
                await wakeup.wait()
        except TimeoutError:
            return

    async def sweep(self, finished_before: float, limit_bytes: int) -> int:
        """Remove ended jobs that are too old, and the oldest while files exceed `limit_bytes` (0: no limit)."""
        await self.call(self.store.prune, finished_before - IDS_KEPT_S)
        if time.monotonic() >= self._tidy_at:
            self._tidy_at = time.monotonic() + TIDY_EVERY_S
            await self._tidy()
        gone = await self.call(self.store.expired, finished_before, PAGE)
        if limit_bytes:
            await self._measure()
            gone += await self.call(self.store.surplus, limit_bytes, time.time() - FETCH_GRACE_S, PAGE)
        return sum([await self.forget(job_id) for job_id in dict.fromkeys(gone)])

    async def _tidy(self) -> None:
        """Remove files without a job, as a submit leaves them in whose middle the process dies."""
        usage = await self.call(self.files.usage)
        settled = [job_id for changed, _, job_id in usage if changed <= time.time() - SUBMIT_GRACE_S]
        for job_id in await self.call(self.store.unknown, settled):
            await self.call(self.files.forget, job_id)

    async def _measure(self) -> None:
        """Look once, after a job's end, how much room its files take."""
        while found := await self.call(self.store.unmeasured, PAGE):
            for job_id, seq in found:
                await self.call(self.store.measure, job_id, seq, await self.call(self.files.total, job_id))

    def close(self) -> None:
        """Let go of the store and the threads."""
        for pool in (self._pool, self._pool_of_work):
            pool.shutdown(wait=True)
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

    async def _read(self, job_id: str, after: int) -> tuple[list[Event], bool]:
        """Return what a follower is told next, and whether that is the end; those at the same place share a look."""
        reads = self._reads.setdefault(job_id, {})
        begun, look = reads.get(after, (0.0, None))
        now = time.monotonic()
        if look is None or now - begun > self._poll_s / 2:
            look = asyncio.ensure_future(self.call(self.store.look, job_id, after, PAGE))
            look.add_done_callback(lambda done: done.cancelled() or done.exception())  # its followers may have left
            for place in [place for place, (begun, _) in reads.items() if now - begun > self._poll_s]:
                del reads[place]
            reads[after] = now, look
        return await asyncio.shield(look)

    def _put_all(self, job_id: str, named: dict[str, bytes]) -> None:
        for name, data in named.items():
            self.files.put(job_id, name, data)

    async def _has_files_of(self, new: NewJob) -> bool:
        """Say whether a job, of whoever, has this one's id and files; the same bytes have the same names."""
        try:
            return (await self.call(self.store.get, new.id)).digest[:16] == new.digest[:16]
        except (NotFound, Expired):
            return False

    def tell(self, job: Job) -> None:
        """Wake whoever listens to the job, or waits for it; its state or its log has changed."""
        self.wakeups.notify(job.id)
        self.wakeups.notify(self.log_topic)
        if job.final:
            self.wakeups.notify(f"end:{job.id}")
            self.wakeups.notify_queues()  # some job may wait for this one
        if job.state is State.QUEUED:
            self.wakeups.notify(f"queue:{job.kind}")


def _traced(new: Sequence[NewJob]) -> list[NewJob]:
    """Return the jobs with what tells whoever runs them of whose request they are."""
    return [replace(job, traceparent=logs.traceparent.get() or None) for job in new]
