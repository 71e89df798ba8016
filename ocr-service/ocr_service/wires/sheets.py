"""The pages of a PDF that a client waits for: each is rendered in a process of its own, then waits for the engine.

A page that takes its renderer hours holds no engine, and no memory of the service.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from cleanplate.contract.problems import EngineBusy, TimedOut
from cleanplate.runtime.pdf.documents import chosen_pages
from ocr_service.detect import Reading
from ocr_service.engines import ReadOptions
from ocr_service.pages import open_pages
from ocr_service.parts import Parts
from ocr_service.readers import Reader

T = TypeVar("T")
U = TypeVar("U")


async def each_page(
    parts: Parts,
    pdf: bytes,
    reader: Reader,
    see: Callable[[NDArray[np.uint8], Reading], T],
    options: ReadOptions,
) -> list[T]:
    """Read all pages of a PDF, one after the other, and return what `see` makes of each.

    Raises:
        Invalid: it is broken, encrypted or has no pages, or one of them takes more time or memory than a page may.
        TooLarge: more pages or pixels than allowed.
        EngineBusy: too many calls wait at the first page; later ones wait longer.
        EngineUnavailable: it was not the first page's turn within the time for that.
        TimedOut: not all were read within the time for a request.
    """
    limits, limit_s = parts.settings.page_limits(), parts.settings.request_timeout_s
    most = {"page_limit": limits.pages, "pixel_limit": limits.picture.max_pixels}
    indexes = await asyncio.to_thread(partial(chosen_pages, pdf, dpi=limits.dpi, ranges=None, **most))
    pages = open_pages(pdf, limits)
    seen: list[T] = []
    limit = asyncio.timeout(limit_s)
    try:
        async with limit:
            for index in indexes:
                render = partial(parts.sheets.run, partial(pages.picture, index), limits.call_s)
                page = await _turn(render, patient=bool(seen))
                queue_s = None if seen else parts.settings.queue_timeout_s
                read = partial(reader.see, partial(_only, page), see, options, limit_s, queue_s)
                seen.append(await _turn(read, patient=bool(seen)))
    except TimeoutError:
        if not limit.expired():
            raise
        raise TimedOut(f"not all pages were read within {limit_s} s", limit=limit_s) from None
    finally:
        await asyncio.shield(asyncio.to_thread(pages.close))
    return seen


def _only(page: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return page


async def _turn(call: Callable[[], Awaitable[U]], *, patient: bool) -> U:
    while True:
        try:
            return await call()
        except EngineBusy as busy:
            if not patient:
                raise
            await asyncio.sleep(busy.retry_after_s or 1)
