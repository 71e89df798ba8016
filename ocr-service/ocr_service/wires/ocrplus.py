"""OcrPlus's wire: a WebSocket for each user, who sends PDFs and is told what was read, also what came while away."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from contextlib import suppress
from typing import Annotated, Any

from fastapi import APIRouter, WebSocket
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.websockets import WebSocketDisconnect

from cleanplate.contract.messages import Event
from cleanplate.contract.problems import Expired, Invalid, Malformed, NotFound, Problem
from cleanplate.runtime.access import Scope
from cleanplate.runtime.board import Board
from cleanplate.runtime.images import from_base64
from cleanplate.runtime.jobs import Job, State
from cleanplate.runtime.pdf.documents import is_pdf
from cleanplate.runtime.streams import Socket
from cleanplate.runtime.web import as_problem
from ocr_service.parts import Parts
from ocr_service.wires import refusals
from ocr_service.wires.callers import Caller
from ocr_service.wires.readings import hand_in, pages_of

log = logging.getLogger(__name__)

ID_CHARS = 200
_CLIENT_NAMES = {"file": "pdf_file"}
_ENDS = frozenset({"succeeded", "failed", "cancelled"})

Message = dict[str, Any]
Id = Annotated[str, Field(min_length=1, max_length=ID_CHARS)]


class Order(BaseModel):
    """What a client sends; keys that are not known are ignored."""

    model_config = ConfigDict(extra="ignore")

    task_id: Id
    pdf_file: str = Field(description="base64 or data URI")


class OcrplusRoutes:
    """The routes of `router`, with what they need."""

    def __init__(self, parts: Parts):
        self._parts = parts
        self.router = APIRouter()
        self.router.add_api_websocket_route("/ws/{user_id}", self.socket)
        self.router.add_api_websocket_route("/{key}/ws/{user_id}", self.socket)

    async def socket(self, websocket: WebSocket, user_id: Id, caller: Caller) -> None:
        """Take a user's PDFs, and tell the results."""
        caller.check(Scope.SUBMIT)
        await OcrplusSocket(websocket, self._parts, _owner(caller, user_id)).serve()


class OcrplusSocket:
    """One connection of a user. What the user was told last is kept by the store, under the user's owner."""

    def __init__(self, websocket: WebSocket, parts: Parts, owner: str):
        self._websocket = websocket
        self._socket = Socket(websocket)
        self._parts = parts
        self._board: Board = parts.board
        self._owner = owner
        self._turn = asyncio.Lock()  # held from a message until it is kept that it was sent

    async def serve(self) -> None:
        """Tell what was missed and what comes, and take orders, until the client leaves."""
        await self._websocket.accept()
        feed = asyncio.create_task(self._feed())
        try:
            await self._take_orders()
        except WebSocketDisconnect:
            pass
        finally:
            async with self._turn:
                feed.cancel()
            await asyncio.gather(feed, return_exceptions=True)

    async def _take_orders(self) -> None:
        while True:
            try:
                text = await self._websocket.receive_text()
            except RuntimeError:
                return
            except KeyError:
                await self._say(_failed(None, "send text, not bytes"))
                continue
            given: dict[str, Any] | None = None
            try:
                given = await asyncio.to_thread(_parsed, text)
                await self._take(Order.model_validate(given))
            except (Problem, ValidationError) as error:
                problem = as_problem(error)
                task_id = given["task_id"] if given is not None and problem.field != "task_id" else None
                await self._say(_failed(task_id, refusals.words(problem, _CLIENT_NAMES)))

    async def _take(self, order: Order) -> None:
        limits = self._parts.settings.picture_limits()
        data = await asyncio.to_thread(from_base64, order.pdf_file, limits, field="pdf_file")
        if not is_pdf(data):
            raise Malformed("is no PDF", field="pdf_file")
        name = f"{order.task_id}.pdf"
        job, created = await hand_in(self._parts, data, name, self._owner, key=order.task_id, task_id=order.task_id)
        if created:
            return  # the log tells of it, before it tells what came of it
        await self._say(_submitted(job))
        if job.final:
            await self._say(await self._end(job))

    async def _feed(self) -> None:
        """Send what the log has for the user, from where the user was last told on."""
        try:
            after = await self._board.call(self._board.store.cursor, self._owner)
            async for event in self._board.follow_all(self._owner, after):
                if event.type == "queued" or event.type in _ENDS:
                    await self._tell(event)
        except WebSocketDisconnect:
            return
        except Exception:  # the client must see that nothing more comes: it connects again, and misses nothing
            log.exception("a user's feed failed")
            with suppress(RuntimeError):
                await self._websocket.close(1011)

    async def _tell(self, event: Event) -> None:
        async with self._turn:
            with suppress(NotFound, Expired):  # what was removed meanwhile cannot be told
                job = await self._board.get(event.job_id)
                await self._socket.send(_submitted(job) if event.type == "queued" else await self._end(job))
            await self._board.call(self._board.store.move_cursor, self._owner, event.position)

    async def _say(self, message: Message) -> None:
        async with self._turn:
            await self._socket.send(message)

    async def _end(self, job: Job) -> Message:
        task_id = job.params["task_id"]
        if job.state is not State.SUCCEEDED:
            return _failed(task_id, job.error["detail"] if job.error else "the task was cancelled")
        seconds = (job.finished_at or 0.0) - (job.started_at or 0.0)
        pages = [{"page": page.number, "markdown": page.markdown} for page in await pages_of(self._parts, job)]
        result = {"filename": job.params["name"], "elapsed_time": f"{seconds:.2f}s", "markdown": pages}
        return {"task_id": task_id, "result": result}


def _owner(caller: str, user_id: str) -> str:
    """Return whose a user's jobs are: not the caller's, whose other users must not see them."""
    return hashlib.sha256(f"ocrplus\n{caller}\n{user_id}".encode()).hexdigest()[:32]


def _parsed(text: str) -> dict[str, Any]:
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise Invalid("send a JSON object with task_id and pdf_file")
    return given


def _submitted(job: Job) -> Message:
    return {"task_id": job.params["task_id"], "status": "submitted"}


def _failed(task_id: Any, error: str) -> Message:
    return {"task_id": task_id, "status": "failed", "error": error}
