"""What every service's web application has: problems as answers, request ids, limits on bodies, probes and metrics."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from types import MappingProxyType
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cleanplate.contract import problems
from cleanplate.contract.problems import Invalid, Problem, TooLarge
from cleanplate.runtime import logs, traces
from cleanplate.runtime.access import Keys
from cleanplate.runtime.metrics import Metrics
from cleanplate.runtime.openapi import PROBE, PROBLEMS, described
from cleanplate.runtime.traces import ERROR, Recorder

log = logging.getLogger(__name__)

Check = Callable[[], Awaitable[str]]
"""Returns what is well; raises a Problem that says what is not."""

Shape = Callable[[Request, Problem], Response]
"""Tells a client of a problem in the way of its wire."""

_SAFE_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,100}")
_TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_PROBES = frozenset({"/livez", "/readyz", "/metrics"})  # asked every few seconds, for years
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})  # a client may invent others
_BY_STATUS: dict[int, type[Problem]] = {
    cls.status: cls for cls in (problems.Malformed, problems.Unauthorized, problems.NotFound, TooLarge)
}


def create_app(
    title: str,
    version: str,
    *,
    keys: Keys,
    metrics: Metrics,
    limit_bytes: int,
    checks: Mapping[str, Check],
    running: Callable[[], Any],
    shapes: Mapping[str, Shape] = MappingProxyType({}),
    metrics_shown: bool = True,
    recorder: Recorder | None = None,
) -> FastAPI:
    """Return an application with probes, metrics, problems and limits; the caller adds its routers.

    Args:
        title: its name in the OpenAPI page.
        version: likewise.
        keys: who may call.
        metrics: what /metrics shows.
        limit_bytes: the largest request body.
        checks: what /readyz asks, by name.
        running: gives an async context manager that is open while the service runs.
        shapes: how problems are told below these paths, for older wires; elsewhere as RFC 9457.
        metrics_shown: whether /metrics is there.
        recorder: is told of spans, and closed in the end; None: nobody is.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with traces.told_to(recorder), running(), metrics.counting():
            yield

    app = described(title=title, version=version, lifespan=lifespan, responses=PROBLEMS)
    app.state.keys = keys
    app.state.stopping = asyncio.Event()
    app.state.shapes = dict(shapes)
    app.add_exception_handler(Problem, _answer_problem)
    app.add_exception_handler(RequestValidationError, _answer_problem)
    app.add_exception_handler(ValidationError, _answer_problem)
    app.add_exception_handler(HTTPException, _answer_problem)
    app.add_exception_handler(ClientDisconnect, _answer_nobody)
    app.add_middleware(_Context, metrics=metrics, limit_bytes=limit_bytes, recorder=recorder)
    _add_probes(app, checks)
    if metrics_shown:
        _add_metrics(app, metrics, checks)
    return app


def as_problem(error: Exception) -> Problem:
    """Return the problem that tells a client of the error; what is unknown becomes an opaque `Internal`."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, RequestValidationError | ValidationError):
        return invalid(error)
    if isinstance(error, HTTPException):
        return _from_status(error)
    return problems.Internal()


def invalid(error: RequestValidationError | ValidationError, within: str = "") -> Invalid:
    """Return an `Invalid` that names each field and what is wrong with it, without repeating the values.

    Args:
        error: what was found.
        within: the field of the request that was looked at; the whole body if not given.
    """
    found = [{"field": _field(within, item["loc"]), "message": _plain(item["msg"])} for item in error.errors()[:20]]
    return Invalid(found[0]["message"], field=found[0]["field"], errors=found)


def _field(within: str, place: Sequence[int | str]) -> str:
    return ".".join([*filter(None, [within]), *(str(part) for part in place if part != "body")]) or "body"


def _plain(message: str) -> str:
    return message.removeprefix("Value error, ")


def _from_status(error: HTTPException) -> Problem:
    known = _BY_STATUS.get(error.status_code)
    if known is None:
        made = {"status": error.status_code, "code": "http_error", "__doc__": "The request cannot be answered."}
        known = type("HttpProblem", (Problem,), made)
    return known(str(error.detail))


async def _answer_problem(request: Request, error: Exception) -> Response:
    problem, path = as_problem(error), request.url.path
    shapes: dict[str, Shape] = request.app.state.shapes
    shape = next((shape for start, shape in shapes.items() if path.startswith(start)), None)
    response = answer(problem) if shape is None else shape(request, problem)
    if isinstance(error, HTTPException) and error.headers:
        response.headers.update(error.headers)
    return response


async def _answer_nobody(request: Request, error: Exception) -> Response:
    return Response(status_code=499)


class _ProblemResponse(JSONResponse):
    media_type = "application/problem+json"

    def render(self, content: Any) -> bytes:
        """Return the JSON; half a surrogate pair that a client sent goes back as an escape, not as an error."""
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode(errors="backslashreplace")


def answer(problem: Problem) -> JSONResponse:
    """Return the problem as an RFC 9457 response."""
    headers = {}
    if problem.retry_after_s is not None:
        headers["Retry-After"] = str(max(1, round(problem.retry_after_s)))
    if isinstance(problem, problems.Unauthorized):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(problem, problems.SlowBody):
        headers["Connection"] = "close"  # or the rest of the body would hold the connection as long as it trickles in
    instance = f"urn:request:{logs.request_id.get()}" if logs.request_id.get() else None
    return _ProblemResponse(problem.body(instance), problem.status, headers=headers)


def _add_probes(app: FastAPI, checks: Mapping[str, Check]) -> None:
    @app.get("/livez", tags=["operation"], summary="Is the process alive?")
    async def livez() -> dict[str, str]:
        return {"status": "alive"}

    @app.get("/readyz", tags=["operation"], summary="Can it take work? 503 until then", responses=PROBE)
    async def readyz() -> JSONResponse:
        found = {name: await _checked(name, check) for name, check in checks.items()}
        ready = all(well for well, _ in found.values())
        told = {name: detail for name, (_, detail) in found.items()}
        return JSONResponse({"status": "ready" if ready else "not ready", "checks": told}, 200 if ready else 503)


async def _checked(name: str, check: Check) -> tuple[bool, str]:
    """Return whether what is checked is well, and what there is to say about it."""
    try:
        return True, await check()
    except Problem as problem:
        return False, problem.detail
    except Exception as error:  # a probe reports, whatever it is that fails
        log.exception("the check of %s failed", name)
        return False, as_problem(error).detail


def _add_metrics(app: FastAPI, metrics: Metrics, checks: Mapping[str, Check]) -> None:
    @app.get("/metrics", tags=["operation"], summary="Prometheus metrics", response_class=PlainTextResponse)
    async def read_metrics() -> Response:
        for name, check in checks.items():
            metrics.ready.labels(name).set((await _checked(name, check))[0])
        return Response(await run_in_threadpool(metrics.text), media_type="text/plain; version=0.0.4; charset=utf-8")


class _Context:
    """Gives each request an id, counts and times it, and stops reading a body that is over the limit."""

    def __init__(self, app: ASGIApp, metrics: Metrics, limit_bytes: int, recorder: Recorder | None):
        self._app = app
        self._metrics = metrics
        self._limit_bytes = limit_bytes
        self._recorder = recorder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
        given = headers.get("x-request-id", "")
        logs.request_id.set(given if _SAFE_REQUEST_ID.fullmatch(given) else uuid.uuid4().hex)
        recorder = None if scope["path"] in _PROBES else self._recorder
        traces.use(recorder)
        given = headers.get("traceparent", "")
        fresh = "" if recorder else _new_traceparent()  # a span that begins a trace makes its ids itself
        logs.traceparent.set(given if _TRACEPARENT.fullmatch(given) else fresh)
        if scope["type"] == "websocket":
            with self._metrics.sockets.track_inprogress(), _spanned(scope, "GET"):
                await self._app(scope, receive, send)
        else:
            await self._http(scope, self._limited(headers, receive), send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "other"
        with _spanned(scope, method) as span:
            status = await self._answered(scope, receive, send, method)
            span.attributes["http.response.status_code"] = status
            if status >= 500:
                span.attributes[ERROR] = str(status)

    async def _answered(self, scope: Scope, receive: Receive, send: Send, method: str) -> int:
        """Have the request answered; return the status."""
        started, status, begun = time.perf_counter(), 500, False

        async def send_marked(message: Message) -> None:
            nonlocal status, begun
            if message["type"] == "http.response.start":
                status, begun = message["status"], True
                message = {**message, "headers": [*message["headers"], _id_header()]}
            await send(message)

        try:
            await self._app(scope, receive, send_marked)
        except Exception:  # the last line of defense: the log knows, the client gets an opaque answer
            log.exception("unexpected error")
            if not begun:
                await answer(problems.Internal())(scope, receive, send_marked)
        finally:
            took = time.perf_counter() - started
            route = _route(scope)
            self._metrics.requests.labels(method, route, status).inc()
            self._metrics.seconds.labels(method, route).observe(took)
            log.info("%s %s %d", scope["method"], route, status, extra={"seconds": round(took, 4)})
        return status

    def _limited(self, headers: Mapping[str, str], receive: Receive) -> Receive:
        announced, seen = headers.get("content-length", ""), 0
        too_long = announced.isascii() and announced.isdigit() and int(announced[:18]) > self._limit_bytes

        async def receive_limited() -> Message:
            nonlocal seen
            if too_long:
                raise TooLarge(f"the body has {announced[:18]} bytes", field="body", limit=self._limit_bytes)
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._limit_bytes:
                raise TooLarge("the body is too long", field="body", limit=self._limit_bytes)
            return message

        return receive_limited


@contextmanager
def _spanned(scope: Scope, method: str) -> Iterator[traces.Span]:
    """Record a request, by its route's template: its path may hold a key."""
    with traces.span(method, {"http.request.method": method}, kind="server") as span:
        try:
            yield span
        finally:
            route = _route(scope)
            span.name = f"{method} {route}"
            span.attributes["http.route"] = route


def _route(scope: Scope) -> str:
    return str(getattr(scope.get("route"), "path", "unknown"))


def _id_header() -> tuple[bytes, bytes]:
    return b"x-request-id", logs.request_id.get().encode()


def _new_traceparent() -> str:
    return f"00-{uuid.uuid4().hex}-{uuid.uuid4().hex[:16]}-01"
