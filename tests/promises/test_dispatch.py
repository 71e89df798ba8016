"""What every dispatcher promises, and what a board's followers see of it."""

from __future__ import annotations

import asyncio

import pytest

from cleanplate.contract.messages import Event
from cleanplate.contract.problems import EngineUnavailable, Finished
from cleanplate.runtime.board import Board
from cleanplate.runtime.jobs import Job, NewJob, State
from cleanplate.runtime.run import Run
from tests.promises.conftest import Working


async def submit(board: Board, job_id: str = "a") -> Job:
    job, _ = await board.submit(NewJob(job_id, board.kind, {}, "digest"), {"input": b"bytes"})
    return job


async def until(board: Board, state: State, job_id: str = "a") -> Job:
    async with asyncio.timeout(10):
        with board.wakeups.listen(job_id) as wakeup:
            while (job := await board.get(job_id)).state is not state:
                wakeup.clear()
                await board.wait(wakeup)
    return job


async def log_of(board: Board, after: int = 0) -> list[Event]:
    async with asyncio.timeout(10):
        return [event async for event in board.follow("a", after)]


async def three_units(run: Run) -> None:
    assert await run.get("input") == b"bytes"
    for unit in (1, 2, 3):
        await run.report("inpainting", unit / 4, unit=unit)
    await run.succeed({"answer": 42})


async def test_a_job_runs_and_its_follower_sees_every_event_once(board: Board, working: Working) -> None:
    await submit(board)
    follower = asyncio.create_task(log_of(board))
    async with working(board, three_units):
        events = await follower
    assert [event.seq for event in events] == list(range(1, 7))
    assert [event.type for event in events] == ["queued", "started", "progress", "progress", "progress", "succeeded"]
    assert (await board.get("a")).result == {"answer": 42}


@pytest.mark.parametrize("after", range(7))
async def test_a_late_follower_gets_exactly_the_rest(board: Board, working: Working, after: int) -> None:
    await submit(board)
    async with working(board, three_units):
        await until(board, State.SUCCEEDED)
    assert [event.seq for event in await log_of(board, after)] == list(range(after + 1, 7))


async def test_a_problem_fails_the_job_with_its_reason(board: Board, working: Working) -> None:
    async def handler(_: Run) -> None:
        raise EngineUnavailable("no weights")

    await submit(board)
    async with working(board, handler):
        job = await until(board, State.FAILED)
    assert job.error is not None
    assert (job.error["code"], job.error["detail"]) == ("engine_unavailable", "no weights")


async def test_a_defect_fails_the_job_without_telling_what_it_was(board: Board, working: Working) -> None:
    async def handler(_: Run) -> None:
        raise RuntimeError("secret")

    await submit(board)
    async with working(board, handler):
        job = await until(board, State.FAILED)
    assert job.error is not None
    assert "secret" not in str(job.error)


async def test_cancel_stops_before_the_next_unit(board: Board, working: Working) -> None:
    begun, cancelled, units = asyncio.Event(), asyncio.Event(), []

    async def handler(run: Run) -> None:
        for unit in range(5):
            await run.still_mine()
            units.append(unit)
            begun.set()
            await cancelled.wait()
            await run.report("inpainting", unit / 5)
        await run.succeed({})

    await submit(board)
    async with working(board, handler):
        await begun.wait()
        await board.cancel("a")
        cancelled.set()
        events = await log_of(board)
    assert units == [0]
    assert events[-1].type == "cancelled"
    with pytest.raises(Finished):
        await board.cancel("a")


async def test_a_stopped_service_gives_its_jobs_back(board: Board, working: Working) -> None:
    begun = asyncio.Event()

    async def handler(_: Run) -> None:
        begun.set()
        await asyncio.sleep(60)

    await submit(board)
    async with working(board, handler):
        await begun.wait()
    job = await board.get("a")
    assert job.state is State.QUEUED
    async with working(board, three_units):
        job = await until(board, State.SUCCEEDED)
    assert (job.attempt, job.crashes) == (2, 0)


async def test_a_worker_that_cannot_renew_its_lease_is_stopped(board: Board, working: Working) -> None:
    ended = asyncio.Event()

    async def handler(_: Run) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    await submit(board)
    async with working(board, handler, lease_s=0.3):
        await until(board, State.RUNNING)
        await board.cancel("a")
        async with asyncio.timeout(5):
            await ended.wait()


async def test_a_long_job_keeps_its_lease(board: Board, working: Working) -> None:
    async def handler(run: Run) -> None:
        await asyncio.sleep(0.9)
        await run.succeed({})

    await submit(board)
    async with working(board, handler, lease_s=0.3):
        job = await until(board, State.SUCCEEDED)
    assert job.attempt == 1


async def test_a_job_that_was_there_at_two_deaths_runs_alone(board: Board, working: Working) -> None:
    running, together, both = set[str](), list[set[str]](), asyncio.Barrier(2)

    async def handler(run: Run) -> None:
        running.add(run.job.id)
        together.append(set(running))
        await (asyncio.sleep(0.05) if run.job.id == "a" else both.wait())
        running.discard(run.job.id)
        await run.succeed({})

    for job_id in "abc":
        await submit(board, job_id)
    for _ in range(2):
        await board.call(board.store.claim, ["test"], "dies at once", 0.0, 10)
    async with working(board, handler):
        for job_id in "abc":
            await until(board, State.SUCCEEDED, job_id)
    assert [names for names in together if "a" in names] == [{"a"}]
    assert {"b", "c"} in together


async def test_files_of_a_refused_submit_are_not_kept(board: Board) -> None:
    board.queue_limit = 0
    with pytest.raises(Exception, match="wait already"):
        await submit(board)
    assert board.files.usage() == []


async def test_the_sweep_removes_old_jobs_and_their_files(board: Board, working: Working) -> None:
    await submit(board)
    async with working(board, three_units):
        job = await until(board, State.SUCCEEDED)
    assert job.finished_at is not None
    assert await board.sweep(job.finished_at - 1, 0) == 0
    assert await board.sweep(job.finished_at + 1, 0) == 1
    assert board.files.usage() == []
