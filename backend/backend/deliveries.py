"""The files of a job as answers: with an ETag, in parts, and not before they are there."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from backend.artifacts import INPUT, RESULT
from backend.ranges import part
from cleanplate.contract.problems import NotReady
from cleanplate.runtime.board import Board
from cleanplate.runtime.jobs import Job
from cleanplate.runtime.pdf.documents import is_pdf

HEAD = 1024  # bytes that tell what a file is
PIECE = 4 * 2**20


class Deliveries:
    """Hands out files of a board's jobs."""

    def __init__(self, board: Board):
        self._board = board

    async def result(self, job: Job, request: Request) -> Response:
        """Return the erased picture or document; that of before where a retry was broken off.

        Raises:
            NotReady: there is none, or the job is under way.
            Expired: it was removed.
        """
        ready = job.final and job.result is not None and not job.result.get("dry_run")
        return await self.file(job, RESULT, request, ready)

    async def input(self, job: Job, request: Request) -> Response:
        """Return the file as it was sent. Raises Expired."""
        return await self.file(job, f"{job.digest[:16]}.{INPUT}", request)

    async def file(self, job: Job, name: str, request: Request, ready: bool = True) -> Response:
        """Return a file of the job, or what the request's conditions and range leave of it.

        Raises:
            NotReady: it is not there yet.
            Expired: it was removed.
            HTTPException: 416, it has no such part.
        """
        if not ready:
            raise not_ready(job)
        etag, given = self.tag(job, name), request.headers
        if is_known(etag, request):
            return Response(status_code=304, headers={"ETag": etag})
        size, (kind, extension) = await self._board.call(self._look, job.id, name)
        headers = {
            "ETag": etag,
            "Accept-Ranges": "bytes",
            "Content-Disposition": f'inline; filename="{job.id}-{name.split(".")[0]}.{extension}"',
            "X-Content-Type-Options": "nosniff",
        }
        asked = request.method == "GET" and given.get("if-range", etag) == etag
        wanted = part(given.get("range", ""), size) if asked else None
        status = 200 if wanted is None else 206
        if wanted is not None:
            headers["Content-Range"] = f"bytes {wanted.start}-{wanted.stop - 1}/{size}"
        pieces = self.pieces(job, name, wanted or slice(0, size))
        first = await anext(pieces, b"")
        if len(first) == (size if wanted is None else wanted.stop - wanted.start):
            return Response(first, status, media_type=kind, headers=headers)
        headers["Content-Length"] = str(size if wanted is None else wanted.stop - wanted.start)
        return StreamingResponse(_after(first, pieces), status, media_type=kind, headers=headers)

    def _look(self, job_id: str, name: str) -> tuple[int, tuple[str, str]]:
        files = self._board.files
        return files.size(job_id, name), _kind(files.part(job_id, name, 0, HEAD))

    async def pieces(self, job: Job, name: str, wanted: slice) -> AsyncGenerator[bytes]:
        """Yield a part of a file, so much of it at a time as does no harm in memory. Raises Expired."""
        for start in range(wanted.start, wanted.stop, PIECE):
            stop = min(start + PIECE, wanted.stop)
            yield await self._board.call(self._board.files.part, job.id, name, start, stop)

    async def size(self, job: Job, name: str) -> int:
        """Return how many bytes a file has. Raises Expired."""
        return await self._board.call(self._board.files.size, job.id, name)

    async def extension(self, job: Job, name: str) -> str:
        """Return the extension for a file, by what is in it. Raises Expired."""
        return _kind(await self._board.call(self._board.files.part, job.id, name, 0, HEAD))[1]

    def tag(self, job: Job, name: str) -> str:
        """Return the file's ETag; regions may be edited, and while the job runs its mask may still grow.

        The result of a document is another when a retry has erased more of its pages.
        """
        kept, version = job.checkpoint.get("kept"), job.seq
        if name == RESULT or name.endswith(f".{INPUT}"):
            version = len(kept) if name == RESULT and isinstance(kept, list) else 0
        return f'"{job.digest[:16]}-{job.created_at:.3f}-{version}-{name}"'


def not_ready(job: Job) -> NotReady:
    """Return the problem of who asks for what is not there."""
    reason = (job.error or {}).get("detail", "")
    return NotReady(f"the job is {job.state.value}{': ' + reason if reason else ''}", state=job.state.value)


def is_known(etag: str, request: Request) -> bool:
    """Say whether the client has the file already, by its header `If-None-Match`."""
    known = request.headers.get("if-none-match", "")
    return etag in known or known.strip() == "*"


async def _after(first: bytes, pieces: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    yield first
    async for piece in pieces:
        yield piece


def _kind(data: bytes) -> tuple[str, str]:
    """Return the media type and extension of a file that this service keeps; an input of another kind stays opaque."""
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return "image/png", "png"
    if data[:3] == b"\xff\xd8\xff":
        return "image/jpeg", "jpg"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp", "webp"
    if data[:4] in (b"II*\x00", b"MM\x00*"):
        return "image/tiff", "tif"
    if data[:1] == b"{":
        return "application/json", "json"
    if is_pdf(data):
        return "application/pdf", "pdf"
    return "application/octet-stream", "bin"
