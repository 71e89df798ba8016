"""Following a task through dropped connections."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from backend import relay
from backend.clients import InpaintClient
from backend.hints import Hints
from cleanplate.contract.problems import Expired, NotFound, Problem, UpstreamFailed

UPDATE = {"type": "progress_update", "overall_progress": 1, "message": "", "current_region": 0, "total_regions": 1}

Socket = Callable[[web.WebSocketResponse, int], Awaitable[None]]


@asynccontextmanager
async def service(socket: Socket, status: Callable[[], Any] | dict[str, Any] | int) -> AsyncIterator[InpaintClient]:
    async def progress(request: web.Request) -> web.WebSocketResponse:
        websocket = web.WebSocketResponse()
        await websocket.prepare(request)
        await socket(websocket, int(request.query["after"]))
        await websocket.close()
        return websocket

    async def task_status(_: web.Request) -> web.Response:
        if isinstance(status, int):
            code = {404: "not_found", 410: "expired"}[status]
            return web.json_response({"code": code, "detail": "gone"}, status=status)
        return web.json_response(status() if callable(status) else status)

    app = web.Application()
    app.router.add_get("/api/v1/ws/progress/{id}", progress)
    app.router.add_get("/api/v1/task-status/{id}", task_status)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with aiohttp.ClientSession() as session:
            yield InpaintClient("inpaint", f"http://127.0.0.1:{runner.addresses[0][1]}", "", session, 5, 5)
    finally:
        await runner.cleanup()


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "FIRST_PAUSE_S", 0.001)


async def followed(client: InpaintClient, patience_s: float = 5.0) -> list[dict[str, Any]]:
    return [message async for message in relay.follow(client, "t", 0, patience_s)]


async def test_messages_come_once_each_however_often_the_connection_drops() -> None:
    cursors: list[int] = []

    async def socket(websocket: web.WebSocketResponse, after: int) -> None:
        cursors.append(after)
        await websocket.send_json({"type": "connection_established"})
        last = after + 2  # two messages, the first of them seen already, then the connection drops
        for seq in range(max(1, after), last + 1):
            await websocket.send_json({"type": "task_completed", "seq": seq} if seq == 6 else {**UPDATE, "seq": seq})

    async with service(socket, {"status": "processing"}) as client:
        messages = await followed(client)
    assert [message["seq"] for message in messages if "seq" in message] == [1, 2, 3, 4, 5, 6]
    assert cursors == [0, 2, 4]
    assert sum(message["type"] == "reconnecting" for message in messages) == 2


async def test_a_connection_that_tells_no_more_of_the_task_is_given_up() -> None:
    async def socket(websocket: web.WebSocketResponse, _: int) -> None:
        await websocket.send_json({"type": "error", "message": "the feed ended"})
        await websocket.receive()

    async with service(socket, {"status": "completed", "seq": 4}) as client:
        assert [message["type"] for message in await followed(client)] == ["task_completed"]


async def test_who_stops_listening_leaves_no_connection() -> None:
    left: list[str] = []

    class Seen(Hints):
        @asynccontextmanager
        async def closing(self, task_id: str, websocket: aiohttp.ClientWebSocketResponse) -> AsyncIterator[None]:
            try:
                yield
            finally:
                left.append(task_id)

    async def socket(websocket: web.WebSocketResponse, after: int) -> None:
        await websocket.send_json({**UPDATE, "seq": 1})
        await websocket.receive()

    async with service(socket, {"status": "processing"}) as client:
        client.hints = Seen()
        messages = relay.follow(client, "t", 0, 5.0)
        assert (await anext(messages))["seq"] == 1
        await messages.aclose()
        assert left == ["t"]


async def test_an_end_that_no_connection_tells_is_found_by_asking() -> None:
    async def socket(websocket: web.WebSocketResponse, after: int) -> None:
        await websocket.send_str(json.dumps({**UPDATE, "seq": 1}) if not after else "no json")

    async with service(socket, {"status": "error", "error_message": "no memory", "retryable": True}) as client:
        messages = await followed(client)
    assert (messages[-1]["type"], messages[-1]["error_message"]) == ("task_failed", "no memory")
    assert messages[-1]["retryable"]


@pytest.mark.parametrize(("status", "problem"), [(404, NotFound), (410, Expired)])
async def test_a_task_that_nobody_knows_any_more_is_not_waited_for(status: int, problem: type[Problem]) -> None:
    async def socket(websocket: web.WebSocketResponse, after: int) -> None:
        await websocket.send_json({"type": "error", "error": "there is no task"})

    async with service(socket, status) as client:
        with pytest.raises(problem):
            await followed(client)


async def test_where_no_connection_lasts_progress_is_found_by_asking() -> None:
    shares = iter((10, 10, 40, 100))

    async def socket(websocket: web.WebSocketResponse, after: int) -> None:
        return

    def status() -> dict[str, Any]:
        share = next(shares)
        word = "completed" if share == 100 else "processing"
        return {**UPDATE, "status": word, "seq": share, "overall_progress": share}

    async with service(socket, status) as client:
        messages = await followed(client, patience_s=0)
    assert [message["type"] for message in messages] == ["reconnecting", "progress_update", "task_completed"]
    assert [message["seq"] for message in messages[1:]] == [40, 100]


@pytest.mark.parametrize("said", ["[1]", "null", '{"type": "progress_update", "seq": 1}', '{"seq": "1"}'])
async def test_what_says_nothing_of_the_task_is_passed_over(said: str) -> None:
    async def socket(websocket: web.WebSocketResponse, after: int) -> None:
        await websocket.send_str(said)
        await websocket.send_json({"type": "task_completed", "seq": 2})

    async with service(socket, {"status": "processing"}) as client:
        assert [message["type"] for message in await followed(client)] == ["task_completed"]


async def test_patience_has_an_end() -> None:
    async def socket(websocket: web.WebSocketResponse, after: int) -> None:
        return

    async with service(socket, lambda: "no status") as client:
        with pytest.raises(UpstreamFailed, match="the connection was closed"):
            await followed(client, patience_s=0.05)
