"""The ocr-service as a web application: its parts, made once, and put together."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

import cleanplate
from cleanplate.runtime import callbacks, service
from cleanplate.runtime.hangs import end_when_hung
from cleanplate.runtime.jobs import Job
from cleanplate.runtime.lane import Lane
from cleanplate.runtime.links import Links
from cleanplate.runtime.metrics import Metrics
from cleanplate.runtime.outbound import AddressFilter, Outbound
from cleanplate.runtime.web import create_app
from ocr_service.document_routes import DocumentRoutes
from ocr_service.engines import load
from ocr_service.gauges import EngineGauges
from ocr_service.headroom import Headroom
from ocr_service.kept import KIND
from ocr_service.machine import Memory, system_memory
from ocr_service.parts import Parts
from ocr_service.readers import Loader, Readers
from ocr_service.routes import Routes
from ocr_service.settings import OcrSettings
from ocr_service.transcription import Transcriber
from ocr_service.views import job_view
from ocr_service.wires import ocrplus, paddlex, paddlex_jobs
from ocr_service.wires.dsocr.routes import DsocrWire
from ocr_service.wires.dsocr.shape import PATHS as DSOCR_PATHS
from ocr_service.wires.dsocr.shape import answer as answer_dsocr
from ocr_service.wires.qianxia import routes as qianxia
from ocr_service.wires.qianxia.shape import answer as answer_qianxia

log = logging.getLogger(__name__)


def make_app(
    settings: OcrSettings,
    loader: Loader = load,
    *,
    worker: bool = False,
    memory: Callable[[], Memory | None] = system_memory,
) -> FastAPI:
    """Return the application, its engines loaded by `loader`. Blocking: opens the job store."""
    if settings.app_force_cpu:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # read by torch when it is imported
    readers = Readers(
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
    board = service.open_board(KIND, settings)
    parts = Parts(
        settings=settings,
        readers=readers,
        outbound=Outbound(AddressFilter(allow_private=settings.allow_private_urls)),
        board=board,
        promises=callbacks.open_board(board),
        links=Links(settings.public_url, settings.proxies()),
        rendering=Lane("render", settings.slots, settings.slots),
        sheets=Lane("render-at-once", settings.lane_count(), settings.waiting),
        headroom=Headroom(settings.memory_reserve_mb, memory),
    )
    dsocr = DsocrWire(parts)
    metrics = Metrics("ocr-service")
    lanes = (parts.rendering, parts.sheets)
    metrics.watch(lambda: [*readers.lanes(), *lanes], [board, parts.promises], settings.data)
    metrics.registry.register(EngineGauges(readers))
    metrics.registry.register(dsocr.metrics)
    app = create_app(
        "cleanplate ocr-service",
        cleanplate.__version__,
        keys=settings.access(),
        metrics=metrics,
        limit_bytes=settings.body_limit(),
        checks={"engine": readers.ready, "store": parts.store_answers},
        running=lambda: _running(parts, dsocr, worker),
        shapes=dict.fromkeys(paddlex.PATHS, paddlex.answer)
        | dict.fromkeys(qianxia.PATHS, answer_qianxia)
        | dict.fromkeys(DSOCR_PATHS, answer_dsocr),
        metrics_shown=settings.app_metrics_enabled,
        recorder=service.open_recorder("ocr-service", settings),
    )
    app.include_router(Routes(parts).router)
    app.include_router(DocumentRoutes(parts).router)
    app.include_router(paddlex.PaddlexRoutes(parts).router)
    app.include_router(paddlex_jobs.PaddlexJobRoutes(parts).router)
    app.include_router(ocrplus.OcrplusRoutes(parts).router)
    app.include_router(qianxia.QianxiaRoutes(parts).router)
    dsocr.add_to(app)
    return app


@asynccontextmanager
async def _running(parts: Parts, dsocr: DsocrWire, worker: bool) -> AsyncIterator[None]:
    settings, board = parts.settings, parts.board

    async def tell(job: Job) -> dict[str, Any]:
        return job_view(job, parts.links.fixed, parts.links.fixed)

    transcriber = Transcriber(parts.readers, parts.rendering, settings.page_limits(), parts.headroom)
    limit_s = settings.task_timeout_s
    dispatcher = service.dispatcher(board, transcriber, settings, worker=worker, limit_s=limit_s)
    loading = asyncio.create_task(_load(parts.readers, wanted=settings.has_model(settings.engine)))
    watching = [asyncio.create_task(end_when_hung(parts.rendering, settings.page_limits().call_s))]
    if settings.idle_unload_s:
        watching.append(asyncio.create_task(parts.readers.watch(settings.idle_unload_s)))
    async with (
        service.running_board(board, dispatcher, settings),
        service.running_callbacks(board, parts.promises, tell, parts.outbound, settings),
        dsocr.running(),
    ):
        yield
        for task in (loading, *watching):
            task.cancel()
    await asyncio.to_thread(parts.rendering.close)
    await asyncio.to_thread(parts.sheets.close)
    await parts.readers.close()


async def _load(readers: Readers, *, wanted: bool) -> None:
    """Load the engine without holding up the probes; without it there is nothing to serve, so end the process."""
    if not wanted:
        readers.state = "disabled"
        return
    try:
        await readers.start()
    except Exception:  # whatever it is, the process must not stay up and look as if it were still loading
        log.critical("engine %s cannot be used", readers.own, exc_info=True)
        os.kill(os.getpid(), signal.SIGTERM)
