"""What tests of the pipeline may use."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from backend import clients, relay
from backend.app import routers
from backend.batches import Batches, open_board
from backend.intake import KIND
from backend.settings import BackendSettings
from cleanplate.runtime.access import Keys
from cleanplate.runtime.board import Board
from cleanplate.runtime.files import JobFiles
from cleanplate.runtime.links import Links
from cleanplate.runtime.metrics import Metrics
from cleanplate.runtime.outbound import AddressFilter, Outbound
from cleanplate.runtime.store.sql import SqlStore
from cleanplate.runtime.web import create_app
from tests.fakes.services import Inpaint

HERE = {"Authorization": "Bearer key"}
Open = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
async def board(tmp_path: Path) -> AsyncIterator[Board]:
    made = Board(KIND, SqlStore(f"sqlite:///{tmp_path}/jobs.db"), JobFiles(str(tmp_path / "files")), poll_s=0.05)
    yield made
    made.close()


@pytest.fixture
def services_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the relay ask the fake service, and lose no time between two tries."""

    def follow(client: Inpaint, task_id: str, after: int, patience_s: float) -> AsyncIterator[dict[str, Any]]:
        return client.follow(task_id, after)

    monkeypatch.setattr(relay, "follow", follow)
    monkeypatch.setattr(clients, "FIRST_PAUSE_S", 0.001)


@pytest.fixture
def opened(board: Board, tmp_path: Path) -> Open:
    """Open the backend with these settings; nobody works on its jobs yet."""

    @asynccontextmanager
    async def open_backend(**given: Any) -> AsyncIterator[httpx.AsyncClient]:
        @asynccontextmanager
        async def running() -> AsyncIterator[None]:
            yield

        settings = BackendSettings(data=tmp_path, **given)
        app = create_app(
            "test", "1", keys=Keys(["key", "other"]), metrics=Metrics("test"), limit_bytes=10_000_000, checks={},
            running=running,
        )  # fmt: skip
        outbound = Outbound(AddressFilter(allow_private=settings.allow_private_urls))
        for router in routers(board, outbound, Links(), settings, Batches(board, open_board(board))):
            app.include_router(router)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=HERE) as client:
            yield client

    return open_backend


def problem(answer: httpx.Response) -> tuple[int, str, str | None]:
    body = answer.json()
    return answer.status_code, body["code"], body.get("field")
