"""The wire of PaddleX's basic serving, as its clients and the Bob plugin of JK-LLM-OCR speak it: POST /ocr."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from io import BytesIO
from typing import Any, Literal

import numpy as np
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from pydantic import BaseModel, ConfigDict, Field

from cleanplate.contract.messages import Detection
from cleanplate.contract.problems import Invalid, Malformed, Problem
from cleanplate.runtime.access import Keys, Owner
from cleanplate.runtime.bodies import read_upload
from cleanplate.runtime.images import decode, from_base64
from cleanplate.runtime.jobs import new_id
from cleanplate.runtime.openapi import EXAMPLE_PNG
from ocr_service.detect import detect
from ocr_service.documents import pdf_pages
from ocr_service.engines import ReadOptions, TextEngine
from ocr_service.parts import Parts

PATHS = ("/ocr", "/k/", "/health", "/healthz")
STATUSES = (400, 401, 403, 404, 405, 408, 413, 422, 429, 500, 503)
JPEG_QUALITY = 90
MAX_SIDE_LIMIT = 4000
_OUTLINE = (230, 30, 60)
_ERROR: dict[str, Any] = {
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
        given = {
            "det_limit_side_len": self.textDetLimitSideLen,
            "det_limit_type": self.textDetLimitType,
            "det_thresh": self.textDetThresh,
            "det_box_thresh": self.textDetBoxThresh,
            "det_unclip_ratio": self.textDetUnclipRatio,
            "rec_score_thresh": self.textRecScoreThresh,
            "textline_orientation": self.useTextlineOrientation,
            "doc_orientation": self.useDocOrientationClassify,
            "doc_unwarping": self.useDocUnwarping,
            "word_boxes": self.returnWordBox,
        }
        return ReadOptions(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]


class PaddlexRoutes:
    """The routes of `router`, with what they need."""

    def __init__(self, parts: Parts):
        self._parts = parts
        self.router = APIRouter(tags=["paddlex"], responses={"4XX": _ERROR, "5XX": _ERROR})
        body = {
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {"schema": OcrRequest.model_json_schema(), "example": {"file": EXAMPLE_PNG}}
                },
            }
        }
        self.router.add_api_route("/ocr", self.ocr, methods=["POST"], openapi_extra=body)
        self.router.add_api_route("/k/{key}/ocr", self.ocr_with_key, methods=["POST"], include_in_schema=False)
        self.router.add_api_route("/healthz", self.healthz, methods=["GET"])
        self.router.add_api_route("/health", self.health, methods=["GET"])

    async def ocr(self, request: Request, owner: Owner) -> dict[str, Any]:
        """Read a picture, or the pages of a PDF."""
        return await self._ocr(request)

    async def ocr_with_key(self, key: str, request: Request) -> dict[str, Any]:
        """Do the same for a client that can send no header: the key stands in the path."""
        keys: Keys = request.app.state.keys
        keys.owner(f"Bearer {key}")
        return await self._ocr(request)

    async def healthz(self) -> JSONResponse:
        """Say whether the engine is warm; 503 until then."""
        ready = self._parts.readers.state == "ready"
        return JSONResponse({"status": "ok" if ready else self._parts.readers.state}, 200 if ready else 503)

    async def health(self) -> JSONResponse:
        """Say the same in PaddleX's own shape."""
        if self._parts.readers.state != "ready":
            return JSONResponse({"logId": new_id(), "errorCode": 503, "errorMsg": self._parts.readers.state}, 503)
        return JSONResponse({"logId": new_id(), "errorCode": 0, "errorMsg": "Healthy"})

    async def _ocr(self, request: Request) -> dict[str, Any]:
        upload = await read_upload(request, self._parts.settings.body_timeout_s)
        asked = await asyncio.to_thread(OcrRequest.model_validate, upload.fields)
        request.state.log_id = asked.logId
        data = await self._file(asked.file)
        options = asked.options()
        is_pdf = asked.fileType == 0 or (asked.fileType is None and data[:1024].lstrip().startswith(b"%PDF"))
        reader = await self._parts.readers.get(None)

        def work(engine: TextEngine) -> dict[str, Any]:
            results, sizes = [], []
            for page in self._pdf(data) if is_pdf else [self._picture(data)]:
                seen = detect(page, engine, options)
                results.append(_page(page, seen, asked, options))
                sizes.append({"width": seen.width, "height": seen.height})
            info = {"numPages": len(sizes), "pages": sizes, "type": "pdf"} if is_pdf else {**sizes[0], "type": "image"}
            return {"ocrResults": results, "dataInfo": info}

        result = await reader.run(work, self._parts.settings.request_timeout_s)
        return {"logId": asked.logId or new_id(), "errorCode": 0, "errorMsg": "Success", "result": result}

    async def _file(self, file: str) -> bytes:
        settings = self._parts.settings
        if file[:8].lower().startswith(("http://", "https://")):
            return await self._parts.outbound.fetch(
                file, limit_bytes=settings.max_file_size, timeout_s=settings.fetch_timeout_s, field="file"
            )
        return await asyncio.to_thread(from_base64, file, settings.picture_limits(), field="file")

    def _picture(self, data: bytes) -> NDArray[np.uint8]:
        try:
            return decode(data, self._parts.settings.picture_limits()).over()
        except Problem as problem:
            problem.field = "file"
            raise

    def _pdf(self, data: bytes) -> Iterator[NDArray[np.uint8]]:
        settings = self._parts.settings
        pages = pdf_pages(data, dpi=settings.pdf_dpi, page_limit=settings.max_pages, pixel_limit=settings.max_pixels)
        return (page for _, page in pages)


def answer(request: Request, problem: Problem) -> JSONResponse:
    """Return a problem in this wire's shape."""
    status = problem.status
    if status not in STATUSES:  # what these clients do not know is their mistake still, or still not
        status = 422 if status < 500 else 500
    if isinstance(problem, Malformed | Invalid):
        detail = f"{problem.field}: {problem.detail}" if problem.field else problem.detail
    else:
        detail = problem.detail
    headers = {} if problem.retry_after_s is None else {"Retry-After": str(max(1, round(problem.retry_after_s)))}
    log_id = getattr(request.state, "log_id", None) or new_id()
    return JSONResponse({"logId": log_id, "errorCode": status, "errorMsg": detail}, status, headers=headers)


def _page(rgb: NDArray[np.uint8], seen: Detection, asked: OcrRequest, options: ReadOptions) -> dict[str, Any]:
    drawn = asked.visualize is not False
    return {
        "prunedResult": _pruned(seen, options),
        "ocrImage": _jpeg(_outlined(rgb, seen)) if drawn else None,
        "docPreprocessingImage": None,
        "inputImage": _jpeg(Image.fromarray(rgb)) if drawn else None,
    }


def _pruned(seen: Detection, options: ReadOptions) -> dict[str, Any]:
    polygons = [[[round(x), round(y)] for x, y in region.polygon] for region in seen.regions]
    edges = [[min(c) for c in zip(*p, strict=True)] + [max(c) for c in zip(*p, strict=True)] for p in polygons]
    pruned: dict[str, Any] = {
        "model_settings": {"use_doc_preprocessor": False, "use_textline_orientation": options.textline_orientation},
        "dt_polys": polygons,
        "text_det_params": {
            "limit_side_len": options.det_limit_side_len,
            "limit_type": options.det_limit_type,
            "thresh": options.det_thresh,
            "max_side_limit": MAX_SIDE_LIMIT,
            "box_thresh": options.det_box_thresh,
            "unclip_ratio": options.det_unclip_ratio,
        },
        "text_type": "general",
        "text_rec_score_thresh": options.rec_score_thresh,
        "return_word_box": options.word_boxes,
        "rec_texts": [region.text for region in seen.regions],
        "rec_scores": [region.score for region in seen.regions],
        "rec_polys": polygons,
        "rec_boxes": edges,
    }
    if options.textline_orientation:
        pruned["textline_orientation_angles"] = [int(abs(region.angle) > 90) for region in seen.regions]
    return pruned


def _outlined(rgb: NDArray[np.uint8], seen: Detection) -> Image.Image:
    image = Image.fromarray(rgb)
    draw = ImageDraw.Draw(image)
    for region in seen.regions:
        draw.polygon([tuple(point) for point in region.polygon], outline=_OUTLINE, width=2)
    return image


def _jpeg(image: Image.Image) -> str:
    file = BytesIO()
    image.save(file, "JPEG", quality=JPEG_QUALITY)
    return base64.b64encode(file.getvalue()).decode()
