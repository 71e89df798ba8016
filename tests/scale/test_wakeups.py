"""Listeners in one process hear over Redis what another one did, and poll while it is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from cleanplate.runtime.board import Board
from cleanplate.runtime.files import JobFiles
from cleanplate.runtime.jobs import Change, NewJob, State, new_id
from cleanplate.runtime.shared_wakeups import SharedWakeups
from cleanplate.runtime.store.sql import SqlStore
from tests.scale.servers import Redis

NEVER_S = 600.0


@pytest.fixture
async def replicas(redis: Redis, tmp_path: Path) -> AsyncIterator[tuple[Board, Board]]:
    name, store = new_id(), f"sqlite:///{tmp_path}/jobs.db"
    made = [
        Board("test", SqlStore(store), JobFiles(str(tmp_path)), poll_s=NEVER_S, wakeups=SharedWakeups(redis.url, name))
        for _ in range(2)
    ]
    async with AsyncExitStack() as stack:
        for board in made:
            stack.callback(board.close)
            await stack.enter_async_context(board.wakeups.open())
        await both_hear(*made)
        yield made[0], made[1]


async def both_hear(one: Board, other: Board) -> None:
    """Return when each hears the other."""
    for speaker, hearer in ((one, other), (other, one)):
        with hearer.wakeups.listen("hello") as heard:
            async with asyncio.timeout(30):
                while not heard.is_set():  # a word that is said while nobody is subscribed is lost
                    speaker.wakeups.notify("hello")
                    await asyncio.sleep(0.02)


async def submitted(board: Board) -> None:
    await board.submit(NewJob("a", board.kind, {}, "digest"), {})


async def test_a_follower_at_another_replica_sees_each_event_at_once(replicas: tuple[Board, Board]) -> None:
    one, other = replicas
    await submitted(one)
    seen = []
    async with asyncio.timeout(30):
        async for event in other.follow("a"):
            seen.append(event.type)
            if event.type == "queued":
                await one.record("a", Change("note"))
            if event.type == "note":
                await one.cancel("a")
    assert seen == ["queued", "note", "cancelled"]


async def test_whoever_waits_for_jobs_is_woken_by_a_submit_and_by_an_end_elsewhere(
    replicas: tuple[Board, Board],
) -> None:
    one, other = replicas
    for act in (submitted(one), one.cancel("a")):
        with other.wakeups.listen("queue:test") as wakeup:
            await act
            async with asyncio.timeout(30):
                await wakeup.wait()


async def test_while_redis_is_away_listeners_poll_and_later_they_hear_again(
    redis: Redis, replicas: tuple[Board, Board], caplog: pytest.LogCaptureFixture
) -> None:
    one, other = replicas
    await submitted(one)
    redis.stop()
    other._poll_s = 0.05
    await other.call(other.store.record, "a", Change("cancelled", state=State.CANCELLED))
    async with asyncio.timeout(30):
        assert [event.type async for event in other.follow("a")] == ["queued", "cancelled"]
    redis.start()
    await both_hear(one, other)
    lost = [message for message in caplog.messages if message.startswith("wake-ups are not shared")]
    again = [message for message in caplog.messages if message.startswith("wake-ups are shared again")]
    assert (len(lost), len(again)) == (2, 2)  # once each
