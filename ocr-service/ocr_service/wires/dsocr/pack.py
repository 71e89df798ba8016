"""What a task has read, as the DeepSeek-OCR server lays it out: `full.md`, `layout.json`, `images/`, a zip of all."""

from __future__ import annotations

import asyncio
import json
import zipfile
from collections.abc import AsyncIterator
from typing import Any

from cleanplate.runtime.board import Board
from cleanplate.runtime.jobs import Job
from ocr_service.kept import page_file
from ocr_service.results import Results
from ocr_service.wires.dsocr import views

MARKDOWN, LAYOUT, IMAGES = "full.md", "layout.json", "images"


class Pack:
    """The results of a board's jobs, put together page by page as they are sent."""

    def __init__(self, board: Board):
        self._board = board
        self._results = Results(board)

    async def markdown(self, job: Job) -> AsyncIterator[bytes]:
        """Return the pieces of `full.md`.

        Raises:
            NotReady: the job has not succeeded.
            Expired: it was removed.
        """
        return await self._results.whole(job, "md")

    async def layout(self, job: Job) -> AsyncIterator[bytes]:
        """Return the pieces of `layout.json`; raises what `markdown` does."""
        await self.markdown(job)
        return self._layout(job)

    async def zipped(self, job: Job) -> AsyncIterator[bytes]:
        """Return the pieces of a zip with all files; raises what `markdown` does."""
        await self.markdown(job)
        return self._zipped(job)

    async def files(self, job: Job) -> AsyncIterator[tuple[str, AsyncIterator[bytes]]]:
        """Yield the path of each file in the pack, and its pieces; raises what `markdown` does."""
        yield MARKDOWN, await self.markdown(job)
        yield LAYOUT, self._layout(job)
        async for page in self._pages(job):
            for name in views.images(page):
                yield f"{IMAGES}/{name}", _one(await self._board.call(self._board.files.get, job.id, name))

    async def _pages(self, job: Job) -> AsyncIterator[dict[str, Any]]:
        for index in job.params["pages"]:
            yield json.loads(await self._board.call(self._board.files.get, job.id, page_file(index + 1)))

    async def _layout(self, job: Job) -> AsyncIterator[bytes]:
        bbox = job.params.get("asked", {}).get("bbox", True)
        before = b'{"pages": [\n'
        async for page in self._pages(job):
            yield before + json.dumps(views.page(page, bbox=bbox)).encode()
            before = b",\n"
        yield b"\n]}\n"

    async def _zipped(self, job: Job) -> AsyncIterator[bytes]:
        out = _Pieces()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            async for path, pieces in self.files(job):
                with archive.open(path, "w") as member:
                    async for piece in pieces:
                        await asyncio.to_thread(member.write, piece)
                        yield out.taken()
        yield out.taken()


async def _one(data: bytes) -> AsyncIterator[bytes]:
    yield data


class _Pieces:
    """A file that can only be written to, and gives away what was written."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._written.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass

    def taken(self) -> bytes:
        data, self._written = b"".join(self._written), []
        return data
