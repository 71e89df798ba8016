"""Editing a job's regions, and running it again by them, over HTTP."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from backend.choices import Choices
from backend.edits import Edit
from backend.parts import part_of
from backend.reruns import Reruns
from backend.routes.files import PageNumber
from backend.submissions import Submissions
from backend.views import Views
from cleanplate.runtime.access import Owner
from cleanplate.runtime.board import Board
from cleanplate.runtime.bodies import read_upload


class Rerun(BaseModel):
    """What shall be different."""

    model_config = ConfigDict(extra="forbid")

    options: dict[str, Any] = Field(default_factory=dict, description="instead of the job's own, one by one")


def _body(model: type[BaseModel], *, required: bool) -> dict[str, Any]:
    """Return what the OpenAPI page says of a body that a route reads by itself, within its time limit."""
    schema = model.model_json_schema()
    told = _inlined(schema, schema.pop("$defs", {}))
    return {"requestBody": {"required": required, "content": {"application/json": {"schema": told}}}}


def _inlined(schema: Any, parts: dict[str, Any]) -> Any:
    """Return the schema with its parts in their places: the page knows no others than its own."""
    if isinstance(schema, list):
        return [_inlined(item, parts) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(parts[schema["$ref"].rpartition("/")[2]], parts)
    return {name: _inlined(item, parts) for name, item in schema.items()}


class EditRoutes:
    """The routes of `router`, with what they need."""

    def __init__(self, board: Board, reruns: Reruns, submissions: Submissions, views: Views, body_timeout_s: float):
        self._board = board
        self._reruns = reruns
        self._submissions = submissions
        self._views = views
        self._body_timeout_s = body_timeout_s
        self.router = APIRouter(prefix="/api/v1/jobs/{job_id}", tags=["jobs"])
        add = self.router.add_api_route
        add("/regions", self.edit, methods=["PUT"], openapi_extra=_body(Edit, required=True))
        add("/rerun", self.rerun, methods=["POST"], status_code=202, openapi_extra=_body(Rerun, required=False))

    async def edit(self, job_id: str, request: Request, owner: Owner, page: PageNumber = None) -> Choices:
        """Say which regions a rerun erases: all of them, or all of a page, as they shall be, as `GET` gives them."""
        part = part_of(await self._board.get(job_id, owner), page)
        body = await read_upload(request, self._body_timeout_s)
        return await self._reruns.edit(part, Edit.model_validate(body.fields))

    async def rerun(
        self, job_id: str, request: Request, owner: Owner, idempotency_key: Annotated[str | None, Header()] = None
    ) -> JSONResponse:
        """Repaint the job's picture or document by its regions as edited, without OCR, in a new job."""
        job = await self._board.get(job_id, owner)
        fields = (await read_upload(request, self._body_timeout_s)).fields if _has_body(request) else {}
        intake = await self._reruns.intake(job, Rerun.model_validate(fields).options)
        new = await self._submissions.add(intake, owner, idempotency_key)
        return JSONResponse(await self._views.of(request, new), 202, headers={"Location": f"/api/v1/jobs/{new.id}"})


def _has_body(request: Request) -> bool:
    return "transfer-encoding" in request.headers or request.headers.get("content-length", "0") != "0"
