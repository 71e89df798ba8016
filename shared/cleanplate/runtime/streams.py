"""Serving a job's log as it grows: Server-Sent Events here, and what WebSockets need to do the same."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, suppress
from typing import Any, TypeVar

from fastapi import Request, WebSocket
from fastapi.responses import StreamingResponse
from starlette.websockets import WebSocketDisconnect, WebSocketState

from cleanplate.contract.messages import Event
from cleanplate.contract.problems import Invalid, Problem
from cleanplate.runtime.board import Board
from cleanplate.runtime.jobs import Job

log = logging.getLogger(__name__)
T = TypeVar("T")

KEEP_ALIVE_S = 15.0
SLOW_S = 15.0
TOO_SLOW = "you read too slowly; go on with Last-Event-ID"
MESSAGE_LIMIT_CHARS = 64_000

Command = Callable[[dict[str, Any]], Awaitable[None]]


def cursor(request: Request, after: int) -> int:
    """Return the seq after which a stream shall begin: the `Last-Event-ID` header, else `after`.

    Raises:
        Invalid: the header is not a number.
    """
    given = request.headers.get("last-event-id", "")
    if not given:
        return after
    if not (given.isascii() and given.isdigit()) or len(given) > 18:
        raise Invalid("must be a whole number", field="Last-Event-ID")
    return int(given)


def sse(
    request: Request,
    events: AsyncIterator[Event],
    keep_alive_s: float = KEEP_ALIVE_S,
    id_of: Callable[[Event], int] = lambda event: event.seq,
    slow_s: float = SLOW_S,
) -> StreamingResponse:
    """Return the events as a text/event-stream; `id` is the cursor, so a browser resumes by itself.

    A client that takes longer than `slow_s` for one event is told so in an event `dropped`, which is the last, and has
    the place of the one before: whoever takes that for a cursor goes on rightly. The stream ends, too, when the service
    begins to stop.
    """

    async def lines() -> AsyncIterator[str]:
        last: Event | None = None
        try:
            async with aclosing(with_pauses(events, keep_alive_s, request.app.state.stopping)) as pieces:
                async for event in pieces:
                    sent_at = time.monotonic()
                    if event is None:
                        yield ": still here\n\n"
                    else:
                        last = event
                        yield f"id: {id_of(event)}\nevent: {event.type}\ndata: {event.model_dump_json()}\n\n"
                    if last is not None and time.monotonic() - sent_at > slow_s:
                        told = last.model_copy(update={"type": "dropped", "data": {"reason": TOO_SLOW}})
                        yield f"event: dropped\ndata: {told.model_dump_json()}\n\n"
                        return
        except Problem as problem:  # such as a job that was deleted: whoever connects again is told
            log.info("an event stream ended: %s", problem)

    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return StreamingResponse(lines(), media_type="text/event-stream", headers=headers)


async def until_ended(request: Request, board: Board, job: Job, wait_s: float) -> Job:
    """Return the job when it has ended, `wait_s` are over, or the service begins to stop."""
    if job.final or not wait_s:
        return job
    ended = asyncio.ensure_future(board.ended(job.id))
    stopping = asyncio.ensure_future(request.app.state.stopping.wait())
    try:
        await asyncio.wait((ended, stopping), timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
        return ended.result() if ended.done() else await board.get(job.id)
    finally:
        ended.cancel()
        stopping.cancel()


async def with_pauses(items: AsyncIterator[T], every_s: float, over: asyncio.Event) -> AsyncGenerator[T | None]:
    """Yield the items until it is `over`, and None whenever `every_s` went by without one; close them with itself."""
    pending: asyncio.Future[T] | None = None
    ending = asyncio.ensure_future(over.wait())
    try:
        while True:
            pending = pending or asyncio.ensure_future(anext(items))
            await asyncio.wait((pending, ending), timeout=every_s, return_when=asyncio.FIRST_COMPLETED)
            if not pending.done():
                if ending.done():
                    return
                yield None
                continue
            finished, pending = pending, None
            try:
                yield finished.result()
            except StopAsyncIteration:
                return
    finally:
        ending.cancel()
        if pending is not None:
            pending.cancel()
            with suppress(asyncio.CancelledError, StopAsyncIteration):
                await pending
        if isinstance(items, AsyncGenerator):
            await items.aclose()


class Socket:
    """One client's WebSocket: many writers, one message at a time; what it reads are JSON objects with a `type`."""

    def __init__(self, websocket: WebSocket):
        self._websocket = websocket
        self._lock = asyncio.Lock()

    @property
    def open(self) -> bool:
        return self._websocket.application_state is WebSocketState.CONNECTED

    async def send(self, message: dict[str, Any]) -> None:
        """Send one JSON object. Raises WebSocketDisconnect when the client is gone."""
        async with self._lock:
            try:
                await self._websocket.send_text(json.dumps(message, separators=(",", ":")))
            except (RuntimeError, OSError) as error:
                raise WebSocketDisconnect(1006, str(error)) from None

    async def serve(self, commands: dict[str, Command], error: Callable[[str], dict[str, Any]]) -> None:
        """Answer the client's commands until it leaves; what cannot be read is answered with an error message."""
        while True:
            try:
                text = await self._websocket.receive_text()
            except (WebSocketDisconnect, RuntimeError):
                return
            except KeyError:
                await self.send(error("send text, not bytes"))
                continue
            message = _parse(text)
            command = commands.get(str(message.get("type"))) if message is not None else None
            if message is None:
                await self.send(error("send a JSON object with a type, at most 64,000 characters"))
            elif command is None:
                await self.send(error(f"unknown type; known: {', '.join(sorted(commands))}"))
            else:
                await command(message)


def _parse(text: str) -> dict[str, Any] | None:
    if len(text) > MESSAGE_LIMIT_CHARS:
        return None
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) else None
