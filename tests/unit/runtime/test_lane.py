"""A lane: bounded, honest about its queue, and never in the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from cleanplate.contract.problems import EngineBusy, EngineUnavailable, TimedOut
from cleanplate.runtime import logs
from cleanplate.runtime.lane import Lane
from tests.unit.runtime.conftest import until


class Gate:
    """A call that tells when it has begun and ends when it may."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.may_end = threading.Event()
        self.ran = 0

    def __call__(self) -> str:
        self.ran += 1
        self.begun.set()
        assert self.may_end.wait(10)
        return "done"


@pytest.fixture
def gate() -> Iterator[Gate]:
    made = Gate()
    yield made
    made.may_end.set()


@pytest.fixture
def lane(gate: Gate) -> Iterator[Lane]:
    made = Lane("engine", threads=1, queue_limit=2)
    yield made
    gate.may_end.set()
    made.close()


async def begun(lane: Lane, gate: Gate) -> asyncio.Task[str]:
    task = asyncio.create_task(lane.run(gate))
    await asyncio.to_thread(gate.begun.wait, 10)
    return task


async def emptied(lane: Lane) -> None:
    await until(lambda: lane._inside == 0)


async def test_a_call_runs_in_a_thread_of_the_lane(lane: Lane) -> None:
    assert (await lane.run(lambda: threading.current_thread().name)).startswith("engine")


async def test_what_a_call_raises_reaches_its_caller(lane: Lane) -> None:
    for error in (KeyError("x"), TimeoutError("the engine's own"), EngineUnavailable("no")):

        def call(error: Exception = error) -> None:
            raise error

        with pytest.raises(type(error)) as caught:
            await lane.run(call, timeout_s=10)
        assert str(caught.value) == str(error)
    await emptied(lane)


async def test_a_call_logs_under_its_request(lane: Lane) -> None:
    logs.request_id.set("the-request")
    assert await lane.run(logs.request_id.get) == "the-request"


async def test_more_than_may_wait_are_refused(lane: Lane, gate: Gate) -> None:
    running = await begun(lane, gate)
    waiting = [asyncio.create_task(lane.run(lambda: "next")) for _ in range(2)]
    await asyncio.sleep(0)
    assert lane.waiting == 2
    with pytest.raises(EngineBusy) as refused:
        await lane.run(lambda: "refused")
    assert (refused.value.extra, refused.value.retry_after_s) == ({"queue_length": 2, "limit": 2}, 2)
    gate.may_end.set()
    assert await asyncio.gather(running, *waiting) == ["done", "next", "next"]
    assert lane.waiting == 0


async def test_a_call_that_waits_too_long_is_never_begun(lane: Lane, gate: Gate) -> None:
    running, late = await begun(lane, gate), Gate()
    with pytest.raises(TimedOut):
        await lane.run(late, timeout_s=0.01)
    assert lane.waiting == 0
    gate.may_end.set()
    await running
    assert await lane.run(lambda: late.ran) == 0


async def test_a_call_whose_turn_does_not_come_may_be_tried_again(lane: Lane, gate: Gate) -> None:
    running, late = await begun(lane, gate), Gate()
    with pytest.raises(EngineUnavailable, match=r"not its turn within 0\.01 s") as caught:
        await lane.run(late, queue_s=0.01)
    assert caught.value.retry_after_s is not None
    assert lane.waiting == 0
    gate.may_end.set()
    await running
    assert await lane.run(lambda: late.ran) == 0


async def test_a_call_that_has_begun_takes_longer_than_it_may_wait(lane: Lane, gate: Gate) -> None:
    def call() -> bool:
        return gate.begun.wait(0.05)

    assert await lane.run(call, queue_s=0.01) is False


async def test_a_call_that_takes_too_long_holds_its_thread(lane: Lane, gate: Gate) -> None:
    with pytest.raises(TimedOut):
        await lane.run(gate, timeout_s=0.05)
    assert lane._inside == 1
    waiting = asyncio.create_task(lane.run(lambda: "next"))
    await asyncio.sleep(0)
    assert lane.waiting == 1
    gate.may_end.set()
    assert await waiting == "next"
    await emptied(lane)


async def test_a_caller_that_leaves_takes_its_waiting_call_along(lane: Lane, gate: Gate) -> None:
    running, left = await begun(lane, gate), Gate()
    waiting = asyncio.create_task(lane.run(left))
    await asyncio.sleep(0)
    assert lane.waiting == 1
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert lane.waiting == 0
    gate.may_end.set()
    await running
    assert left.ran == 0


async def test_a_caller_that_leaves_a_running_call_is_let_go_at_once(lane: Lane, gate: Gate) -> None:
    running = await begun(lane, gate)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    gate.may_end.set()
    await emptied(lane)


async def test_closing_ends_what_runs_and_tells_what_waits(lane: Lane, gate: Gate) -> None:
    running = await begun(lane, gate)
    waiting = asyncio.create_task(lane.run(lambda: "never"))
    await asyncio.sleep(0)
    closing = asyncio.create_task(asyncio.to_thread(lane.close))
    with pytest.raises(EngineUnavailable):
        await waiting
    gate.may_end.set()
    await closing
    assert await running == "done"
    for _ in range(5):  # a refused call takes no place
        with pytest.raises(EngineUnavailable):
            await lane.run(lambda: "too late")
    assert lane._inside == 0
