"""The servers of the tests at scale; each is started once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cleanplate.runtime.board import Board
from cleanplate.runtime.dispatch import Handler
from cleanplate.runtime.dispatch.broker import Broker
from cleanplate.runtime.dispatch.sender import Sender
from cleanplate.runtime.dispatch.worker import Worker
from cleanplate.runtime.files import JobFiles
from cleanplate.runtime.jobs import new_id
from cleanplate.runtime.store import JobStore
from cleanplate.runtime.store.sql import SqlStore
from tests.promises.conftest import Clock, Working, local
from tests.scale.servers import S3, Postgres, Redis


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with Postgres() as server:
        yield server


@pytest.fixture(scope="session")
def redis() -> Iterator[Redis]:
    with Redis() as server:
        yield server


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def url(postgres: Postgres) -> str:
    return postgres.database()


@pytest.fixture
def other_url(postgres: Postgres) -> str:
    return postgres.database()


@pytest.fixture
def store(url: str, clock: Clock) -> Iterator[JobStore]:
    made = SqlStore(url, clock)
    yield made
    made.close()


@pytest.fixture
async def board(postgres: Postgres, tmp_path: Path) -> AsyncIterator[Board]:
    made = Board("test", SqlStore(postgres.database()), JobFiles(str(tmp_path / "files")), poll_s=0.05)
    yield made
    made.close()


@pytest.fixture(params=["local", "celery"])
def working(request: pytest.FixtureRequest, redis: Redis) -> Working:
    @asynccontextmanager
    async def celery(board: Board, handler: Handler, lease_s: float = 30.0) -> AsyncIterator[None]:
        name = f"test-{new_id()}"
        sender = Sender(board, Broker(redis.url, name), lease_s=lease_s)
        worker = Worker(board, handler, Broker(redis.url, name), slots=2, lease_s=lease_s)
        await sender.start()
        await worker.start()
        try:
            yield
        finally:
            await worker.stop()
            await sender.stop()

    return local if request.param == "local" else celery


@pytest.fixture(scope="session")
def s3() -> Iterator[S3]:
    with S3() as server:
        yield server


@pytest.fixture
def files(s3: S3, monkeypatch: pytest.MonkeyPatch) -> JobFiles:
    for name, value in s3.environ().items():
        monkeypatch.setenv(name, value)
    return JobFiles(f"s3://bucket/{new_id()}")
