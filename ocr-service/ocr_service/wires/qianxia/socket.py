"""Qianxia's WebSocket: a client subscribes to tasks, and is told of each what its log says, from the beginning."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from typing import Any

from fastapi import WebSocket
from starlette.websockets import WebSocketDisconnect

from cleanplate.contract.problems import Problem
from cleanplate.runtime.cancelling import cancelled
from cleanplate.runtime.jobs import Job, iso, new_id
from cleanplate.runtime.streams import Command, Socket
from ocr_service.parts import Parts
from ocr_service.wires.qianxia import views
from ocr_service.wires.qianxia.messages import Teller

log = logging.getLogger(__name__)

CLIENT_ID_CHARS = 200


class QianxiaSocket:
    """One client. Each subscription is a task that follows one job's log."""

    def __init__(self, websocket: WebSocket, parts: Parts, owner: str):
        self._websocket = websocket
        self._socket = Socket(websocket)
        self._parts = parts
        self._owner = owner
        self._feeds: dict[str, asyncio.Task[None]] = {}

    async def serve(self, client_id: str | None) -> None:
        """Greet the client and obey its commands until it leaves."""
        await self._websocket.accept()
        try:
            await self._say("connection_established", client_id=(client_id or new_id())[:CLIENT_ID_CHARS])
            commands: dict[str, Command] = {
                "ping": self._ping,
                "subscribe_task": self._subscribe,
                "subscribe": self._subscribe,
                "unsubscribe_task": self._unsubscribe,
                "get_task_status": self._status,
            }
            await self._socket.serve(commands, _error)
        except WebSocketDisconnect:
            pass
        finally:
            await cancelled(self._feeds.values())

    async def _ping(self, command: dict[str, Any]) -> None:
        await self._say("pong")

    async def _subscribe(self, command: dict[str, Any]) -> None:
        job = await self._task_of(command)
        if job is None:
            return
        if old := self._feeds.pop(job.id, None):
            old.cancel()
        await self._say("task_subscribed", job.id)
        feed = self._feeds[job.id] = asyncio.create_task(self._follow(job))
        feed.add_done_callback(lambda done: self._feeds.pop(job.id) if self._feeds.get(job.id) is done else None)

    async def _unsubscribe(self, command: dict[str, Any]) -> None:
        job = await self._task_of(command)
        if job is not None:
            if feed := self._feeds.pop(job.id, None):
                feed.cancel()
            await self._say("task_unsubscribed", job.id)

    async def _status(self, command: dict[str, Any]) -> None:
        job = await self._task_of(command)
        if job is not None:
            await self._say("task_status_response", job.id, task_info=views.task(job))

    async def _task_of(self, command: dict[str, Any]) -> Job | None:
        task_id = command.get("task_id")
        if not isinstance(task_id, str) or not task_id:
            await self._socket.send(_error("task_id is missing"))
            return None
        try:
            return await self._parts.board.get(task_id, self._owner)
        except Problem as problem:
            await self._socket.send(_error(problem.detail))
            return None

    async def _follow(self, job: Job) -> None:
        teller = Teller(self._parts, job)
        try:
            async for event in self._parts.board.follow(job.id):
                for message in await teller.messages(event):
                    await self._socket.send(message)
        except WebSocketDisconnect:
            return
        except Problem as problem:
            with suppress(WebSocketDisconnect):
                await self._socket.send(_error(problem.detail, job.id))
        except Exception:  # one feed's failure must be seen, and must not end the connection
            log.exception("a feed failed", extra={"job_id": job.id})
            with suppress(WebSocketDisconnect):
                await self._socket.send(_error("the feed ended unexpectedly; subscribe again", job.id))

    async def _say(self, type_: str, task_id: str | None = None, **fields: Any) -> None:
        await self._socket.send({"type": type_, "timestamp": iso(time.time()), "task_id": task_id, **fields})


def _error(text: str, task_id: str | None = None) -> dict[str, Any]:
    return {"type": "error", "timestamp": iso(time.time()), "task_id": task_id, "message": text}
