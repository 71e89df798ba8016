"""The parts of the running service, made once and handed to its routes, and the one thing that they all do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from cleanplate.contract.messages import Detection
from cleanplate.runtime import callbacks, service
from cleanplate.runtime.board import Board
from cleanplate.runtime.images import decode, from_base64
from cleanplate.runtime.lane import Lane
from cleanplate.runtime.links import Links
from cleanplate.runtime.outbound import AddressFilter, Outbound
from ocr_service.engines import ReadOptions
from ocr_service.headroom import Headroom
from ocr_service.kept import KIND
from ocr_service.machine import Memory
from ocr_service.readers import Loader, Readers
from ocr_service.settings import OcrSettings


@dataclass(frozen=True)
class Parts:
    """What the routes work with. Pages of documents are rendered in `rendering`, those a client waits for apart."""

    settings: OcrSettings
    readers: Readers
    outbound: Outbound
    board: Board
    promises: Board
    links: Links
    rendering: Lane
    sheets: Lane
    headroom: Headroom

    async def detect(self, image: bytes, engine: str | None, options: ReadOptions) -> Detection:
        """Decode a picture and read it, when it is its turn."""
        await self.headroom.check()
        reader = await self.readers.get(engine, options.languages)
        settings, limits = self.settings, self.settings.picture_limits()
        return await reader.detect(
            lambda: decode(image, limits).over(), options, settings.request_timeout_s, settings.queue_timeout_s
        )

    async def given(self, file: str, field: str) -> bytes:
        """Return what a client gives by its URL or in base64; see `fetch` and `from_base64`."""
        if "://" in file[:32]:  # base64 has no colon
            return await self.fetch(file, field)
        return await asyncio.to_thread(from_base64, file, self.settings.picture_limits(), field=field)

    async def fetch(self, url: str, field: str) -> bytes:
        """Return what a URL of a client's holds; see `Outbound.fetch`."""
        limit_bytes, timeout_s = self.settings.max_file_size, self.settings.fetch_timeout_s
        return await self.outbound.fetch(url, limit_bytes=limit_bytes, timeout_s=timeout_s, field=field)

    async def store_answers(self) -> str:
        """Return that the store answers, or raise what it raises."""
        await self.board.call(self.board.store.check)
        return "answers"


def make_parts(settings: OcrSettings, loader: Loader, memory: Callable[[], Memory | None]) -> Parts:
    """Return the parts, engines loaded by `loader` later. Blocking: opens the job store."""
    board = service.open_board(KIND, settings)
    return Parts(
        settings=settings,
        readers=_readers(settings, loader),
        outbound=Outbound(AddressFilter(allow_private=settings.allow_private_urls)),
        board=board,
        promises=callbacks.open_board(board),
        links=Links(settings.public_url, settings.proxies()),
        rendering=Lane("render", settings.slots, settings.slots),
        sheets=Lane("render-at-once", settings.lane_count(), settings.waiting),
        headroom=Headroom(settings.memory_reserve_mb, memory),
    )


def _readers(settings: OcrSettings, loader: Loader) -> Readers:
    return Readers(
        settings.engine,
        copies=settings.lane_count(),
        queue_limit=settings.waiting,
        threads=settings.threads,
        cache=settings.data / "weights",
        options=settings.engine_options(),
        gpu_min_free_gb=settings.gpu_min_free_gb,
        call_limit_s=max(settings.request_timeout_s, settings.page_timeout_s),
        loader=loader,
    )
