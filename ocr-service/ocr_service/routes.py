"""The service's own API: detect, and which engines there are."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request

from cleanplate.contract.messages import Detection
from cleanplate.contract.problems import Invalid, TooLarge
from cleanplate.runtime.access import Owner
from cleanplate.runtime.bodies import Upload, read_upload
from cleanplate.runtime.images import PictureLimits, from_base64
from cleanplate.runtime.openapi import EXAMPLE_PNG
from ocr_service.params import ReadParams
from ocr_service.parts import Parts


def _body() -> dict[str, Any]:
    schema = ReadParams.model_json_schema()
    text = {"type": "string", "description": "base64 or data URI"}
    file = {"type": "string", "format": "binary"}
    as_json = {**schema, "properties": {"image": text, **schema["properties"]}, "required": ["image"]}
    form = {"type": "object", "properties": {"image": file, "params": {"type": "string"}}, "required": ["image"]}
    example = {"image": EXAMPLE_PNG}
    content = {"application/json": {"schema": as_json, "example": example}, "multipart/form-data": {"schema": form}}
    return {"requestBody": {"required": True, "content": content}}


class Routes:
    """The routes of `router`, with what they need."""

    def __init__(self, parts: Parts):
        self._parts = parts
        self.router = APIRouter(prefix="/v1", tags=["ocr"])
        plain: dict[str, Any] = {"response_model_exclude_none": True}  # no words that nobody asked for
        self.router.add_api_route("/detect", self.detect, methods=["POST"], openapi_extra=_body(), **plain)
        self.router.add_api_route("/engines", self.engines, methods=["GET"])

    async def detect(self, request: Request, owner: Owner) -> Detection:
        """Find the text of a picture: multipart `image` and JSON in `params`, or JSON with `image` in base64."""
        settings = self._parts.settings
        upload = await read_upload(request, settings.body_timeout_s)
        image, params = await asyncio.to_thread(_read, upload, settings.picture_limits())
        return await self._parts.detect(image, params.engine, params.options())

    async def engines(self, owner: Owner) -> dict[str, Any]:
        """Say which engines can be used here, and why not."""
        return {"default": self._parts.readers.own, "engines": await asyncio.to_thread(self._parts.readers.view)}


def _read(upload: Upload, limits: PictureLimits) -> tuple[bytes, ReadParams]:
    fields = dict(upload.fields)
    given = fields.pop("image", None)
    image = upload.file("image")
    if image is not None and len(image) > limits.max_bytes:
        raise TooLarge(f"has {len(image)} bytes", field="image", limit=limits.max_bytes)
    if image is None and not isinstance(given, str):
        raise Invalid("send a picture as the multipart file `image`, or in base64", field="image")
    params = ReadParams.model_validate(fields)
    return (image if image is not None else from_base64(str(given), limits)), params
