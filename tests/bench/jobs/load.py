"""How the backend itself does under load, the models being stand-ins: submits, events, lists, memory."""

from __future__ import annotations

import asyncio
import itertools
import json
import statistics
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any, TypeVar

import aiohttp
import sqlalchemy as sa

from cleanplate.runtime.store.schema import events, jobs
from tests.bench.jobs.pictures import ONE_MP, bar
from tests.bench.jobs.running import PATIENCE_S, Running, ended, p99_ms, running
from tests.bench.targets import Target

CALL_S = 0.2  # what a model takes where that matters
SMALL = 300, 200
SIZES = SMALL, (640, 480), (1000, 700), ONE_MP
BATCH = 100
SUBMITS = 300
WATCHED = 100
KEPT = 10_000
LISTS = 300
PROBE_EVERY_S = 0.05

T = TypeVar("T")


def submits(_: int) -> Iterator[Target]:
    """Submit 1 MP pictures one after the other while a thousand wait and four are at work."""
    queued, image = 1000, bar(1, ONE_MP)
    with running(CALL_S=str(CALL_S), BACKEND_QUEUE_LIMIT=str(queued + 2 * SUBMITS)) as services:
        for first in range(0, queued + BATCH, BATCH):
            services.post("jobs", *(bar(first + number, SMALL) for number in range(BATCH)))
        taken, floor = _timed(services, lambda _: services.post("jobs", image), range(SUBMITS))
        waiting = services.post("jobs", image).json()["position"]
    yield _p99(f"submit to 202, {waiting} queued", taken, floor, 100)


def pushes(_: int) -> Iterator[Target]:
    """Follow a hundred jobs by a WebSocket each, and all of them by another."""
    with running(CALL_S=str(CALL_S)) as services:
        own, all_, floor = asyncio.run(_watched(services))
    yield _p99("event to the job's own WebSocket", own, floor, 50)
    yield _p99("event to the WebSocket of all jobs", all_, floor, 50)


def lists(_: int) -> Iterator[Target]:
    """List ten thousand ended jobs: the newest, page after page, and of a state that is rare."""
    with running() as services:
        with services.log() as log:
            services.post("jobs", bar(1, SMALL))
            ended(log, 1)
        told = _multiply(services, KEPT)
        _counted(services, told)
        for what, queries in (
            ("the newest", itertools.repeat("")),
            ("page after page", _pages(services)),
            ("a state that none has", itertools.repeat("status=failed")),
        ):
            taken, floor = _timed(services, lambda query: _listed(services, query), itertools.islice(queries, LISTS))
            yield _p99(f"list of {KEPT}, {what}", taken, floor, 50)


def memory(count: int) -> Iterator[Target]:
    """Run jobs of pictures up to 1 MP, verified as by default, and look at the process."""
    with running() as services:
        idle_mb = services.memory_mb()
        yield Target("memory of the idle backend, MB", idle_mb, 150)
        pictures = [bar(number, size) for number, size in enumerate(SIZES)]
        seen, tenth = [idle_mb], count // 10
        with services.log() as log:
            for _ in range(10):
                for image in itertools.islice(itertools.cycle(pictures), tenth):
                    services.post("jobs", image)
                ended(log, tenth)
                seen.append(services.memory_mb())
        course = ", ".join(f"{size:.0f}" for size in seen[1:])
        yield Target(f"memory after {count} jobs / idle; {course} MB", seen[-1] / idle_mb, 1.1)


def _timed(services: Running, call: Callable[[T], object], given: Iterable[T]) -> tuple[list[float], list[float]]:
    """Return what each call took, and a request beside it that does nothing."""
    taken, floor = [], []
    for each in given:
        began = time.perf_counter()
        call(each)
        taken.append(time.perf_counter() - began)
        floor.append(services.probe_s())
    return taken, floor


def _p99(what: str, taken: list[float], floor: list[float], bound_ms: float) -> Target:
    told = f"median {1000 * statistics.median(taken):.0f}; probe {p99_ms(floor):.0f}"
    return Target(f"{what}, p99 of {len(taken)}, ms ({told})", p99_ms(taken), bound_ms)


async def _watched(services: Running) -> tuple[list[float], list[float], list[float]]:
    """Return the delays of all events that were committed while somebody listened to them, and those of probes."""
    own: list[float] = []
    all_: list[float] = []
    floor: list[float] = []
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        everything = group.create_task(_watch(session, services.websocket_url, all_))
        ids = [await asyncio.to_thread(_submit, services, number) for number in range(WATCHED)]
        probes = group.create_task(_probe(services, floor))
        watches = [group.create_task(_watch(session, f"{services.websocket_url}/{job_id}", own)) for job_id in ids]
        await asyncio.gather(*watches)
        everything.cancel()
        probes.cancel()
    return own, all_, floor


async def _probe(services: Running, taken: list[float]) -> None:
    while True:
        taken.append(await asyncio.to_thread(services.probe_s))
        await asyncio.sleep(PROBE_EVERY_S)


async def _watch(session: aiohttp.ClientSession, url: str, delays: list[float]) -> None:
    async with session.ws_connect(url) as websocket:
        listening_at = time.time()
        async for message in websocket:
            now = time.time()
            at = datetime.fromisoformat(json.loads(message.data)["at"]).timestamp()  # of its transaction
            if at > listening_at:
                delays.append(now - at)


def _submit(services: Running, number: int) -> str:
    job_id: str = services.post("jobs", bar(number, SMALL)).json()["job_id"]
    return job_id


def _counted(services: Running, events_told: int) -> None:
    """Return when the backend's metrics have so many events: it reads a log that grew at once for some seconds."""
    end = time.monotonic() + PATIENCE_S
    while services.events_counted() < events_told:
        assert time.monotonic() < end
        time.sleep(1)


def _multiply(services: Running, count: int) -> int:
    """Give the backend's store so many copies of the one job that has ended, each some seconds older.

    Returns:
        How many events they have.
    """
    store = sa.create_engine(f"sqlite:///{services.data / 'backend' / 'jobs.db'}")
    with store.begin() as connection:
        (job,) = connection.execute(sa.select(jobs).where(jobs.c.kind == "erase")).mappings()
        log = connection.execute(sa.select(events).where(events.c.job_id == job["id"])).mappings().all()
        names = [uuid.uuid4().hex for _ in range(count)]
        measured = {"files_bytes": job["files_bytes"] or 0}
        copies = [
            {**job, **measured, "id": name, "created_at": job["created_at"] - age} for age, name in enumerate(names)
        ]
        told = [{key: value for key, value in event.items() if key != "position"} for event in log]
        connection.execute(sa.insert(jobs), copies)
        connection.execute(sa.insert(events), [{**event, "job_id": name} for name in names for event in told])
    store.dispose()
    return len(names) * len(log)


def _listed(services: Running, query: str) -> dict[str, Any]:
    answer = services.http.get(f"{services.url}/jobs?{query}", timeout=PATIENCE_S)
    assert answer.ok, answer.text
    page: dict[str, Any] = answer.json()
    return page


def _pages(services: Running) -> Iterator[str]:
    """Yield the queries of the pages, from the newest on."""
    after = ""
    while True:
        yield after
        following = _listed(services, after)["next"]
        after = f"after={following}" if following else ""
