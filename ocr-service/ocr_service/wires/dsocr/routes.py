"""The DeepSeek-OCR server's wire: its parts, made once, and what of it runs beside the requests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from cleanplate.runtime.dispatch.local import LocalDispatcher
from cleanplate.runtime.service import running_board
from ocr_service.parts import Parts
from ocr_service.wires.dsocr.access import Door
from ocr_service.wires.dsocr.console import ConsoleRoutes
from ocr_service.wires.dsocr.metrics import TaskMetrics
from ocr_service.wires.dsocr.pack import Pack
from ocr_service.wires.dsocr.publishing import Publisher
from ocr_service.wires.dsocr.results import ResultRoutes
from ocr_service.wires.dsocr.settings import DsocrSettings, listed
from ocr_service.wires.dsocr.system import SystemRoutes
from ocr_service.wires.dsocr.tasks import TaskRoutes


class DsocrWire:
    """All of this wire; `metrics` are to be registered."""

    def __init__(self, parts: Parts):
        pack = Pack(parts.board)
        self._door = Door(parts.settings, parts.links)
        self._settings: DsocrSettings = parts.settings
        self._publisher = Publisher(parts.board, parts.settings.app_publish_url, pack)
        self._routers = [TaskRoutes(parts, self._publisher).router, ResultRoutes(parts, pack).router]
        self._routers.append(SystemRoutes(parts).router)
        if parts.settings.app_console_enabled:
            self._routers.append(ConsoleRoutes(self._door, parts.settings.body_timeout_s).router)
        self.metrics = TaskMetrics(parts.board)

    def add_to(self, app: FastAPI) -> None:
        """Add the routes, and let web pages of other origins call where that is set."""
        app.state.dsocr = self._door
        for router in self._routers:
            app.include_router(router)
        origins = listed(self._settings.app_cors_allow_origins)
        if origins:
            credentials = self._settings.app_cors_allow_credentials and "*" not in origins
            app.add_middleware(
                CORSMiddleware,
                allow_origins=origins,
                allow_credentials=credentials,
                allow_methods=["*"],
                allow_headers=["*"],
            )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Count what ends, and make copies, while open."""
        dispatcher = LocalDispatcher(self._publisher.board, self._publisher, lease_s=self._settings.lease_s)
        counting = asyncio.create_task(self.metrics.follow())
        try:
            async with running_board(self._publisher.board, dispatcher, self._settings, sweeps=False):
                yield
        finally:
            counting.cancel()
            await asyncio.gather(counting, return_exceptions=True)
