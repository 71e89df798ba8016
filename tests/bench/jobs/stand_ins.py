"""An ocr-service and an inpaint-service, as a program, whose models only take their time: CALL_S for each call.

They read a dark bar as one line and paint it white. It listens where the service that it stands in for would.
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
from io import BytesIO
from typing import Any

import numpy as np
from aiohttp import web
from PIL import Image

CALL_S = float(os.environ.get("CALL_S", "0"))
STEPS = 5
DARK = 64


@functools.lru_cache(16)
def found(image: bytes) -> dict[str, Any]:
    dark, (height, width) = _dark(image), _pixels(image).shape[:2]
    rows, columns = np.nonzero(dark)
    regions = []
    if rows.size:
        left, right, top, bottom = (int(edge) for edge in (columns.min(), columns.max(), rows.min(), rows.max()))
        box = {"x": left, "y": top, "width": right - left, "height": bottom - top}
        polygon = [(left, top), (right, top), (right, bottom), (left, bottom)]
        regions = [{"id": "r1", "polygon": polygon, "box": box, "text": "EXIT", "score": 0.9, "angle": 0}]
    return {"width": width, "height": height, "engine": "none", "model": "none", "regions": regions}


@functools.lru_cache(16)
def masked(image: bytes) -> bytes:
    return _png(np.where(_dark(image), 255, 0))


@functools.lru_cache(16)
def painted(image: bytes) -> bytes:
    pixels = _pixels(image).copy()
    pixels[_dark(image)] = 255
    return _png(pixels)


class StandIn:
    """Both services' routes as the backend calls them."""

    def __init__(self) -> None:
        self._tasks: dict[str, bytes] = {}
        self.app = web.Application(client_max_size=10**9)
        for method, path, answer in (
            ("GET", "/readyz", self.ready),
            ("POST", "/v1/detect", self.detect),
            ("POST", "/api/v1/mask", self.mask),
            ("POST", "/api/v1/inpaint-regions-async", self.submit),
            ("GET", "/api/v1/ws/progress/{id}", self.progress),
            ("GET", "/api/v1/task-result/{id}", self.result),
        ):
            self.app.router.add_route(method, path, answer)

    async def ready(self, request: web.Request) -> web.Response:
        return web.json_response({})

    async def detect(self, request: web.Request) -> web.Response:
        await asyncio.sleep(CALL_S)
        return web.json_response(found((await _form(request))[0]))

    async def mask(self, request: web.Request) -> web.Response:
        await asyncio.sleep(CALL_S)
        return web.Response(body=masked((await _form(request))[0]), content_type="image/png")

    async def submit(self, request: web.Request) -> web.Response:
        image, params = await _form(request)
        self._tasks[params["task_id"]] = image
        return web.json_response({"task_id": params["task_id"], "status": "pending"})

    async def progress(self, request: web.Request) -> web.WebSocketResponse:
        websocket, after = web.WebSocketResponse(), int(request.query["after"])
        await websocket.prepare(request)
        for step in range(after + 1, STEPS + 1):
            await asyncio.sleep(CALL_S / STEPS)
            told = {"message": f"step {step}", "current_region": 1, "total_regions": 1}
            share = round(100 * step / (STEPS + 1))
            await websocket.send_json({"type": "progress_update", "seq": step, "overall_progress": share, **told})
        result = {"regions": [{"id": "r1", "strategy": "plane"}]}
        await websocket.send_json({"type": "task_completed", "seq": STEPS + 1, "result": result})
        await websocket.close()
        return websocket

    async def result(self, request: web.Request) -> web.Response:
        return web.Response(body=painted(self._tasks.pop(request.match_info["id"])), content_type="image/png")


async def _form(request: web.Request) -> tuple[bytes, dict[str, Any]]:
    form = await request.post()
    return form["image"].file.read(), json.loads(form["params"])  # type: ignore[union-attr, arg-type]


def _pixels(image: bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(image)).convert("RGB"))


def _dark(image: bytes) -> np.ndarray:
    return np.asarray(_pixels(image).max(axis=2) < DARK)


def _png(pixels: np.ndarray) -> bytes:
    file = BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(file, "PNG", compress_level=1)
    return file.getvalue()


if __name__ == "__main__":
    port = int(os.environ.get("OCR_PORT") or os.environ["IOPAINT_PORT"])
    web.run_app(StandIn().app, host="127.0.0.1", port=port, print=None, access_log=None)
