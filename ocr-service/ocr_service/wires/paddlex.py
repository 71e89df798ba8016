"""The wire of PaddleX's basic serving, as its clients and the Bob plugin of JK-LLM-OCR speak it: POST /ocr."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from cleanplate.contract.problems import Problem
from cleanplate.runtime.bodies import read_upload
from cleanplate.runtime.images import decode
from cleanplate.runtime.jobs import new_id
from cleanplate.runtime.openapi import EXAMPLE_PNG
from cleanplate.runtime.pdf.documents import is_pdf
from ocr_service.detect import Reading
from ocr_service.engines import ReadOptions
from ocr_service.parts import Parts
from ocr_service.wires import refusals
from ocr_service.wires.callers import Caller
from ocr_service.wires.pruned import page_result
from ocr_service.wires.sheets import each_page
from ocr_service.wires.spools import Spool

PATHS = ("/ocr", "/k/", "/health", "/healthz", "/api/v2/ocr/")
STATUSES = (400, 401, 403, 404, 405, 408, 413, 422, 429, 500, 503)
OPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "textDetLimitSideLen": "det_limit_side_len",
        "textDetLimitType": "det_limit_type",
        "textDetThresh": "det_thresh",
        "textDetBoxThresh": "det_box_thresh",
        "textDetUnclipRatio": "det_unclip_ratio",
        "textRecScoreThresh": "rec_score_thresh",
        "useTextlineOrientation": "textline_orientation",
        "useDocOrientationClassify": "doc_orientation",
        "useDocUnwarping": "doc_unwarping",
        "returnWordBox": "word_boxes",
    }
)
"""What clients call the options, and what the engines do."""

CLIENT_NAMES = {ours: theirs for theirs, ours in OPTIONS.items()}
ERROR: dict[str, Any] = {
    "description": "A problem in PaddleX's shape.",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "properties": {
                    "logId": {"type": "string"},
                    "errorCode": {"type": "integer"},
                    "errorMsg": {"type": "string"},
                },
            }
        }
    },
}


class OcrRequest(BaseModel):
    """The body of POST /ocr; null means the default, keys of other pipelines are ignored."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    file: str = Field(description="base64 or URL")
    fileType: Literal[0, 1] | None = Field(None, description="0: PDF, 1: picture, null: by its content")
    useDocOrientationClassify: bool | None = None
    useDocUnwarping: bool | None = None
    useTextlineOrientation: bool | None = None
    textDetLimitSideLen: int | None = Field(None, ge=32, le=4000)
    textDetLimitType: Literal["min", "max"] | None = None
    textDetThresh: float | None = Field(None, ge=0.01, le=0.99)
    textDetBoxThresh: float | None = Field(None, ge=0.01, le=1)
    textDetUnclipRatio: float | None = Field(None, ge=0.1, le=10)
    textRecScoreThresh: float | None = Field(None, ge=0, le=1)
    returnWordBox: bool | None = None
    visualize: bool | None = None
    logId: str | None = Field(None, max_length=200)

    def options(self) -> ReadOptions:
        """Return what the engine is told; null leaves an option as it is."""
        given = {ours: getattr(self, theirs) for theirs, ours in OPTIONS.items()}
        return ReadOptions(**{name: value for name, value in given.items() if value is not None})


class PaddlexRoutes:
    """The routes of `router`, with what they need."""

    def __init__(self, parts: Parts):
        self._parts = parts
        self.router = APIRouter(tags=["paddlex"], responses={"4XX": ERROR, "5XX": ERROR})
        body = {
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {"schema": OcrRequest.model_json_schema(), "example": {"file": EXAMPLE_PNG}}
                },
            }
        }
        self.router.add_api_route("/ocr", self.ocr, methods=["POST"], openapi_extra=body)
        self.router.add_api_route("/k/{key}/ocr", self.ocr, methods=["POST"], include_in_schema=False)
        self.router.add_api_route("/health", self.health, methods=["GET"])

    async def ocr(self, request: Request, caller: Caller) -> Response:
        """Read a picture, or the pages of a PDF."""
        upload = await read_upload(request, self._parts.settings.body_timeout_s)
        asked = await asyncio.to_thread(OcrRequest.model_validate, upload.fields)
        request.state.log_id = asked.logId
        await self._parts.headroom.check()
        data = await self._parts.given(asked.file, "file")
        options = asked.options()
        as_pdf = asked.fileType == 0 or (asked.fileType is None and is_pdf(data))
        reader = await self._parts.readers.get(None)
        pages = Spool()

        def see(page: NDArray[np.uint8], reading: Reading) -> dict[str, int]:
            pages.add(page_result(page, reading, options, drawn=asked.visualize is not False))
            return {"width": page.shape[1], "height": page.shape[0]}

        try:
            if as_pdf:
                sizes = await each_page(self._parts, data, reader, see, options)
            else:
                limits = self._parts.settings.request_timeout_s, self._parts.settings.queue_timeout_s
                sizes = [await reader.see(lambda: self._picture(data), see, options, *limits)]
        except BaseException:
            pages.close()
            raise
        info = {"numPages": len(sizes), "pages": sizes, "type": "pdf"} if as_pdf else {**sizes[0], "type": "image"}
        told = {"logId": asked.logId or new_id(), "errorCode": 0, "errorMsg": "Success"}
        return pages.response(told, info)

    async def health(self) -> JSONResponse:
        """Say whether the engine is warm; 503 until then."""
        if self._parts.readers.state != "ready":
            return JSONResponse({"logId": new_id(), "errorCode": 503, "errorMsg": self._parts.readers.state}, 503)
        return JSONResponse({"logId": new_id(), "errorCode": 0, "errorMsg": "Healthy"})

    def _picture(self, data: bytes) -> NDArray[np.uint8]:
        return decode(data, self._parts.settings.picture_limits(), field="file").over()


def answer(request: Request, problem: Problem) -> JSONResponse:
    """Return a problem in this wire's shape."""
    status = problem.status
    if status not in STATUSES:  # what these clients do not know is their mistake still, or still not
        status = 422 if status < 500 else 500
    log_id = getattr(request.state, "log_id", None) or new_id()
    body = {"logId": log_id, "errorCode": status, "errorMsg": refusals.words(problem, CLIENT_NAMES)}
    return JSONResponse(body, status, headers=refusals.headers(problem))
