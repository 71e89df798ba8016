"""The shape of Qianxia's answers: what is said of a problem, and of a request's body."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException

from cleanplate.contract.problems import Problem
from cleanplate.runtime.web import as_problem
from ocr_service.wires import refusals

Body = dict[str, Any]

ERROR: dict[str, Any] = {
    "description": "A problem in Qianxia's shape.",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["status", "message", "detail"],
                "properties": {name: {"type": "string"} for name in ("status", "message", "detail")},
            }
        }
    },
}


class Route(APIRoute):
    """Answers problems in this wire's shape, below whatever key."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await handler(request)
            except (Problem, RequestValidationError, ValidationError, HTTPException) as error:
                return answer(request, as_problem(error))

        return handle


def answer(request: Request, problem: Problem) -> JSONResponse:
    """Return a problem in this wire's shape; the original's own clients look for it in either of two places."""
    text = refusals.words(problem)
    body = {"status": "error", "message": text, "detail": text}
    return JSONResponse(body, problem.status, headers=refusals.headers(problem))


def data(found: Any) -> Body:
    """Return an answer that is nothing but data."""
    return {"status": "success", "data": found}


def form(name: str, schema: Body) -> Body:
    """Return, for `openapi_extra`, a multipart body with files of this name."""
    return _body("multipart/form-data", {"type": "object", "properties": {name: schema}, "required": [name]})


def json_of(model: type[BaseModel]) -> Body:
    """Return, for `openapi_extra`, a JSON body."""
    return _body("application/json", model.model_json_schema())


def _body(kind: str, schema: Body) -> Body:
    return {"requestBody": {"required": True, "content": {kind: {"schema": schema}}}}
