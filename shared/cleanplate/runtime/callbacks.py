"""Telling a client's server how its job ended: a durable job of its own, signed, retried, noted in the job's log."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Any

from cleanplate.contract.problems import Problem, UpstreamFailed
from cleanplate.runtime.board import Board
from cleanplate.runtime.jobs import Change, Job, NewJob
from cleanplate.runtime.outbound import Outbound
from cleanplate.runtime.run import Run

log = logging.getLogger(__name__)

KIND = "callback"
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 3600.0

Payload = Callable[[Job], Awaitable[dict[str, Any]]]
"""Builds the body that is posted for a job that has ended."""

Post = Callable[[str, dict[str, Any]], Awaitable[int]]
"""Posts a body to a URL, signed, and returns the HTTP status; raises a Problem when nothing answered."""


async def promise(callbacks: Board, job: Job, url: str) -> None:
    """Promise that the end of the job will be posted to the URL; promising it twice posts it once."""
    name = hashlib.sha256(job.id.encode()).hexdigest()
    await callbacks.submit(NewJob(name, KIND, {"job_id": job.id, "url": url}, digest=name, owner=job.owner), {})


def signed_post(outbound: Outbound, secret: str) -> Post:
    """Return the `Post` that signs with the secret."""

    async def post(url: str, body: dict[str, Any]) -> int:
        return await outbound.post_signed(url, body, secret)

    return post


class Courier:
    """Handles callback jobs: waits for the job's end, posts, and tries again after growing pauses."""

    def __init__(self, jobs: Board, payload: Payload, post: Post, *, tries: int, first_pause_s: float = FIRST_PAUSE_S):
        self._jobs = jobs
        self._payload = payload
        self._post = post
        self._tries = tries
        self._first_pause_s = first_pause_s

    async def __call__(self, run: Run) -> None:
        """Keep one promise."""
        job_id, url = run.job.params["job_id"], run.job.params["url"]
        job = await self._jobs.get(job_id)
        async for _ in self._jobs.follow(job_id, job.seq):
            pass
        job = await self._jobs.get(job_id)
        for attempt in range(run.job.checkpoint.get("tries", 0) + 1, self._tries + 1):
            reason = await self._try(job, url)
            if reason is None:
                await self._note(job_id, "callback_delivered", tries=attempt)
                await run.succeed({"tries": attempt})
                return
            log.warning("callback failed: %s", reason, extra={"job_id": job_id, "attempt": attempt})
            await run.report("retrying", attempt / self._tries, checkpoint={"tries": attempt}, message=reason)
            if attempt < self._tries:
                await asyncio.sleep(self._pause_s(attempt))
        await self._note(job_id, "callback_given_up", tries=self._tries)
        raise UpstreamFailed(f"given up after {self._tries} tries")

    async def _try(self, job: Job, url: str) -> str | None:
        try:
            status = await self._post(url, await self._payload(job))
        except Problem as problem:
            return problem.detail
        return None if status < 300 else f"status {status}"

    def _pause_s(self, attempt: int) -> float:
        return float(min(LONGEST_PAUSE_S, self._first_pause_s * 4 ** (attempt - 1)) * random.uniform(0.75, 1.25))

    async def _note(self, job_id: str, type_: str, **data: Any) -> None:
        await self._jobs.record(job_id, Change(type_, data))
