"""The inpaint-service's word that a task has ended. A hint: who follows the task looks for itself, at once."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable

from fastapi import APIRouter, Request, Response

from backend.hints import Hints
from cleanplate.contract.problems import NotFound, Unauthorized
from cleanplate.runtime.board import Board
from cleanplate.runtime.bodies import read_body
from cleanplate.runtime.signatures import HEADER, verify


class CallbackRoutes:
    """The route of `router`, with what it needs."""

    def __init__(
        self, board: Board, hints: Hints, secret: str, body_timeout_s: float, clock: Callable[[], float] = time.time
    ):
        self._board = board
        self._hints = hints
        self._secret = secret
        self._body_timeout_s = body_timeout_s
        self._clock = clock
        self.router = APIRouter(prefix="/api/v1/iopaint", tags=["operation"])
        self.router.add_api_route("/callback/{task_id}", self.take, methods=["POST"], status_code=204)

    async def take(self, task_id: str, request: Request) -> Response:
        """Take a signed callback of the inpaint-service about a task that a job waits for; 404 for any other."""
        header = request.headers.get(HEADER, "")
        if self._secret and header:
            body = await read_body(request, self._body_timeout_s)
            if await asyncio.to_thread(self._is_genuine, task_id, header, body):
                await self._wake(task_id)
                return Response(status_code=204)
        raise Unauthorized(f"{HEADER} does not sign this with the secret that both services share, or is old")

    def _is_genuine(self, task_id: str, header: str, body: bytes) -> bool:
        """Say whether the body is signed, and about this task: the signature does not cover the path."""
        if not verify(self._secret, header, body, self._clock()):
            return False
        try:
            told = json.loads(body)
        except (ValueError, RecursionError):
            return False
        return isinstance(told, dict) and told.get("task_id") == task_id

    async def _wake(self, task_id: str) -> None:
        job = await self._board.get(task_id.partition("-")[0])  # as `Sheet.task_id` begins; no job's id has a dash
        pages = [state for state in job.checkpoint.values() if isinstance(state, dict)]
        if job.final or task_id not in [state.get("task") for state in (job.checkpoint, *pages)]:
            raise NotFound(f"no job waits for the task {task_id}")
        self._hints.give(task_id)
