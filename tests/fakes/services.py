"""An ocr-service and an inpaint-service that are small classes: a line of text is a block of a color of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from backend.clients import InpaintClient, OcrClient
from backend.intake import Intake
from backend.options import Options
from backend.papers import PaperLimits, read_paper
from backend.pipeline import Pipeline
from cleanplate.contract.geometry import Box, bounds, text_height
from cleanplate.contract.messages import BoxModel, DetectedRegion, Detection
from cleanplate.contract.problems import UpstreamFailed
from cleanplate.runtime.board import Board
from cleanplate.runtime.dispatch.local import LocalDispatcher
from cleanplate.runtime.images import PictureLimits
from cleanplate.runtime.jobs import Job

LIMITS = PictureLimits(0, 0, 0)
NOWHERE: Any = "http://nowhere", "", None, 5.0, 5.0  # URL, key, session, patience, timeout
SIZE = 400, 300
LINES = {"SALE": (200, 0, 0), "TODAY": (0, 120, 0), "ONLY": (0, 0, 160)}
PLACES = {"SALE": Box(20, 20, 60, 20), "TODAY": Box(300, 240, 80, 30), "ONLY": Box(30, 250, 50, 16)}
TASK_EVENTS = 3


def drawn(*names: str, format: str = "PNG") -> bytes:
    """Return a white picture with these lines on it."""
    image = Image.new("RGB", SIZE, "white")
    for name in names:
        _block(image, PLACES[name], LINES[name])
    file = BytesIO()
    image.save(file, format, lossless=True)
    return file.getvalue()


def pixels(data: bytes) -> np.ndarray:
    """Return (H, W, 3) uint8."""
    return np.array(Image.open(BytesIO(data)).convert("RGB"))


class Ocr(OcrClient):
    """Reads the blocks. Each call takes the first of `answers`: None to work, or what to raise or to wait for."""

    def __init__(self, *answers: Exception | asyncio.Event | None):
        super().__init__("ocr-service", *NOWHERE)
        self.answers = list(answers)
        self.seen: list[tuple[int, int]] = []
        self.asked: list[dict[str, Any]] = []

    async def detect(self, image: bytes, params: dict[str, Any]) -> Detection:
        self.asked.append(params)
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, asyncio.Event):
            answer.set()
            await asyncio.Event().wait()
        rgb = pixels(image)
        height, width = rgb.shape[:2]
        self.seen.append((width, height))
        lines = [(name, np.argwhere((rgb == color).all(axis=2))) for name, color in LINES.items()]
        regions = [_region(name, found) for name, found in lines if len(found)]
        return Detection(width=width, height=height, engine="fake", model="fake", regions=regions)


class Inpaint(InpaintClient):
    """Paints white what the mask covers; a line in `needs` stays before the dilation is so large."""

    def __init__(self, needs: Mapping[str, float] | None = None):
        super().__init__("inpaint-service", *NOWHERE)
        self.needs = needs or {}
        self.orders: dict[str, tuple[bytes, list[DetectedRegion], dict[str, Any]]] = {}
        self.cancelled: list[str] = []
        self.stuck: str | None = None  # the end of the task's id that never ends
        self.turns: threading.Semaphore | None = None  # each message about a task takes one
        self.begun = asyncio.Event()
        self.ended = asyncio.Event()

    async def mask(self, image: bytes, regions: Sequence[Any], params: dict[str, Any]) -> bytes:
        mask = Image.new("L", SIZE)
        for region in regions:
            _block(mask, _reach(region, params), 255)
        file = BytesIO()
        mask.save(file, "PNG")
        return file.getvalue()

    async def submit(self, image: bytes, regions: Sequence[Any], params: dict[str, Any], task_id: str) -> None:
        order = image, list(regions), params
        assert self.orders.setdefault(task_id, order) == order, "another order under the same id"

    async def follow(self, task_id: str, after: int) -> AsyncIterator[dict[str, Any]]:
        """Tell what the relay would, from the cursor on."""
        for seq in range(after + 1, TASK_EVENTS):
            await self._turn()
            told = {"message": f"step {seq}", "current_region": 0, "total_regions": 1}
            yield {"type": "progress_update", "seq": seq, "overall_progress": 100 * seq / TASK_EVENTS, **told}
        if self.stuck is not None and task_id.endswith(self.stuck):
            self.begun.set()
            await asyncio.Event().wait()
        await self._turn()
        regions = [{"id": region.id, "strategy": task_id[-2:]} for region in self.orders[task_id][1]]
        yield {"type": "task_completed", "seq": TASK_EVENTS, "result": {"regions": regions}}

    async def _turn(self) -> None:
        if self.turns is not None:
            await asyncio.to_thread(self.turns.acquire)

    async def result(self, task_id: str) -> bytes:
        image, regions, params = self.orders[task_id]
        picture = Image.open(BytesIO(image)).convert("RGB")
        for region in regions:
            if params.get("mask_dilation", 0.1) >= self.needs.get(region.text, 0):
                _block(picture, _reach(region, params), "white")
        file = BytesIO()
        picture.save(file, params["output_format"])
        return file.getvalue()

    async def cancel(self, task_id: str) -> None:
        self.cancelled.append(task_id)
        self.ended.set()


@asynccontextmanager
async def working(
    board: Board, ocr: Any, inpaint: Any, limits: PictureLimits = LIMITS, page_s: float = 30.0
) -> AsyncIterator[None]:
    """Let a backend work on the board's jobs; at the end it is stopped."""
    pipeline = Pipeline(ocr, inpaint, limits, patience_s=5, paper=PaperLimits(limits, page_s=page_s))
    dispatcher = LocalDispatcher(board, pipeline, slots=1)
    await dispatcher.start()
    try:
        yield
    finally:
        await dispatcher.stop()
        await asyncio.to_thread(pipeline.close)


async def submit(board: Board, data: bytes, **given: Any) -> Job:
    options = Options(**given)
    intake = Intake(data, options, "picture.png", paper=read_paper(data, options.pages, PaperLimits(LIMITS, dpi=72)))
    job, _ = await board.submit(intake.new_job("", None), intake.files())
    return job


async def ended(board: Board, job: Job) -> Job:
    """Return the job once it has ended."""
    async with asyncio.timeout(30):
        async for _ in board.follow(job.id):
            pass
    return await board.get(job.id)


def down() -> UpstreamFailed:
    return UpstreamFailed("ocr-service does not answer")


def _region(name: str, found: np.ndarray) -> DetectedRegion:
    (top, left), (bottom, right) = found.min(axis=0), found.max(axis=0) + 1
    box = Box(float(left), float(top), float(right - left), float(bottom - top))
    told = BoxModel.of(box)
    return DetectedRegion(id=name[0], polygon=list(box.polygon()), box=told, text=name, score=0.9, angle=0)


def _reach(region: DetectedRegion, params: Mapping[str, Any]) -> Box:
    dilation = params.get("mask_dilation", 0.1)
    return bounds(region.polygon).grow(dilation if dilation >= 1 else dilation * text_height(region.polygon))


def _block(image: Image.Image, box: Box, color: Any) -> None:
    left, top, right, bottom = box.pixels()
    ImageDraw.Draw(image).rectangle((left, top, right - 1, bottom - 1), color)
