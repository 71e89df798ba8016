"""Putting a service together: its board, its dispatcher, its sweeper, and the server that listens."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

import uvicorn
from fastapi import FastAPI

from cleanplate.runtime import callbacks, logs
from cleanplate.runtime.board import Board
from cleanplate.runtime.connections import protocols
from cleanplate.runtime.dispatch import Dispatcher
from cleanplate.runtime.dispatch.local import LocalDispatcher
from cleanplate.runtime.files import JobFiles
from cleanplate.runtime.outbound import Outbound
from cleanplate.runtime.settings import JobSettings, ServiceSettings
from cleanplate.runtime.store.sql import SqlStore

log = logging.getLogger(__name__)

SWEEP_EVERY_S = 60.0
NOT_STARTED = 3
COURIERS = 32


def open_board(kind: str, settings: JobSettings) -> Board:
    """Return the service's job board on the store and files of its settings. Blocking."""
    return Board(kind, SqlStore(settings.store()), JobFiles(settings.files()), queue_limit=settings.queue_limit)


@asynccontextmanager
async def running_board(board: Board, dispatcher: Dispatcher, settings: JobSettings) -> AsyncIterator[None]:
    """Run jobs and remove old ones while open."""
    await dispatcher.start()
    sweeper = asyncio.create_task(_sweep(board, settings))
    try:
        yield
    finally:
        sweeper.cancel()
        with suppress(asyncio.CancelledError):
            await sweeper
        await dispatcher.stop()
        board.close()


def running_callbacks(
    board: Board, promises: Board, tell: callbacks.Payload, outbound: Outbound, settings: JobSettings
) -> AbstractAsyncContextManager[None]:
    """Deliver promised callbacks while open; ends before the board of the jobs, to whose log it writes."""
    post = callbacks.signed_post(outbound, settings.callback_secret.get_secret_value())
    courier = callbacks.Courier(board, tell, post, tries=settings.callback_tries)
    return running_board(
        promises, LocalDispatcher(promises, courier, slots=COURIERS, lease_s=settings.lease_s), settings
    )


def serve(app: FastAPI, settings: ServiceSettings) -> None:
    """Listen until SIGTERM or Ctrl-C, then finish running requests and give jobs back to the queue."""
    logs.configure(settings.log_level)
    server = uvicorn.Server(server_config(app, settings))
    with suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        raise SystemExit(NOT_STARTED)


def server_config(app: FastAPI, settings: ServiceSettings) -> uvicorn.Config:
    """Return how the server listens. Which proxies are believed is for `Links` alone to say."""
    http, websocket = protocols(settings.client_timeout_s, settings.body_timeout_s)
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # `Links` reads them, from trusted proxies only
        http=http,
        ws=websocket,
        ws_max_size=settings.message_limit(),
        ws_ping_timeout=settings.body_timeout_s,  # a client cannot answer in the middle of a message that it sends
        timeout_graceful_shutdown=5,
    )


async def _sweep(board: Board, settings: JobSettings) -> None:
    while True:
        try:
            removed = await board.sweep(time.time() - settings.retention_s, settings.retention_bytes)
            if removed:
                log.info("removed %d old jobs", removed)
        except Exception:  # the next sweep may do better
            log.exception("cannot remove old jobs")
        await asyncio.sleep(SWEEP_EVERY_S)
