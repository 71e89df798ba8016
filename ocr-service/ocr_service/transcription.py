"""A document as a job: one page after the other is rendered, read and kept, and is there for its client at once.

While a page is read the next is rendered; no more than these two are in memory, unless the engine is asked over the
network: then so many pages are under way as it takes at once. A page that fails is tried once more, then it is reported
and the others go on. Each page that is done is a file, an event and a checkpoint, so that whoever
takes the job over begins with the next.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from cleanplate.contract.geometry import Box
from cleanplate.contract.messages import Detection
from cleanplate.contract.problems import (
    EngineBusy,
    EngineUnavailable,
    Internal,
    Malformed,
    Problem,
    UpstreamFailed,
    known,
)
from cleanplate.runtime import traces
from cleanplate.runtime.lane import Lane
from cleanplate.runtime.run import Run
from ocr_service.ahead import Ahead
from ocr_service.binding import bind
from ocr_service.figures import picture_boxes
from ocr_service.headroom import Headroom
from ocr_service.illustration import illustrate
from ocr_service.kept import DOCUMENT, keep
from ocr_service.layout import failure, layout, written
from ocr_service.orientation import upright
from ocr_service.pages import PageLimits, Pages, Sheet, open_pages
from ocr_service.params import DocumentParams
from ocr_service.readers import Reader, Readers
from ocr_service.textlayer import read_layer

log = logging.getLogger(__name__)
Take = Callable[[], Awaitable[Sheet]]
Render = Callable[[int], Awaitable[Sheet]]
T = TypeVar("T")

PAGE_DEATHS = 3  # a page at which so many workers in a row died is not tried again


@dataclass(frozen=True)
class Transcriber:
    """Handles a document; see `Handler`. `lane` renders."""

    readers: Readers
    lane: Lane
    limits: PageLimits
    headroom: Headroom

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
                with traces.span("bind"):
                    await bind(run, self.lane, pages, data, self.limits.dpi)
        finally:
            await asyncio.shield(asyncio.to_thread(pages.close))
        numbers = [problem["page"] for problem in failed]
        await run.succeed({"pages": len(run.job.params["pages"]), "failed_pages": numbers})

    async def _read(self, run: Run, pages: Pages, params: DocumentParams) -> None:
        """Read the pages that are left, the next being rendered meanwhile."""
        render = partial(self._render, pages, asyncio.Lock(), params)
        indexes = run.job.params["pages"][run.job.checkpoint.get("done", 0) :]
        if run.job.crashes and indexes:  # alone, so that it is known which page it is that kills
            index = indexes.pop(0)
            await keep(run, await self._risky(run, index, partial(render, index), params))
        many = (await self._reader(params)).pages_at_once
        if many > 1:
            async with Ahead(partial(self._anew, run, render, params), indexes, many) as read:
                for _ in indexes:
                    await keep(run, await read.take())
            return
        async with Ahead(render, indexes) as ahead:
            for index in indexes:
                if await self.headroom.short():
                    log.warning("too little memory is free, the next page waits", extra={"job_id": run.job.id})
                    await run.note("waiting", reason="too little memory is free")
                await keep(run, await self._page(run, index, (ahead.take, partial(render, index)), params))

    async def _anew(self, run: Run, render: Render, params: DocumentParams, index: int) -> dict[str, Any]:
        """Read a page that nobody has rendered."""
        return await self._page(run, index, (partial(render, index), partial(render, index)), params)

    async def _risky(self, run: Run, index: int, render: Take, params: DocumentParams) -> dict[str, Any]:
        """Read a page at which a worker died, unless too many have."""
        if run.job.crashes >= PAGE_DEATHS:
            return failure(index + 1, Internal(f"its worker died {run.job.crashes} times in a row"))
        return await self._page(run, index, (render, render), params)

    async def _page(self, run: Run, index: int, takes: Sequence[Take], params: DocumentParams) -> dict[str, Any]:
        """Return what is read on the page, or why it cannot be; each of `takes`, which render it, is one try."""
        problem: Problem = Internal()
        for take in takes:
            sheet = None  # that of the try before is let go first
            try:
                sheet = await take()
                with traces.span("read", {"page": index + 1}):
                    return await self._seen(run, index + 1, sheet, params)
            except UpstreamFailed as refusal:  # the engine has tried again itself
                log.warning("page %d cannot be read: %s", index + 1, refusal.detail, extra={"job_id": run.job.id})
                return failure(index + 1, refusal)
            except Exception as error:  # whatever it is, the other pages are not to suffer from it
                log.warning("page %d cannot be read", index + 1, exc_info=error, extra={"job_id": run.job.id})
                problem = error.with_traceback(None) if isinstance(error, Problem) else Internal()  # it holds pixels
        return failure(index + 1, problem)

    async def _render(self, pages: Pages, turn: asyncio.Lock, params: DocumentParams, index: int) -> Sheet:
        await self.headroom.wait()
        async with turn:  # else the pages of one document fill the lane's queue, and wait longer than one may take
            with traces.span("render", {"page": index + 1}):
                picture = await self.lane.run(partial(pages.picture, index), self.limits.call_s)
            text = None
            if params.text_layer:
                with suppress(Malformed):  # then it is read
                    text = await self.lane.run(partial(pages.text, index), self.limits.call_s)
        return Sheet(picture, text)

    async def _seen(self, run: Run, number: int, sheet: Sheet, params: DocumentParams) -> dict[str, Any]:
        picture, seen = sheet.picture, None
        if sheet.text:
            seen = await asyncio.to_thread(read_layer, picture, sheet.text, words=params.word_boxes)
        if seen is None:
            reader = await self._reader(params)
            if self.readers.can(params.engine, "markdown"):
                return await self._written(run, number, picture, params, reader)
            seen = await _patiently(lambda: reader.detect(lambda: picture, params.options(), self.limits.page_s))
        boxes: list[Box] = []
        if params.describe_images:
            turns = seen.quarter_turns
            picture = np.rot90(picture, turns)
            texts = [upright(region, turns, seen.width, seen.height).box.to_box() for region in seen.regions]
            boxes = await asyncio.to_thread(picture_boxes, picture, texts)
        shown = await illustrate(run, number, picture, boxes, self._describe if params.describe_images else None)
        return await asyncio.to_thread(layout, number, seen, *shown)

    async def _written(
        self, run: Run, number: int, picture: NDArray[np.uint8], params: DocumentParams, reader: Reader
    ) -> dict[str, Any]:
        """Read a page with an engine that gives Markdown."""
        page = await _patiently(lambda: reader.page(lambda: picture, params.options(), self.limits.page_s))
        boxes = [piece.box for piece in page.pieces if piece.kind == "picture" and piece.box is not None]
        told = await illustrate(run, number, picture, boxes, self._describe if params.describe_images else None)
        height, width = picture.shape[:2]
        seen = Detection(width=width, height=height, engine=reader.engine, model=reader.model, regions=[])
        return await asyncio.to_thread(written, number, seen, page, *told)

    async def _describe(self, picture: NDArray[np.uint8]) -> str:
        return await _patiently(lambda: self.readers.describe(picture, self.limits.page_s))

    async def _reader(self, params: DocumentParams) -> Reader:
        """Return the engine that is asked for, when it is loaded."""
        return await _patiently(lambda: self.readers.get(params.engine, params.options().languages))


async def _patiently(call: Callable[[], Awaitable[T]]) -> T:
    """Call an engine again while it is busy or cannot be loaded for now, which is no fault of the page."""
    while True:
        try:
            return await call()
        except (EngineBusy, EngineUnavailable) as problem:
            if problem.retry_after_s is None:
                raise
            await asyncio.sleep(problem.retry_after_s)


def _unreadable(first: dict[str, Any]) -> Problem:
    """Return why the job failed: what was wrong with the first of its pages, which all have."""
    kind = known(first["code"], Malformed if first["status"] < 500 else Internal)
    field = "file" if first["status"] < 500 else None
    return kind(f"no page could be read; page {first['page']}: {first['detail']}", field=field)
