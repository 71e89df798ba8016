"""The backend as a web application: its parts, made once, and put together."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI

import cleanplate
from backend.batches import Batches
from backend.deliveries import Deliveries
from backend.hints import Hints
from backend.pace import Pace
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
from backend.workers import open_boards, working
from cleanplate.runtime import service
from cleanplate.runtime.board import Board
from cleanplate.runtime.links import Links
from cleanplate.runtime.metrics import Metrics
from cleanplate.runtime.outbound import AddressFilter, Outbound
from cleanplate.runtime.sessions import Sessions, kept_secret
from cleanplate.runtime.web import create_app

COOKIE = "cleanplate_console"


def make_app(settings: BackendSettings, *, worker: bool = False) -> FastAPI:
    """Return the application. Blocking: opens the job store."""
    boards, links, hints = open_boards(settings), Links(settings.public_url, settings.proxies()), Hints()
    outbound = Outbound(AddressFilter(allow_private=settings.allow_private_urls))
    sessions = _sessions(settings, links)
    metrics = Metrics("backend")
    metrics.watch(list, [boards.jobs, boards.promises], settings.data)

    async def store_answers() -> str:
        await boards.jobs.call(boards.jobs.store.check)
        return "answers"

    app = create_app(
        "cleanplate backend",
        cleanplate.__version__,
        keys=settings.access(sessions),
        metrics=metrics,
        limit_bytes=settings.body_limit(),
        checks={"store": store_answers, **service.worker_checks(settings, worker=worker)},
        running=lambda: working(settings, boards, links, outbound, hints, worker=worker),
        recorder=service.open_recorder("backend", settings),
    )
    secret, limit_s = settings.callback_secret.get_secret_value(), settings.body_timeout_s
    for router in (
        *routers(boards.jobs, outbound, links, settings, Batches(boards.jobs, boards.batches)),
        CallbackRoutes(boards.jobs, hints, secret, limit_s).router,
        SessionRoutes(sessions, limit_s).router,
    ):
        app.include_router(router)
    return app


def routers(
    board: Board, outbound: Outbound, links: Links, settings: BackendSettings, batches: Batches
) -> list[APIRouter]:
    """Return the routes of the product. Blocking: reads the presets and the console."""
    presets, views = read_presets(settings.presets), Views(board, links, Pace(board, settings.slots))
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
