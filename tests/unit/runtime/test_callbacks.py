"""Callbacks: promised once, kept after the end, tried again, and never forgotten by a restart."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from cleanplate.contract.problems import AddressRefused, Expired, Problem, TimedOut, UpstreamFailed
from cleanplate.runtime.callbacks import KIND, LONGEST_PAUSE_S, Courier, pause_s, promise
from cleanplate.runtime.files import JobFiles
from cleanplate.runtime.jobs import Change, Job, NewJob, State
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
    return Courier(board, payload, server, tries=tries, clock=lambda: 0.0)


async def promised(board: Jobs) -> None:
    """Add a job with a promise about it."""
    new = NewJob("a", board.kind, {}, "digest")
    await board.submit(new, {}, [promise(new, URL)])


async def taken(promises: Jobs) -> Run | None:
    job = await promises.call(promises.store.claim, [KIND], "worker", 30.0, 3)
    return None if job is None else Run(promises, job)


async def tried(board: Jobs, promises: Jobs, server: Server, tries: int = 3) -> Run:
    """Take the promise and try to keep it once."""
    run = await taken(promises)
    assert run is not None
    await courier(board, server, tries)(run)
    return run


async def noted(board: Jobs) -> list[tuple[str, Any]]:
    events = await board.call(board.store.events, "a", 0, 100)
    return [(event.type, event.data.get("tries")) for event in events if event.type.startswith("callback")]


async def test_a_promise_is_not_taken_up_before_the_job_has_ended(board: Jobs, promises: Jobs) -> None:
    await promised(board)
    assert await taken(promises) is None
    await board.cancel("a")
    server = Server(200)
    run = await tried(board, promises, server)
    assert server.got == [(URL, {"id": "a", "state": "cancelled"})]
    assert await noted(board) == [("callback_delivered", 1)]
    assert run.job.state is State.SUCCEEDED


async def test_a_job_submitted_twice_has_one_promise(board: Jobs, promises: Jobs) -> None:
    for _ in range(2):
        await promised(board)
    assert (await promises.call(promises.store.counts, KIND))[State.QUEUED] == 1


async def test_a_job_whose_id_is_used_again_has_a_promise_of_its_own(board: Jobs, promises: Jobs) -> None:
    for _ in range(2):
        await promised(board)
        await board.cancel("a")
        await board.forget("a")
    assert (await promises.call(promises.store.counts, KIND))[State.QUEUED] == 2


async def test_a_job_that_was_queued_again_meanwhile_is_told_of_at_its_next_end(board: Jobs, promises: Jobs) -> None:
    await promised(board)
    await board.end(State.FAILED)
    run = await taken(promises)
    assert run is not None
    await board.record("a", Change("retried", state=State.QUEUED))
    server = Server(200)
    await courier(board, server)(run)
    assert (server.got, run.job.state) == ([], State.QUEUED)


async def test_a_server_that_is_away_is_asked_again(board: Jobs, promises: Jobs) -> None:
    await promised(board)
    await board.cancel("a")
    server = Server(503, TimedOut("no answer"), 204)
    for state in (State.QUEUED, State.QUEUED, State.SUCCEEDED):
        assert (await tried(board, promises, server)).job.state is state
    assert await noted(board) == [("callback_delivered", 3)]


async def test_an_unexpected_error_does_not_break_the_promise(
    board: Jobs, promises: Jobs, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(_: Job) -> dict[str, Any]:
        raise OSError("the disk is away")

    await promised(board)
    await board.cancel("a")
    run = await taken(promises)
    assert run is not None
    await Courier(board, broken, Server(200), tries=3)(run)
    assert run.job.state is State.QUEUED
    assert "the disk is away" in caplog.text


async def test_the_next_try_is_not_before_its_time(board: Jobs, promises: Jobs) -> None:
    await promised(board)
    await board.cancel("a")
    run = await taken(promises)
    assert run is not None
    await Courier(board, payload, Server(503), tries=3)(run)
    assert await taken(promises) is None


@pytest.mark.parametrize("answer", [429, 500, UpstreamFailed("no connection")])
async def test_after_the_last_try_it_is_given_up_and_noted(board: Jobs, promises: Jobs, answer: int | Problem) -> None:
    await promised(board)
    await board.cancel("a")
    server = Server(answer)
    await tried(board, promises, server, tries=2)
    with pytest.raises(UpstreamFailed, match="at try 2"):
        await tried(board, promises, server, tries=2)
    assert len(server.got) == 2
    assert await noted(board) == [("callback_given_up", 2)]


@pytest.mark.parametrize("answer", [301, 400, 404, 410, AddressRefused("leads inside")])
async def test_what_no_later_try_would_change_is_given_up_at_once(
    board: Jobs, promises: Jobs, answer: int | Problem
) -> None:
    await promised(board)
    await board.cancel("a")
    with pytest.raises(UpstreamFailed, match="at try 1"):
        await tried(board, promises, Server(answer))
    assert await noted(board) == [("callback_given_up", 1)]


async def test_a_job_that_was_deleted_ends_its_promise(board: Jobs, promises: Jobs) -> None:
    await promised(board)
    await board.cancel("a")
    await board.forget("a")
    with pytest.raises(Expired):
        await tried(board, promises, Server(200))


def test_pauses_grow_up_to_an_hour() -> None:
    pauses = [pause_s(tries) for tries in range(1, 20)]
    assert 0.75 <= pauses[0] <= 1.25
    assert 3 <= pauses[1] <= 5
    assert all(0.75 * LONGEST_PAUSE_S <= pause <= 1.25 * LONGEST_PAUSE_S for pause in pauses[6:])
