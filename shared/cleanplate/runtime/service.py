"""Putting a service together: its board, its dispatcher, its sweeper, and the server that listens."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from typing import Any

import uvicorn
from fastapi import FastAPI

from cleanplate.contract.problems import UpstreamFailed
from cleanplate.runtime import callbacks, endings, logs
from cleanplate.runtime.board import Board, Wakeups
from cleanplate.runtime.cancelling import cancelled
from cleanplate.runtime.connections import protocols
from cleanplate.runtime.dispatch import Dispatcher, Handler
from cleanplate.runtime.dispatch.local import LocalDispatcher
from cleanplate.runtime.files import JobFiles
from cleanplate.runtime.outbound import Outbound
from cleanplate.runtime.settings import JobSettings, ServiceSettings
from cleanplate.runtime.store.migrations import StoreTooNew
from cleanplate.runtime.store.sql import SqlStore
from cleanplate.runtime.traces import Recorder
from cleanplate.runtime.web import Check

log = logging.getLogger(__name__)

SWEEP_EVERY_S = 60.0
NOT_STARTED = 3
COURIERS = 32
WORKER = "worker"


def open_board(kind: str, settings: JobSettings) -> Board:
    """Return the service's job board on the store and files of its settings. Blocking."""
    with _packages_of("scale"):
        wakeups = Wakeups()
        if settings.wake_url:
            from cleanplate.runtime.shared_wakeups import SharedWakeups

            wakeups = SharedWakeups(settings.wake_url, kind)
        try:
            store, files = SqlStore(settings.store()), JobFiles(settings.files())
        except StoreTooNew as error:
            sys.exit(f"cleanplate: {error}")
    return Board(kind, store, files, queue_limit=settings.queue_limit, wakeups=wakeups)


def open_recorder(name: str, settings: ServiceSettings) -> Recorder | None:
    """Return what the service's spans are told to: the collector of its settings, or nothing."""
    if not settings.otlp_endpoint:
        return None
    with _packages_of("traces"):
        from cleanplate.runtime.collector import Collector
    return Collector(name, settings.otlp_endpoint, settings.trace_ratio)


def dispatcher(
    board: Board, handler: Handler, settings: JobSettings, *, worker: bool, limit_s: float | None = None
) -> Dispatcher:
    """Return who runs the service's jobs: itself, or the workers at the broker, of which this may be one."""
    limits: dict[str, Any] = {"slots": settings.slots, "lease_s": settings.lease_s, "limit_s": limit_s}
    if not settings.broker_url:
        return LocalDispatcher(board, handler, **limits)
    with _packages_of("scale"):
        from cleanplate.runtime.dispatch.broker import Broker
        from cleanplate.runtime.dispatch.sender import Sender
        from cleanplate.runtime.dispatch.worker import Worker
    broker = Broker(settings.broker_url, board.kind)
    if worker:
        return Worker(board, handler, broker, **limits)
    return Sender(board, broker, lease_s=settings.lease_s)


def worker_checks(settings: JobSettings, *, worker: bool) -> dict[str, Check]:
    """Return what /readyz asks of a worker besides: while the broker is away it gets no jobs. A service takes them."""
    if not (worker and settings.broker_url):
        return {}
    with _packages_of("scale"):
        from kombu.exceptions import OperationalError

        from cleanplate.runtime.dispatch.broker import Broker
    broker = Broker(settings.broker_url, WORKER)

    async def broker_answers() -> str:
        try:
            await asyncio.to_thread(broker.check)
        except OperationalError as error:
            log.warning("the broker does not answer: %s", error)
            raise UpstreamFailed("the broker does not answer") from error
        return "answers"

    return {"broker": broker_answers}


def is_worker(arguments: Sequence[str], settings: JobSettings) -> bool:
    """Say whether the command line asks for a worker, or end the process with a message that says what is wrong."""
    if not arguments:
        return False
    if list(arguments) != [WORKER]:
        sys.exit(f"cleanplate: the only argument is `{WORKER}`, not {' '.join(arguments)!r}")
    if not settings.broker_url:
        prefix = settings.model_config.get("env_prefix", "")
        sys.exit(f"cleanplate: a worker needs {prefix}BROKER_URL, and the {prefix}STORE_URL of the service")
    return True


@contextmanager
def _packages_of(lock: str) -> Iterator[None]:
    """End the process with a message when what a setting needs is not installed."""
    try:
        yield
    except ImportError as error:
        sys.exit(f"cleanplate: {error}; install shared/{lock}.lock beside the service's packages")


@asynccontextmanager
async def running_board(
    board: Board, dispatcher: Dispatcher, settings: JobSettings, *, sweeps: bool = True
) -> AsyncIterator[None]:
    """Run jobs while open, and remove old ones of any kind: of the boards of one store one `sweeps`."""
    async with board.wakeups.open():
        await dispatcher.start()
        sweeper = asyncio.create_task(_sweep(board, settings)) if sweeps else None
        try:
            yield
        finally:
            await cancelled([sweeper] if sweeper is not None else [])
            await dispatcher.stop()
            board.close()


def running_callbacks(
    board: Board, promises: Board, tell: callbacks.Payload, outbound: Outbound, settings: JobSettings
) -> AbstractAsyncContextManager[None]:
    """Deliver promised callbacks while open; ends before the board of the jobs, to whose log it writes."""
    post = callbacks.signed_post(outbound, settings.callback_secret.get_secret_value())
    courier = callbacks.Courier(board, tell, post, tries=settings.callback_tries)
    dispatcher = LocalDispatcher(promises, courier, slots=COURIERS, lease_s=settings.lease_s)
    return running_board(promises, dispatcher, settings, sweeps=False)


def serve(app: FastAPI, settings: ServiceSettings) -> None:
    """Listen until SIGTERM or Ctrl-C, then finish running requests and give jobs back to the queue."""
    logs.configure(settings.log_level)
    server = Server(app, settings)
    with suppress(KeyboardInterrupt):
        server.run()
    if endings.has_given_up():
        raise SystemExit(endings.FAILED)
    if not server.started:
        raise SystemExit(NOT_STARTED)


class Server(uvicorn.Server):
    """Tells the application when it begins to stop: whoever waits for news is answered at once.

    It stops, too, when the process has given up.
    """

    def __init__(self, app: FastAPI, settings: ServiceSettings):
        super().__init__(server_config(app, settings))
        self._stopping: asyncio.Event = app.state.stopping

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._stopping.set()
        await super().shutdown(sockets)

    async def on_tick(self, counter: int) -> bool:
        return await super().on_tick(counter) or endings.has_given_up()


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
