"""A copy of what each task read, put elsewhere: a durable job that is begun after the task, and tried again."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Sequence

import fsspec
from fsspec.spec import AbstractFileSystem

from cleanplate.contract.problems import Expired, NotFound, UpstreamFailed
from cleanplate.runtime.board import Board
from cleanplate.runtime.callbacks import pause_s
from cleanplate.runtime.jobs import Job, LeaseLost, NewJob, State
from cleanplate.runtime.run import Run
from ocr_service.wires.dsocr.pack import Pack

log = logging.getLogger(__name__)

KIND = "publish"
TRIES = 5


class Publisher:
    """Promises copies of tasks below a URL, makes them, and tells what became of them; without a URL, none."""

    def __init__(self, jobs: Board, url: str, pack: Pack, *, clock: Callable[[], float] = time.time):
        self.board = Board(KIND, jobs.store, jobs.files, queue_limit=jobs.queue_limit, wakeups=jobs.wakeups)
        self._jobs = jobs
        self._files = fsspec.core.url_to_fs(url, auto_mkdir=True) if url else None
        self._pack = pack
        self._clock = clock

    def promised(self, new: NewJob) -> Sequence[NewJob]:
        """Return the job that will make the copy, to be submitted in the same transaction."""
        if self._files is None:
            return []
        name = _name(new.id)
        return [NewJob(name, KIND, {"job_id": new.id}, digest=name, owner=new.owner, waits_for=new.id)]

    async def told(self, job: Job) -> str:
        """Return what became of the copy of a task; empty where there is none to be."""
        if self._files is None or job.state is not State.SUCCEEDED:
            return ""
        try:
            copy = await self.board.get(_name(job.id))
        except (NotFound, Expired):
            return ""
        if copy.error:
            return f"not published: {copy.error['detail']}"
        return "published" if copy.final else "being published"

    async def __call__(self, run: Run) -> None:
        """Copy what a task that has ended has read, or try to; see `Handler`."""
        job = await self._jobs.get(run.job.params["job_id"])
        if self._files is None or job.state is not State.SUCCEEDED:
            await run.succeed({})
            return
        tries = run.job.checkpoint.get("tries", 0) + 1
        try:
            await self._copy(run, job, *self._files)
        except (LeaseLost, Expired):
            raise
        except Exception as error:  # whatever a file system may throw; it may be there again later
            log.warning("cannot publish", exc_info=error, extra={"job_id": job.id, "tries": tries})
            reason = f"try {tries} failed: {type(error).__name__}"
            if tries >= TRIES:
                raise UpstreamFailed(f"given up, {reason}") from None
            await run.postpone(self._clock() + pause_s(tries), reason, checkpoint={"tries": tries})
            return
        await run.succeed({})

    async def _copy(self, run: Run, job: Job, system: AbstractFileSystem, root: str) -> None:
        async for path, pieces in self._pack.files(job):
            data = b"".join([piece async for piece in pieces])
            await run.still_mine()
            await run.board.call(system.pipe_file, f"{root.rstrip('/')}/{job.id}/{path}", data)


def _name(job_id: str) -> str:
    return hashlib.sha256(f"{KIND} {job_id}".encode()).hexdigest()
