"""A document as a job: one page after the other is rendered, read and kept, and is there for its client at once.

While a page is read the next is rendered; no more than these two are in memory. A page that fails is tried once more,
then it is reported and the others go on. Each page that is done is a file, an event and a checkpoint, so that whoever
takes the job over begins with the next.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cleanplate.contract.problems import EngineBusy, EngineUnavailable, Internal, Malformed, Problem
from cleanplate.runtime.lane import Lane
from cleanplate.runtime.run import Run
from ocr_service.ahead import Ahead
from ocr_service.binding import bind
from ocr_service.detect import detect
from ocr_service.engines import TextEngine
from ocr_service.kept import DOCUMENT, keep
from ocr_service.layout import failure, layout
from ocr_service.pages import PageLimits, Pages, open_pages
from ocr_service.params import DocumentParams
from ocr_service.readers import Readers

log = logging.getLogger(__name__)
Take = Callable[[], Awaitable[NDArray[np.uint8]]]

PAGE_DEATHS = 3  # a page at which so many workers in a row died is not tried again


@dataclass(frozen=True)
class Transcriber:
    """Handles a document; see `Handler`. `lane` renders."""

    readers: Readers
    lane: Lane
    limits: PageLimits

    async def __call__(self, run: Run) -> None:
        """Carry the job to its end."""
        params = DocumentParams.model_validate(run.job.params["options"])
        data = await run.get(DOCUMENT)
        pages = open_pages(data, self.limits)
        try:
            await self._read(run, pages, params)
            failed = run.job.checkpoint["failed"]
            if len(failed) == len(run.job.params["pages"]):
                raise _unreadable(failed[0])
            if params.searchable_pdf:
                await bind(run, self.lane, pages, data, self.limits.dpi)
        finally:
            await asyncio.to_thread(pages.close)
        numbers = [problem["page"] for problem in failed]
        await run.succeed({"pages": len(run.job.params["pages"]), "failed_pages": numbers})

    async def _read(self, run: Run, pages: Pages, params: DocumentParams) -> None:
        """Read the pages that are left, the next being rendered meanwhile."""
        render = partial(self._render, pages)
        indexes = run.job.params["pages"][run.job.checkpoint.get("done", 0) :]
        if run.job.crashes and indexes:  # alone, so that it is known which page it is that kills
            index = indexes.pop(0)
            await keep(run, await self._risky(run, index, partial(render, index), params))
        async with Ahead(render, indexes) as ahead:
            for index in indexes:
                await keep(run, await self._page(run, index, (ahead.take, partial(render, index)), params))

    async def _risky(self, run: Run, index: int, render: Take, params: DocumentParams) -> dict[str, Any]:
        """Read a page at which a worker died, unless too many have."""
        if run.job.crashes >= PAGE_DEATHS:
            return failure(index + 1, Internal(f"its worker died {run.job.crashes} times in a row"))
        return await self._page(run, index, (render, render), params)

    async def _page(self, run: Run, index: int, takes: Sequence[Take], params: DocumentParams) -> dict[str, Any]:
        """Return what is read on the page, or why it cannot be; each of `takes`, which render it, is one try."""
        problem: Problem = Internal()
        for take in takes:
            picture = None  # that of the try before is let go first
            try:
                picture = await take()
                return await self._seen(index, picture, params)
            except Exception as error:  # whatever it is, the other pages are not to suffer from it
                log.warning("page %d cannot be read", index + 1, exc_info=error, extra={"job_id": run.job.id})
                problem = error.with_traceback(None) if isinstance(error, Problem) else Internal()  # it holds pixels
        return failure(index + 1, problem)

    async def _render(self, pages: Pages, index: int) -> NDArray[np.uint8]:
        return await self.lane.run(partial(pages.picture, index), self.limits.call_s)

    async def _seen(self, index: int, picture: NDArray[np.uint8], params: DocumentParams) -> dict[str, Any]:
        def work(engine: TextEngine) -> dict[str, Any]:
            return layout(index + 1, detect(picture, engine, params.options()))

        while True:
            try:
                reader = await self.readers.get(params.engine)
                return await reader.run(work, self.limits.page_s)
            except (EngineBusy, EngineUnavailable) as problem:  # no fault of the page
                if problem.retry_after_s is None:
                    raise
                await asyncio.sleep(problem.retry_after_s)


def _unreadable(first: dict[str, Any]) -> Problem:
    """Return why the job failed, from the first of its pages, which all have."""
    kind = Malformed if first["status"] < 500 else Internal
    return kind(f"no page could be read; page {first['page']}: {first['detail']}", field="file")
