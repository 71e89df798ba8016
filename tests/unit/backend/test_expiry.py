"""A job with a time to live of its own."""

from __future__ import annotations

from typing import Any

import pytest

from backend import expiry
from backend.expiry import Expiry
from backend.intake import KIND
from cleanplate.contract.problems import Expired
from cleanplate.runtime.board import Board
from cleanplate.runtime.jobs import Change, NewJob, State
from cleanplate.runtime.run import Run


async def look(board: Board, now: float) -> str:
    """Let what removes the job look at it then; return what came of it, "" when it has nothing to do yet."""
    claimed = await board.call(board.store.claim, [expiry.KIND], "w", 30.0, 3)
    if claimed is None:
        return ""
    run = Run(expiry.open_board(board), claimed)
    await Expiry(board, clock=lambda: now)(run)
    state = (await run.board.get(run.job.id)).state.value
    run.board.close()
    return state


async def started(board: Board, ttl: float | None) -> Run:
    params: dict[str, Any] = {"options": {"ttl": ttl}}
    new = NewJob("a", KIND, params, "d")
    await board.submit(new, {"input": b"picture"}, [expiry.promise(new)])
    job = await board.call(board.store.claim, [KIND], "w", 30.0, 3)
    assert job is not None
    return Run(board, job)


async def test_it_is_removed_with_its_files_when_its_time_after_the_end_is_over(board: Board) -> None:
    run = await started(board, ttl=50)
    assert await look(board, 0) == ""  # it has not ended
    await run.succeed({})
    ended = (await board.get("a")).finished_at
    assert ended is not None
    assert await look(board, ended + 51) == "succeeded"
    with pytest.raises(Expired):
        await board.get("a")
    assert board.files.usage() == []


async def test_it_is_kept_until_then(board: Board) -> None:
    run = await started(board, ttl=50)
    await run.succeed({})
    ended = (await board.get("a")).finished_at
    assert ended is not None
    assert await look(board, ended + 49) == "queued"
    assert (await board.get("a")).state is State.SUCCEEDED


async def test_one_that_was_retried_lives_from_its_new_end_on(board: Board) -> None:
    run = await started(board, ttl=50)
    await board.record("a", Change("failed", state=State.FAILED), run.job.attempt)
    await board.record("a", Change("retried", state=State.QUEUED))
    assert await look(board, 1e12) == ""
    assert (await board.get("a")).state is State.QUEUED


async def test_another_job_that_has_the_id_by_now_is_left_alone(board: Board) -> None:
    run = await started(board, ttl=50)
    await run.succeed({})
    await board.forget("a")
    await board.submit(NewJob("a", KIND, {"options": {"ttl": None}}, "other"), {})
    await board.cancel("a")
    assert await look(board, 1e12) == "succeeded"
    assert (await board.get("a")).digest == "other"
