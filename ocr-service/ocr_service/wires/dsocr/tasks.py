"""Tasks of this wire: handed in by URL or as a file, listed, looked at, canceled and removed."""

from __future__ import annotations

from contextlib import suppress
from pathlib import PurePosixPath
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit

from fastapi import APIRouter, Query, Request
from pydantic import ValidationError

from cleanplate.contract.problems import EngineUnusable, Finished, Invalid, Malformed
from cleanplate.runtime.access import seen_by
from cleanplate.runtime.bodies import File, read_upload
from cleanplate.runtime.jobs import State
from cleanplate.runtime.web import as_problem
from ocr_service.params import DocumentParams
from ocr_service.parts import Parts
from ocr_service.wires.dsocr import views
from ocr_service.wires.dsocr.access import Caller
from ocr_service.wires.dsocr.options import TaskOptions, UrlTask
from ocr_service.wires.dsocr.publishing import Publisher
from ocr_service.wires.dsocr.shape import ERROR
from ocr_service.wires.readings import hand_in

LIST_LIMIT = 200
_FILE = {"type": "string", "format": "binary"}
_FORM = {"type": "object", "required": ["file"], "properties": {"file": _FILE}}
_UPLOAD = {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _FORM}}}}
_URL = {"requestBody": {"required": True, "content": {"application/json": {"schema": UrlTask.model_json_schema()}}}}

Body = dict[str, Any]


class TaskRoutes:
    """The routes of `router`, with what they need."""

    def __init__(self, parts: Parts, publisher: Publisher):
        self._parts = parts
        self._board = parts.board
        self._publisher = publisher
        self.router = APIRouter(prefix="/v1/tasks", tags=["dsocr"], responses={"4XX": ERROR, "5XX": ERROR})
        add = self.router.add_api_route
        add("", self.create, methods=["POST"], openapi_extra=_URL)
        add("", self.tasks, methods=["GET"])
        add("/upload", self.upload, methods=["POST"], openapi_extra=_UPLOAD)
        add("/{task_id}", self.task, methods=["GET"])
        add("/{task_id}", self.delete, methods=["DELETE"])
        add("/{task_id}/cancel", self.cancel, methods=["POST"])

    async def create(self, request: Request, caller: Caller) -> Body:
        """Fetch a document by its URL and hand it in."""
        upload = await read_upload(request, self._parts.settings.body_timeout_s)
        asked = UrlTask.model_validate(upload.fields)
        if not asked.url:
            raise Malformed("is missing; a file is sent to /v1/tasks/upload", field="url")
        self._check_model()
        data = await self._parts.fetch(asked.url, "url")
        name = PurePosixPath(unquote(urlsplit(asked.url).path)).name or "document"
        return await self._hand_in(File(name, data), asked, caller)

    async def upload(self, request: Request, caller: Caller, options: Annotated[TaskOptions, Query()]) -> Body:
        """Hand in a file; its options are in the query, or in the form."""
        upload = await read_upload(request, self._parts.settings.body_timeout_s)
        if upload.file("file") is None:
            raise Malformed("send a document as the multipart file `file`", field="file")
        asked = TaskOptions.model_validate({**upload.fields, **options.model_dump(exclude_unset=True)})
        self._check_model()
        return await self._hand_in(upload.files["file"][0], asked, caller)

    async def tasks(self, caller: Caller, limit: Annotated[int, Query(ge=1, le=LIST_LIMIT)] = 50) -> Body:
        """List the caller's tasks, newest first."""
        store, kind = self._board.store, self._board.kind
        jobs = await self._board.call(
            store.list_jobs, kind=kind, owner=seen_by(caller), states=[], before=None, limit=limit
        )
        return {"tasks": [views.task(job) for job in jobs]}

    async def task(self, task_id: str, caller: Caller) -> Body:
        """Say where a task stands."""
        job = await self._board.get(task_id, caller)
        return views.task(job, await self._publisher.told(job))

    async def cancel(self, task_id: str, caller: Caller) -> Body:
        """Cancel a task; the page that is being read is the last."""
        await self._board.get(task_id, caller)
        return views.task(await self._board.cancel(task_id))

    async def delete(self, task_id: str, caller: Caller) -> Body:
        """Remove a task with its results; one that still runs is canceled first."""
        job = await self._board.get(task_id, caller)
        if not job.final:
            with suppress(Finished):  # in between
                await self._board.cancel(task_id)
        await self._board.forget(task_id)
        return {"code": 0, "msg": "deleted"}

    async def _hand_in(self, file: File, asked: TaskOptions, owner: str) -> Body:
        kept = asked.model_dump(include={"extra_formats", "bbox", "pack_zip", "data_id"})
        params, unread = self._in_language(asked)
        job, _ = await hand_in(
            self._parts,
            file.data,
            file.name,
            owner,
            params=params,
            then=self._publisher.promised,
            asked={**kept, "unread": unread},
        )
        return {"task_id": job.id, "status": views.WORDS[State.QUEUED]}

    def _in_language(self, asked: TaskOptions) -> tuple[DocumentParams, str]:
        """Return how the document is to be read, and why not in its language if that cannot be."""
        params, code = asked.params(), asked.code()
        if code is None:
            return params, ""
        try:
            told = DocumentParams.model_validate({**params.model_dump(), "languages": [code]})
            self._parts.readers.check(params.engine, [code])
        except (Invalid, ValidationError) as error:
            return params, f"language {asked.language!r} has no effect: {as_problem(error).detail}"
        return told, ""

    def _check_model(self) -> None:
        if not self._parts.settings.app_enable_ds_model:
            raise EngineUnusable("there is no model: APP_ENABLE_DS_MODEL is false")
