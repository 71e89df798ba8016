"""The ocr-service as a web application: its parts, made once, and put together."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Any

from fastapi import FastAPI

import cleanplate
from cleanplate.runtime import service
from cleanplate.runtime.endings import end_when_hung, give_up
from cleanplate.runtime.jobs import Job
from cleanplate.runtime.metrics import Metrics
from cleanplate.runtime.web import Shape, create_app
from ocr_service.document_routes import DocumentRoutes
from ocr_service.engines import load
from ocr_service.gauges import EngineGauges
from ocr_service.machine import Memory, system_memory
from ocr_service.parts import Parts, make_parts
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

ROUTES = (
    Routes,
    DocumentRoutes,
    paddlex.PaddlexRoutes,
    paddlex_jobs.PaddlexJobRoutes,
    ocrplus.OcrplusRoutes,
    qianxia.QianxiaRoutes,
)
SHAPES: Mapping[str, Shape] = MappingProxyType(
    dict.fromkeys(paddlex.PATHS, paddlex.answer)
    | dict.fromkeys(qianxia.PATHS, answer_qianxia)
    | dict.fromkeys(DSOCR_PATHS, answer_dsocr)
)
"""How the older wires tell problems, by where their paths begin."""


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
    parts = make_parts(settings, loader, memory)
    dsocr = DsocrWire(parts)
    app = create_app(
        "cleanplate ocr-service",
        cleanplate.__version__,
        keys=settings.access(),
        metrics=_metrics(parts, dsocr),
        limit_bytes=settings.body_limit(),
        checks={
            "engine": parts.readers.ready,
            "store": parts.store_answers,
            **service.worker_checks(settings, worker=worker),
        },
        running=lambda: _running(parts, dsocr, worker),
        shapes=SHAPES,
        metrics_shown=settings.app_metrics_enabled,
        recorder=service.open_recorder("ocr-service", settings),
    )
    for routes in ROUTES:
        app.include_router(routes(parts).router)
    dsocr.add_to(app)
    return app


def _metrics(parts: Parts, dsocr: DsocrWire) -> Metrics:
    metrics, lanes = Metrics("ocr-service"), (parts.rendering, parts.sheets)
    metrics.watch(lambda: [*parts.readers.lanes(), *lanes], [parts.board, parts.promises], parts.settings.data)
    metrics.registry.register(EngineGauges(parts.readers))
    metrics.registry.register(dsocr.metrics)
    return metrics


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
        give_up()
