"""The pictures of one page of a job: cut out, kept with the job and, if that is asked for, described."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from cleanplate.contract.geometry import Box
from cleanplate.contract.problems import Problem
from cleanplate.runtime.run import Run
from ocr_service.figures import Figure, cut_out, figure_name

MOST = 100  # pictures of a page: a model may claim any number

Describe = Callable[[NDArray[np.uint8]], Awaitable[str]]


async def illustrate(
    run: Run, number: int, rgb: NDArray[np.uint8], boxes: Sequence[Box], describe: Describe | None
) -> tuple[list[Figure], list[str]]:
    """Cut pictures out of a page and keep them.

    Args:
        run: of the job.
        number: of the page, counted from 1.
        rgb: (H, W, 3) uint8, the page.
        boxes: where its pictures are, each with an area.
        describe: says what a picture shows; None: nobody asked.

    Returns:
        The pictures, in the order of their boxes, and why some are missing or have no description.
    """
    warnings = [f"of {len(boxes)} pictures the first {MOST} are kept"] if len(boxes) > MOST else []

    async def one(place: int, box: Box) -> Figure:
        name = figure_name(number, place)
        part, file = await asyncio.to_thread(cut_out, rgb, box)
        await run.put(name, file)
        try:
            return Figure(name, box, await describe(part) if describe else "")
        except Problem as problem:
            warnings.append(f"{name} could not be described: {problem.detail}")
            return Figure(name, box)

    figures = await asyncio.gather(*(one(place, box) for place, box in enumerate(boxes[:MOST], 1)))
    return list(figures), sorted(warnings)
