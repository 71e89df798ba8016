"""Telling a client's server how its job ended: a durable job of its own, signed, retried, noted in the job's log."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any

from cleanplate.contract.problems import Problem, UpstreamFailed
from cleanplate.runtime.board import Board
from cleanplate.runtime.jobs import Change, Job, NewJob, new_id
from cleanplate.runtime.outbound import Outbound
from cleanplate.runtime.run import Run

log = logging.getLogger(__name__)

KIND = "callback"
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 3600.0
NOT_YET = frozenset({408, 425, 429})  # what below 500 may be otherwise at the next try

Payload = Callable[[Job], Awaitable[dict[str, Any]]]
"""Builds the body that is posted for a job that has ended."""

Post = Callable[[str, dict[str, Any]], Awaitable[int]]
"""Posts a body to a URL, signed, and returns the HTTP status; raises a Problem when nothing answered."""


def open_board(jobs: Board) -> Board:
    """Return the board of the promises about these jobs, in the same store."""
    return Board(KIND, jobs.store, jobs.files, queue_limit=jobs.queue_limit, wakeups=jobs.wakeups)


def promise(job: NewJob | Job, url: str) -> NewJob:
    """Return the job that will post the end of this one to the URL, to be submitted in the same transaction.

    Its id is its own: it may be kept for longer than the job, whose id may be used again.
    """
    name = new_id()
    params = {"job_id": job.id, "url": url}
    return NewJob(name, KIND, params, digest=name, owner=job.owner, waits_for=job.id)


def signed_post(outbound: Outbound, secret: str) -> Post:
    """Return the `Post` that signs with the secret."""

    async def post(url: str, body: dict[str, Any]) -> int:
        return await outbound.post_signed(url, body, secret)

    return post


class Courier:
    """Handles callback jobs: posts, and where that fails gives the job back until the next try is due."""

    def __init__(
        self, jobs: Board, payload: Payload, post: Post, *, tries: int, clock: Callable[[], float] = time.time
    ):
        self._jobs = jobs
        self._payload = payload
        self._post = post
        self._tries = tries
        self._clock = clock

    async def __call__(self, run: Run) -> None:
        """Keep one promise, or try to; the job that it is about has ended."""
        job_id, tries = run.job.params["job_id"], run.job.checkpoint.get("tries", 0) + 1
        reason, again = await self._try(job_id, run.job.params["url"])
        if reason is None:
            await self._note(job_id, "callback_delivered", tries=tries)
            await run.succeed({"tries": tries})
            return
        log.warning("callback failed: %s", reason, extra={"job_id": job_id, "tries": tries})
        if again and tries < self._tries:
            await run.postpone(self._clock() + pause_s(tries), reason, checkpoint={"tries": tries})
            return
        await self._note(job_id, "callback_given_up", tries=tries, reason=reason)
        raise UpstreamFailed(f"given up at try {tries}: {reason}")

    async def _try(self, job_id: str, url: str) -> tuple[str | None, bool]:
        """Return why it failed and whether to try again. Raises NotFound, Expired: nothing is left to tell."""
        job = await self._jobs.get(job_id)
        if not job.final:
            return "the job was queued again", True
        try:
            status = await self._post(url, await self._payload(job))
        except Problem as problem:
            return problem.detail, problem.retryable
        except Exception:  # a promise outlives a defect or a store that is away
            log.exception("callback failed unexpectedly", extra={"job_id": job_id})
            return "an unexpected error", True
        return (None, False) if status < 300 else (f"status {status}", status >= 500 or status in NOT_YET)

    async def _note(self, job_id: str, type_: str, **data: Any) -> None:
        await self._jobs.record(job_id, Change(type_, data))


def pause_s(tries: int) -> float:
    """Return how long to wait after so many tries: four times as long each time, up to an hour, a quarter by chance."""
    return float(min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 4 ** (tries - 1)) * random.uniform(0.75, 1.25))
