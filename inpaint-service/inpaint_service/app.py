"""The inpaint-service as a web application: its parts, made once, and put together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Query, WebSocket
from prometheus_client import Gauge

import cleanplate
from cleanplate.runtime import callbacks, service
from cleanplate.runtime.access import Owner
from cleanplate.runtime.endings import end_when_hung, give_up
from cleanplate.runtime.jobs import Job
from cleanplate.runtime.lane import Lane
from cleanplate.runtime.links import Links
from cleanplate.runtime.metrics import Metrics
from cleanplate.runtime.outbound import AddressFilter, Outbound
from cleanplate.runtime.progress_socket import ProgressSocket
from cleanplate.runtime.web import create_app
from inpaint_service.engines import Economy, Inpainter, load
from inpaint_service.erase import Eraser
from inpaint_service.loads import Loads
from inpaint_service.models import ModelChoice, Models
from inpaint_service.parts import Parts
from inpaint_service.routes import Routes
from inpaint_service.settings import InpaintSettings
from inpaint_service.tasks import KIND, Pace, Tasks, payload, result_url_path
from inpaint_service.wires.iopaint import IopaintRoutes

log = logging.getLogger(__name__)


def make_app(settings: InpaintSettings, loader: Callable[..., Inpainter] = load, *, worker: bool = False) -> FastAPI:
    """Return the application, its models loaded by `loader`. Blocking: opens the job store."""
    parts = _parts(settings, loader)
    metrics = Metrics("inpaint-service")
    metrics.watch(lambda: [parts.lane], [parts.board, parts.promises], settings.data)
    fallback = "Whether the embedded fills stand in for the model that was asked for."
    Gauge("model_fallback", fallback, registry=metrics.registry).set_function(lambda: bool(parts.models.fallback))
    app = create_app(
        "cleanplate inpaint-service",
        cleanplate.__version__,
        keys=settings.access(),
        metrics=metrics,
        limit_bytes=settings.body_limit(),
        checks={
            "model": parts.model_ready,
            "store": parts.store_answers,
            **service.worker_checks(settings, worker=worker),
        },
        running=lambda: _running(parts, worker),
        recorder=service.open_recorder("inpaint-service", settings),
    )
    app.include_router(Routes(parts).router)
    app.include_router(IopaintRoutes(parts).router)
    _add_sockets(app, parts)
    return app


def _parts(settings: InpaintSettings, loader: Callable[..., Inpainter]) -> Parts:
    choice = ModelChoice(
        settings.model,
        settings.device,
        settings.strict_model,
        settings.model_dir,
        settings.weights,
        settings.threads or None,
        settings.models_kept,
        settings.model_copies,
        settings.idle_unload_s,
        Economy(settings.precision, settings.low_mem, settings.cpu_offload, settings.batch),
    )
    models = Models(choice, loader)
    board = service.open_board(KIND, settings)
    return Parts(
        settings=settings,
        models=models,
        loads=Loads(models, settings.sync_queue + settings.slots),
        eraser=Eraser(models, settings.picture_limits(), settings.crops()),
        lane=Lane("inpaint", settings.workers, settings.sync_queue),
        board=board,
        promises=callbacks.open_board(board),
        links=Links(settings.public_url, settings.proxies()),
        outbound=Outbound(AddressFilter(allow_private=settings.allow_private_urls)),
        pace=Pace(),
    )


@asynccontextmanager
async def _running(parts: Parts, worker: bool) -> AsyncIterator[None]:
    settings, board = parts.settings, parts.board

    async def tell(job: Job) -> dict[str, Any]:
        return await payload(board, job, parts.links.fixed(result_url_path(job.id)))

    tasks = Tasks(parts.eraser, parts.loads, parts.lane, parts.pace)
    limit_s = settings.task_timeout_s
    dispatcher = service.dispatcher(board, tasks, settings, worker=worker, limit_s=limit_s)
    loading, watching = asyncio.create_task(_load(parts)), asyncio.create_task(end_when_hung(parts.lane, limit_s))
    async with (
        service.running_board(board, dispatcher, settings),
        service.running_callbacks(board, parts.promises, tell, parts.outbound, settings),
    ):
        yield
        loading.cancel()
        watching.cancel()
    await asyncio.to_thread(parts.lane.close)
    await asyncio.to_thread(parts.models.close)


async def _load(parts: Parts) -> None:
    """Load the model without holding up the probes; end the process when it must be there and is not."""
    try:
        await asyncio.to_thread(parts.models.start)
    except Exception:  # whatever it is, the process must not stay up and look as if it were still loading
        log.critical("model %s cannot be used", parts.settings.model, exc_info=True)
        give_up()


def _add_sockets(app: FastAPI, parts: Parts) -> None:
    @app.websocket("/api/v1/ws/progress/{task_id}")
    @app.websocket("/api/v1/ws/progress")
    async def progress(
        websocket: WebSocket, owner: Owner, task_id: str | None = None, after: int | None = Query(None, ge=0, le=2**53)
    ) -> None:
        def result_url(name: str) -> str:
            return parts.links.http(websocket, result_url_path(name))

        await ProgressSocket(websocket, parts.board, owner, result_url, sessions=False).serve(task_id, after)
