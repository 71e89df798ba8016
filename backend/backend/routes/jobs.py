"""Jobs over HTTP: submit, read, wait, cancel, retry, and the files of a job."""

from __future__ import annotations

import asyncio
import base64
import binascii
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.requests import HTTPConnection

from backend.artifacts import INPUT, MASK, REGIONS, RESULT
from backend.intake import read_intake
from backend.settings import BackendSettings
from backend.views import job_view
from cleanplate.contract.problems import Finished, Invalid, NotReady
from cleanplate.runtime import callbacks
from cleanplate.runtime.access import Owner
from cleanplate.runtime.board import Board
from cleanplate.runtime.bodies import read_upload
from cleanplate.runtime.jobs import Change, Job, State
from cleanplate.runtime.links import Links
from cleanplate.runtime.openapi import EXAMPLE_PNG, PICTURE, answers
from cleanplate.runtime.outbound import Outbound
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
                    "properties": {"image": {"type": "string"}, "options": {"type": "object"}},
                    "required": ["image"],
                },
                "example": {"image": EXAMPLE_PNG, "options": {"output_format": "png"}},
            },
        },
    }
}
_ERASED = {**PICTURE, **answers("application/json", status=202, description="It takes longer: the job")}
_FILE = {
    **answers("image/png", "image/jpeg", "image/webp", "application/json", "application/octet-stream"),
    304: {"description": "It is as `If-None-Match` says"},
}
_LOG = answers("text/event-stream", description="The log as it grows")


class JobRoutes:
    """The routes of `router`, with what they need."""

    def __init__(self, board: Board, outbound: Outbound, links: Links, settings: BackendSettings):
        self._board = board
        self._outbound = outbound
        self._links = links
        self._settings = settings
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
        for name in ("input", "mask", "regions", "result"):
            add(
                f"/jobs/{{job_id}}/{name}",
                getattr(self, name),
                methods=["GET"],
                response_class=Response,
                responses=_FILE,
            )

    async def submit(
        self, request: Request, owner: Owner, idempotency_key: Annotated[str | None, Header()] = None
    ) -> JSONResponse:
        """Submit a picture: multipart `file` and `options`, or JSON `image` (base64) and `options`."""
        job = await self._submit(request, owner, idempotency_key)
        return JSONResponse(await self._view(request, job), 202, headers={"Location": f"/api/v1/jobs/{job.id}"})

    async def erase(
        self,
        request: Request,
        owner: Owner,
        wait: Annotated[float, Query(ge=0, le=WAIT_LIMIT_S)] = WAIT_LIMIT_S,
        idempotency_key: Annotated[str | None, Header()] = None,
    ) -> Response:
        """Submit a picture and get the erased one; 202 with the job when it takes longer than `wait` seconds."""
        job = await self._ended(await self._submit(request, owner, idempotency_key), wait)
        if not job.final:
            return JSONResponse(await self._view(request, job), 202)
        return await self.result(job.id, request, owner)

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
        return {"jobs": [await self._view(request, job) for job in jobs], "next": more}

    async def read(
        self, job_id: str, request: Request, owner: Owner, wait: Annotated[float, Query(ge=0, le=WAIT_LIMIT_S)] = 0
    ) -> dict[str, Any]:
        """Return the job; with `wait`, not before it has ended or that many seconds are over."""
        return await self._view(request, await self._ended(await self._board.get(job_id, owner), wait))

    async def cancel(self, job_id: str, request: Request, owner: Owner) -> dict[str, Any]:
        """Cancel the job: the unit at work is the last."""
        await self._board.get(job_id, owner)
        return await self._view(request, await self._board.cancel(job_id))

    async def retry(self, job_id: str, request: Request, owner: Owner) -> dict[str, Any]:
        """Queue a failed job again; it goes on after the last step that was done."""
        job = await self._board.get(job_id, owner)
        if job.state is not State.FAILED:
            raise Finished(f"the job is {job.state.value}; only a failed one can be retried", state=job.state.value)
        change = Change("retried", state=State.QUEUED, checkpoint={"task": None, "after": 0})
        job, _ = await self._board.record(job_id, change)
        return await self._view(request, job)

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

    async def input(self, job_id: str, request: Request, owner: Owner) -> Response:
        """Return the picture as it was sent."""
        job = await self._board.get(job_id, owner)
        return await self._file(job, f"{job.digest[:16]}.{INPUT}", request)

    async def mask(self, job_id: str, request: Request, owner: Owner) -> Response:
        """Return the mask as a PNG: white where the picture is repainted. 404 when there was no text."""
        job = await self._board.get(job_id, owner)
        return await self._file(job, MASK, request, "masked" in job.checkpoint)

    async def regions(self, job_id: str, request: Request, owner: Owner) -> Response:
        """Return the text that was found, with its places."""
        job = await self._board.get(job_id, owner)
        return await self._file(job, REGIONS, request, "detected" in job.checkpoint)

    async def result(self, job_id: str, request: Request, owner: Owner) -> Response:
        """Return the erased picture."""
        job = await self._board.get(job_id, owner)
        ready = job.state is State.SUCCEEDED and not (job.result or {}).get("dry_run")
        return await self._file(job, RESULT, request, ready)

    async def _submit(self, request: Request, owner: str, key: str | None) -> Job:
        upload = await read_upload(request, self._settings.body_timeout_s, packed=())
        intake = await asyncio.to_thread(read_intake, upload, self._settings.picture_limits())
        callback_url = intake.options.callback_url
        if callback_url is not None:
            self._outbound.check(str(callback_url), "options.callback_url")
        new = await asyncio.to_thread(intake.new_job, owner, key)
        then = [] if callback_url is None else [callbacks.promise(new, str(callback_url))]
        job, _ = await self._board.submit(new, {INPUT: intake.image}, then)
        return job

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

    async def _file(self, job: Job, name: str, request: Request, ready: bool = True) -> Response:
        if not ready:
            reason = (job.error or {}).get("detail", "")
            raise NotReady(f"the job is {job.state.value}{': ' + reason if reason else ''}", state=job.state.value)
        etag = f'"{job.digest[:16]}-{job.seq}-{name}"'  # while the job runs its mask may still grow
        if etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers={"ETag": etag})
        data = await self._board.call(self._board.files.get, job.id, name)
        kind, extension = _kind(data)
        disposition = f'inline; filename="{job.id}-{name.split(".")[0]}.{extension}"'
        headers = {"ETag": etag, "Content-Disposition": disposition, "X-Content-Type-Options": "nosniff"}
        return Response(data, media_type=kind, headers=headers)

    async def _view(self, connection: HTTPConnection, job: Job) -> dict[str, Any]:
        position = await self._board.call(self._board.store.position, job)
        links = self._links
        return job_view(
            job, lambda path: links.http(connection, path), lambda path: links.websocket(connection, path), position
        )


def _kind(data: bytes) -> tuple[str, str]:
    """Return the media type and extension of a file that this service keeps; an input of another kind stays opaque."""
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return "image/png", "png"
    if data[:3] == b"\xff\xd8\xff":
        return "image/jpeg", "jpg"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp", "webp"
    if data[:1] == b"{":
        return "application/json", "json"
    return "application/octet-stream", "bin"


def _pack(job: Job) -> str:
    return base64.urlsafe_b64encode(f"{job.created_at!r} {job.id}".encode()).decode()


def _unpack(given: str) -> tuple[float, str]:
    try:
        at, _, job_id = base64.urlsafe_b64decode(given.encode()).decode().partition(" ")
        return float(at), job_id
    except (ValueError, binascii.Error):
        raise Invalid("must be the `next` of an earlier page", field="after") from None
