"""What every service's OpenAPI page says: how problems look, what pictures come as, and an example to send."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

EXAMPLE_PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAEAAAAAgCAAAAACH9iFYAAAALklEQVR42mO8w0AZYGIYNWDUACoY"
    "wILMsSBOz4nRQBw1YPAZwDhaqI4aMDwMAADgJgL5aTsqdgAAAABJRU5ErkJggg=="
)
"""64 x 32 pixels, light gray, with a dark bar in place of text."""

EXAMPLE_REGION = {"x": 12, "y": 10, "width": 39, "height": 11}

NOT_ITS_OWN = {"tracing": False, "metrics": False, "logs": False}
"""FastAPI's own telemetry has paths in its spans, and a path may hold a key; see `traces`."""

PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "title": "Problem",
    "description": "RFC 9457; further members tell of limits and of each field that is wrong",
    "required": ["type", "title", "status", "detail", "code", "retryable"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "retryable": {"type": "boolean"},
        "field": {"type": "string", "description": "what is wrong in the request"},
        "instance": {"type": "string", "description": "the request's id, as in the log"},
    },
}
_PROBLEM = {"content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}}

PROBLEMS: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "The request cannot be answered.", **_PROBLEM},
    "5XX": {"description": "The service cannot answer now; `retryable` says whether it may later.", **_PROBLEM},
}
"""For `responses` of an application or a router."""


def described(**about: Any) -> FastAPI:
    """Return an application whose routes may end in a problem, and whose /docs needs no public address."""
    app = FastAPIOffline(**about, telemetry=NOT_ITS_OWN)
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        page = plain()
        page.setdefault("components", {}).setdefault("schemas", {})["Problem"] = PROBLEM_SCHEMA
        return page

    app.openapi = openapi  # type: ignore[method-assign]  # the documented way to extend it
    return app


def answers(
    *media_types: str,
    status: int = 200,
    description: str = "As asked",
    headers: Mapping[str, str] = MappingProxyType({}),
) -> dict[int | str, dict[str, Any]]:
    """Return, for `responses` of a route, that it answers with one of these types, and what its headers tell."""
    told = {name: {"description": text, "schema": {"type": "string"}} for name, text in headers.items()}
    return {status: {"description": description, "headers": told, "content": {kind: {} for kind in media_types}}}


PICTURE = answers("image/png", "image/jpeg", "image/webp", description="The picture")
PROBE = answers("application/json", status=503, description="Not now; the body is that of 200")
