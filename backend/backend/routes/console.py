"""The console at `/`: a page of static files, and the one stream of events by which it follows all of its jobs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

import cleanplate
from cleanplate.contract.problems import NotFound
from cleanplate.runtime.access import Owner
from cleanplate.runtime.board import Board
from cleanplate.runtime.openapi import answers
from cleanplate.runtime.streams import cursor, sse

PAGE = "index.html"
_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",  # asked for again each time, and then answered 304: no page meets an older module
    "Vary": "Accept",
}
_LOG = answers("text/event-stream", description="The log of all the caller's jobs as it grows")
_ABOUT = answers("application/json", "text/html", description="What this is; for a browser, the console")


@dataclass(frozen=True)
class File:
    """One file of the page."""

    data: bytes
    media_type: str
    etag: str

    def answer(self, request: Request) -> Response:
        """Return it, or 304 to a client that has it."""
        headers = {**_HEADERS, "ETag": self.etag}
        if self.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(self.data, media_type=self.media_type, headers=headers)


def read_files() -> dict[str, File]:
    """Return the files of the page by their paths. Blocking."""
    return dict(_files(resources.files("backend") / "console", ""))


def _files(folder: Traversable, above: str) -> list[tuple[str, File]]:
    found = []
    for entry in folder.iterdir():
        path, kind = above + entry.name, entry.name.rpartition(".")[2]
        if entry.is_dir():
            found += _files(entry, f"{path}/")
        elif kind in _TYPES:
            data = entry.read_bytes()
            found.append((path, File(data, _TYPES[kind], f'"{hashlib.sha256(data).hexdigest()[:20]}"')))
    return found


class ConsoleRoutes:
    """The routes of `router`, with what they need. Blocking: reads the page."""

    def __init__(self, board: Board):
        self._board = board
        self._page = read_files()
        self.router = APIRouter()
        add, both = self.router.add_api_route, ["GET", "HEAD"]
        add("/", self.root, methods=["GET"], tags=["about"], response_class=Response, responses=_ABOUT)
        add("/", self.root, methods=["HEAD"], include_in_schema=False)
        add("/console/{path:path}", self.file, methods=both, include_in_schema=False)
        add(
            "/api/v1/events", self.events, methods=["GET"], tags=["jobs"],
            response_class=StreamingResponse, responses=_LOG,
        )  # fmt: skip

    async def root(self, request: Request) -> Response:
        """Say what this is: the console to a browser, JSON to others."""
        if prefers_html(request.headers.get("accept", "")):
            return self._page[PAGE].answer(request)
        about = {"name": "cleanplate backend", "version": cleanplate.__version__, "status": "running"}
        return JSONResponse({**about, "docs": "/docs", "jobs": "/api/v1/jobs"}, headers={"Vary": "Accept"})

    async def file(self, path: str, request: Request) -> Response:
        """Return a file of the page."""
        if path not in self._page:
            raise NotFound(f"the console has no {path}")
        return self._page[path].answer(request)

    async def events(
        self, request: Request, owner: Owner, after: Annotated[int | None, Query(ge=0, le=2**53)] = None
    ) -> StreamingResponse:
        """Stream the log of all the caller's jobs, from the position in `Last-Event-ID` or `after`, else the new."""
        newest = await self._board.call(self._board.store.last_position) if after is None else after
        return sse(request, self._board.follow_all(owner, cursor(request, newest)), id_of=lambda event: event.position)


def prefers_html(accept: str) -> bool:
    """Say whether a client names HTML itself, and wants it at least as much as JSON."""
    wishes = dict(map(_wish, accept.split(",")))
    html = wishes.get("text/html", 0.0)
    return html > 0 and html >= wishes.get("application/json", 0.0)


def _wish(item: str) -> tuple[str, float]:
    kind, *parameters = (part.strip() for part in item.lower().split(";"))
    given: Any = next((part[2:] for part in parameters if part.startswith("q=")), 1)
    try:
        return kind, float(given)
    except ValueError:
        return kind, 0.0
