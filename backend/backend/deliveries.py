"""The files of a job as answers: with an ETag, in parts, and not before they are there."""

from __future__ import annotations

from fastapi import Request, Response

from backend.artifacts import INPUT, RESULT
from backend.ranges import part
from cleanplate.contract.problems import NotReady
from cleanplate.runtime.board import Board
from cleanplate.runtime.jobs import Job, State


class Deliveries:
    """Hands out files of a board's jobs."""

    def __init__(self, board: Board):
        self._board = board

    async def result(self, job: Job, request: Request) -> Response:
        """Return the erased picture. Raises NotReady, Expired."""
        ready = job.state is State.SUCCEEDED and not (job.result or {}).get("dry_run")
        return await self.file(job, RESULT, request, ready)

    async def input(self, job: Job, request: Request) -> Response:
        """Return the picture as it was sent. Raises Expired."""
        return await self.file(job, f"{job.digest[:16]}.{INPUT}", request)

    async def file(self, job: Job, name: str, request: Request, ready: bool = True) -> Response:
        """Return a file of the job, or what the request's conditions and range leave of it.

        Raises:
            NotReady: it is not there yet.
            Expired: it was removed.
            HTTPException: 416, it has no such part.
        """
        if not ready:
            reason = (job.error or {}).get("detail", "")
            raise NotReady(f"the job is {job.state.value}{': ' + reason if reason else ''}", state=job.state.value)
        etag, given = _etag(job, name), request.headers
        if etag in (known := given.get("if-none-match", "")) or known.strip() == "*":
            return Response(status_code=304, headers={"ETag": etag})
        data = await self._board.call(self._board.files.get, job.id, name)
        kind, extension = _kind(data)
        headers = {
            "ETag": etag,
            "Accept-Ranges": "bytes",
            "Content-Disposition": f'inline; filename="{job.id}-{name.split(".")[0]}.{extension}"',
            "X-Content-Type-Options": "nosniff",
        }
        asked = request.method == "GET" and given.get("if-range", etag) == etag
        wanted = part(given.get("range", ""), len(data)) if asked else None
        if wanted is None:
            return Response(data, media_type=kind, headers=headers)
        headers["Content-Range"] = f"bytes {wanted.start}-{wanted.stop - 1}/{len(data)}"
        return Response(data[wanted], 206, media_type=kind, headers=headers)


def _etag(job: Job, name: str) -> str:
    """Return the file's tag; regions may be edited, and while the job runs its mask may still grow."""
    fixed = name == RESULT or name.endswith(f".{INPUT}")
    return f'"{job.digest[:16]}-{job.created_at:.3f}-{0 if fixed else job.seq}-{name}"'


def _kind(data: bytes) -> tuple[str, str]:
    """Return the media type and extension of a file that this service keeps; an input of another kind stays opaque."""
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return "image/png", "png"
    if data[:3] == b"\xff\xd8\xff":
        return "image/jpeg", "jpg"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp", "webp"
    if data[:1] == b"{":
        return "application/json", "json"
    return "application/octet-stream", "bin"
