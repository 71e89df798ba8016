"""The asynchronous mode of PaddleX's clients: a document is handed in as a job; its result has a line for each page."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from pydantic import TypeAdapter

from cleanplate.contract.messages import DetectedRegion
from cleanplate.contract.problems import Invalid, NotFound, NotReady
from cleanplate.runtime.bodies import read_upload
from cleanplate.runtime.jobs import Job, State
from cleanplate.runtime.openapi import answers
from ocr_service.kept import page_file
from ocr_service.params import DocumentParams
from ocr_service.parts import Parts
from ocr_service.wires.callers import Caller
from ocr_service.wires.paddlex import ERROR, OPTIONS, OcrRequest
from ocr_service.wires.pruned import pruned
from ocr_service.wires.readings import hand_in

WIRE = "paddlex"
WORDS = {
    State.QUEUED: "pending",
    State.RUNNING: "running",
    State.SUCCEEDED: "done",
    State.FAILED: "failed",
    State.CANCELLED: "failed",
}
LAYOUT_MODELS = ("structure", "vl")  # PP-StructureV3, PaddleOCR-VL
MODEL_CHARS = 100
_REGIONS = TypeAdapter(list[DetectedRegion])
_HANDED_ON = frozenset(OPTIONS.values()) & DocumentParams.model_fields.keys()
_FORM = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": {"type": "string", "format": "binary"},
        "model": {"type": "string", "description": "with Structure or VL in its name: the answer is Markdown"},
        "optionalPayload": {"type": "string", "description": "JSON with the options of /ocr"},
    },
}
_BODY = {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _FORM}}}}


class PaddlexJobRoutes:
    """The routes of `router`, with what they need."""

    def __init__(self, parts: Parts):
        self._parts = parts
        self.router = APIRouter(prefix="/api/v2/ocr/jobs", tags=["paddlex"], responses={"4XX": ERROR, "5XX": ERROR})
        self.router.add_api_route("", self.submit, methods=["POST"], openapi_extra=_BODY)
        self.router.add_api_route("/{job_id}", self.job, methods=["GET"])
        lines: dict[str, Any] = {"response_class": StreamingResponse, "responses": answers("application/jsonl")}
        self.router.add_api_route("/{job_id}/result.jsonl", self.result, methods=["GET"], **lines)

    async def submit(self, request: Request, caller: Caller) -> dict[str, Any]:
        """Hand in a document."""
        upload = await read_upload(request, self._parts.settings.body_timeout_s, packed=("optionalPayload",))
        if upload.file("file") is None:
            raise Invalid("send a document as the multipart file `file`", field="file")
        model = upload.fields.get("model", "")
        if not isinstance(model, str) or len(model) > MODEL_CHARS:
            raise Invalid(f"must be text of at most {MODEL_CHARS} characters", field="model")
        file = upload.files["file"][0]
        markdown = any(name in model.lower() for name in LAYOUT_MODELS)
        params = _params(upload.fields)
        job, _ = await hand_in(self._parts, file.data, file.name, caller, params=params, wire=WIRE, markdown=markdown)
        return {"data": {"jobId": job.id}}

    async def job(self, job_id: str, request: Request, caller: Caller) -> dict[str, Any]:
        """Say where a job stands."""
        job = await self._parts.board.get(job_id, caller)
        told: dict[str, Any] = {"jobId": job.id, "state": WORDS[job.state]}
        if job.state is State.SUCCEEDED:
            told["resultUrl"] = {"jsonUrl": self._parts.links.http(request, f"/api/v2/ocr/jobs/{job.id}/result.jsonl")}
        elif job.final:
            told["errorMsg"] = job.error["detail"] if job.error else "the job was cancelled"
        return {"data": told}

    async def result(self, job_id: str) -> StreamingResponse:
        """Return a line for each page. Clients fetch it without a key: that they know the job's id is enough."""
        job = await self._parts.board.get(job_id)
        if job.params.get("wire") != WIRE:
            raise NotFound(f"there is no job {job_id}")
        if job.state is not State.SUCCEEDED:
            raise NotReady(f"the job is {WORDS[job.state]}")
        return StreamingResponse(self._lines(job), media_type="application/jsonl")

    async def _lines(self, job: Job) -> AsyncIterator[str]:
        board = self._parts.board
        for index in job.params["pages"]:
            page = json.loads(await board.call(board.files.get, job.id, page_file(index + 1)))
            yield json.dumps({"result": _result(job, page)}) + "\n"


def _params(fields: dict[str, Any]) -> DocumentParams:
    """Return how to read; what only /ocr can do is refused."""
    options = OcrRequest.model_validate({**fields, "file": ""}).options()
    for name in sorted(set(OPTIONS.values()) - _HANDED_ON):
        if getattr(options, name):
            raise Invalid("is not done in jobs", field=name)
    return DocumentParams.model_validate({name: getattr(options, name) for name in _HANDED_ON})


def _result(job: Job, page: dict[str, Any]) -> dict[str, Any]:
    options = DocumentParams.model_validate(job.params["options"]).options()
    found = pruned(_REGIONS.validate_python(page["regions"]), options, page.get("quarter_turns", 0))
    if job.params["markdown"]:
        markdown = {"text": page["markdown"], "images": {}}
        return {"layoutParsingResults": [{"prunedResult": found, "markdown": markdown}]}
    return {"ocrResults": [{"prunedResult": found}]}
