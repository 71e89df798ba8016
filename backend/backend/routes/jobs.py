"""Jobs over HTTP: submit, read, wait, cancel, retry, remove."""

from __future__ import annotations

import asyncio
import base64
import binascii
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from backend.deliveries import Deliveries
from backend.submissions import Submissions
from backend.views import Views
from cleanplate.contract.problems import Finished, Invalid
from cleanplate.runtime.access import Owner
from cleanplate.runtime.board import Board
from cleanplate.runtime.jobs import Job, State
from cleanplate.runtime.openapi import EXAMPLE_PNG, PICTURE, answers
from cleanplate.runtime.streams import cursor, sse

WAIT_LIMIT_S = 60.0
PAGE_LIMIT = 200
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {"file": {"type": "string", "format": "binary"}, "options": {"type": "string"}},
                    "required": ["file"],
                }
            },
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "image": {"type": "string", "description": "base64 or a data URI"},
                        "url": {"type": "string", "description": "where the picture is, instead of `image`"},
                        "options": {"type": "object"},
                    },
                },
                "example": {"image": EXAMPLE_PNG, "options": {"output_format": "png"}},
            },
        },
    }
}
_ERASED = {**PICTURE, **answers("application/json", status=202, description="It takes longer: the job")}
_LOG = answers("text/event-stream", description="The log as it grows")


class JobRoutes:
    """The routes of `router`, with what they need."""

    def __init__(self, board: Board, submissions: Submissions, views: Views):
        self._board = board
        self._submissions = submissions
        self._views = views
        self._deliveries = Deliveries(board)
        self.router = APIRouter(prefix="/api/v1", tags=["jobs"])
        add = self.router.add_api_route
        add("/jobs", self.submit, methods=["POST"], status_code=202, openapi_extra=_BODY)
        add("/erase", self.erase, methods=["POST"], openapi_extra=_BODY, response_class=Response, responses=_ERASED)
        add("/jobs", self.list_jobs, methods=["GET"])
        add("/jobs/{job_id}", self.read, methods=["GET"])
        add("/jobs/{job_id}", self.delete, methods=["DELETE"], status_code=204)
        add("/jobs/{job_id}/cancel", self.cancel, methods=["POST"])
        add("/jobs/{job_id}/retry", self.retry, methods=["POST"], status_code=202)
        add("/jobs/{job_id}/events", self.events, methods=["GET"], response_class=StreamingResponse, responses=_LOG)

    async def submit(
        self, request: Request, owner: Owner, idempotency_key: Annotated[str | None, Header()] = None
    ) -> JSONResponse:
        """Submit a picture: multipart `file` and `options`, or JSON `image` (base64) or `url`, and `options`."""
        job = await self._submissions.submit(request, owner, idempotency_key)
        return JSONResponse(await self._views.of(request, job), 202, headers={"Location": f"/api/v1/jobs/{job.id}"})

    async def erase(
        self,
        request: Request,
        owner: Owner,
        wait: Annotated[float, Query(ge=0, le=WAIT_LIMIT_S)] = WAIT_LIMIT_S,
        idempotency_key: Annotated[str | None, Header()] = None,
    ) -> Response:
        """Submit a picture and get the erased one; 202 with the job when it takes longer than `wait` seconds."""
        job = await self._ended(await self._submissions.submit(request, owner, idempotency_key), wait)
        if not job.final:
            return JSONResponse(await self._views.of(request, job), 202)
        return await self._deliveries.result(job, request)

    async def list_jobs(
        self,
        request: Request,
        owner: Owner,
        status: Literal["queued", "running", "succeeded", "failed", "cancelled"] | None = None,
        after: str | None = None,
        limit: Annotated[int, Query(ge=1, le=PAGE_LIMIT)] = 50,
    ) -> dict[str, Any]:
        """List the caller's jobs, newest first; `after` is the `next` of the page before."""
        states = [State(status)] if status else []
        jobs = await self._board.call(
            self._board.store.list_jobs,
            kind=self._board.kind,
            owner=owner,
            states=states,
            before=_unpack(after) if after else None,
            limit=limit,
        )
        more = _pack(jobs[-1]) if len(jobs) == limit else None
        return {"jobs": [await self._views.of(request, job) for job in jobs], "next": more}

    async def read(
        self, job_id: str, request: Request, owner: Owner, wait: Annotated[float, Query(ge=0, le=WAIT_LIMIT_S)] = 0
    ) -> dict[str, Any]:
        """Return the job; with `wait`, not before it has ended or that many seconds are over."""
        return await self._views.of(request, await self._ended(await self._board.get(job_id, owner), wait))

    async def cancel(self, job_id: str, request: Request, owner: Owner) -> dict[str, Any]:
        """Cancel the job: the unit at work is the last."""
        await self._board.get(job_id, owner)
        return await self._views.of(request, await self._board.cancel(job_id))

    async def retry(self, job_id: str, request: Request, owner: Owner) -> dict[str, Any]:
        """Queue a failed job again; it goes on after the last step that was done."""
        job = await self._board.get(job_id, owner)
        if job.state is not State.FAILED:
            raise Finished(f"the job is {job.state.value}; only a failed one can be retried", state=job.state.value)
        return await self._views.of(request, await self._submissions.retry(job))

    async def delete(self, job_id: str, owner: Owner) -> None:
        """Remove a job and its files; one that still runs is cancelled first."""
        job = await self._board.get(job_id, owner)
        if not job.final:
            await self._board.cancel(job_id)
        await self._board.forget(job_id)

    async def events(
        self, job_id: str, request: Request, owner: Owner, after: Annotated[int, Query(ge=0, le=2**53)] = 0
    ) -> StreamingResponse:
        """Stream the job's log as Server-Sent Events, from `Last-Event-ID` or `after` on."""
        await self._board.get(job_id, owner)
        return sse(self._board.follow(job_id, cursor(request, after)))

    async def _ended(self, job: Job, wait_s: float) -> Job:
        if wait_s and not job.final:
            try:
                async with asyncio.timeout(wait_s):
                    async for _ in self._board.follow(job.id, job.seq):
                        pass
            except TimeoutError:
                pass
            job = await self._board.get(job.id)
        return job


def _pack(job: Job) -> str:
    return base64.urlsafe_b64encode(f"{job.created_at!r} {job.id}".encode()).decode()


def _unpack(given: str) -> tuple[float, str]:
    try:
        at, _, job_id = base64.urlsafe_b64decode(given.encode()).decode().partition(" ")
        return float(at), job_id
    except (ValueError, binascii.Error):
        raise Invalid("must be the `next` of an earlier page", field="after") from None
