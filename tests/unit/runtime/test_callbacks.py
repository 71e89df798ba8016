"""Callbacks: promised once, kept after the end, tried again, and never forgotten by a restart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from cleanplate.contract.problems import Expired, Problem, TimedOut, UpstreamFailed
from cleanplate.runtime.callbacks import KIND, LONGEST_PAUSE_S, Courier, promise
from cleanplate.runtime.files import JobFiles
from cleanplate.runtime.jobs import Job, State
from cleanplate.runtime.run import Run
from tests.unit.runtime.conftest import Jobs

URL = "http://client.test/done"


@pytest.fixture
async def promises(board: Jobs, tmp_path: Path) -> AsyncIterator[Jobs]:
    made = Jobs(KIND, board.store, JobFiles(str(tmp_path / "files")), poll_s=0.02)
    yield made
    made.close()


class Server:
    """A client's server that answers as told, the last answer for ever."""

    def __init__(self, *answers: int | Problem) -> None:
        self.answers = list(answers)
        self.got: list[tuple[str, dict[str, Any]]] = []

    async def __call__(self, url: str, body: dict[str, Any]) -> int:
        self.got.append((url, body))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Problem):
            raise answer
        return answer


async def payload(job: Job) -> dict[str, Any]:
    return {"id": job.id, "state": job.state.value}


def courier(board: Jobs, server: Server, tries: int = 3) -> Courier:
    return Courier(board, payload, server, tries=tries, first_pause_s=0.0)


async def taken(board: Jobs, promises: Jobs) -> Run:
    await promise(promises, await board.get("a"), URL)
    job = await promises.call(promises.store.claim, [KIND], "worker", 30.0, 3)
    assert job is not None
    return Run(promises, job)


async def noted(board: Jobs) -> list[tuple[str, Any]]:
    events = await board.call(board.store.events, "a", 0, 100)
    return [(event.type, event.data.get("tries")) for event in events if event.type.startswith("callback")]


async def test_a_promise_is_kept_once_the_job_has_ended_and_not_before(board: Jobs, promises: Jobs) -> None:
    await board.add()
    server, run = Server(200), await taken(board, promises)
    keeping = asyncio.create_task(courier(board, server)(run))
    await asyncio.wait([keeping], timeout=0.05)
    assert server.got == []
    await board.cancel("a")
    await keeping
    assert server.got == [(URL, {"id": "a", "state": "cancelled"})]
    assert await noted(board) == [("callback_delivered", 1)]
    assert run.job.state is State.SUCCEEDED


async def test_a_promise_made_twice_is_one(board: Jobs, promises: Jobs) -> None:
    job = await board.add()
    for _ in range(2):
        await promise(promises, job, URL)
    assert (await promises.call(promises.store.counts, KIND))[State.QUEUED] == 1


async def test_a_server_that_is_away_is_asked_again(board: Jobs, promises: Jobs) -> None:
    await board.add()
    await board.cancel("a")
    server, run = Server(503, TimedOut("no answer"), 204), await taken(board, promises)
    await courier(board, server)(run)
    assert len(server.got) == 3
    assert await noted(board) == [("callback_delivered", 3)]


@pytest.mark.parametrize("answer", [301, 404, 500, UpstreamFailed("no connection")])
async def test_after_the_last_try_it_is_given_up_and_noted(board: Jobs, promises: Jobs, answer: int | Problem) -> None:
    await board.add()
    await board.cancel("a")
    server, run = Server(answer), await taken(board, promises)
    with pytest.raises(UpstreamFailed, match="3 tries"):
        await courier(board, server)(run)
    assert len(server.got) == 3
    assert await noted(board) == [("callback_given_up", 3)]


async def test_a_restart_goes_on_with_the_tries_that_are_left(board: Jobs, promises: Jobs) -> None:
    await board.add()
    await board.cancel("a")
    first, run = Server(503), await taken(board, promises)
    with pytest.raises(UpstreamFailed):
        await courier(board, first, tries=2)(run)
    job = await promises.get(run.job.id)
    second = Server(200)
    await courier(board, second, tries=3)(Run(promises, job))
    assert (len(first.got), len(second.got)) == (2, 1)
    assert await noted(board) == [("callback_given_up", 2), ("callback_delivered", 3)]


async def test_a_job_that_was_deleted_ends_its_promise(board: Jobs, promises: Jobs) -> None:
    await board.add()
    await board.cancel("a")
    run = await taken(board, promises)
    await board.forget("a")
    with pytest.raises(Expired):
        await courier(board, Server(200))(run)


def test_pauses_grow_up_to_an_hour(board: Jobs) -> None:
    slow = Courier(board, payload, Server(200), tries=20)
    pauses = [slow._pause_s(attempt) for attempt in range(1, 20)]
    assert 0.75 <= pauses[0] <= 1.25
    assert 3 <= pauses[1] <= 5
    assert all(0.75 * LONGEST_PAUSE_S <= pause <= 1.25 * LONGEST_PAUSE_S for pause in pauses[6:])
