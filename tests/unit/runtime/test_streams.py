"""Server-Sent Events and WebSockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.requests import Request
from starlette.websockets import WebSocketDisconnect

from cleanplate.contract.messages import Event
from cleanplate.contract.problems import Expired, Invalid
from cleanplate.runtime.streams import MESSAGE_LIMIT_CHARS, Socket, cursor, sse, until_ended, with_pauses
from tests.unit.runtime.conftest import Jobs, Peer, until


def request(last_event_id: str | None = None) -> Request:
    headers = [] if last_event_id is None else [(b"last-event-id", last_event_id.encode("latin-1"))]
    app = FastAPI()
    app.state.stopping = asyncio.Event()
    return Request({"type": "http", "headers": headers, "app": app})


def test_a_browsers_last_event_id_counts_more_than_the_query() -> None:
    assert [cursor(request(given), 3) for given in (None, "", "7", "0", "007")] == [3, 3, 7, 0, 7]


@pytest.mark.parametrize("given", ["-1", "1.5", "x", "1 2", "\xb2", "9" * 19, "9" * 5000, "+1", "1_0"])
def test_a_last_event_id_that_is_no_number_is_refused(given: str) -> None:
    with pytest.raises(Invalid) as refused:
        cursor(request(given), 0)
    assert refused.value.field == "Last-Event-ID"


async def lines(events: AsyncIterator[Event], keep_alive_s: float = 10) -> AsyncIterator[str]:
    async for piece in sse(request(), events, keep_alive_s).body_iterator:
        assert isinstance(piece, str)
        yield piece


async def test_an_event_stream_has_id_type_and_data_and_ends_with_the_job(board: Jobs) -> None:
    await board.add(text="two\nlines")
    await board.cancel("a")
    told = [piece async for piece in lines(board.follow("a"))]
    assert [piece.split("\n")[:2] for piece in told] == [["id: 1", "event: queued"], ["id: 2", "event: cancelled"]]
    for piece in told:
        assert piece.endswith("\n\n")
        assert piece.count("\n") == 4
        data = json.loads(piece.split("\n")[2].removeprefix("data: "))
        assert data["job_id"] == "a"


def test_an_event_stream_is_neither_cached_nor_buffered() -> None:
    async def nothing() -> AsyncIterator[Event]:
        return
        yield

    response = sse(request(), nothing())
    assert response.headers["content-type"].startswith("text/event-stream")
    assert (response.headers["cache-control"], response.headers["x-accel-buffering"]) == ("no-cache", "no")


async def test_a_quiet_stream_is_kept_alive_and_loses_nothing(board: Jobs) -> None:
    await board.add()
    told = []
    async for piece in lines(board.follow("a", 1), keep_alive_s=0.01):
        told.append(piece)
        if len(told) == 2:
            await board.cancel("a")
    assert told[:2] == [": still here\n\n"] * 2
    assert "event: cancelled" in told[-1]


async def test_a_stream_that_is_read_too_slowly_ends_with_the_reason_and_can_be_gone_on_with(board: Jobs) -> None:
    await board.add()
    await board.cancel("a")
    told = [str(piece) async for piece in sse(request(), board.follow("a"), slow_s=-1).body_iterator]
    assert [piece.split("\n")[0] for piece in told] == ["id: 1", "event: dropped"]
    end = json.loads(told[1].split("\n")[1].removeprefix("data: "))
    assert (end["job_id"], end["seq"], end["type"]) == ("a", 1, "dropped")  # who takes it for an event goes on rightly
    assert "too slowly" in end["data"]["reason"]
    assert len([piece async for piece in lines(board.follow("a", 1))]) == 1


async def test_a_stream_whose_job_is_deleted_just_ends() -> None:
    async def deleted() -> AsyncIterator[Event]:
        yield Event(job_id="a", seq=1, position=1, type="queued", at="")
        raise Expired

    assert len([piece async for piece in lines(deleted())]) == 1


async def test_a_client_that_leaves_leaves_nothing_behind(board: Jobs) -> None:
    await board.add()
    for after in (0, 1):  # while an event is sent, and while there is none
        stream = lines(board.follow("a", after), keep_alive_s=0.01)
        await anext(stream)
        await stream.aclose()  # type: ignore[attr-defined]
        await until(lambda: not board.wakeups._listeners and len(asyncio.all_tasks()) == 1)


async def test_whoever_waits_for_news_is_answered_when_the_service_begins_to_stop(board: Jobs) -> None:
    job, asked = await board.add(), request()
    stream = aiter(sse(asked, board.follow("a")).body_iterator)
    waiting = asyncio.create_task(until_ended(asked, board, job, 600))
    assert "event: queued" in str(await anext(stream))
    asked.app.state.stopping.set()
    assert [piece async for piece in stream] == []
    assert not (await waiting).final
    await until(lambda: not board.wakeups._listeners and len(asyncio.all_tasks()) == 1)


async def test_an_error_comes_through_the_pauses() -> None:
    async def broken() -> AsyncIterator[int]:
        yield 1
        raise ValueError("broken")

    items = with_pauses(broken(), 10, asyncio.Event())
    assert await anext(items) == 1
    with pytest.raises(ValueError, match="broken"):
        await anext(items)


def problem(text: str) -> dict[str, Any]:
    return {"type": "error", "error": text}


async def serving(peer: Peer) -> asyncio.Task[None]:
    socket = Socket(peer.websocket)

    async def echo(message: dict[str, Any]) -> None:
        await socket.send({"type": "echo", "said": message})

    await peer.websocket.accept()
    return asyncio.create_task(socket.serve({"echo": echo}, problem))


async def test_a_socket_obeys_its_commands_and_ends_with_its_client(peer: Peer) -> None:
    served = await serving(peer)
    peer.say({"type": "echo", "text": "好"})
    assert await peer.hears() == {"type": "echo", "said": {"type": "echo", "text": "好"}}
    peer.leave()
    await served


@pytest.mark.parametrize(
    "text",
    ["", "x", "[]", "1", "null", "[" * 50_000, '{"a": 1', "9" * 5000, '{"x": "' + "x" * MESSAGE_LIMIT_CHARS + '"}'],
)
async def test_what_a_socket_cannot_read_is_answered_and_it_stays_open(peer: Peer, text: str) -> None:
    served = await serving(peer)
    peer.say_text(text)
    assert "JSON object" in (await peer.hears())["error"]
    peer.say({"type": "echo"})
    assert (await peer.hears())["type"] == "echo"
    peer.leave()
    await served


@pytest.mark.parametrize("type_", [None, "nonsense", {"a": 1}, [1], "ECHO", "\ud800"])
async def test_an_unknown_command_is_answered_with_the_known_ones(peer: Peer, type_: Any) -> None:
    served = await serving(peer)
    peer.say({"type": type_})
    assert await peer.hears() == problem("unknown type; known: echo")
    peer.leave()
    await served


async def test_bytes_are_answered_with_an_error(peer: Peer) -> None:
    served = await serving(peer)
    peer.say_bytes(b"{}")
    assert await peer.hears() == problem("send text, not bytes")
    peer.leave()
    await served


async def test_sending_to_a_client_that_is_gone_is_a_disconnect(peer: Peer) -> None:
    socket = Socket(peer.websocket)
    await peer.websocket.accept()
    assert socket.open
    peer.gone = True
    for _ in range(2):
        with pytest.raises(WebSocketDisconnect):
            await socket.send({"type": "x"})
    assert not socket.open


async def test_of_many_writers_each_sends_whole_messages(peer: Peer) -> None:
    socket = Socket(peer.websocket)
    await peer.websocket.accept()
    await asyncio.gather(*(socket.send({"n": n}) for n in range(50)))
    assert sorted([(await peer.hears())["n"] for _ in range(50)]) == list(range(50))
