"""The backend as a web application: its parts, made once, and put together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from fastapi import APIRouter, FastAPI

import cleanplate
from backend import expiry
from backend.clients import InpaintClient, OcrClient
from backend.intake import KIND
from backend.pipeline import Pipeline
from backend.presets import read_presets
from backend.reruns import Reruns
from backend.routes.edits import EditRoutes
from backend.routes.files import FileRoutes
from backend.routes.jobs import JobRoutes
from backend.routes.presets import preset_routes
from backend.routes.sockets import SocketRoutes
from backend.settings import BackendSettings
from backend.submissions import Submissions
from backend.views import Views
from cleanplate.runtime import callbacks, service
from cleanplate.runtime.board import Board
from cleanplate.runtime.dispatch.local import LocalDispatcher
from cleanplate.runtime.jobs import Job, State, iso
from cleanplate.runtime.links import Links
from cleanplate.runtime.metrics import Metrics
from cleanplate.runtime.outbound import AddressFilter, Outbound
from cleanplate.runtime.web import create_app

REMOVERS = 2


def make_app(settings: BackendSettings) -> FastAPI:
    """Return the application. Blocking: opens the job store."""
    board = service.open_board(KIND, settings)
    promises, removals = callbacks.open_board(board), expiry.open_board(board)
    metrics = Metrics("backend")
    metrics.watch(list, [board])
    links = Links(settings.public_url, settings.proxies())

    outbound = Outbound(AddressFilter(allow_private=settings.allow_private_urls))

    async def payload(job: Job) -> dict[str, Any]:
        link = links.fixed(f"/api/v1/jobs/{job.id}/result")
        ok = job.state is State.SUCCEEDED
        return {
            "job_id": job.id,
            "status": job.state.value,
            "result_url": link if ok else None,
            "result": job.result,
            "error": job.error,
            "timestamp": iso(job.finished_at),
        }

    @asynccontextmanager
    async def running() -> AsyncIterator[None]:
        async with aiohttp.ClientSession(auto_decompress=False) as session:
            pipeline = _pipeline(settings, session)
            jobs = LocalDispatcher(board, pipeline, slots=settings.slots, lease_s=settings.lease_s)
            removers = LocalDispatcher(removals, expiry.Expiry(board), slots=REMOVERS, lease_s=settings.lease_s)
            async with (
                service.running_board(board, jobs, settings),
                service.running_callbacks(board, promises, payload, outbound, settings),
                service.running_board(removals, removers, settings),
            ):
                yield

    async def store_answers() -> str:
        await board.call(board.store.check)
        return "answers"

    app = create_app(
        "cleanplate backend",
        cleanplate.__version__,
        keys=settings.access(),
        metrics=metrics,
        limit_bytes=settings.body_limit(),
        checks={"store": store_answers},
        running=running,
    )
    app.add_api_route("/", _root, methods=["GET"], tags=["about"])
    for router in routers(board, outbound, links, settings):
        app.include_router(router)
    return app


def routers(board: Board, outbound: Outbound, links: Links, settings: BackendSettings) -> list[APIRouter]:
    """Return the routes of the product. Blocking: reads the presets."""
    presets, views = read_presets(settings.presets), Views(board, links)
    submissions = Submissions(board, outbound, settings, presets)
    edits = EditRoutes(board, Reruns(board, presets), submissions, views, settings.body_timeout_s)
    return [
        JobRoutes(board, submissions, views).router,
        FileRoutes(board).router,
        edits.router,
        SocketRoutes(board, links).router,
        preset_routes(presets),
    ]


async def _root() -> dict[str, str]:
    """Say what this is."""
    about = {"name": "cleanplate backend", "version": cleanplate.__version__, "status": "running"}
    return {**about, "docs": "/docs", "jobs": "/api/v1/jobs"}


def _pipeline(settings: BackendSettings, session: aiohttp.ClientSession) -> Pipeline:
    wait = settings.patience_s, settings.call_timeout_s
    ocr = OcrClient("ocr-service", settings.ocr_url, settings.ocr_key.get_secret_value(), session, *wait)
    inpaint = InpaintClient(
        "inpaint-service", settings.inpaint_url, settings.inpaint_key.get_secret_value(), session, *wait
    )
    return Pipeline(ocr, inpaint, settings.picture_limits(), settings.patience_s)
