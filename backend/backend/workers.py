"""What works on the boards of the backend while it runs: on jobs, on batches, on what was promised about jobs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from backend import batches, expiry
from backend.clients import InpaintClient, OcrClient
from backend.hints import Hints
from backend.intake import KIND
from backend.pipeline import Pipeline
from backend.settings import BackendSettings
from cleanplate.runtime import callbacks, service
from cleanplate.runtime.board import Board
from cleanplate.runtime.dispatch.local import LocalDispatcher
from cleanplate.runtime.jobs import Job, State, iso
from cleanplate.runtime.links import Links
from cleanplate.runtime.outbound import Outbound

REMOVERS = 2


@dataclass(frozen=True)
class Boards:
    """The boards of one store: jobs, their batches, the callbacks that are promised, the removals to come."""

    jobs: Board
    batches: Board
    promises: Board
    removals: Board


def open_boards(settings: BackendSettings) -> Boards:
    """Return the boards on the store and files of the settings. Blocking."""
    jobs = service.open_board(KIND, settings)
    return Boards(jobs, batches.open_board(jobs), callbacks.open_board(jobs), expiry.open_board(jobs))


@asynccontextmanager
async def working(
    settings: BackendSettings, boards: Boards, links: Links, outbound: Outbound, hints: Hints, *, worker: bool
) -> AsyncIterator[None]:
    """Work while open; in the end jobs are given back and the boards closed."""
    jobs = boards.jobs

    async def payload(job: Job) -> dict[str, Any]:
        return _told(job, links.fixed(f"/api/v1/jobs/{job.id}/result"))

    async with AsyncExitStack() as stack:
        connector = aiohttp.TCPConnector(limit=0)  # each job at work holds a WebSocket, and calls beside it
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector, auto_decompress=False))
        pipeline = make_pipeline(settings, session, hints)
        stack.push_async_callback(asyncio.to_thread, pipeline.close)
        eraser = service.dispatcher(jobs, pipeline, settings, worker=worker)
        ender = LocalDispatcher(boards.batches, batches.Batches(jobs, boards.batches), lease_s=settings.lease_s)
        remover = LocalDispatcher(boards.removals, expiry.Expiry(jobs), slots=REMOVERS, lease_s=settings.lease_s)
        async with (
            service.running_board(jobs, eraser, settings),
            service.running_callbacks(jobs, boards.promises, payload, outbound, settings),
            service.running_board(boards.removals, remover, settings, sweeps=False),
            service.running_board(boards.batches, ender, settings, sweeps=False),
        ):
            yield


def make_pipeline(settings: BackendSettings, session: aiohttp.ClientSession, hints: Hints) -> Pipeline:
    """Return what carries jobs to their end, with the two services that the settings name."""
    wait = settings.patience_s, settings.call_timeout_s
    ocr = OcrClient("ocr-service", settings.ocr_url, settings.ocr_key.get_secret_value(), session, *wait)
    inpaint = InpaintClient(
        "inpaint-service", settings.inpaint_url, settings.inpaint_key.get_secret_value(), session, *wait,
        hints=hints, callback_url=settings.callback_url,
    )  # fmt: skip
    return Pipeline(ocr, inpaint, settings.picture_limits(), settings.patience_s, settings.paper_limits())


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
