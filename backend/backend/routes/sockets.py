"""The job log over WebSockets, and the older progress wire on top of the same log."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, WebSocket

from cleanplate.runtime.access import Owner
from cleanplate.runtime.board import Board
from cleanplate.runtime.feeds import feed, feed_job
from cleanplate.runtime.links import Links
from cleanplate.runtime.progress_socket import ProgressSocket

After = Annotated[int | None, Query(ge=0, le=2**53)]


class SocketRoutes:
    """The WebSockets of `router`, with what they need."""

    def __init__(self, board: Board, links: Links):
        self._board = board
        self._links = links
        self.router = APIRouter(prefix="/api/v1/ws")
        self.router.add_api_websocket_route("/jobs/{job_id}", self.job)
        self.router.add_api_websocket_route("/jobs", self.jobs)
        self.router.add_api_websocket_route("/progress/{task_id}", self.progress)
        self.router.add_api_websocket_route("/progress", self.progress)

    async def job(self, websocket: WebSocket, job_id: str, owner: Owner, after: After = None) -> None:
        """Send the job's events with a seq over `after`, then close."""
        await feed_job(websocket, self._board, job_id, owner, after or 0)

    async def jobs(self, websocket: WebSocket, owner: Owner, after: After = None) -> None:
        """Send the events of all the caller's jobs with a position over `after`, by default the new ones."""
        await websocket.accept()
        newest = await self._board.call(self._board.store.last_position)
        await feed(websocket, self._board.follow_all(owner, newest if after is None else after))

    async def progress(
        self, websocket: WebSocket, owner: Owner, task_id: str | None = None, after: After = None
    ) -> None:
        """Speak the older wire: one job's progress, or that of all the caller's jobs."""

        def result_url(job_id: str) -> str:
            return self._links.http(websocket, f"/api/v1/jobs/{job_id}/result")

        await ProgressSocket(websocket, self._board, owner, result_url, sessions=True).serve(task_id, after)
