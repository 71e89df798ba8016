"""The log of a document's job in the messages of Qianxia's WebSocket."""

from __future__ import annotations

import math
from typing import Any

from cleanplate.contract.messages import Event
from cleanplate.runtime.jobs import Job
from ocr_service.parts import Parts
from ocr_service.wires.qianxia import views
from ocr_service.wires.readings import page_seconds, pages_of

Message = dict[str, Any]


class Teller:
    """Tells one job, from the first of its events on: some messages count what came before."""

    def __init__(self, parts: Parts, job: Job):
        self._parts = parts
        self._id = job.id
        self._failed = 0

    async def messages(self, event: Event) -> list[Message]:
        """Return what the wire says of an event, which may be nothing."""
        told: list[Message] = []
        if event.type == "started" and event.data.get("attempt") == 1:
            told = [await self._started()]
        elif event.type == "progress" and "page" in event.data:
            told = [await self._page(event), self._progress(event)]
        elif event.type in ("succeeded", "failed", "cancelled"):
            told = [await self._end(event)]
        return [{"timestamp": event.at, "task_id": self._id, **message, "seq": event.seq} for message in told]

    async def _started(self) -> Message:
        job = await self._job()
        pages = len(job.params["pages"])
        return {
            "type": "task_started",
            "task_type": views.task_type(job),
            "file_name": job.params["name"],
            "total_pages": pages,
            "estimated_time": math.ceil(pages * await page_seconds(self._parts)),
        }

    async def _page(self, event: Event) -> Message:
        number = event.data["page"]
        found = await pages_of(self._parts, await self._job(), [number])
        row = {name: value for page in found for name, value in views.page(page).items() if name != "content"}
        self._failed += "error" in event.data
        return {"type": "page_completed", "page_number": number, "data": row}

    def _progress(self, event: Event) -> Message:
        data = event.data
        percent = round(100 * data["progress"], 2)
        told = {
            "progress": percent,
            "current_page": data["page"],
            "total_pages": data["pages"],
            "status": "processing",
            "message": data["message"],
            "processed_pages": data["done"],
            "failed_pages": self._failed,
            "estimated_time_remaining": data["eta_s"],
            "processing_rate": views.rate(data["done"], data["elapsed_s"]),
        }
        return {"type": "task_progress", "progress": percent, "data": told}

    async def _end(self, event: Event) -> Message:
        if event.type == "cancelled":
            return {"type": "task_cancelled", "reason": "the client asked for it"}
        job = await self._job()
        pages = await pages_of(self._parts, job)
        summary = views.summary(job, pages)
        if event.type == "succeeded":
            preview = views.content(pages)[: views.PREVIEW_CHARS]
            return {"type": "task_completed", "result_summary": summary, "content_preview": preview}
        failed = next((page.number for page in pages if page.status == "failed"), None)
        error = event.data.get("detail")
        return {"type": "task_failed", "error_message": error, "failed_page": failed, "partial_results": summary}

    async def _job(self) -> Job:
        return await self._parts.board.get(self._id)
