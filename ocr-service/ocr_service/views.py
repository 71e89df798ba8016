"""What clients are shown of a job, and of what it read. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cleanplate.runtime.jobs import Job, iso

Link = Callable[[str], str]
"""Gives the absolute URL of a path."""


def job_view(job: Job, link: Link, websocket_link: Link, position: int = 0) -> dict[str, Any]:
    """Return the whole view of a job."""
    path = f"/v1/jobs/{job.id}"
    return {
        "job_id": job.id,
        "name": job.params["name"],
        "status": job.state.value,
        "stage": job.stage,
        "progress": round(job.progress, 4),
        "message": job.detail.get("message", ""),
        "eta_s": None if job.final else job.detail.get("eta_s"),
        "position": position,
        "pages": [index + 1 for index in job.params["pages"]],
        "pages_done": job.checkpoint.get("done", 0),
        "failed_pages": job.checkpoint.get("failed", []),
        "options": job.params["options"],
        "error": job.error,
        "attempt": job.attempt,
        "seq": job.seq,
        "created_at": iso(job.created_at),
        "started_at": iso(job.started_at),
        "finished_at": iso(job.finished_at),
        "status_url": link(path),
        "result_url": link(f"{path}/result"),
        "pages_url": link(f"{path}/pages/") + "{page}",
        "events_url": link(f"{path}/events"),
        "websocket_url": websocket_link(f"{path}/ws"),
    }
