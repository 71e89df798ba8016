"""Qianxia's wire, handing documents in: one picture, one PDF, or up to 20 of either."""

from __future__ import annotations

import math
from typing import Literal

from fastapi import Request

from cleanplate.contract.problems import Invalid, Problem
from cleanplate.runtime.bodies import File, read_upload
from cleanplate.runtime.jobs import Job
from cleanplate.runtime.pdf.documents import is_pdf
from ocr_service.parts import Parts
from ocr_service.wires import refusals
from ocr_service.wires.callers import Caller
from ocr_service.wires.qianxia import views
from ocr_service.wires.qianxia.shape import Body
from ocr_service.wires.readings import hand_in, page_seconds

BATCH_LIMIT = 20
BATCH_PRIORITY = -1  # batches go after what somebody waits for

Kind = Literal["image", "pdf"]


class HandIn:
    """The calls that make tasks."""

    def __init__(self, parts: Parts):
        self._parts = parts

    async def image(self, request: Request, caller: Caller) -> Body:
        """Hand in a picture."""
        return await self._submit(request, caller, "image")

    async def pdf(self, request: Request, caller: Caller) -> Body:
        """Hand in a PDF."""
        return await self._submit(request, caller, "pdf")

    async def batch(self, request: Request, caller: Caller) -> Body:
        """Hand in up to 20 documents of either kind; those that cannot be taken are told apart."""
        files = (await read_upload(request, self._parts.settings.body_timeout_s)).files.get("files", [])
        if not 1 <= len(files) <= BATCH_LIMIT:
            raise Invalid(f"send 1 to {BATCH_LIMIT} files; there are {len(files)}", field="files", limit=BATCH_LIMIT)
        taken: list[Body] = []
        failed: list[Body] = []
        for file in files:
            kind: Kind = "pdf" if is_pdf(file.data) else "image"
            try:
                job, wait_s = await self._hand_in(file, kind, caller, BATCH_PRIORITY)
            except Problem as problem:
                failed.append({"filename": file.name, "error": refusals.words(problem)})
                continue
            pages = {"total_pages": len(job.params["pages"])} if kind == "pdf" else {}
            told = {"task_id": job.id, "filename": file.name, "type": kind, **pages, "estimated_time": wait_s}
            taken.append(told)
        return {
            "status": "success",
            "message": f"{len(taken)} submitted, {len(failed)} refused",
            "submitted_tasks": taken,
            "failed_files": failed,
            "total_tasks": len(taken),
            "total_estimated_time": sum(task["estimated_time"] for task in taken),
            "endpoints": {"batch_status": "/api/tasks/batch/status", "websocket": "/ws"},
        }

    async def _submit(self, request: Request, owner: str, kind: Kind) -> Body:
        upload = await read_upload(request, self._parts.settings.body_timeout_s)
        if upload.file("file") is None:
            raise Invalid("send a document as the multipart file `file`", field="file")
        job, wait_s = await self._hand_in(upload.files["file"][0], kind, owner)
        size = {"total_pages": len(job.params["pages"]), "file_size_mb": f"{views.megabytes(job):.2f}"}
        path = f"/api/tasks/{job.id}"
        return {
            "status": "success",
            "task_id": job.id,
            "message": f"{kind} task submitted",
            **(size if kind == "pdf" else {}),
            "estimated_time": wait_s,
            "endpoints": {"status": path, "result": f"{path}/result", "cancel": path, "websocket": "/ws"},
        }

    async def _hand_in(self, file: File, kind: Kind, owner: str, priority: int = 0) -> tuple[Job, int]:
        """Return the job, and in how many seconds it may be done."""
        if is_pdf(file.data) != (kind == "pdf"):
            raise Invalid("is no PDF" if kind == "pdf" else "is a PDF; send it to /api/async/pdf", field="file")
        job, _ = await hand_in(self._parts, file.data, file.name, owner, priority=priority, task_type=f"{kind}_ocr")
        return job, math.ceil(len(job.params["pages"]) * await page_seconds(self._parts))
