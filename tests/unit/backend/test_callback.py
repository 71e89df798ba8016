"""The inpaint-service's callbacks: only signed ones, only for tasks that are waited for, and what they do then."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import httpx
import pytest
from aiohttp import web

from backend import hints as backend_hints
from backend import relay
from backend.clients import InpaintClient
from backend.hints import Hints
from backend.routes.callback import CallbackRoutes
from backend.settings import BackendSettings
from cleanplate.runtime.access import Keys
from cleanplate.runtime.board import Board
from cleanplate.runtime.jobs import Change, NewJob
from cleanplate.runtime.metrics import Metrics
from cleanplate.runtime.signatures import HEADER, TOLERANCE_S, sign
from cleanplate.runtime.web import create_app

NOW = 1_000_000
BODY = json.dumps({"task_id": "a-1", "status": "completed"}).encode()


class Told(Hints):
    """Hints that remember what was said."""

    def __init__(self) -> None:
        super().__init__()
        self.tasks: list[str] = []

    def give(self, task_id: str) -> None:
        self.tasks.append(task_id)


@pytest.fixture
def told() -> Told:
    return Told()


@asynccontextmanager
async def opened(board: Board, told: Told, secret: str = "secret") -> AsyncIterator[httpx.AsyncClient]:
    @asynccontextmanager
    async def running() -> AsyncIterator[None]:
        yield

    app = create_app(
        "test", "1", keys=Keys(["key"]), metrics=Metrics("test"), limit_bytes=10_000, checks={}, running=running
    )
    app.include_router(CallbackRoutes(board, told, secret, 5.0, clock=lambda: NOW).router)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        yield client


async def post(client: httpx.AsyncClient, task_id: str = "a-1", **headers: str) -> int:
    path = f"/api/v1/iopaint/callback/{task_id}"
    return (await client.post(path, content=BODY, headers=headers)).status_code


async def add(board: Board, checkpoint: dict[str, Any]) -> None:
    await board.submit(NewJob("a", board.kind, {}, "d"), {})
    await board.record("a", Change("task_chosen", checkpoint=checkpoint))


@pytest.mark.parametrize("checkpoint", [{"task": "a-1"}, {"page-2": {"task": "a-1"}, "page-1": {"task": None}}])
async def test_a_signed_callback_reaches_the_job_that_waits(
    board: Board, told: Told, checkpoint: dict[str, Any]
) -> None:
    await add(board, checkpoint)
    async with opened(board, told) as client:
        assert await post(client, **{HEADER: sign("secret", BODY, NOW)}) == 204
    assert told.tasks == ["a-1"]


async def test_what_nobody_waits_for_is_404(board: Board, told: Told) -> None:
    async with opened(board, told) as client:
        assert await post(client, **{HEADER: sign("secret", BODY, NOW)}) == 404
        await add(board, {"task": "a-2"})
        assert await post(client, **{HEADER: sign("secret", BODY, NOW)}) == 404
        await board.record("a", Change("task_chosen", checkpoint={"task": "a-1"}))
        await board.cancel("a")
        assert await post(client, **{HEADER: sign("secret", BODY, NOW)}) == 404
    assert told.tasks == []


@pytest.mark.parametrize(("task_id", "header"), [
    ("a-1", ""), ("a-1", "t=1,v1=x"), ("a-1", sign("other", BODY, NOW)), ("a-1", sign("secret", BODY + b" ", NOW)),
    ("a-1", sign("secret", BODY, NOW - TOLERANCE_S - 1)), ("a-1", sign("secret", BODY, NOW + TOLERANCE_S + 1)),
    ("a-2", sign("secret", BODY, NOW)),
])  # fmt: skip
async def test_what_is_not_signed_for_this_task_is_401(board: Board, told: Told, task_id: str, header: str) -> None:
    await add(board, {"task": task_id})
    async with opened(board, told) as client:
        assert await post(client, task_id, **{HEADER: header}) == 401
    async with opened(board, told, secret="") as client:
        assert await post(client, task_id, **{HEADER: sign("", BODY, NOW)}) == 401
    assert told.tasks == []


@asynccontextmanager
async def silent_service(*statuses: str) -> AsyncIterator[tuple[InpaintClient, asyncio.Event]]:
    """A service whose WebSocket is greeted and says nothing more; what it answers when asked, the last for ever."""
    left, connected = list(statuses), asyncio.Event()

    async def progress(request: web.Request) -> web.WebSocketResponse:
        websocket = web.WebSocketResponse()
        await websocket.prepare(request)
        connected.set()
        await websocket.receive()
        return websocket

    async def status(_: web.Request) -> web.Response:
        return web.json_response({"status": left.pop(0) if len(left) > 1 else left[0]})

    app = web.Application()
    app.router.add_get("/api/v1/ws/progress/{id}", progress)
    app.router.add_get("/api/v1/task-status/{id}", status)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with aiohttp.ClientSession() as session:
            yield InpaintClient("inpaint", f"http://127.0.0.1:{runner.addresses[0][1]}", "", session, 5, 5), connected
    finally:
        await runner.cleanup()


async def test_the_word_ends_the_wait_on_a_connection_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend_hints, "GRACE_S", 0.0)

    async def followed(client: InpaintClient) -> list[str]:
        return [message["type"] async for message in relay.follow(client, "t", 0, 60)]

    async with asyncio.timeout(10), silent_service("completed") as (client, connected):
        following = asyncio.create_task(followed(client))
        await connected.wait()
        client.hints.give("another")
        while not following.done():
            client.hints.give("t")
            await asyncio.sleep(0)
        assert following.result() == ["task_completed"]


async def test_a_pause_ends_with_the_word() -> None:
    hints = Hints()
    async with asyncio.timeout(10):
        pausing = asyncio.create_task(hints.pause("t", 3600))
        while not pausing.done():
            hints.give("t")
            await asyncio.sleep(0)
        await hints.pause("t", 0.001)
    assert hints._wakeups._listeners == {}


def test_callbacks_are_not_asked_for_without_a_secret_to_know_them_by() -> None:
    with pytest.raises(ValueError, match="BACKEND_CALLBACK_SECRET"):
        BackendSettings(callback_url="http://backend:8000")
    with pytest.raises(ValueError, match="must begin with http"):
        BackendSettings.model_validate({"callback_url": "backend:8000", "callback_secret": "s"})
    BackendSettings.model_validate({"callback_url": "http://backend:8000", "callback_secret": "s"})
