"""What the tests of the runtime share: a board on a small database, and one client's WebSocket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Message
from starlette.websockets import WebSocket

from cleanplate.runtime.board import Board
from cleanplate.runtime.files import JobFiles
from cleanplate.runtime.jobs import Change, Job, NewJob, State
from cleanplate.runtime.run import Run
from cleanplate.runtime.store.sql import SqlStore


async def until(true: Callable[[], bool]) -> None:
    """Let the others go on until it is so."""
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0)


class Jobs(Board):
    """A board, and the shortest ways to have jobs on it."""

    async def add(self, job_id: str = "a", owner: str = "", **params: Any) -> Job:
        job, _ = await self.submit(NewJob(job_id, self.kind, params, "digest", owner), {})
        return job

    async def claimed(self, job_id: str = "a", owner: str = "", **params: Any) -> Run:
        await self.add(job_id, owner, **params)
        job = await self.call(self.store.claim, [self.kind], "worker", 30.0, 3)
        assert job is not None
        return Run(self, job)

    async def end(self, state: State, job_id: str = "a") -> None:
        await self.record(job_id, Change(state.value, state=state))


@pytest.fixture
async def board(tmp_path: Path) -> AsyncIterator[Jobs]:
    made = Jobs("test", SqlStore(f"sqlite:///{tmp_path}/jobs.db"), JobFiles(str(tmp_path / "files")), poll_s=0.02)
    yield made
    made.close()


class Peer:
    """The other end of a WebSocket: what it says is received, what is sent it hears."""

    def __init__(self) -> None:
        self.inbox: asyncio.Queue[Message] = asyncio.Queue()
        self.heard: asyncio.Queue[Message] = asyncio.Queue()
        self.gone = False
        scope = {"type": "websocket", "path": "/", "headers": [], "query_string": b"", "subprotocols": []}
        self.websocket = WebSocket(scope, self.inbox.get, self._hear)
        self.inbox.put_nowait({"type": "websocket.connect"})

    async def _hear(self, message: Message) -> None:
        if self.gone:
            raise OSError("the connection is lost")
        self.heard.put_nowait(message)

    def say(self, message: Any) -> None:
        self.say_text(message if isinstance(message, str) else json.dumps(message))

    def say_text(self, text: str) -> None:
        self.inbox.put_nowait({"type": "websocket.receive", "text": text})

    def say_bytes(self, data: bytes) -> None:
        self.inbox.put_nowait({"type": "websocket.receive", "bytes": data})

    def leave(self) -> None:
        self.inbox.put_nowait({"type": "websocket.disconnect", "code": 1001})

    async def hears(self) -> dict[str, Any]:
        async with asyncio.timeout(5):
            while (message := await self.heard.get())["type"] != "websocket.send":
                pass
        told: dict[str, Any] = json.loads(message["text"])
        return told

    async def hears_type(self, type_: str) -> dict[str, Any]:
        while (message := await self.hears())["type"] != type_:
            pass
        return message


@pytest.fixture
def peer() -> Peer:
    return Peer()
