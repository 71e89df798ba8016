"""The older progress WebSocket, for any service with a board: one task, or all tasks of the caller."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any

from fastapi import WebSocket
from starlette.websockets import WebSocketDisconnect

from cleanplate.contract.messages import Event
from cleanplate.contract.problems import Expired, NotFound, Problem, StoreBusy
from cleanplate.runtime import progress
from cleanplate.runtime.access import Caller, Scope
from cleanplate.runtime.board import Board
from cleanplate.runtime.cancelling import cancelled
from cleanplate.runtime.jobs import Job, iso
from cleanplate.runtime.streams import Socket

log = logging.getLogger(__name__)

SEQ_LIMIT = 2**53


class ProgressSocket:
    """One client. Each subscription is a task that follows one log and sends its messages."""

    def __init__(
        self, websocket: WebSocket, board: Board, owner: Caller, result_url: progress.ResultUrl, sessions: bool
    ):
        self._websocket = websocket
        self._socket = Socket(websocket)
        self._board = board
        self._owner = owner
        self._result_url = result_url
        self._sessions = sessions
        self._feeds: dict[str, asyncio.Task[None]] = {}

    async def serve(self, task_id: str | None, after: int | None) -> None:
        """Greet the client, follow the task (None: all of the caller's), and obey its commands until it leaves."""
        await self._websocket.accept()
        try:
            if task_id is None and after is None:  # before the greeting, so that all that follows it is told
                after = await self._board.call(self._board.store.last_position)
            await self._say("connection_established", connection_id=uuid.uuid4().hex, task_id=task_id)
            if task_id is not None:
                self._feed(task_id, partial(self._follow, task_id, after))
            else:
                self._feed("", partial(self._follow_all, after or 0))
            await self._socket.serve(self._commands(), self._error)
        except WebSocketDisconnect:
            pass
        finally:
            await cancelled(self._feeds.values())

    def _commands(self) -> dict[str, Any]:
        return {
            "ping": self._ping,
            "subscribe_task": self._subscribe,
            "unsubscribe_task": self._unsubscribe,
            "get_task_status": self._status,
            "cancel_task": self._cancel,
        }

    async def _ping(self, command: dict[str, Any]) -> None:
        own = command.get("timestamp")
        await self._socket.send({"type": "pong", "timestamp": iso(time.time()) if own is None else own})

    async def _subscribe(self, command: dict[str, Any]) -> None:
        job, after = await self._task_of(command), command.get("after")
        if job is None:
            return
        if after is not None and (not isinstance(after, int) or isinstance(after, bool) or not 0 <= after <= SEQ_LIMIT):
            await self._socket.send(self._error(f"after must be a whole number from 0 to {SEQ_LIMIT}"))
            return
        await self._say("task_subscribed", task_id=job.id)
        self._feed(job.id, partial(self._follow, job.id, after))

    async def _unsubscribe(self, command: dict[str, Any]) -> None:
        job = await self._task_of(command)
        if job is not None:
            if feed := self._feeds.pop(job.id, None):
                feed.cancel()
            await self._say("task_unsubscribed", task_id=job.id)

    async def _status(self, command: dict[str, Any]) -> None:
        job = await self._task_of(command)
        if job is not None:
            await self._socket.send(progress.snapshot(job, time.time(), self._session(job.id), self._result_url))

    async def _cancel(self, command: dict[str, Any]) -> None:
        job = await self._task_of(command)
        if job is None:
            return
        try:
            self._owner.check(Scope.SUBMIT)  # to connect, READ was enough
            await self._board.cancel(job.id)
        except Problem as problem:
            await self._socket.send(self._error(problem.detail))
            return
        if job.id not in self._feeds and "" not in self._feeds:
            await self._status(command)

    async def _task_of(self, command: dict[str, Any]) -> Job | None:
        task_id = command.get("task_id")
        if not isinstance(task_id, str) or not task_id:
            await self._socket.send(self._error("task_id is missing"))
            return None
        try:
            return await self._board.get(task_id, self._owner)
        except Problem as problem:
            await self._socket.send(self._error(problem.detail))
            return None

    def _feed(self, name: str, follow: Callable[[], Awaitable[None]]) -> None:
        if old := self._feeds.pop(name, None):
            old.cancel()
        feed = self._feeds[name] = asyncio.create_task(self._guarded(follow))
        feed.add_done_callback(lambda done: self._feeds.pop(name) if self._feeds.get(name) is done else None)

    async def _guarded(self, follow: Callable[[], Awaitable[None]]) -> None:
        try:
            await follow()
        except WebSocketDisconnect:
            return
        except Problem as problem:
            with suppress(WebSocketDisconnect):
                await self._socket.send(self._error(problem.detail))
        except Exception:  # one feed's failure must be seen, and must not end the connection
            log.exception("a progress feed failed")
            with suppress(WebSocketDisconnect):
                await self._socket.send(self._error("the feed ended unexpectedly; subscribe again"))

    async def _follow(self, task_id: str, after: int | None) -> None:
        job = await self._known(task_id)
        if after is None:
            await self._socket.send(progress.snapshot(job, time.time(), self._session(task_id), self._result_url))
            after = job.seq
        await self._send_all(self._board.follow(task_id, after))

    async def _follow_all(self, after: int) -> None:
        await self._send_all(self._board.follow_all(self._owner, after))

    async def _known(self, task_id: str) -> Job:
        """Return the task, waiting for it when a client subscribes before it submits."""
        told = False
        with self._board.wakeups.listen(task_id) as wakeup:
            while True:
                wakeup.clear()
                try:
                    return await self._board.get(task_id, self._owner)
                except Expired:
                    raise
                except StoreBusy:
                    await self._board.wait(wakeup)
                except NotFound as problem:
                    if not told:
                        await self._socket.send(self._error(problem.detail + " yet"))
                        told = True
                    await self._board.wait(wakeup)

    async def _send_all(self, events: AsyncIterator[Event]) -> None:
        pace = _Pace(self._board)
        async for event in events:
            message = progress.message(event, self._session(event.job_id), self._result_url)
            if message is not None and await pace.allows(event):
                await self._socket.send(message)

    async def _say(self, type_: str, **fields: Any) -> None:
        await self._socket.send({"type": type_, "timestamp": iso(time.time()), **fields})

    def _session(self, task_id: str) -> str | None:
        return task_id if self._sessions else None

    @staticmethod
    def _error(text: str) -> dict[str, Any]:
        return {"type": "error", "timestamp": iso(time.time()), "error": text, "message": text}


class _Pace:
    """Keeps a task's `enable_progress` and `progress_interval`, by the times in the log; a new stage always passes."""

    def __init__(self, board: Board):
        self._board = board
        self._wishes: dict[str, tuple[bool, float]] = {}
        self._last: dict[str, tuple[str, float]] = {}

    async def allows(self, event: Event) -> bool:
        if event.type in progress.ENDS:
            self._wishes.pop(event.job_id, None)
            self._last.pop(event.job_id, None)
        if event.type != "progress":
            return True
        if event.job_id not in self._wishes:
            params: dict[str, Any] = {}
            try:
                params = (await self._board.get(event.job_id)).params
            except StoreBusy:
                return True
            except (NotFound, Expired):  # it was deleted meanwhile, which must not end the feed of the others
                pass
            self._wishes[event.job_id] = params.get("enable_progress", True), params.get("progress_interval", 0.0)
        enabled, interval_s = self._wishes[event.job_id]
        stage, last, now = event.data.get("stage", ""), self._last.get(event.job_id), _seconds(event.at)
        if not enabled or (last is not None and last[0] == stage and now - last[1] < interval_s):
            return False
        self._last[event.job_id] = stage, now
        return True


def _seconds(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()
