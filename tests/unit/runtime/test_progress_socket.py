"""The older progress WebSocket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from cleanplate.runtime.access import USUAL, Caller, Scope
from cleanplate.runtime.jobs import State
from cleanplate.runtime.progress_socket import ProgressSocket
from tests.unit.runtime.conftest import Jobs, Peer, until
from tests.unit.runtime.test_jobs import UNSAFE


def url(task_id: str) -> str:
    return f"http://own.test/{task_id}"


@asynccontextmanager
async def connected(
    board: Jobs, peer: Peer, task_id: str | None = None, after: int | None = None, owner: str = "", scopes: Any = USUAL
) -> AsyncIterator[ProgressSocket]:
    socket = ProgressSocket(peer.websocket, board, Caller(owner, scopes), url, sessions=True)
    served = asyncio.create_task(socket.serve(task_id, after))
    assert (await peer.hears())["type"] == "connection_established"
    yield socket
    peer.leave()
    async with asyncio.timeout(5):
        await served
    assert board.wakeups._listeners == {}


async def test_a_task_is_followed_to_its_end(board: Jobs, peer: Peer) -> None:
    run = await board.claimed()
    async with connected(board, peer, "a"):
        assert (await peer.hears())["type"] == "progress_update"  # where it stands
        await run.report("masking", 0.5)
        assert (await peer.hears())["progress"] == 50.0
        await run.succeed({"regions": []})
        assert (await peer.hears())["type"] == "task_completed"


async def test_a_client_that_returns_gets_what_it_missed(board: Jobs, peer: Peer) -> None:
    run = await board.claimed()
    for step in range(1, 4):
        await run.report(f"stage{step}", step / 10)
    async with connected(board, peer, "a", after=3):
        assert [(await peer.hears())["seq"] for _ in range(2)] == [4, 5]


async def test_a_client_of_an_ended_task_gets_the_end_at_once(board: Jobs, peer: Peer) -> None:
    await board.add()
    await board.cancel("a")
    async with connected(board, peer, "a"):
        assert (await peer.hears())["type"] == "task_cancelled"


async def test_a_client_may_come_before_its_task(board: Jobs, peer: Peer) -> None:
    async with connected(board, peer, "a"):
        assert "yet" in (await peer.hears())["error"]
        await board.add()
        assert (await peer.hears_type("progress_update"))["task_id"] == "a"


async def test_all_tasks_are_those_of_the_caller_and_from_now_on(board: Jobs, peer: Peer) -> None:
    await board.claimed("old", "me")
    async with connected(board, peer, owner="me"):
        await board.end(State.CANCELLED, "old")
        assert (await peer.hears())["task_id"] == "old"
        for job_id, owner in (("theirs", "you"), ("mine", "me")):
            await board.add(job_id, owner)
            await board.end(State.CANCELLED, job_id)
        assert (await peer.hears())["task_id"] == "mine"


async def test_commands_are_obeyed(board: Jobs, peer: Peer) -> None:
    await board.claimed()
    async with connected(board, peer):
        peer.say({"type": "ping", "timestamp": "t"})
        assert await peer.hears() == {"type": "pong", "timestamp": "t"}
        peer.say({"type": "get_task_status", "task_id": "a"})
        assert (await peer.hears())["type"] == "progress_update"
        peer.say({"type": "subscribe_task", "task_id": "a", "after": 1})
        assert (await peer.hears())["type"] == "task_subscribed"
        assert (await peer.hears())["type"] == "task_started"
        peer.say({"type": "unsubscribe_task", "task_id": "a"})
        assert (await peer.hears())["type"] == "task_unsubscribed"
        peer.say({"type": "cancel_task", "task_id": "a"})
        assert (await peer.hears())["type"] == "task_cancelled"
        peer.say({"type": "cancel_task", "task_id": "a"})
        assert "is cancelled" in (await peer.hears())["error"]
    assert (await board.get("a")).state is State.CANCELLED


@pytest.mark.parametrize("type_", ["subscribe_task", "unsubscribe_task", "get_task_status", "cancel_task"])
async def test_no_command_reaches_what_is_not_the_callers(board: Jobs, peer: Peer, type_: str) -> None:
    await board.add("theirs", "you")
    async with connected(board, peer, owner="me"):
        for task_id in ("theirs", "never", None, 7, ["a"], *UNSAFE):
            peer.say({"type": type_, "task_id": task_id})
            assert (await peer.hears())["type"] == "error"
    assert (await board.get("theirs")).state is State.QUEUED


async def test_who_may_only_read_cannot_cancel(board: Jobs, peer: Peer) -> None:
    await board.add(owner="me")
    async with connected(board, peer, owner="me", scopes=[Scope.READ]):
        peer.say({"type": "cancel_task", "task_id": "a"})
        assert "scope submit" in (await peer.hears())["error"]
    assert (await board.get("a")).state is State.QUEUED


async def test_a_cursor_that_is_none_is_answered_with_an_error(board: Jobs, peer: Peer) -> None:
    await board.add()
    async with connected(board, peer):
        for after in (-1, "1", 1.5, True, 10**30, [1]):
            peer.say({"type": "subscribe_task", "task_id": "a", "after": after})
            assert "whole number" in (await peer.hears())["error"]


async def test_a_feed_that_ended_is_forgotten(board: Jobs, peer: Peer) -> None:
    await board.add()
    await board.cancel("a")
    async with connected(board, peer) as socket:
        peer.say({"type": "subscribe_task", "task_id": "a"})
        await peer.hears_type("task_cancelled")
        await until(lambda: set(socket._feeds) == {""})


async def test_subscribing_again_replaces_the_feed(board: Jobs, peer: Peer) -> None:
    run = await board.claimed()
    async with connected(board, peer, "a") as socket:
        await peer.hears_type("progress_update")
        for _ in range(3):
            peer.say({"type": "subscribe_task", "task_id": "a"})
        for _ in range(3):
            await peer.hears_type("task_subscribed")
        await peer.hears_type("progress_update")
        assert set(socket._feeds) == {"a"}
        await run.succeed({"regions": []})
        await peer.hears_type("task_completed")


async def test_progress_comes_no_faster_than_wished_but_no_stage_is_missed(board: Jobs, peer: Peer) -> None:
    run = await board.claimed(progress_interval=60.0)
    async with connected(board, peer, "a", after=2):
        for stage, progress in (("masking", 0.1), ("masking", 0.2), ("inpainting", 0.3), ("inpainting", 0.4)):
            await run.report(stage, progress)
        await run.succeed({"regions": []})
        told = [await peer.hears() for _ in range(3)]
    assert [message.get("progress") for message in told] == [10.0, 30.0, None]


async def test_a_task_may_wish_for_no_progress(board: Jobs, peer: Peer) -> None:
    run = await board.claimed(enable_progress=False)
    async with connected(board, peer, "a", after=1):
        await run.report("masking", 0.1)
        await run.succeed({"regions": []})
        assert [(await peer.hears())["type"] for _ in range(2)] == ["task_started", "task_completed"]


async def test_a_client_that_vanishes_ends_its_feeds(board: Jobs, peer: Peer) -> None:
    run = await board.claimed()
    async with connected(board, peer, "a"):
        await peer.hears()
        peer.gone = True
        await run.report("masking", 0.5)
        await until(lambda: board.wakeups._listeners == {})
