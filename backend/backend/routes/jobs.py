"""Jobs over HTTP: submit, read, wait, cancel, retry, remove."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from backend.batches import Batches
from backend.deliveries import Deliveries
from backend.submissions import Submissions
from backend.views import Views
from cleanplate.contract.problems import Invalid
from cleanplate.runtime.access import Owner, seen_by
from cleanplate.runtime.board import Board
from cleanplate.runtime.jobs import Job, State
from cleanplate.runtime.openapi import EXAMPLE_PNG, answers
from cleanplate.runtime.streams import cursor, sse, until_ended

WAIT_LIMIT_S = 60.0
PAGE_LIMIT = 200
_RESULTS = "image/png", "image/jpeg", "image/webp", "image/tiff", "application/pdf"
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "file": {"type": "string", "format": "binary", "description": "a picture, PDF or TIFF"},
                        "files": {
                            "type": "array",
                            "items": {"type": "string", "format": "binary"},
                            "description": "several of them, instead of `file`: a batch of jobs",
                        },
                        "options": {"type": "string"},
                    },
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
_ERASED = {
    **answers(*_RESULTS, description="The result"),
    **answers("application/json", status=202, description="It takes longer: the job"),
}
_LOG = answers("text/event-stream", description="The log as it grows")


class JobRoutes:
    """The routes of `router`, with what they need."""

    def __init__(self, board: Board, batches: Batches, submissions: Submissions, views: Views):
        self._board = board
        self._batches = batches
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
        """Submit a picture or document: multipart `file`, or JSON `image` (base64) or `url`, and `options`.

        With several multipart `files` there is a job for each, and the answer has `batch_id` and `jobs`.
        """
        intakes = await self._submissions.read(request)
        if len(intakes) == 1:
            job = await self._submissions.add(intakes[0], owner, idempotency_key)
            return JSONResponse(await self._views.of(request, job), 202, headers={"Location": f"/api/v1/jobs/{job.id}"})
        batch, jobs = await self._submissions.add_batch(intakes, owner, idempotency_key)
        views = [await self._views.of(request, job) for job in jobs]
        return JSONResponse(
            {"batch_id": batch.id, "jobs": views}, 202, headers={"Location": f"/api/v1/batches/{batch.id}"}
        )

    async def erase(
        self,
        request: Request,
        owner: Owner,
        wait: Annotated[float, Query(ge=0, le=WAIT_LIMIT_S)] = WAIT_LIMIT_S,
        idempotency_key: Annotated[str | None, Header()] = None,
    ) -> Response:
        """Submit a file and get the erased one; 202 with the job when it takes longer than `wait` seconds."""
        intakes = await self._submissions.read(request)
        if len(intakes) > 1:
            raise Invalid(f"{len(intakes)} files were sent, 1 is answered here", field="files", limit=1)
        job = await self._submissions.add(intakes[0], owner, idempotency_key)
        job = await until_ended(request, self._board, job, wait)
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
        batch: str | None = None,
    ) -> dict[str, Any]:
        """List the caller's jobs, newest first; `after` is the `next` of the page before.

        Those of a `batch` come all at once, in the order of its files.
        """
        states = [State(status)] if status else []
        if batch is not None:
            members = await self._batches.members(await self._batches.get(batch, owner))
            listed = [job for job in members if job is not None and (not states or job.state in states)]
            return {"jobs": [await self._views.of(request, job) for job in listed], "next": None}
        jobs = await self._board.call(
            self._board.store.list_jobs,
            kind=self._board.kind,
            owner=seen_by(owner),
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
        job = await until_ended(request, self._board, await self._board.get(job_id, owner), wait)
        return await self._views.of(request, job, page_states=True)

    async def cancel(self, job_id: str, request: Request, owner: Owner) -> dict[str, Any]:
        """Cancel the job: the unit at work is the last."""
        await self._board.get(job_id, owner)
        return await self._views.of(request, await self._board.cancel(job_id))

    async def retry(self, job_id: str, request: Request, owner: Owner) -> dict[str, Any]:
        """Queue a failed job again, or one with failed pages; it goes on after the last step that was done."""
        job = await self._board.get(job_id, owner)
        return await self._views.of(request, await self._submissions.retry(job), page_states=True)

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
        return sse(request, self._board.follow(job_id, cursor(request, after)))


def _pack(job: Job) -> str:
    return base64.urlsafe_b64encode(f"{job.created_at!r} {job.id}".encode()).decode()


def _unpack(given: str) -> tuple[float, str]:
    try:
        at, _, job_id = base64.urlsafe_b64decode(given.encode()).decode().partition(" ")
        return float(at), job_id
    except (ValueError, binascii.Error):
        raise Invalid("must be the `next` of an earlier page", field="after") from None
