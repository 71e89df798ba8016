"""The ocr-service as a web application: its parts, made once, and put together."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI

import cleanplate
from cleanplate.runtime.metrics import Metrics
from cleanplate.runtime.outbound import AddressFilter, Outbound
from cleanplate.runtime.web import create_app
from ocr_service.engines import TextEngine, load
from ocr_service.parts import Parts
from ocr_service.readers import Readers
from ocr_service.routes import Routes
from ocr_service.settings import OcrSettings
from ocr_service.wires import paddlex

log = logging.getLogger(__name__)


def make_app(settings: OcrSettings, loader: Callable[..., TextEngine] = load) -> FastAPI:
    """Return the application, its engines loaded by `loader`."""
    readers = Readers(
        settings.engine,
        copies=settings.lane_count(),
        queue_limit=settings.waiting,
        threads=settings.threads,
        cache=settings.data / "weights",
        loader=loader,
    )
    parts = Parts(settings, readers, Outbound(AddressFilter(allow_private=settings.allow_private_urls)))
    metrics = Metrics("ocr-service")
    metrics.watch(readers.lanes, [])
    app = create_app(
        "cleanplate ocr-service",
        cleanplate.__version__,
        keys=settings.access(),
        metrics=metrics,
        limit_bytes=settings.body_limit(),
        checks={"engine": readers.ready},
        running=lambda: _running(readers),
        shapes=dict.fromkeys(paddlex.PATHS, paddlex.answer),
    )
    app.include_router(Routes(parts).router)
    app.include_router(paddlex.PaddlexRoutes(parts).router)
    return app


@asynccontextmanager
async def _running(readers: Readers) -> AsyncIterator[None]:
    loading = asyncio.create_task(_load(readers))
    yield
    loading.cancel()
    await asyncio.to_thread(readers.close)


async def _load(readers: Readers) -> None:
    """Load the engine without holding up the probes; without it there is nothing to serve, so end the process."""
    try:
        await readers.start()
    except Exception:  # whatever it is, the process must not stay up and look as if it were still loading
        log.critical("engine %s cannot be used", readers.own, exc_info=True)
        os.kill(os.getpid(), signal.SIGTERM)
