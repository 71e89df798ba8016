"""The files of a job over HTTP, and those of a page of its document."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from backend.artifacts import MASK, RESULT
from backend.choices import Choices
from backend.deliveries import Deliveries, is_known, not_ready
from backend.parts import numbers, part_of
from backend.previews import PreviewFormat, preview
from backend.sheets import ERASED
from cleanplate.runtime.access import Owner
from cleanplate.runtime.board import Board
from cleanplate.runtime.images import PictureLimits
from cleanplate.runtime.openapi import answers

_TYPES = (
    "image/png", "image/jpeg", "image/webp", "image/tiff", "application/pdf", "application/json",
    "application/octet-stream",
)  # fmt: skip
_FILE = {
    **answers(*_TYPES),
    **answers(*_TYPES, status=206, description="The part that `Range` names"),
    304: {"description": "It is as `If-None-Match` says"},
}
PREVIEWS = 2  # that are drawn at a time, for a picture may be large

PageNumber = Annotated[int | None, Query(ge=1, le=2**31, description="of a document, counted from 1")]


class FileRoutes:
    """The routes of `router`, with what they need."""

    def __init__(self, board: Board, limits: PictureLimits):
        self._board = board
        self._limits = limits
        self._deliveries = Deliveries(board)
        self._drawing = asyncio.Semaphore(PREVIEWS)
        self.router = APIRouter(prefix="/api/v1/jobs/{job_id}", tags=["files"])
        for name in ("input", "mask", "regions", "result", "preview"):
            self.router.add_api_route(
                f"/{name}", getattr(self, name), methods=["GET"], response_class=Response, responses=_FILE
            )

    async def input(self, job_id: str, request: Request, owner: Owner, page: PageNumber = None) -> Response:
        """Return the file as it was sent; with `page`, that page of a document as the picture that is worked on."""
        job = await self._board.get(job_id, owner)
        if page is None:
            return await self._deliveries.input(job, request)
        part = part_of(job, page)
        ready = part.number is None or "rendered" in part.state
        return await self._deliveries.file(job, part.input_file, request, ready)

    async def mask(self, job_id: str, request: Request, owner: Owner, page: PageNumber = None) -> Response:
        """Return the mask as a PNG: white where the picture is repainted. 409 while and where there is none."""
        part = part_of(await self._board.get(job_id, owner), page)
        return await self._deliveries.file(part.job, part.name(MASK), request, "masked" in part.state)

    async def regions(self, job_id: str, request: Request, owner: Owner, page: PageNumber = None) -> Response:
        """Return the text that was found, with its places and whether it is erased; after an edit, as edited."""
        part = part_of(await self._board.get(job_id, owner), page)
        return await self._deliveries.file(part.job, part.regions_file, request, part.found)

    async def result(self, job_id: str, request: Request, owner: Owner, page: PageNumber = None) -> Response:
        """Return the erased picture or document; with `page`, the picture of a page that was repainted."""
        job = await self._board.get(job_id, owner)
        if page is None or not numbers(job):
            part_of(job, page or (numbers(job) or [1])[0])
            return await self._deliveries.result(job, request)
        part = part_of(job, page)
        return await self._deliveries.file(job, part.name(RESULT), request, part.state.get("status") == ERASED)

    async def preview(
        self, job_id: str, request: Request, owner: Owner, page: PageNumber = None, format: PreviewFormat = "png"
    ) -> Response:
        """Return the picture or page, at most 1600 px a side, with the regions outlined: red what is erased."""
        part = part_of(await self._board.get(job_id, owner), page)
        if not part.found:
            raise not_ready(part.job)
        etag = self._deliveries.tag(part.job, f"{part.regions_file}-{format}")
        if is_known(etag, request):
            return Response(status_code=304, headers={"ETag": etag})
        async with self._drawing:
            call, files, job_id = self._board.call, self._board.files, part.job.id
            choices = Choices.model_validate_json(await call(files.get, job_id, part.regions_file))
            image = await call(files.get, job_id, part.input_file)
            limits = self._limits if part.number is None else None
            drawn = await asyncio.to_thread(preview, image, choices, limits, format)
        return Response(drawn, media_type=f"image/{format}", headers={"ETag": etag})
