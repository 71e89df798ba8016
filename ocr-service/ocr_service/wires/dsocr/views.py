"""A document's job and its pages in the DeepSeek-OCR server's words. Pure."""

from __future__ import annotations

from typing import Any

from cleanplate.runtime.jobs import Job, State, iso

WORDS = {
    State.QUEUED: "queued",
    State.RUNNING: "processing",
    State.SUCCEEDED: "succeeded",
    State.FAILED: "failed",
    State.CANCELLED: "canceled",
}


def task(job: Job, published: str = "") -> dict[str, Any]:
    """Return the row of a task; `published` says what became of its copy. Clients put links after the base address."""
    asked = job.params.get("asked", {})
    path = f"/v1/tasks/{job.id}"
    return {
        "task_id": job.id,
        "status": WORDS[job.state],
        "queued_at": iso(job.created_at),
        "started_at": iso(job.started_at),
        "finished_at": iso(job.finished_at),
        "message": "; ".join(note for note in (_message(job), *_without(asked), published) if note) or None,
        "progress": 1.0 if job.state is State.SUCCEEDED else round(job.progress, 4),
        "name": job.params["name"],
        "data_id": asked.get("data_id"),
        "result_md": f"{path}/result.md",
        "result_json": f"{path}/result.json",
        "result_zip": f"{path}/download.zip" if asked.get("pack_zip", True) else None,
    }


def page(kept: dict[str, Any], *, bbox: bool) -> dict[str, Any]:
    """Return one page of result.json, counted from 1, without places where these were not asked for."""
    shown = {
        "page_index": kept["page"],
        "width": kept.get("width"),
        "height": kept.get("height"),
        "regions": [_region(region, bbox=bbox) for region in kept["regions"]],
        "images": images(kept),
        "text": kept["text"],
        "markdown": kept["markdown"],
    }
    return shown | ({"error": kept["error"]["detail"]} if "error" in kept else {})


def images(kept: dict[str, Any]) -> list[str]:
    """Return the names of the pictures that were cut out of a page."""
    return [block["image"] for block in kept["blocks"] if "image" in block]


def _region(region: dict[str, Any], *, bbox: bool) -> dict[str, Any]:
    shown = {"id": region["id"], "type": "text", "text": region["text"], "score": region["score"]}
    if not bbox:
        return shown
    box = region["box"]
    corners = [box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"]]
    return {**shown, "bbox": corners, "polygon": region["polygon"]}


def _message(job: Job) -> str:
    if job.error:
        return str(job.error["detail"])
    failed = [str(problem["page"]) for problem in job.checkpoint.get("failed", [])]
    told = str(job.detail.get("message", ""))
    return f"{told}; could not be read: {', '.join(failed)}" if failed else told


def _without(asked: dict[str, Any]) -> list[str]:
    formats = asked.get("extra_formats") or []
    return [*([f"not made here: {', '.join(formats)}"] if formats else []), asked.get("unread", "")]
