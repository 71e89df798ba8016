"""A document as one job, its pages as its units: each goes through the steps of a picture, then the result is bound.

    page n      ── erase ───────► done   ── erase …
    page n + 1  ── render, find ►        ── render, find …

While a page is repainted the next is rendered and its text found, so both services have work; there are never more than
these two. A page that is done is a checkpoint. One that fails stays as it was sent, and the result says so.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from backend import spans
from backend.artifacts import INPUT, RESULT, painted
from backend.binding import bind
from backend.choices import Choices
from backend.options import Options
from backend.painting import PaintingFailed
from backend.papers import Leaves, Paper, PaperLimits, opened
from backend.sheets import CLEAN, ERASED, FAILED, FOUND, ONLY, Page, page_view
from backend.steps import Steps
from cleanplate.contract.problems import Malformed, Problem, StorageFull, StoreBusy, UpstreamFailed
from cleanplate.runtime import traces
from cleanplate.runtime.files import NO_ROOM
from cleanplate.runtime.images.encoding import JPEG_QUALITY
from cleanplate.runtime.lane import Lane
from cleanplate.runtime.pdf.documents import PIXEL_LIMIT
from cleanplate.runtime.pdf.renderer import MEMORY, PIXEL_BYTES
from cleanplate.runtime.run import Run

log = logging.getLogger(__name__)

AWAY_PAGES = 2
"""After so many pages in a row for which a service was away the job fails: it is not the pages' fault."""
RENDERERS, WAITING = 16, 256
WISHES = frozenset({"engine", "languages", "model"})
"""What a service refuses because of one of these it refuses for every page."""


@dataclass(frozen=True)
class _Work:
    """What is done to each page of one job."""

    run: Run
    leaves: Leaves
    options: Options


class Documents:
    """Erases documents."""

    def __init__(self, steps: Steps, limits: PaperLimits):
        self._steps = steps
        self._limits = limits
        self._lane = Lane("pages", threads=RENDERERS, queue_limit=WAITING)

    async def erase(self, run: Run, options: Options) -> None:
        """Carry the job to its end."""
        paper, data, turn = Paper.of(run.job.params["paper"]), await run.get(INPUT), asyncio.Lock()
        pages = [Page(run, number, paper.numbers, turn) for number in paper.numbers]
        leaves = opened(data, paper, self._limits)
        try:
            await self._pages(_Work(run, leaves, options), [page for page in pages if not page.done])
        finally:
            await asyncio.shield(asyncio.to_thread(leaves.close))  # who is cancelled twice closes them, too
        views = [page_view(run.job.checkpoint, page.number) for page in pages]
        failed = [view for view in views if view["status"] == FAILED]
        if len(failed) == len(views):
            raise _failure(failed[0])
        erased = [page for page in pages if page.checkpoint["status"] == ERASED]
        bound = [page.number for page in erased]  # after a retry there may be more than before
        if not options.dry_run and run.job.checkpoint.get("kept") != bound:
            with traces.span("bind"):
                await self._bind(run, paper, data, erased, _scan_quality(options))
            told = {"stage_progress": 1.0, "message": "result kept", "page": None, "pages": len(pages), **ONLY}
            await run.report("finalizing", spans.KEPT, checkpoint={"kept": bound}, **told)
        await run.succeed(_result(run, paper, views, options))

    def close(self) -> None:
        """Let go of the threads."""
        self._lane.close()

    async def _pages(self, work: _Work, pages: Sequence[Page]) -> None:
        """Carry each page to its end, the next being found meanwhile."""
        coming: asyncio.Future[tuple[bytes, Choices] | Problem] | None = None
        away = 0
        try:
            for page, after in zip(pages, [*pages[1:], None], strict=True):
                began = time.perf_counter()
                found = await (coming or self._found(work, page))
                coming = None if after is None else asyncio.ensure_future(self._found(work, after))
                problem = await self._page(work, page, found, began)
                away = away + 1 if _is_away(problem) else 0
                if problem is not None and away >= AWAY_PAGES:
                    raise problem
        finally:
            if coming is not None:
                coming.cancel()
                await asyncio.gather(coming, return_exceptions=True)

    async def _found(self, work: _Work, page: Page) -> tuple[bytes, Choices] | Problem:
        """Return the page as a picture and the text on it, or why there is none."""
        try:
            if "rendered" not in page.checkpoint:
                call = partial(work.leaves.picture, page.number)
                with page.step("render"):
                    await page.put(INPUT, await self._lane.run(call, self._limits.call_s))
                await page.note("rendered", checkpoint={"rendered": True})
            image = await page.get(INPUT)
            return image, await self._steps.find(page, image, work.options)
        except Problem as problem:
            return problem.with_traceback(None)  # it holds pixels

    async def _page(
        self, work: _Work, page: Page, found: tuple[bytes, Choices] | Problem, began: float
    ) -> Problem | None:
        """Carry a page to its end; return why it failed."""
        try:
            if isinstance(found, Problem):
                raise found
            image, choices = found
            chosen = choices.chosen()
            await self._steps.erase(page, image, chosen, work.options)
            erased = bool(chosen) and not work.options.dry_run
            if erased:
                await self._steps.keep(page, image, work.options)
        except (StoreBusy, StorageFull):
            raise
        except Problem as problem:
            if problem.field in WISHES:
                raise
            log.warning("page %d failed: %s", page.number, problem, extra={"job_id": work.run.job.id})
            reason = problem.with_traceback(None).body()
            told = {name: reason[name] for name in ("code", "status", "detail")}
            await page.finish(FAILED, f"page {page.number} failed", time.perf_counter() - began, reason=told)
            return problem
        count, state = page.checkpoint.get("painted", 0), {"erased": len(chosen)}
        status = ERASED if erased else FOUND if chosen else CLEAN
        if erased and work.options.verify:
            state["residual"] = page.checkpoint.get("residual", [])
        await page.finish(status, f"page {page.number} {status}", time.perf_counter() - began, **state)
        for number in range(1, count + 1):
            await page.remove(painted(number))
        return None

    async def _bind(
        self, run: Run, paper: Paper, data: bytes, erased: Sequence[Page], scan_quality: int | None
    ) -> None:
        """Keep the result; what was sent, where nothing was erased."""
        if not erased:
            await run.put(RESULT, data)
            return
        folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="cleanplate-"))
        try:
            await asyncio.to_thread((folder / "input").write_bytes, data)
            for page in erased:
                await asyncio.to_thread((folder / str(page.number)).write_bytes, await page.get(RESULT))
            await run.still_mine()
            pixels = self._limits.picture.max_pixels or PIXEL_LIMIT
            await bind(folder, paper, MEMORY + PIXEL_BYTES * pixels, scan_quality)
            await run.board.call(run.board.files.put_file, run.job.id, RESULT, str(folder / "result"))
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            raise StorageFull(f"the result cannot be put together: {error.strerror}") from None
        finally:
            await asyncio.shield(asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True))


def _scan_quality(options: Options) -> int | None:
    """Return the quality of a PDF's scanned pages, None where they are kept as the other pages are."""
    return (options.quality or JPEG_QUALITY) if options.output_format == "same" else None


def _is_away(problem: Problem | None) -> bool:
    return isinstance(problem, UpstreamFailed) and not isinstance(problem, PaintingFailed)


def _failure(first: dict[str, Any]) -> Problem:
    """Return why the job failed, from the first of its pages, which all have."""
    reason = first["reason"]
    kind = Malformed if reason["status"] < 500 else UpstreamFailed
    return kind(f"no page could be erased; page {first['page']}: {reason['detail']}", field="file")


def _result(run: Run, paper: Paper, views: list[dict[str, Any]], options: Options) -> dict[str, Any]:
    residual = [f"page-{view['page']}/{region}" for view in views for region in view["residual_regions"] or ()]
    return {
        "document": paper.kind,
        "pages": views,
        "failed_pages": [view["page"] for view in views if view["status"] == FAILED],
        "regions_found": sum(view["regions_found"] or 0 for view in views),
        "residual_regions": residual if options.verify and not options.dry_run else None,
        "processing_time": round(time.time() - (run.job.started_at or time.time()), 3),
        "dry_run": options.dry_run,
    }
