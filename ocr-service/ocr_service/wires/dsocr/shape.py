"""The shape of this wire's answers to what cannot be done: `{code, msg}`, the code being the HTTP status."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse

from cleanplate.contract.problems import Expired, NotReady, Problem, QueueFull
from ocr_service.wires import refusals

PATHS = ("/v1/tasks",)
STATUSES: Mapping[type[Problem], int] = MappingProxyType({QueueFull: 503, NotReady: 404, Expired: 404})
"""Where clients of this wire expect another status than the problem's own."""

ERROR: dict[str, Any] = {
    "description": "A problem in the DeepSeek-OCR server's shape.",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["code", "msg"],
                "properties": {"code": {"type": "integer"}, "msg": {"type": "string"}},
            }
        }
    },
}


def answer(request: Request, problem: Problem) -> JSONResponse:
    """Return a problem in this wire's shape."""
    status = STATUSES.get(type(problem), problem.status)
    body = {"code": status, "msg": refusals.words(problem)}
    return JSONResponse(body, status, headers=refusals.headers(problem))
