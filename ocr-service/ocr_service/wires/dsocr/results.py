"""What a task of this wire has read, as files: Markdown, layout, both as a zip, and the pictures on its pages."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse

from cleanplate.contract.problems import Forbidden, NotFound
from cleanplate.runtime.jobs import is_id
from cleanplate.runtime.openapi import answers
from ocr_service.figures import page_of
from ocr_service.parts import Parts
from ocr_service.results import Results
from ocr_service.wires.dsocr.access import Caller
from ocr_service.wires.dsocr.pack import IMAGES, Pack
from ocr_service.wires.dsocr.shape import ERROR

_IMAGE_NAME = re.compile(r"page-\d{6}-\d{1,3}\.jpg", re.ASCII)


class ResultRoutes:
    """The routes of `router`, with what they need."""

    def __init__(self, parts: Parts, pack: Pack):
        self._board = parts.board
        self._pack = pack
        self._results = Results(parts.board)
        self.router = APIRouter(prefix="/v1/tasks/{task_id}", tags=["dsocr"], responses={"4XX": ERROR, "5XX": ERROR})
        self._add("/result.md", self.markdown, "text/markdown")
        self._add("/result.json", self.layout, "application/json")
        self._add("/download.zip", self.zipped, "application/zip")
        self._add("/result-images/{path:path}", self.image, "image/jpeg")

    async def markdown(self, task_id: str, caller: Caller) -> StreamingResponse:
        """Return the Markdown of all pages; 404 until the task has succeeded."""
        job = await self._board.get(task_id, caller)
        return _sent(await self._pack.markdown(job), "text/markdown; charset=utf-8")

    async def layout(self, task_id: str, caller: Caller) -> StreamingResponse:
        """Return what is where on the pages; 404 until the task has succeeded."""
        job = await self._board.get(task_id, caller)
        return _sent(await self._pack.layout(job), "application/json")

    async def zipped(self, task_id: str, caller: Caller) -> StreamingResponse:
        """Return both, and the pictures, as a zip; 404 until the task has succeeded."""
        job = await self._board.get(task_id, caller)
        if not job.params.get("asked", {}).get("pack_zip", True):
            raise NotFound("the task was handed in with pack_zip=false")
        return _sent(await self._pack.zipped(job), "application/zip", f"{job.id}.zip")

    async def image(self, task_id: str, path: str, caller: Caller) -> Response:
        """Return a picture that was cut out of a page, by its name, with or without `images/` before it."""
        job = await self._board.get(task_id, caller)
        name = path.removeprefix(f"{IMAGES}/")
        if not is_id(name):
            raise Forbidden("this is no name of a picture", field="path")
        if not _IMAGE_NAME.fullmatch(name) or page_of(name) - 1 not in job.params["pages"]:
            raise NotFound(f"the task has no picture {name}")
        return Response(await self._results.image(job, name), media_type="image/jpeg")

    def _add(self, path: str, call: Any, kind: str) -> None:
        self.router.add_api_route(path, call, methods=["GET"], response_class=Response, responses=answers(kind))


def _sent(pieces: AsyncIterator[bytes], kind: str, name: str | None = None) -> StreamingResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'} if name else {}
    return StreamingResponse(pieces, media_type=kind, headers=headers)
