"""The files of a job over HTTP."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from backend.artifacts import MASK, REGIONS
from backend.deliveries import Deliveries
from cleanplate.runtime.access import Owner
from cleanplate.runtime.board import Board
from cleanplate.runtime.openapi import answers

_TYPES = "image/png", "image/jpeg", "image/webp", "application/json", "application/octet-stream"
_FILE = {
    **answers(*_TYPES),
    **answers(*_TYPES, status=206, description="The part that `Range` names"),
    304: {"description": "It is as `If-None-Match` says"},
}


class FileRoutes:
    """The routes of `router`, with what they need."""

    def __init__(self, board: Board):
        self._board = board
        self._deliveries = Deliveries(board)
        self.router = APIRouter(prefix="/api/v1/jobs/{job_id}", tags=["files"])
        for name in ("input", "mask", "regions", "result"):
            self.router.add_api_route(
                f"/{name}", getattr(self, name), methods=["GET"], response_class=Response, responses=_FILE
            )

    async def input(self, job_id: str, request: Request, owner: Owner) -> Response:
        """Return the picture as it was sent."""
        return await self._deliveries.input(await self._board.get(job_id, owner), request)

    async def mask(self, job_id: str, request: Request, owner: Owner) -> Response:
        """Return the mask as a PNG: white where the picture is repainted. 404 when there was no text."""
        job = await self._board.get(job_id, owner)
        return await self._deliveries.file(job, MASK, request, "masked" in job.checkpoint)

    async def regions(self, job_id: str, request: Request, owner: Owner) -> Response:
        """Return the text that was found, with its places and whether it is erased; after an edit, as edited."""
        job = await self._board.get(job_id, owner)
        name = job.checkpoint.get("edited", REGIONS)
        return await self._deliveries.file(job, name, request, "detected" in job.checkpoint)

    async def result(self, job_id: str, request: Request, owner: Owner) -> Response:
        """Return the erased picture."""
        return await self._deliveries.result(await self._board.get(job_id, owner), request)
