"""On PostgreSQL, and by Celery too, jobs are run as every dispatcher promises."""

from __future__ import annotations

import asyncio

import pytest

from cleanplate.runtime.board import Board
from cleanplate.runtime.dispatch.broker import Broker
from cleanplate.runtime.dispatch.sender import Sender
from cleanplate.runtime.dispatch.worker import Worker
from cleanplate.runtime.jobs import NewJob, new_id
from cleanplate.runtime.run import Run
from tests.promises.test_dispatch import *  # noqa: F403 - the same tests
from tests.scale import servers

LONGEST_S = 60.0


@pytest.mark.filterwarnings("ignore::celery.exceptions.CPendingDeprecationWarning")  # of what it may do one day
async def test_a_worker_that_could_not_acknowledge_a_message_takes_the_next(
    board: Board, redis: servers.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    async def handle(run: Run) -> None:
        if run.job.id == "first":
            await asyncio.to_thread(redis.stop)
        await run.succeed({})

    name = f"test-{new_id()}"
    sender, worker = Sender(board, Broker(redis.url, name)), Worker(board, handle, Broker(redis.url, name))
    await sender.start()
    await worker.start()
    try:
        await run_to_end(board, "first")
        unheard = "Couldn't ack"
        await asyncio.to_thread(servers.until, lambda: any(unheard in said for said in caplog.messages), unheard)
        await asyncio.to_thread(redis.start)
        await run_to_end(board, "second")
    finally:
        await worker.stop()
        await sender.stop()


async def run_to_end(board: Board, job: str) -> None:
    """Submit a job and return when it has succeeded."""
    await board.submit(NewJob(job, board.kind, {}, "digest"), {})
    async with asyncio.timeout(LONGEST_S):
        assert [event.type async for event in board.follow(job)][-1] == "succeeded"
