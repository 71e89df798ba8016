"""Qianxia's wire: its paths, each also below a key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, Response

from cleanplate.runtime.openapi import answers
from ocr_service.parts import Parts
from ocr_service.wires.qianxia.hand_in import HandIn
from ocr_service.wires.qianxia.shape import ERROR, Route, form, json_of
from ocr_service.wires.qianxia.system import System
from ocr_service.wires.qianxia.tasks import TaskIds, Tasks

PATHS = ("/api/async", "/api/tasks", "/api/system")
_FILE = {"type": "string", "format": "binary"}


class QianxiaRoutes:
    """The routes of `router`, with what they need."""

    def __init__(self, parts: Parts):
        give, tasks, system = HandIn(parts), Tasks(parts), System(parts)
        self.router = APIRouter(tags=["qianxia"], responses={"4XX": ERROR, "5XX": ERROR}, route_class=Route)
        one, many, ids = form("file", _FILE), form("files", {"type": "array", "items": _FILE}), json_of(TaskIds)
        self._add("POST", "/api/async/image", give.image, openapi_extra=one)
        self._add("POST", "/api/async/pdf", give.pdf, openapi_extra=one)
        self._add("POST", "/api/async/batch", give.batch, openapi_extra=many)
        self._add("POST", "/api/tasks/batch/status", tasks.statuses, openapi_extra=ids)
        self._add("GET", "/api/tasks", tasks.tasks)
        self._add("GET", "/api/tasks/{task_id}", tasks.task)
        self._add("DELETE", "/api/tasks/{task_id}", tasks.cancel)
        self._add("POST", "/api/tasks/{task_id}/cancel", tasks.cancel)
        self._add("GET", "/api/tasks/{task_id}/result", tasks.result)
        self._add("GET", "/api/tasks/{task_id}/pages", tasks.pages)
        self._add("GET", "/api/tasks/{task_id}/pages/{number}", tasks.page)
        self._add("GET", "/api/tasks/{task_id}/progress", tasks.progress)
        self._add("GET", "/api/tasks/{task_id}/batches", tasks.batches)
        exports = answers("application/json", "text/plain", "text/markdown")
        self._add("GET", "/api/tasks/{task_id}/export", tasks.export, response_class=Response, responses=exports)
        self._add("GET", "/api/system/stats", system.stats)
        self._add("GET", "/api/system/health", system.health)
        self._add("GET", "/api/system/metrics", system.metrics)
        self.router.add_api_websocket_route("/ws", system.socket)
        self.router.add_api_websocket_route("/{key}/ws", system.socket)

    def _add(self, method: str, path: str, call: Callable[..., Awaitable[Any]], **more: Any) -> None:
        name = f"{call.__name__}_{method.lower()}"
        self.router.add_api_route(path, call, methods=[method], name=name, **more)
        self.router.add_api_route("/{key}" + path, call, methods=[method], include_in_schema=False, **more)
