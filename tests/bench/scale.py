"""What dispatch costs a job, and what more workers bring: `tests/.venv/bin/python -m tests.bench.scale`.

The first table is the time of a job that does nothing, from its submit to its end as a follower sees it, one at a time:
SQLite and jobs in the process, PostgreSQL and Celery. The second is the throughput of jobs that sleep 200 ms, with one,
two and four worker processes of one slot. The floor of either is the sleep.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from cleanplate.runtime.board import Board, Wakeups
from cleanplate.runtime.dispatch.broker import Broker
from cleanplate.runtime.dispatch.local import LocalDispatcher
from cleanplate.runtime.dispatch.sender import Sender
from cleanplate.runtime.dispatch.worker import Worker
from cleanplate.runtime.files import JobFiles
from cleanplate.runtime.jobs import NewJob, new_id
from cleanplate.runtime.run import Run
from cleanplate.runtime.shared_wakeups import SharedWakeups
from cleanplate.runtime.store.sql import SqlStore
from tests.conftest import ROOT
from tests.scale.servers import Postgres, Redis

JOBS, SLEEP_S, PER_WORKER = 100, 0.2, 25


def board(store: str, folder: str, wakeups: Wakeups) -> Board:
    return Board("bench", SqlStore(store), JobFiles(folder), wakeups=wakeups)


async def handle(run: Run) -> None:
    await asyncio.sleep(run.job.params["sleep_s"])
    await run.succeed({})


async def job(jobs: Board, sleep_s: float) -> float:
    """Return how long a job takes from its submit to its end."""
    began, name = time.perf_counter(), new_id()
    await jobs.submit(NewJob(name, jobs.kind, {"sleep_s": sleep_s}, "digest"), {})
    async for _ in jobs.follow(name):
        pass
    return time.perf_counter() - began


async def local(folder: str) -> list[float]:
    jobs = board(f"sqlite:///{folder}/jobs.db", folder, Wakeups())
    dispatcher = LocalDispatcher(jobs, handle)
    await dispatcher.start()
    took = [await job(jobs, 0.0) for _ in range(JOBS)]
    await dispatcher.stop()
    jobs.close()
    return took


@asynccontextmanager
async def workers(count: int, store: str, redis: str, folder: str) -> AsyncIterator[Board]:
    """Give a board whose jobs so many processes run."""
    command = [sys.executable, "-m", "tests.bench.scale", store, redis, folder]
    running = [subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE) for _ in range(count)]  # noqa: ASYNC220
    jobs = board(store, folder, SharedWakeups(redis, "bench"))
    sender = Sender(jobs, Broker(redis, "bench"))
    async with jobs.wakeups.open():
        await sender.start()
        await asyncio.gather(*[job(jobs, SLEEP_S) for _ in range(count * 10)])  # until all are up
        yield jobs
        await sender.stop()
    jobs.close()
    for process in running:
        process.communicate()


async def work(store: str, redis: str, folder: str) -> None:
    """Run jobs until the end of the input."""
    jobs = board(store, folder, SharedWakeups(redis, "bench"))
    worker = Worker(jobs, handle, Broker(redis, "bench"))
    async with jobs.wakeups.open():
        await worker.start()
        await asyncio.to_thread(sys.stdin.read)
        await worker.stop()
    jobs.close()


async def main() -> None:
    with Postgres() as postgres, Redis() as redis, tempfile.TemporaryDirectory() as folder:
        took = await local(str(Path(folder)))
        print(f"no-op job, SQLite, in the process:   median {statistics.median(took) * 1000:6.1f} ms")
        rates = []
        for count in (1, 2, 4):
            async with workers(count, postgres.database(), redis.url, folder) as jobs:
                if count == 1:
                    took = [await job(jobs, 0.0) for _ in range(JOBS)]
                    print(f"no-op job, PostgreSQL and Celery:    median {statistics.median(took) * 1000:6.1f} ms")
                began = time.perf_counter()
                await asyncio.gather(*[job(jobs, SLEEP_S) for _ in range(count * PER_WORKER)])
                rates.append(count * PER_WORKER / (time.perf_counter() - began))
                share = rates[-1] / (count * rates[0])
                print(f"{count} worker(s), jobs of 200 ms:         {rates[-1]:6.2f} jobs/s, {share:.2f} of linear")


if __name__ == "__main__":
    asyncio.run(work(*sys.argv[1:]) if sys.argv[1:] else main())
