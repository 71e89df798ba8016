"""Qianxia's wire, tasks that were handed in: where they stand, what was read, and an end to them."""

from __future__ import annotations

import time
from collections import Counter
from typing import Annotated, Literal

from fastapi import Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from cleanplate.contract.problems import Conflict, Expired, NotFound
from cleanplate.runtime.access import seen_by
from cleanplate.runtime.bodies import read_upload
from cleanplate.runtime.jobs import Job, State, iso
from ocr_service.parts import Parts
from ocr_service.wires.callers import Caller
from ocr_service.wires.qianxia import views
from ocr_service.wires.qianxia.shape import Body, data
from ocr_service.wires.readings import pages_of

STATUS_LIMIT = 50
OFFSET_LIMIT = 10_000
_STATES = {word: state for state, word in views.WORDS.items()}

Word = Literal["pending", "processing", "completed", "failed", "cancelled"]


class TaskIds(BaseModel):
    """The body of /api/tasks/batch/status."""

    task_ids: list[str] = Field(min_length=1, max_length=STATUS_LIMIT)


class Tasks:
    """The calls that ask for tasks."""

    def __init__(self, parts: Parts):
        self._parts = parts

    async def statuses(self, request: Request, caller: Caller) -> Body:
        """Say where up to 50 tasks stand."""
        upload = await read_upload(request, self._parts.settings.body_timeout_s)
        found = [await self._status(task_id, caller) for task_id in TaskIds.model_validate(upload.fields).task_ids]
        counts = Counter(str(task["status"]) for task in found)
        return {"status": "success", "tasks": found, "summary": {"total_tasks": len(found), "status_counts": counts}}

    async def tasks(
        self,
        caller: Caller,
        status: Word | None = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        offset: Annotated[int, Query(ge=0, le=OFFSET_LIMIT)] = 0,
    ) -> Body:
        """List the caller's tasks, newest first."""
        board = self._parts.board
        states = [] if status is None else [_STATES[status]]
        whose, limit = seen_by(caller), offset + limit
        jobs = await board.call(
            board.store.list_jobs, kind=board.kind, owner=whose, states=states, before=None, limit=limit
        )
        return data([views.task(job) for job in jobs[offset:]])

    async def task(self, task_id: str, caller: Caller) -> Body:
        """Return a task."""
        return data(views.task(await self._job(task_id, caller)))

    async def cancel(self, task_id: str, caller: Caller) -> Body:
        """Cancel a task; the page that is being read is the last."""
        await self._job(task_id, caller)
        job = await self._parts.board.cancel(task_id)
        return {"status": "success", "message": "cancelled", "task_id": job.id}

    async def result(self, task_id: str, caller: Caller) -> Body:
        """Return what was read; of a task that goes on, so far."""
        job = await self._job(task_id, caller)
        return data(views.result(job, await pages_of(self._parts, job)))

    async def pages(self, task_id: str, caller: Caller) -> Body:
        """List the pages."""
        job = await self._job(task_id, caller)
        pages = await pages_of(self._parts, job)
        rows = [views.page(page) for page in pages]
        figures = {"total_pages": len(rows), "page_statistics": views.statistics(pages)}
        return data({"task_id": job.id, "pages": rows, **figures})

    async def page(self, task_id: str, number: int, caller: Caller) -> Body:
        """Return one page."""
        job = await self._job(task_id, caller)
        found = await pages_of(self._parts, job, [number])
        if not found:
            raise NotFound(f"the document has no page {number}")
        return data({"task_id": job.id, "page_number": number, "page_result": views.page(found[0])})

    async def progress(self, task_id: str, caller: Caller) -> Body:
        """Return where a task stands, in every detail."""
        job = await self._job(task_id, caller)
        pages = await pages_of(self._parts, job)
        return data(views.progress(job, pages))

    async def batches(self, task_id: str, caller: Caller) -> Body:
        """List the batches."""
        job = await self._job(task_id, caller)
        rows = views.batches(job, await pages_of(self._parts, job))
        return data({"task_id": job.id, "batches": rows, "total_batches": len(rows)})

    async def export(self, task_id: str, caller: Caller, format: Literal["json", "txt", "md"] = "json") -> Response:
        """Return the result of a task that is completed, as a file."""
        job = await self._job(task_id, caller)
        if job.state is not State.SUCCEEDED:
            raise Conflict(f"the task is {views.WORDS[job.state]}, not completed")
        pages = await pages_of(self._parts, job)
        name = {"Content-Disposition": f'attachment; filename="task_{job.id}_result.{format}"'}
        if format != "json":
            text, kind = views.content(pages, plain=format == "txt"), "plain" if format == "txt" else "markdown"
            return Response(text, media_type=f"text/{kind}; charset=utf-8", headers=name)
        result = views.result(job, pages)
        body = {"task_id": job.id, "export_time": iso(time.time()), "task_info": result, "content": result["content"]}
        return JSONResponse(body, headers=name)

    async def _job(self, task_id: str, owner: str) -> Job:
        return await self._parts.board.get(task_id, owner)

    async def _status(self, task_id: str, owner: str) -> Body:
        try:
            found = views.task(await self._job(task_id, owner))
        except (NotFound, Expired) as problem:
            return {"task_id": task_id, "status": "not_found", "error_message": problem.detail}
        kept = ("task_id", "status", "progress", "created_at", "completed_at", "error_message")
        return {name: found[name] for name in kept}
