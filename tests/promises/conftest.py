"""Every implementation of a seam that needs no server, made fresh for each test; `tests/scale` has the others."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol

import fsspec
import pytest

from cleanplate.runtime.board import Board
from cleanplate.runtime.dispatch import Handler
from cleanplate.runtime.dispatch.local import LocalDispatcher
from cleanplate.runtime.files import JobFiles
from cleanplate.runtime.store import JobStore
from cleanplate.runtime.store.sql import SqlStore


class Clock:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Working(Protocol):
    """Has a board's jobs handled, two at once, while the context is open."""

    def __call__(self, board: Board, handler: Handler, lease_s: float = 30.0) -> AbstractAsyncContextManager[None]: ...


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Where a store may be made."""
    return f"sqlite:///{tmp_path}/jobs.db"


@pytest.fixture
def other_url(tmp_path: Path) -> str:
    """Where another may be."""
    return f"sqlite:///{tmp_path}/other.db"


@pytest.fixture(params=["sqlite"])
def store(url: str, clock: Clock) -> Iterator[JobStore]:
    made = SqlStore(url, clock)
    yield made
    made.close()


@pytest.fixture(params=["folder", "memory"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[JobFiles]:
    yield JobFiles(str(tmp_path / "files") if request.param == "folder" else f"memory://{tmp_path.name}/files")
    fsspec.filesystem("memory").store.clear()


@pytest.fixture
async def board(tmp_path: Path) -> AsyncIterator[Board]:
    made = Board("test", SqlStore(f"sqlite:///{tmp_path}/jobs.db"), JobFiles(str(tmp_path / "files")), poll_s=0.05)
    yield made
    made.close()


@pytest.fixture
def working() -> Working:
    return local


@asynccontextmanager
async def local(board: Board, handler: Handler, lease_s: float = 30.0) -> AsyncIterator[None]:
    dispatcher = LocalDispatcher(board, handler, slots=2, lease_s=lease_s)
    await dispatcher.start()
    try:
        yield
    finally:
        await dispatcher.stop()
