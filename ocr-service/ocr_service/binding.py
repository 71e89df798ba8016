"""The pages of a job, once they are all read, bound into a searchable PDF."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from cleanplate.contract.messages import DetectedRegion
from cleanplate.contract.problems import Problem
from cleanplate.runtime.lane import Lane
from cleanplate.runtime.pdf.documents import is_pdf
from cleanplate.runtime.run import Run
from ocr_service.kept import SEARCHABLE, kept
from ocr_service.pages import Pages
from ocr_service.searchable import SearchablePdf


async def bind(run: Run, lane: Lane, pages: Pages, data: bytes, dpi: int) -> None:
    """Make the job's searchable PDF, page by page in the lane; `dpi` is that of the readings."""
    numbers = [index + 1 for index in run.job.params["pages"]]
    texts = {region["text"] for number in numbers for region in (await kept(run, number))["regions"]}
    given = data if is_pdf(data) else None
    pdf = await lane.run(partial(SearchablePdf, given, texts, dpi))
    try:
        for number in numbers:
            await run.still_mine()
            page = await kept(run, number)
            await lane.run(partial(_add, pdf, page, None if given is not None else pages))
        await run.put(SEARCHABLE, await lane.run(pdf.data))
    finally:
        await asyncio.shield(asyncio.to_thread(pdf.close))


def _add(pdf: SearchablePdf, page: dict[str, Any], pictures: Pages | None) -> None:
    """Add a page to the searchable PDF. Of a picture's pages, what cannot even be seen is left out."""
    regions = [DetectedRegion.model_validate(region) for region in page["regions"]]
    if pictures is None:
        if regions:
            pdf.add_text(page["page"] - 1, (page["height"], page["width"]), regions)
        return
    try:
        picture = pictures.picture(page["page"] - 1)
    except Problem:
        return
    pdf.add_page(picture, regions)
