"""The older progress wire, spoken by the inpaint-service and by the backend's relay: words and messages. Pure.

The log's own states and events are mapped here, at the edge. Progress is 0 to 100 on this wire, 0 to 1 in the log.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cleanplate.contract.messages import Event
from cleanplate.runtime.jobs import Job, State, iso

WORDS = {
    State.QUEUED: "pending",
    State.RUNNING: "processing",
    State.SUCCEEDED: "completed",
    State.FAILED: "error",
    State.CANCELLED: "cancelled",
}
FIRST_STAGES = frozenset({"", "queued", "preparing", "detecting"})
ENDS = {"succeeded": "task_completed", "failed": "task_failed", "cancelled": "task_cancelled"}

ResultUrl = Callable[[str], str]
"""Gives the absolute URL of a task's result picture."""


def word(state: State, stage: str) -> str:
    """Return the status word of this wire."""
    if state is State.RUNNING and stage in FIRST_STAGES:
        return "preparing"
    return WORDS[state]


def task_view(job: Job, now: float) -> dict[str, Any]:
    """Return the body of task-status."""
    running_s = (job.finished_at or now) - job.started_at if job.started_at else 0.0
    return {
        "task_id": job.id,
        "status": word(job.state, job.stage),
        "stage": _stage(job),
        "overall_progress": _percent(job.progress),
        "stage_progress": 100.0 if job.state is State.SUCCEEDED else _percent(job.detail.get("stage_progress", 0.0)),
        "current_region": job.detail.get("region", 0),
        "total_regions": job.detail.get("regions", job.params.get("region_count", 0)),
        "message": job.error["detail"] if job.error else job.detail.get("message", WORDS[job.state]),
        "elapsed_time": round(running_s, 3),
        "estimated_remaining": None if job.final else job.detail.get("eta_s"),
        "created_at": iso(job.created_at),
        "started_at": iso(job.started_at),
        "completed_at": iso(job.finished_at),
        "seq": job.seq,
        "error_message": job.error["detail"] if job.error else None,
        "retryable": job.error["retryable"] if job.error else None,
    }


def snapshot(job: Job, now: float, session_id: str | None, result_url: ResultUrl) -> dict[str, Any]:
    """Return the message that tells a client that joins where the task stands."""
    ends = {
        State.SUCCEEDED: ("succeeded", job.result),
        State.FAILED: ("failed", job.error),
        State.CANCELLED: ("cancelled", {}),
    }
    if job.final:
        type_, data = ends[job.state]
        at = iso(job.finished_at) or ""
        event = Event(job_id=job.id, seq=job.seq, position=0, type=type_, at=at, data=data or {})
        return message(event, session_id, result_url) or {}
    view = task_view(job, now)
    kept = (
        "task_id",
        "status",
        "stage",
        "overall_progress",
        "stage_progress",
        "message",
        "current_region",
        "total_regions",
    )
    return {
        "type": "progress_update",
        "timestamp": iso(now),
        "session_id": session_id,
        "progress": view["overall_progress"],
        **{name: view[name] for name in kept},
        "elapsed_time": view["elapsed_time"],
        "estimated_remaining": view["estimated_remaining"],
        "seq": job.seq,
    }


def message(event: Event, session_id: str | None, result_url: ResultUrl) -> dict[str, Any] | None:
    """Return the message of this wire for an event of the log, None when the wire has none for it."""
    head = {"timestamp": event.at, "task_id": event.job_id}
    tail = {"session_id": session_id, "seq": event.seq}
    data = event.data
    if event.type == "started" and data.get("attempt") == 1:
        return {"type": "task_started", **head, **tail}
    if event.type == "progress":
        return {"type": "progress_update", **head, **tail, **_progress(data)}
    if event.type == "succeeded":
        result = {
            "processed_image_url": result_url(event.job_id),
            "processing_time": data.get("processing_time"),
            "regions_processed": len(data.get("regions", ())),
            "regions": data.get("regions", []),
        }
        return {"type": "task_completed", **head, **tail, "result": result}
    if event.type == "failed":
        told = {"error_message": data.get("detail"), "code": data.get("code"), "retryable": data.get("retryable")}
        return {"type": "task_failed", **head, **tail, **told}
    if event.type == "cancelled":
        return {"type": "task_cancelled", **head, **tail}
    return None


def _progress(data: dict[str, Any]) -> dict[str, Any]:
    overall = _percent(data.get("progress", 0.0))
    return {
        "status": word(State.RUNNING, data.get("stage", "")),
        "stage": data.get("stage", ""),
        "progress": overall,
        "overall_progress": overall,
        "stage_progress": _percent(data.get("stage_progress", 0.0)),
        "message": data.get("message", ""),
        "current_region": data.get("region", 0),
        "total_regions": data.get("regions", 0),
        "elapsed_time": data.get("elapsed_s"),
        "estimated_remaining": data.get("eta_s"),
    }


def _stage(job: Job) -> str:
    if job.state is State.SUCCEEDED:
        return "finalizing"
    return "preparing" if job.stage in ("", "queued") else job.stage  # this wire has no word for waiting


def _percent(share: float) -> float:
    return round(100.0 * share, 2)
