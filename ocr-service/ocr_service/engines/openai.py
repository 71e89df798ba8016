"""Any vision model behind OpenAI's API: a page becomes the model's Markdown, a picture lines with boxes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ocr_service.engines import EngineOptions, Line, PageText, Piece, ReadOptions, refuse_all
from ocr_service.vision.client import Client
from ocr_service.vision.replies import (
    DESCRIPTION_PROMPT,
    LINES_PROMPT,
    PAGE_PROMPT,
    description,
    page_markdown,
    text_boxes,
)

SCORE = 1.0  # such models say nothing of how sure they are


class OpenAiEngine:
    """See `RemoteEngine` and `Describer`."""

    name = "openai"

    def __init__(self, client: Client):
        self._client = client
        self.model = client.endpoint.model
        self.calls_at_once = client.endpoint.at_once

    async def lines(self, rgb: NDArray[np.uint8], options: ReadOptions) -> list[Line]:
        answer = await self._client.ask(_told(LINES_PROMPT, options), rgb)
        found = await asyncio.to_thread(text_boxes, answer, rgb.shape[1], rgb.shape[0])
        return [Line(box.polygon(), text, SCORE) for text, box in found]

    async def page(self, rgb: NDArray[np.uint8], options: ReadOptions) -> PageText:
        prompt = _told(self._client.endpoint.prompt or PAGE_PROMPT, options)
        answer = await self._client.ask(prompt, rgb)
        markdown, warnings = await asyncio.to_thread(page_markdown, answer, prompt)
        return PageText((Piece("markdown", markdown),) if markdown else (), tuple(warnings))

    async def describe(self, rgb: NDArray[np.uint8]) -> str:
        return await asyncio.to_thread(description, await self._client.ask(DESCRIPTION_PROMPT, rgb))

    async def aclose(self) -> None:
        await self._client.close()


def _told(prompt: str, options: ReadOptions) -> str:
    """Return the prompt with the languages that the text is in."""
    refuse_all(OpenAiEngine.name, replace(options, languages=()))
    said = f"\nThe text is in the languages with these BCP 47 codes: {', '.join(options.languages)}."
    return prompt + said if options.languages else prompt


def load(*, threads: int, cache: Path | None, options: EngineOptions) -> OpenAiEngine:
    """Make the client; see `engines.load`. Nothing is asked yet."""
    del threads, cache
    return OpenAiEngine(Client(options.openai))
