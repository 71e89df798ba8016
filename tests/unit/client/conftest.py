"""Both clients behind one face, and a backend that is a list of answers."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest

from cleanplate import AsyncClient, Client
from cleanplate.client import AsyncJob, retries

Answer = httpx.Response | Exception
JOB = {"job_id": "j1", "status": "queued", "seq": 1}


class Backend:
    """Answers each request with the next of `answers`, and remembers the requests."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def asked(self) -> list[str]:
        return [f"{request.method} {request.url.raw_path.decode()}" for request in self.requests]


class Piecewise(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that comes in pieces; an exception among them breaks it off."""

    def __init__(self, *pieces: bytes | Exception):
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self:
            yield piece


class Blocking:
    """An asynchronous client, or what it returns, with methods that block."""

    def __init__(self, wrapped: Any, runner: asyncio.Runner):
        self._wrapped = wrapped
        self._runner = runner

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._wrapped, name)
        if not callable(found):
            return found
        return lambda *args, **options: self._done(found(*args, **options))

    def _done(self, value: Any) -> Any:
        if inspect.isasyncgen(value):
            return self._items(value)
        if inspect.iscoroutine(value):
            value = self._runner.run(value)
        return Blocking(value, self._runner) if isinstance(value, AsyncJob) else value

    def _items(self, items: Any) -> Iterator[Any]:
        while True:
            try:
                yield self._done(self._runner.run(anext(items)))
            except StopAsyncIteration:
                return


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "FIRST_PAUSE_S", 0.0)


@pytest.fixture
def backend() -> Backend:
    return Backend()


@pytest.fixture(params=[Client, AsyncClient])
def connect(request: pytest.FixtureRequest, backend: Backend) -> Iterator[Callable[..., Any]]:
    """Make a client of that backend, of either kind, with these arguments."""
    made: list[Any] = []
    with asyncio.Runner() as runner:

        def client(**arguments: Any) -> Any:
            opened = request.param("http://backend:8000", transport=httpx.MockTransport(backend), **arguments)
            made.append(opened if request.param is Client else Blocking(opened, runner))
            return made[-1]

        yield client
        for each in made:
            each.close()


@pytest.fixture
def client(connect: Callable[..., Any]) -> Any:
    return connect()


def job(status: str = "queued", code: int = 200, **members: Any) -> httpx.Response:
    return httpx.Response(code, json={**JOB, "status": status, **members})


def refused(status: int, code: str = "odd", detail: str = "no", headers: Any = None, **more: Any) -> httpx.Response:
    return httpx.Response(status, json={"code": code, "detail": detail, **more}, headers=headers)


def event(seq: int, kind: str = "progress", **data: Any) -> bytes:
    told = {"job_id": "j1", "seq": seq, "position": seq, "type": kind, "at": "2026-01-01T00:00:00Z", "data": data}
    return f"id: {seq}\nevent: {kind}\ndata: {json.dumps(told, ensure_ascii=False)}\n\n".encode()


def stream(*pieces: bytes | Exception) -> httpx.Response:
    return httpx.Response(200, stream=Piecewise(*pieces), headers={"content-type": "text/event-stream"})
