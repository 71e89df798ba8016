"""What a job has read, put together from its pages as it is sent: no more than one page is in memory."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Literal

from cleanplate.contract.problems import Invalid, NotFound, NotReady
from cleanplate.runtime.board import Board
from cleanplate.runtime.jobs import Job, State
from ocr_service.figures import page_of
from ocr_service.kept import SEARCHABLE, page_file

PageFormat = Literal["json", "md", "txt"]
Format = Literal["json", "md", "txt", "pdf"]

MEDIA_TYPES = {
    "json": "application/json",
    "md": "text/markdown; charset=utf-8",
    "txt": "text/plain; charset=utf-8",
    "pdf": "application/pdf",
}
_MEMBERS = {"md": "markdown", "txt": "text"}
_BETWEEN = {"json": b",\n", "md": b"\n", "txt": b"\f"}  # a form feed ends a page, as in the text of `pdftotext`


class Results:
    """The results of the jobs of a board."""

    def __init__(self, board: Board):
        self._board = board

    async def page(self, job: Job, number: int, form: PageFormat) -> bytes:
        """Return what was read on a page, counted from 1, also while the job runs and after it failed.

        Raises:
            Invalid: the page was not asked for.
            NotReady: it is not done yet, or will never be.
            Expired: it was removed.
        """
        indexes = job.params["pages"]
        if number - 1 not in indexes:
            raise Invalid(f"page {number} is not among those that were asked for", field="page")
        if indexes.index(number - 1) >= job.checkpoint.get("done", 0):
            raise NotReady(f"page {number} is not read yet; the job is {job.state.value}", state=job.state.value)
        data = await self._board.call(self._board.files.get, job.id, page_file(number))
        return data if form == "json" else str(json.loads(data)[_MEMBERS[form]]).encode()

    async def image(self, job: Job, name: str) -> bytes:
        """Return a picture that was cut out of a page; raises what `page` does for that one, and NotFound."""
        page = json.loads(await self.page(job, page_of(name), "json"))
        if not any(block.get("image") == name for block in page["blocks"]):
            raise NotFound(f"page {page['page']} has no picture {name}")
        return await self._board.call(self._board.files.get, job.id, name)

    async def whole(self, job: Job, form: Format) -> AsyncIterator[bytes]:
        """Return the pieces of the whole result, the first of them at hand.

        Raises:
            NotReady: the job has not succeeded.
            Invalid: a searchable PDF was not asked for.
            Expired: it was removed.
        """
        if job.state is not State.SUCCEEDED:
            reason = f": {job.error['detail']}" if job.error else ""
            raise NotReady(f"the job is {job.state.value}{reason}", state=job.state.value)
        if form == "pdf":
            if not job.params["options"]["searchable_pdf"]:
                raise Invalid("pdf is there only when the job was submitted with searchable_pdf", field="format")
            return _pieces([await self._board.call(self._board.files.get, job.id, SEARCHABLE)])
        first = await self.page(job, job.params["pages"][0] + 1, form)
        return self._joined(job, form, first)

    async def _joined(self, job: Job, form: PageFormat, first: bytes) -> AsyncIterator[bytes]:
        if form == "json":
            head = json.dumps({"job_id": job.id, "name": job.params["name"]})
            yield head[:-1].encode() + b', "pages": [\n'
        yield first
        for index in job.params["pages"][1:]:
            yield _BETWEEN[form] + await self.page(job, index + 1, form)
        if form == "json":
            yield b"\n]}\n"


async def _pieces(data: list[bytes]) -> AsyncIterator[bytes]:
    for piece in data:
        yield piece
