"""One attempt: it reports what is new, and nothing more once the job is not its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from cleanplate.contract.problems import EngineUnavailable
from cleanplate.runtime.jobs import LeaseLost, State
from cleanplate.runtime.run import Run
from tests.unit.runtime.conftest import Jobs


async def types(board: Jobs) -> list[str]:
    return [event.type for event in await board.call(board.store.events, "a", 2, 100)]


async def test_a_unit_that_was_reported_before_is_not_told_again(board: Jobs) -> None:
    run = await board.claimed()
    await run.report("masking", 0.5, unit=1)
    await run.report("masking", 0.5, unit=1)
    await run.report("masking", 0.3)
    assert await types(board) == ["progress"]
    await run.report("masking", 0.3, checkpoint={"masked": True})
    assert (await board.get("a")).progress == 0.5
    assert await types(board) == ["progress", "progress"]


async def test_a_report_tells_time_and_what_is_left(board: Jobs) -> None:
    run = await board.claimed()
    await run.report("masking", 0.25, unit=1)
    job = await board.get("a")
    assert (job.stage, job.progress, job.detail["unit"]) == ("masking", 0.25, 1)
    assert job.detail["elapsed_s"] >= 0
    assert job.detail["eta_s"] == pytest.approx(3 * job.detail["elapsed_s"], abs=0.01)


async def test_checkpoints_add_up(board: Jobs) -> None:
    run = await board.claimed()
    await run.note("found", checkpoint={"detected": 3})
    await run.report("masking", 0.5, checkpoint={"masked": True})
    assert run.job.checkpoint == (await board.get("a")).checkpoint == {"detected": 3, "masked": True}


async def test_the_files_of_the_submit_and_of_the_work_are_apart(board: Jobs) -> None:
    run = await board.claimed()
    await run.put("image", b"result")
    await board.call(board.files.put, "a", "digest.image", b"input")
    assert await run.get("image") == b"input"
    assert await board.call(board.files.get, "a", "image") == b"result"


async def test_a_failure_keeps_its_reason(board: Jobs) -> None:
    run = await board.claimed()
    await run.fail(EngineUnavailable("no weights"))
    assert ((await board.get("a")).error or {})["detail"] == "no weights"
    assert run.job.state is State.FAILED


async def test_a_released_job_waits_again(board: Jobs) -> None:
    run = await board.claimed()
    await run.release("the service stopped")
    job = await board.get("a")
    assert (job.state, job.worker, job.crashes) == (State.QUEUED, None, 0)


@pytest.mark.parametrize(
    "write",
    [
        lambda run: run.report("masking", 0.5),
        lambda run: run.report("masking", 0.0),
        lambda run: run.note("x"),
        lambda run: run.succeed({}),
        lambda run: run.fail(EngineUnavailable()),
        lambda run: run.release("x"),
        lambda run: run.still_mine(),
    ],
)
@pytest.mark.parametrize("how", ["cancelled", "taken over"])
async def test_nothing_is_written_once_the_job_is_anothers(
    board: Jobs, write: Callable[[Run], Awaitable[None]], how: str
) -> None:
    run = await board.claimed()
    if how == "cancelled":
        await board.cancel("a")
    else:
        await run.release("x")
        await board.call(board.store.claim, ["test"], "other", 30.0, 3)
    before = await board.get("a")
    stale = Run(board, run.job)
    with pytest.raises(LeaseLost):
        await write(stale)
    assert await board.get("a") == before


async def test_of_two_ends_at_once_one_counts(board: Jobs) -> None:
    run = await board.claimed()
    outcomes = await asyncio.gather(run.succeed({}), board.cancel("a"), return_exceptions=True)
    assert sum(isinstance(outcome, Exception) for outcome in outcomes) == 1
    assert sum(type_ in ("succeeded", "cancelled") for type_ in await types(board)) == 1
