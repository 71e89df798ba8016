"""A document's job in Qianxia's words. Pure. Progress is 0 to 100 on this wire, times are in seconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from cleanplate.runtime.jobs import Job, State, iso
from ocr_service.wires.readings import Page

WORDS = {
    State.QUEUED: "pending",
    State.RUNNING: "processing",
    State.SUCCEEDED: "completed",
    State.FAILED: "failed",
    State.CANCELLED: "cancelled",
}
PREVIEW_CHARS = 500
_MEGABYTE = 1024 * 1024


def task_type(job: Job) -> str:
    """Return what kind of document it is."""
    return str(job.params.get("task_type", "image_ocr" if len(job.params["pages"]) == 1 else "pdf_ocr"))


def task(job: Job) -> dict[str, Any]:
    """Return the row of a task."""
    done, failed = job.checkpoint.get("done", 0), len(job.checkpoint.get("failed", []))
    return {
        "id": job.id,
        "task_id": job.id,
        "task_type": task_type(job),
        "status": WORDS[job.state],
        "file_name": job.params["name"],
        "file_size": job.params.get("file_size"),
        "total_pages": len(job.params["pages"]),
        "processed_pages": done,
        "failed_pages": failed,
        "progress": 100.0 if job.state is State.SUCCEEDED else round(100 * job.progress, 2),
        "processing_rate": rate(done, job.detail.get("elapsed_s")),
        "estimated_time_remaining": 0 if job.final else job.detail.get("eta_s"),
        "created_at": iso(job.created_at),
        "started_at": iso(job.started_at),
        "completed_at": iso(job.finished_at),
        "error_message": job.error["detail"] if job.error else None,
    }


def page(found: Page) -> dict[str, Any]:
    """Return the row of a page."""
    text = _read(found)
    return {
        "page_number": found.number,
        "status": found.status,
        "content": text,
        "content_length": len(text),
        "processing_time": found.seconds,
        "error_message": found.error,
    }


def statistics(pages: Sequence[Page]) -> dict[str, Any]:
    """Return figures over the pages; `success_rate` is a percentage of all."""
    states = Counter(found.status for found in pages)
    times = [found.seconds for found in pages if found.seconds is not None]
    return {
        "total_pages": len(pages),
        **{f"{state}_pages": states[state] for state in ("completed", "failed", "pending", "processing")},
        "average_processing_time": round(sum(times) / len(times), 4) if times else 0,
        "total_content_length": sum(len(_read(found)) for found in pages),
        "success_rate": 100 * states["completed"] / len(pages),
    }


def summary(job: Job, pages: Sequence[Page]) -> dict[str, Any]:
    """Return what came of a task that has ended, or of its part that was done."""
    good = sum(found.status == "completed" for found in pages)
    began, ended = job.started_at, job.finished_at
    return {
        "total_pages": len(pages),
        "successful_pages": good,
        "failed_pages": sum(found.status == "failed" for found in pages),
        "success_rate": f"{100 * good / len(pages):.1f}%",
        "processing_time": round(ended - began, 3) if began and ended else 0.0,
        "content_length": len(content(pages)),
        "file_size_mb": megabytes(job),
    }


def result(job: Job, pages: Sequence[Page]) -> dict[str, Any]:
    """Return the result of a task; what is not read yet is not in it."""
    kept = ("task_id", "status", "progress", "created_at", "completed_at", "error_message")
    return {
        **{name: value for name, value in task(job).items() if name in kept},
        "file_size_mb": megabytes(job),
        "content": content(pages),
        "page_results": [page(found) for found in pages],
    }


def batches(job: Job, pages: Sequence[Page]) -> list[dict[str, Any]]:
    """Return the batches, which are single pages here."""
    return [
        {
            "id": f"{job.id}-{found.number}",
            "task_id": job.id,
            "batch_number": number,
            "status": found.status,
            "page_start": found.number,
            "page_end": found.number,
            "pages_count": 1,
            "processed_pages": int(found.status == "completed"),
            "failed_pages": int(found.status == "failed"),
            "processing_time": found.seconds,
        }
        for number, found in enumerate(pages, 1)
    ]


def progress(job: Job, pages: Sequence[Page]) -> dict[str, Any]:
    """Return where a task stands, in every detail."""
    row = task(job)
    kept = ("total_pages", "processed_pages", "failed_pages", "processing_rate", "estimated_time_remaining")
    return {
        "task_info": row,
        "batches": batches(job, pages),
        "page_statistics": statistics(pages),
        "detailed_progress": {**{name: row[name] for name in kept}, "progress_percentage": row["progress"]},
    }


def content(pages: Sequence[Page], *, plain: bool = False) -> str:
    """Return the Markdown, or the plain text, of all pages that were read."""
    texts = (found.text if plain else _read(found) for found in pages)
    return "\n\n".join(text.strip() for text in texts if text.strip())


def megabytes(job: Job) -> float | None:
    """Return the size of the file that was handed in."""
    size = job.params.get("file_size")
    return None if size is None else round(size / _MEGABYTE, 2)


def rate(pages: int, seconds: float | None) -> float:
    """Return pages per second."""
    return round(pages / seconds, 3) if seconds else 0.0


def _read(found: Page) -> str:
    return found.markdown if found.status == "completed" else ""
