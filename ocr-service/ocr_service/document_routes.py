"""Documents over HTTP: submit one or many, follow the job, and fetch what it read, page by page or whole."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request, Response, WebSocket
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.requests import HTTPConnection

from cleanplate.contract.problems import Invalid, NotFound, Problem
from cleanplate.runtime import callbacks
from cleanplate.runtime.access import Owner
from cleanplate.runtime.bodies import File, read_upload
from cleanplate.runtime.feeds import feed_job
from cleanplate.runtime.jobs import Job
from cleanplate.runtime.streams import cursor, sse, until_ended
from ocr_service.descriptions import FILE, IMAGE, LOG, batch_body, document_body
from ocr_service.intake import FIELD, Intake, check_params, read_document, read_params, the_file
from ocr_service.kept import DOCUMENT, KIND
from ocr_service.params import DocumentParams
from ocr_service.parts import Parts
from ocr_service.results import MEDIA_TYPES, Format, PageFormat, Results
from ocr_service.views import job_view

WAIT_LIMIT_S = 60.0
BATCH_LIMIT = 20
After = Annotated[int, Query(ge=0, le=2**53)]
Key = Annotated[str | None, Header()]
Wait = Annotated[float, Query(ge=0, le=WAIT_LIMIT_S)]
ImageName = Annotated[str, Path(pattern=r"^page-\d{6}-\d{1,3}\.jpg$", examples=["page-000001-1.jpg"])]
PageNumber = Annotated[int, Path(ge=1, le=10**6)]


class DocumentRoutes:
    """The routes of `router`, with what they need."""

    def __init__(self, parts: Parts):
        self._parts = parts
        self._board = parts.board
        self._results = Results(parts.board)
        self.router = APIRouter(prefix="/v1", tags=["documents"])
        add = self.router.add_api_route
        add("/documents", self.submit, methods=["POST"], status_code=202, openapi_extra=document_body())
        add("/documents/batch", self.submit_batch, methods=["POST"], status_code=202, openapi_extra=batch_body())
        add("/jobs/{job_id}", self.read, methods=["GET"])
        add("/jobs/{job_id}", self.delete, methods=["DELETE"], status_code=204)
        add("/jobs/{job_id}/cancel", self.cancel, methods=["POST"])
        add("/jobs/{job_id}/events", self.events, methods=["GET"], response_class=StreamingResponse, responses=LOG)
        add("/jobs/{job_id}/pages/{page}", self.page, methods=["GET"], response_class=Response, responses=FILE)
        add("/jobs/{job_id}/images/{name}", self.image, methods=["GET"], response_class=Response, responses=IMAGE)
        add("/jobs/{job_id}/result", self.result, methods=["GET"], response_class=Response, responses=FILE)
        self.router.add_api_websocket_route("/jobs/{job_id}/ws", self.socket)

    async def submit(self, request: Request, owner: Owner, idempotency_key: Key = None) -> JSONResponse:
        """Submit a PDF, TIFF, GIF or other picture: multipart `file` and `params`, or JSON `file` and the rest."""
        upload = await read_upload(request, self._parts.settings.body_timeout_s)
        params = await asyncio.to_thread(read_params, upload.fields)
        file = the_file(upload)
        given = file if isinstance(file, File) else File(FIELD, await self._parts.given(file, FIELD))
        job = await self._submit(given, params, owner, idempotency_key)
        return JSONResponse(await self._view(request, job), 202, headers={"Location": f"/v1/jobs/{job.id}"})

    async def submit_batch(self, request: Request, owner: Owner) -> JSONResponse:
        """Submit up to 20 documents as multipart `files`: a job for each, and why for each that is refused."""
        upload = await read_upload(request, self._parts.settings.body_timeout_s)
        params = await asyncio.to_thread(read_params, upload.fields)
        files = upload.files.get("files", [])
        if not 1 <= len(files) <= BATCH_LIMIT:
            raise Invalid(f"{len(files)} files; send 1 to {BATCH_LIMIT} as multipart", field="files", limit=BATCH_LIMIT)
        accepted, refused = [], []
        for file in files:
            try:
                accepted.append(await self._view(request, await self._submit(file, params, owner, None)))
            except Problem as problem:
                refused.append({"name": file.name[:200], "error": problem.body()})
        return JSONResponse({"accepted": accepted, "refused": refused}, 202)

    async def read(self, job_id: str, request: Request, owner: Owner, wait: Wait = 0) -> dict[str, Any]:
        """Return the job; with `wait`, not before it has ended or that many seconds are over."""
        job = await until_ended(request, self._board, await self._job(job_id, owner), wait)
        return await self._view(request, job)

    async def cancel(self, job_id: str, request: Request, owner: Owner) -> dict[str, Any]:
        """Cancel the job: no further page is read; those that are done stay."""
        await self._job(job_id, owner)
        return await self._view(request, await self._board.cancel(job_id))

    async def delete(self, job_id: str, owner: Owner) -> None:
        """Remove a job and its files; one that still runs is cancelled first."""
        job = await self._job(job_id, owner)
        if not job.final:
            await self._board.cancel(job_id)
        await self._board.forget(job_id)

    async def events(self, job_id: str, request: Request, owner: Owner, after: After = 0) -> StreamingResponse:
        """Stream the job's log as Server-Sent Events, from `Last-Event-ID` or `after` on."""
        await self._job(job_id, owner)
        return sse(request, self._board.follow(job_id, cursor(request, after)))

    async def socket(self, websocket: WebSocket, job_id: str, owner: Owner, after: After = 0) -> None:
        """Send the job's events with a seq over `after`, then close."""
        await feed_job(websocket, self._board, job_id, owner, after)

    async def page(
        self, job_id: str, page: PageNumber, owner: Owner, format: Annotated[PageFormat, Query()] = "json"
    ) -> Response:
        """Return what was read on a page, as soon as it is done."""
        data = await self._results.page(await self._job(job_id, owner), page, format)
        return Response(data, media_type=MEDIA_TYPES[format])

    async def image(self, job_id: str, name: ImageName, owner: Owner) -> Response:
        """Return a picture that was cut out of a page, as soon as that is done."""
        return Response(await self._results.image(await self._job(job_id, owner), name), media_type="image/jpeg")

    async def result(self, job_id: str, owner: Owner, format: Annotated[Format, Query()] = "json") -> StreamingResponse:
        """Return what was read on all pages: their layout, Markdown or text, or the searchable PDF."""
        pieces = await self._results.whole(await self._job(job_id, owner), format)
        return StreamingResponse(pieces, media_type=MEDIA_TYPES[format])

    async def _submit(self, file: File, params: DocumentParams, owner: str, key: str | None) -> Job:
        check_params(params, self._parts.readers)
        await self._parts.headroom.check()
        url = params.callback_url
        if url is not None:
            self._parts.outbound.check(str(url), "callback_url")
        limits = self._parts.settings.page_limits()
        intake: Intake = await asyncio.to_thread(read_document, file.data, file.name, params, limits)
        new = await asyncio.to_thread(intake.new_job, owner, key)
        then = [] if url is None else [callbacks.promise(new, str(url))]
        job, _ = await self._board.submit(new, {DOCUMENT: file.data}, then)
        return job

    async def _job(self, job_id: str, owner: str) -> Job:
        job = await self._board.get(job_id, owner)
        if job.kind != KIND:
            raise NotFound(f"there is no job {job_id}")
        return job

    async def _view(self, connection: HTTPConnection, job: Job) -> dict[str, Any]:
        position = await self._board.call(self._board.store.position, job)
        links = self._parts.links
        return job_view(
            job, lambda path: links.http(connection, path), lambda path: links.websocket(connection, path), position
        )
