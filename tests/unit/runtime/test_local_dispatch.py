"""The local dispatcher when things go wrong around it; what every dispatcher promises is tested with the promises."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from cleanplate.contract.problems import EngineUnavailable
from cleanplate.runtime.dispatch import Handler
from cleanplate.runtime.dispatch.local import LocalDispatcher
from cleanplate.runtime.jobs import Job, State
from cleanplate.runtime.run import Run
from tests.unit.runtime.conftest import Jobs


@asynccontextmanager
async def working(
    board: Jobs, handler: Handler, slots: int = 1, lease_s: float = 30.0, limit_s: float | None = None
) -> AsyncIterator[None]:
    dispatcher = LocalDispatcher(board, handler, slots=slots, lease_s=lease_s, limit_s=limit_s)
    await dispatcher.start()
    yield
    await dispatcher.stop()
    assert board.wakeups._listeners == {}


async def ended(board: Jobs, job_id: str = "a") -> Job:
    async with asyncio.timeout(5):
        async for _ in board.follow(job_id):
            pass
    return await board.get(job_id)


async def succeed(run: Run) -> None:
    await run.succeed({})


async def test_as_many_run_at_once_as_there_are_slots(board: Jobs) -> None:
    now, most, both = 0, 0, asyncio.Barrier(2)

    async def handler(run: Run) -> None:
        nonlocal now, most
        now, most = now + 1, max(most, now + 1)
        await both.wait()
        await run.still_mine()
        now -= 1
        await run.succeed({})

    for number in range(8):
        await board.add(f"job{number}")
    async with working(board, handler, slots=2):
        for number in range(8):
            await ended(board, f"job{number}")
    assert most == 2


async def test_the_lease_of_a_job_that_has_ended_itself_is_not_renewed(
    board: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    renewed: list[Any] = []
    monkeypatch.setattr(board.store, "renew", lambda *asked: renewed.append(asked))
    await board.add()
    async with working(board, succeed):
        await ended(board)
    assert renewed == []


async def test_a_job_claimed_while_the_service_stops_is_given_back(
    board: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    claiming, may_claim = threading.Event(), threading.Event()
    claim = board.store.claim

    def slow(*args: Any, **named: Any) -> Job | None:
        claiming.set()
        assert may_claim.wait(10)
        return claim(*args, **named)

    monkeypatch.setattr(board.store, "claim", slow)
    await board.add()
    dispatcher = LocalDispatcher(board, succeed)
    await dispatcher.start()
    assert await board.call(claiming.wait, 10)
    stopping = asyncio.create_task(dispatcher.stop())
    await asyncio.sleep(0)
    may_claim.set()
    await stopping
    job = await board.get("a")
    assert (job.state, job.crashes) == (State.QUEUED, 0)


async def test_what_one_slot_gives_back_another_does_not_take_again(board: Jobs) -> None:
    begun = asyncio.Semaphore(0)

    async def handler(_: Run) -> None:
        begun.release()
        await asyncio.Event().wait()

    for number in range(4):
        await board.add(f"job{number}")
    async with working(board, handler, slots=4):
        for _ in range(4):
            await begun.acquire()
    jobs = [await board.get(f"job{number}") for number in range(4)]
    assert {(job.state, job.attempt) for job in jobs} == {(State.QUEUED, 1)}


async def test_a_store_that_is_away_at_a_jobs_end_costs_no_slot(
    board: Jobs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(run: Run) -> None:
        if run.job.id == "a":
            monkeypatch.setattr(board.store, "record", away)
            raise EngineUnavailable("no weights")
        await run.succeed({})

    def away(*_: Any) -> None:
        monkeypatch.undo()
        raise OSError("database is locked")

    await board.add("a")
    await board.add("b")
    async with working(board, handler):
        assert (await ended(board, "b")).state is State.SUCCEEDED
    assert (await board.get("a")).state is State.RUNNING  # until its lease expires
    assert "cannot record how a job ended" in caplog.text


async def test_a_store_that_is_away_at_a_claim_is_asked_again(
    board: Jobs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(*_: Any, **__: Any) -> None:
        monkeypatch.undo()
        raise OSError("database is locked")

    monkeypatch.setattr(board.store, "claim", away)
    await board.add()
    async with working(board, succeed):
        assert (await ended(board)).state is State.SUCCEEDED
    assert "cannot claim a job" in caplog.text


async def test_a_handler_that_forgets_to_end_its_job_fails_it(board: Jobs) -> None:
    async def handler(_: Run) -> None:
        return

    await board.add()
    async with working(board, handler):
        assert (await ended(board)).state is State.FAILED


async def test_a_job_that_takes_too_long_fails_and_its_slot_is_free(board: Jobs) -> None:
    async def handler(run: Run) -> None:
        if run.job.id == "a":
            await asyncio.Event().wait()
        await run.succeed({})

    await board.add("a")
    await board.add("b")
    async with working(board, handler, limit_s=0.05):
        failed = await ended(board, "a")
        assert (await ended(board, "b")).state is State.SUCCEEDED
    assert failed.state is State.FAILED
    assert failed.error is not None
    assert (failed.error["code"], failed.error["retryable"], failed.error["limit"]) == ("timed_out", True, 0.05)


async def test_a_time_limit_of_the_handlers_own_is_a_defect_of_it(board: Jobs) -> None:
    async def handler(_: Run) -> None:
        raise TimeoutError("its own")

    await board.add()
    async with working(board, handler, limit_s=30):
        assert ((await ended(board)).error or {})["code"] == "internal"


async def test_a_defect_is_logged_with_its_traceback(board: Jobs, caplog: pytest.LogCaptureFixture) -> None:
    async def handler(_: Run) -> None:
        raise RuntimeError("the secret")

    await board.add()
    async with working(board, handler):
        job = await ended(board)
    assert (job.error or {})["code"] == "internal"
    assert [record.exc_info[1].args for record in caplog.records if record.exc_info and record.exc_info[1]] == [
        ("the secret",)
    ]


async def test_a_job_that_ended_while_the_service_stops_keeps_its_end(board: Jobs) -> None:
    begun = asyncio.Event()

    async def handler(run: Run) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await run.succeed({"answer": 42})

    await board.add()
    async with working(board, handler):
        await begun.wait()
    assert (await board.get("a")).result == {"answer": 42}


async def test_stopping_what_never_started_is_no_error(board: Jobs) -> None:
    await LocalDispatcher(board, succeed).stop()
