"""An ocr-service and an inpaint-service in one server that fail as they are told: each fault once, then all is well."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import defaultdict
from collections.abc import Awaitable, Callable
from io import BytesIO
from typing import Any, Self

import numpy as np
from aiohttp import web
from PIL import Image

from tests.wires.serving import PATIENCE_S

DETECT, MASK, SUBMIT = "/v1/detect", "/api/v1/mask", "/api/v1/inpaint-regions-async"
PROGRESS, STATUS, RESULT = "/api/v1/ws/progress", "/api/v1/task-status", "/api/v1/task-result"

Fault = Callable[[web.Request], Awaitable[web.StreamResponse | None]]
"""Answers a request in the wrong way; None: in the right one, after all."""


class Gate:
    """A fault that holds a request until it is opened."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self._open = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __call__(self, request: web.Request) -> None:
        self._loop = asyncio.get_running_loop()
        self.entered.set()
        await self._open.wait()

    def begun(self) -> None:
        """Return when a request is held."""
        assert self.entered.wait(PATIENCE_S)

    def open(self) -> None:
        """Let it go on."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._open.set)


class Faulty:
    """The server, in a thread of its own; `faults` are taken in turn by the path that they are for."""

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self.faults: dict[str, list[Fault]] = defaultdict(list)
        self.asked: list[str] = []
        self.tasks: dict[str, bytes] = {}
        self._loop = asyncio.new_event_loop()
        self._up = threading.Event()
        self._thread = threading.Thread(target=self._run)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._up.wait(PATIENCE_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_S)

    def _run(self) -> None:
        app = web.Application(middlewares=[self._faults], client_max_size=10**8)
        app.router.add_post(DETECT, self._detect)
        app.router.add_post(MASK, self._mask)
        app.router.add_post(SUBMIT, self._submit)
        app.router.add_get(PROGRESS + "/{id}", self._progress)
        app.router.add_get(STATUS + "/{id}", self._status)
        app.router.add_get(RESULT + "/{id}", self._result)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        self._loop.run_until_complete(runner.setup())
        self._loop.run_until_complete(web.TCPSite(runner, "127.0.0.1", self.port).start())
        self.port = runner.addresses[0][1]
        self._up.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        self._loop.close()

    @web.middleware
    async def _faults(self, request: web.Request, handler: Any) -> web.StreamResponse:
        path = next((path for path in (PROGRESS, STATUS, RESULT) if request.path.startswith(path)), request.path)
        self.asked.append(path)
        if self.faults[path] and (answer := await self.faults[path].pop(0)(request)) is not None:
            return answer
        response: web.StreamResponse = await handler(request)
        return response

    async def _detect(self, request: web.Request) -> web.Response:
        pixels = _pixels(await _file(request))
        rows, columns = np.nonzero(pixels.max(axis=2) < 128)
        height, width = pixels.shape[:2]
        found = []
        if rows.size:
            left, right, top, bottom = (int(value) for value in (columns.min(), columns.max(), rows.min(), rows.max()))
            box = {"x": left, "y": top, "width": right - left + 1, "height": bottom - top + 1}
            polygon = [(left, top), (right + 1, top), (right + 1, bottom + 1), (left, bottom + 1)]
            found = [{"id": "r1", "polygon": polygon, "box": box, "text": "EXIT", "score": 0.9, "angle": 0}]
        return web.json_response(
            {"width": width, "height": height, "engine": "fake", "model": "fake", "regions": found}
        )

    async def _mask(self, request: web.Request) -> web.Response:
        dark = (_pixels(await _file(request)) < 128).all(axis=2)
        return web.Response(body=_png(np.where(dark, 255, 0)), content_type="image/png")

    async def _submit(self, request: web.Request) -> web.Response:
        form = await request.post()
        task_id = json.loads(form["params"])["task_id"]  # type: ignore[arg-type]
        image = form["image"].file.read()  # type: ignore[union-attr]
        assert self.tasks.setdefault(task_id, image) == image, "another order under the same id"
        return web.json_response({"task_id": task_id, "status": "pending"})

    async def _progress(self, request: web.Request) -> web.WebSocketResponse:
        websocket, task = web.WebSocketResponse(), request.match_info["id"]
        await websocket.prepare(request)
        await websocket.send_json({"type": "connection_established", "task_id": task})
        update = {"message": "step 1 of 1", "current_region": 1, "total_regions": 1, "overall_progress": 90}
        await websocket.send_json({"type": "progress_update", "task_id": task, "seq": 3, **update})
        result = {"regions": [{"id": "r1", "strategy": "plane"}]}
        await websocket.send_json({"type": "task_completed", "task_id": task, "seq": 4, "result": result})
        await websocket.close()
        return websocket

    async def _status(self, request: web.Request) -> web.Response:
        return web.json_response({"status": "processing", "overall_progress": 0, "seq": 1})

    async def _result(self, request: web.Request) -> web.Response:
        pixels = _pixels(self.tasks[request.match_info["id"]])
        pixels[(pixels < 128).all(axis=2)] = 255
        return web.Response(body=_png(pixels), content_type="image/png")


def answering(status: int, body: str = '{"detail": "out of order"}', **headers: str) -> Fault:
    """Return a fault that answers so."""

    async def fault(_: web.Request) -> web.StreamResponse:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=status, text=body, content_type="application/json", headers=given)

    return fault


async def truncated(request: web.Request) -> web.StreamResponse:
    """Announce more than there comes."""
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"width": 1')
    assert request.transport is not None
    request.transport.close()
    return response


async def half_closed(request: web.Request) -> web.StreamResponse:
    """Close the half that would carry the answer, keep the other open."""
    assert request.transport is not None
    request.transport.write_eof()
    await asyncio.Event().wait()
    raise AssertionError


async def breaking_off(request: web.Request) -> web.StreamResponse:
    """Begin to tell of a task and hang up."""
    websocket = web.WebSocketResponse()
    await websocket.prepare(request)
    await websocket.send_json({"type": "connection_established"})
    update = {"message": "half of it", "current_region": 0, "total_regions": 1, "overall_progress": 40}
    await websocket.send_json({"type": "progress_update", "seq": 2, **update})
    assert request.transport is not None
    request.transport.close()
    return websocket


async def silent(request: web.Request) -> web.StreamResponse:
    """Never answer."""
    await asyncio.Event().wait()
    raise AssertionError


async def _file(request: web.Request) -> bytes:
    form = await request.post()
    data: bytes = form["image"].file.read()  # type: ignore[union-attr]
    return data


def _pixels(data: bytes) -> np.ndarray:
    return np.array(Image.open(BytesIO(data)).convert("RGB"))


def _png(pixels: np.ndarray) -> bytes:
    file = BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(file, "PNG")
    return file.getvalue()
