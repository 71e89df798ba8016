"""What clients are shown of a job."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import HTTPConnection

from backend.pace import Pace
from backend.parts import numbers
from backend.sheets import page_view
from cleanplate.runtime.board import Board
from cleanplate.runtime.jobs import Job, State, iso
from cleanplate.runtime.links import Links

Link = Callable[[str], str]
"""Gives the absolute URL of a path."""


class Views:
    """Shows jobs of a board, with links as their caller sees this service."""

    def __init__(self, board: Board, links: Links, pace: Pace):
        self._board = board
        self._links = links
        self._pace = pace

    async def of(self, connection: HTTPConnection, job: Job, *, page_states: bool = False) -> dict[str, Any]:
        """Return the whole view of a job, for a document with the states of its pages only where that is asked."""
        waits = job.state is State.QUEUED  # a list of ended jobs takes one look at the store
        position = await self._board.call(self._board.store.position, job) if waits else 0
        links = self._links
        view = job_view(
            job, lambda path: links.http(connection, path), lambda path: links.websocket(connection, path), position
        )
        if waits:
            estimated_s = await self._pace.estimate_s(job, position)
            view["estimated_time"] = None if estimated_s is None else round(estimated_s, 2)
        if page_states and job.params.get("paper"):
            view["page_states"] = [page_view(job.checkpoint, number) for number in numbers(job)]
        return view


def job_view(job: Job, link: Link, websocket_link: Link, position: int = 0) -> dict[str, Any]:
    """Return the whole view of a job."""
    path = f"/api/v1/jobs/{job.id}"
    seen = job.checkpoint.get("detected", {})
    eta_s = None if job.final else job.detail.get("eta_s")
    return {
        "job_id": job.id,
        "name": job.params.get("name"),
        "status": job.state.value,
        "stage": job.stage,
        "progress": round(job.progress, 4),
        "page": job.detail.get("page"),
        "pages": len(numbers(job)) or 1,
        "stage_progress": job.detail.get("stage_progress", 0.0),
        "message": job.detail.get("message", ""),
        "eta_s": eta_s,
        "position": position,
        "estimated_time": eta_s,
        "width": seen.get("width"),
        "height": seen.get("height"),
        "regions_found": seen.get("regions"),
        "options": job.params.get("options"),
        "rerun_of": job.params.get("rerun_of"),
        "result": job.result,
        "error": job.error,
        "attempt": job.attempt,
        "seq": job.seq,
        "created_at": iso(job.created_at),
        "started_at": iso(job.started_at),
        "finished_at": iso(job.finished_at),
        "status_url": link(path),
        "result_url": link(f"{path}/result"),
        "events_url": link(f"{path}/events"),
        "websocket_url": websocket_link(f"/api/v1/ws/jobs/{job.id}"),
    }
