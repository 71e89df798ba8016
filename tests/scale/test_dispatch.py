"""On PostgreSQL, and by Celery too, jobs are run as every dispatcher promises."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest
from kombu.exceptions import OperationalError

from cleanplate.contract.problems import UpstreamFailed
from cleanplate.runtime.board import Board
from cleanplate.runtime.dispatch.broker import Broker
from cleanplate.runtime.dispatch.sender import Sender
from cleanplate.runtime.dispatch.worker import Worker
from cleanplate.runtime.jobs import NewJob, new_id
from cleanplate.runtime.run import Run
from cleanplate.runtime.service import worker_checks
from cleanplate.runtime.settings import JobSettings
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


async def test_messages_that_nobody_takes_do_not_pile_up_and_lost_ones_are_sent_again(
    board: Board, redis: servers.Redis
) -> None:
    broker = Broker(redis.url, f"test-{new_id()}")
    looks: asyncio.Queue[int] = asyncio.Queue()
    sender = Sender(board, Watched(broker, looks), lease_s=0.05)  # type: ignore[arg-type]
    for name in ("a", "b", "c"):
        await board.submit(NewJob(name, board.kind, {}, "digest"), {})
    await sender.start()
    try:
        async with asyncio.timeout(LONGEST_S):
            assert [await looks.get() for _ in range(5)] == [3] * 5
            broker.app.control.purge()
            while await looks.get():
                pass
            while await looks.get() < 3:
                pass
            assert [await looks.get() for _ in range(5)] == [3] * 5
    finally:
        await sender.stop()


async def test_a_worker_is_not_ready_while_its_broker_is_away(tmp_path: Path) -> None:
    with servers.Redis() as redis:
        settings = JobSettings(data=tmp_path, broker_url=redis.url)
        assert worker_checks(settings, worker=False) == {}
        check = worker_checks(settings, worker=True)["broker"]
        assert await check() == "answers"
        redis.stop()
        with pytest.raises(UpstreamFailed, match="the broker does not answer"):
            await check()
        redis.start()
        assert await check() == "answers"


async def test_a_broker_that_is_there_and_says_nothing_is_away(redis: servers.Redis) -> None:
    broker = Broker(redis.url, f"test-{new_id()}")
    broker.app.conf.broker_transport_options["socket_timeout"] = 0.2
    assert redis.process is not None
    broker.send("a", 5)
    redis.process.send_signal(signal.SIGSTOP)
    try:
        async with asyncio.timeout(LONGEST_S):
            for call in (lambda: broker.send("b", 5), broker.waiting, broker.check):
                with pytest.raises(OperationalError):
                    await asyncio.to_thread(call)
    finally:
        redis.process.send_signal(signal.SIGCONT)
    broker.send("c", 5)
    assert broker.waiting() >= 2
    broker.app.close()


class Watched:
    """A broker that tells how many messages it found whenever it is asked."""

    def __init__(self, broker: Broker, looks: asyncio.Queue[int]):
        self.app, self.send = broker.app, broker.send
        self._broker, self._looks, self._loop = broker, looks, asyncio.get_running_loop()

    def waiting(self) -> int:
        found = self._broker.waiting()
        self._loop.call_soon_threadsafe(self._looks.put_nowait, found)
        return found


async def run_to_end(board: Board, job: str) -> None:
    """Submit a job and return when it has succeeded."""
    await board.submit(NewJob(job, board.kind, {}, "digest"), {})
    async with asyncio.timeout(LONGEST_S):
        assert [event.type async for event in board.follow(job)][-1] == "succeeded"
