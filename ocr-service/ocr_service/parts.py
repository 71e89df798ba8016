"""The parts of the running service, made once and handed to its routes, and the one thing that they all do."""

from __future__ import annotations

from dataclasses import dataclass

from cleanplate.contract.messages import Detection
from cleanplate.runtime.board import Board
from cleanplate.runtime.images import decode
from cleanplate.runtime.lane import Lane
from cleanplate.runtime.links import Links
from cleanplate.runtime.outbound import Outbound
from ocr_service.detect import detect
from ocr_service.engines import ReadOptions, TextEngine
from ocr_service.readers import Readers
from ocr_service.settings import OcrSettings


@dataclass(frozen=True)
class Parts:
    """What the routes work with."""

    settings: OcrSettings
    readers: Readers
    outbound: Outbound
    board: Board
    promises: Board
    links: Links
    rendering: Lane

    async def detect(self, image: bytes, engine: str | None, options: ReadOptions) -> Detection:
        """Decode a picture and read it, both in the engine's lane."""

        def work(copy: TextEngine) -> Detection:
            return detect(decode(image, self.settings.picture_limits()).over(), copy, options)

        reader = await self.readers.get(engine)
        return await reader.run(work, self.settings.request_timeout_s)

    async def store_answers(self) -> str:
        """Return that the store answers, or raise what it raises."""
        await self.board.call(self.board.store.check)
        return "answers"
