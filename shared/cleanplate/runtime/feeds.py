"""A job's log over a WebSocket: each event as a JSON object when it is committed, until the job or the client ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress

from fastapi import WebSocket
from starlette.websockets import WebSocketDisconnect

from cleanplate.contract.messages import Event
from cleanplate.contract.problems import Problem
from cleanplate.runtime.board import Board
from cleanplate.runtime.streams import Socket

NORMAL, POLICY_VIOLATION, INTERNAL_ERROR = 1000, 1008, 1011

log = logging.getLogger(__name__)


async def feed_job(websocket: WebSocket, board: Board, job_id: str, owner: str, after: int) -> None:
    """Accept, send the owner's job's events with a seq over `after`, then close."""
    await websocket.accept()
    try:
        await board.get(job_id, owner)
    except Problem as problem:
        await websocket.send_json({"type": "error", **problem.body()})
        await websocket.close(POLICY_VIOLATION, problem.code)
        return
    await feed(websocket, board.follow(job_id, after))


async def feed(websocket: WebSocket, events: AsyncIterator[Event]) -> None:
    """Send events until they end or the client leaves; what the client says is read and means nothing here."""
    socket = Socket(websocket)

    async def send() -> None:
        async for event in events:
            await socket.send(event.model_dump(mode="json"))

    async def listen() -> None:
        with suppress(WebSocketDisconnect, RuntimeError):
            while True:
                await websocket.receive()

    sending, listening = asyncio.create_task(send()), asyncio.create_task(listen())
    try:
        await asyncio.wait({sending, listening}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (sending, listening):
            task.cancel()
        done = await asyncio.gather(sending, listening, return_exceptions=True)
    failed = isinstance(done[0], Exception) and not isinstance(done[0], WebSocketDisconnect)
    if failed:
        log.error("a feed of events failed", exc_info=done[0])
    if failed or not isinstance(done[0], BaseException):
        with suppress(RuntimeError, WebSocketDisconnect):
            await websocket.close(INTERNAL_ERROR if failed else NORMAL)
