"""The job log over WebSockets, and the older progress wire on top of the same log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Query, WebSocket
from starlette.websockets import WebSocketDisconnect

from cleanplate.contract.messages import Event
from cleanplate.contract.problems import Problem
from cleanplate.runtime.access import Owner
from cleanplate.runtime.board import Board
from cleanplate.runtime.links import Links
from cleanplate.runtime.progress_socket import ProgressSocket
from cleanplate.runtime.streams import Socket

After = Annotated[int | None, Query(ge=0, le=2**53)]

NORMAL, POLICY_VIOLATION, INTERNAL_ERROR = 1000, 1008, 1011

log = logging.getLogger(__name__)


class SocketRoutes:
    """The WebSockets of `router`, with what they need."""

    def __init__(self, board: Board, links: Links):
        self._board = board
        self._links = links
        self.router = APIRouter(prefix="/api/v1/ws")
        self.router.add_api_websocket_route("/jobs/{job_id}", self.job)
        self.router.add_api_websocket_route("/jobs", self.jobs)
        self.router.add_api_websocket_route("/progress/{task_id}", self.progress)
        self.router.add_api_websocket_route("/progress", self.progress)

    async def job(self, websocket: WebSocket, job_id: str, owner: Owner, after: After = None) -> None:
        """Send the job's events with a seq over `after`, then close."""
        await websocket.accept()
        try:
            await self._board.get(job_id, owner)
        except Problem as problem:
            await websocket.send_json({"type": "error", **problem.body()})
            await websocket.close(POLICY_VIOLATION, problem.code)
            return
        await _send(websocket, self._board.follow(job_id, after or 0))

    async def jobs(self, websocket: WebSocket, owner: Owner, after: After = None) -> None:
        """Send the events of all the caller's jobs with a position over `after`, by default the new ones."""
        await websocket.accept()
        newest = await self._board.call(self._board.store.last_position)
        await _send(websocket, self._board.follow_all(owner, newest if after is None else after))

    async def progress(
        self, websocket: WebSocket, owner: Owner, task_id: str | None = None, after: After = None
    ) -> None:
        """Speak the older wire: one job's progress, or that of all the caller's jobs."""

        def result_url(job_id: str) -> str:
            return self._links.http(websocket, f"/api/v1/jobs/{job_id}/result")

        await ProgressSocket(websocket, self._board, owner, result_url, sessions=True).serve(task_id, after)


async def _send(websocket: WebSocket, events: AsyncIterator[Event]) -> None:
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
