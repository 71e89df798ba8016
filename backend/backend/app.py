"""The backend as a web application: its parts, made once, and put together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
from fastapi import APIRouter, FastAPI

import cleanplate
from backend import batches as batch_jobs
from backend import expiry
from backend.batches import Batches
from backend.clients import InpaintClient, OcrClient
from backend.deliveries import Deliveries
from backend.hints import Hints
from backend.intake import KIND
from backend.pipeline import Pipeline
from backend.presets import read_presets
from backend.reruns import Reruns
from backend.routes.batches import BatchRoutes
from backend.routes.callback import CallbackRoutes
from backend.routes.console import ConsoleRoutes
from backend.routes.edits import EditRoutes
from backend.routes.files import FileRoutes
from backend.routes.jobs import JobRoutes
from backend.routes.presets import preset_routes
from backend.routes.session import SessionRoutes
from backend.routes.sockets import SocketRoutes
from backend.settings import BackendSettings
from backend.submissions import Submissions
from backend.views import Views
from cleanplate.runtime import callbacks, service
from cleanplate.runtime.access import Keys
from cleanplate.runtime.board import Board
from cleanplate.runtime.dispatch.local import LocalDispatcher
from cleanplate.runtime.jobs import Job, State, iso
from cleanplate.runtime.links import Links
from cleanplate.runtime.metrics import Metrics
from cleanplate.runtime.outbound import AddressFilter, Outbound
from cleanplate.runtime.sessions import Sessions, kept_secret
from cleanplate.runtime.web import create_app

REMOVERS = 2
COOKIE = "cleanplate_console"


def make_app(settings: BackendSettings, *, worker: bool = False) -> FastAPI:
    """Return the application. Blocking: opens the job store."""
    board = service.open_board(KIND, settings)
    promises, removals = callbacks.open_board(board), expiry.open_board(board)
    batch_board = batch_jobs.open_board(board)
    batches = Batches(board, batch_board)
    metrics = Metrics("backend")
    metrics.watch(list, [board, promises], settings.data)
    links = Links(settings.public_url, settings.proxies())
    hints, sessions = Hints(), _sessions(settings, links)

    outbound = Outbound(AddressFilter(allow_private=settings.allow_private_urls))

    async def payload(job: Job) -> dict[str, Any]:
        return _told(job, links.fixed(f"/api/v1/jobs/{job.id}/result"))

    @asynccontextmanager
    async def running() -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            connector = aiohttp.TCPConnector(limit=0)  # each job at work holds a WebSocket, and calls beside it
            session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector, auto_decompress=False))
            pipeline = _pipeline(settings, session, hints)
            jobs = service.dispatcher(board, pipeline, settings, worker=worker)
            removers = LocalDispatcher(removals, expiry.Expiry(board), slots=REMOVERS, lease_s=settings.lease_s)
            enders = LocalDispatcher(batch_board, batches, lease_s=settings.lease_s)
            stack.push_async_callback(asyncio.to_thread, pipeline.close)
            async with (
                service.running_board(board, jobs, settings),
                service.running_callbacks(board, promises, payload, outbound, settings),
                service.running_board(removals, removers, settings, sweeps=False),
                service.running_board(batch_board, enders, settings, sweeps=False),
            ):
                yield

    async def store_answers() -> str:
        await board.call(board.store.check)
        return "answers"

    app = create_app(
        "cleanplate backend",
        cleanplate.__version__,
        keys=Keys(settings.keys(), settings.page_origins(), sessions),
        metrics=metrics,
        limit_bytes=settings.body_limit(),
        checks={"store": store_answers},
        running=running,
    )
    for router in routers(board, outbound, links, settings, batches):
        app.include_router(router)
    secret = settings.callback_secret.get_secret_value()
    app.include_router(CallbackRoutes(board, hints, secret, settings.body_timeout_s).router)
    app.include_router(SessionRoutes(sessions, settings.body_timeout_s).router)
    return app


def _told(job: Job, link: str) -> dict[str, Any]:
    """Return the body of a job's callback."""
    return {
        "job_id": job.id,
        "status": job.state.value,
        "result_url": link if job.state is State.SUCCEEDED else None,
        "result": job.result,
        "error": job.error,
        "timestamp": iso(job.finished_at),
    }


def routers(
    board: Board, outbound: Outbound, links: Links, settings: BackendSettings, batches: Batches
) -> list[APIRouter]:
    """Return the routes of the product. Blocking: reads the presets and the console."""
    presets, views = read_presets(settings.presets), Views(board, links)
    submissions = Submissions(board, batches, outbound, settings, presets)
    reruns = Reruns(board, presets, settings.paper_limits())
    edits = EditRoutes(board, reruns, submissions, views, settings.body_timeout_s)
    return [
        JobRoutes(board, batches, submissions, views).router,
        BatchRoutes(batches, Deliveries(board)).router,
        FileRoutes(board, settings.picture_limits()).router,
        edits.router,
        SocketRoutes(board, links).router,
        preset_routes(presets),
        ConsoleRoutes(board).router,
    ]


def _sessions(settings: BackendSettings, links: Links) -> Sessions | None:
    password = settings.console_password.get_secret_value()
    if not password:
        return None
    secret = settings.session_secret.get_secret_value() or kept_secret(settings.data / "session.secret")
    return Sessions(password, secret, COOKIE, links, secure=settings.cookie_secure)


def _pipeline(settings: BackendSettings, session: aiohttp.ClientSession, hints: Hints) -> Pipeline:
    wait = settings.patience_s, settings.call_timeout_s
    ocr = OcrClient("ocr-service", settings.ocr_url, settings.ocr_key.get_secret_value(), session, *wait)
    inpaint = InpaintClient(
        "inpaint-service", settings.inpaint_url, settings.inpaint_key.get_secret_value(), session, *wait,
        hints=hints, callback_url=settings.callback_url,
    )  # fmt: skip
    return Pipeline(ocr, inpaint, settings.picture_limits(), settings.patience_s, settings.paper_limits())
