"""What the older wires know of documents: how one is handed in, and what was read of each of its pages."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from cleanplate.runtime.files import JobFiles
from cleanplate.runtime.jobs import Job, NewJob, State
from ocr_service.intake import check_params, read_document
from ocr_service.kept import DOCUMENT, page_file
from ocr_service.params import DocumentParams
from ocr_service.parts import Parts

PAGE_S = 3.0  # of a page, before the first was measured; Qianxia's own guess
JOBS_MEASURED = 5


@dataclass(frozen=True)
class Page:
    """What is known of a page, counted from 1; `text` is `markdown` without the marks.

    A page that failed has an `error`, and Markdown that says so.
    """

    number: int
    status: Literal["pending", "processing", "completed", "failed"]
    markdown: str = ""
    text: str = ""
    seconds: float | None = None
    error: str | None = None


async def hand_in(
    parts: Parts,
    data: bytes,
    name: str,
    owner: str,
    *,
    params: DocumentParams | None = None,
    key: str | None = None,
    priority: int = 0,
    then: Callable[[NewJob], Sequence[NewJob]] | None = None,
    **told: Any,
) -> tuple[Job, bool]:
    """Submit a document, and return its job and whether that is new.

    Args:
        parts: of the service.
        data: the file.
        name: the client's, to be shown.
        owner: whose it is.
        params: how it is to be read; by default all of it.
        key: finds the first job again.
        priority: those with more go first.
        then: gives the jobs that follow this one, submitted in the same transaction.
        told: kept in the job's `params`, for the wire.

    Raises:
        Problem: what `check_params`, `read_document` and `Board.submit` raise.
    """
    limits, params = parts.settings.page_limits(), params or DocumentParams()
    check_params(params, parts.readers)
    await parts.headroom.check()
    intake = await asyncio.to_thread(read_document, data, name, params, limits)
    new = await asyncio.to_thread(intake.new_job, owner, key)
    new = replace(new, params={**new.params, "file_size": len(data), **told}, priority=priority)
    return await parts.board.submit(new, {DOCUMENT: data}, then(new) if then else ())


async def pages_of(parts: Parts, job: Job, only: Iterable[int] | None = None) -> list[Page]:
    """Return the job's pages, or of them those with these numbers, in order."""
    wanted = None if only is None else set(only)
    numbers = [index + 1 for index in job.params["pages"]]
    done = job.checkpoint.get("done", 0)
    read = [number for number in numbers[:done] if wanted is None or number in wanted]
    pages = await parts.board.call(_load, parts.board.files, job, read)
    for place, number in enumerate(numbers[done:]):
        if wanted is None or number in wanted:
            pages.append(Page(number, "processing" if place == 0 and job.state is State.RUNNING else "pending"))
    return pages


async def page_seconds(parts: Parts) -> float:
    """Return how long a page takes, measured on the newest documents that were read."""
    board = parts.board
    jobs = await board.call(
        board.store.list_jobs,
        kind=board.kind, owner=None, states=[State.SUCCEEDED], before=None, limit=JOBS_MEASURED,
    )  # fmt: skip
    seconds = sum((job.finished_at or 0.0) - (job.started_at or 0.0) for job in jobs)
    return seconds / sum(len(job.params["pages"]) for job in jobs) if jobs else PAGE_S


def _load(files: JobFiles, job: Job, numbers: list[int]) -> list[Page]:
    return [_page(json.loads(files.get(job.id, page_file(number)))) for number in numbers]


def _page(kept: dict[str, Any]) -> Page:
    if "error" in kept:
        return Page(kept["page"], "failed", kept["markdown"], error=kept["error"]["detail"])
    seconds = kept.get("timings", {}).get("total")
    return Page(kept["page"], "completed", kept["markdown"], kept["text"], seconds)
