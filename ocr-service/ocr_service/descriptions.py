"""What the OpenAPI page says of the calls for documents: their bodies and their answers."""

from __future__ import annotations

from typing import Any

from cleanplate.runtime.openapi import EXAMPLE_PNG, answers
from ocr_service.intake import FIELD
from ocr_service.params import DocumentParams
from ocr_service.results import MEDIA_TYPES

LOG = answers("text/event-stream", description="The log as it grows")
IMAGE = answers("image/jpeg")
FILE = answers(*(kind.split(";")[0] for kind in MEDIA_TYPES.values()))


def document_body() -> dict[str, Any]:
    """Describe one document and what is asked for."""
    schema = DocumentParams.model_json_schema()
    text = {"type": "string", "description": "base64, data URI or URL"}
    as_json = {**schema, "properties": {FIELD: text, **schema["properties"]}, "required": [FIELD]}
    content = {"application/json": {"schema": as_json, "example": {FIELD: EXAMPLE_PNG}}, **_form(FIELD, many=False)}
    return {"requestBody": {"required": True, "content": content}}


def batch_body() -> dict[str, Any]:
    """Describe many documents and what is asked for of each."""
    return {"requestBody": {"required": True, "content": _form("files", many=True)}}


def _form(field: str, *, many: bool) -> dict[str, Any]:
    file: dict[str, Any] = {"type": "string", "format": "binary"}
    shown = {"type": "array", "items": file} if many else file
    properties = {field: shown, "params": {"type": "string"}}
    return {"multipart/form-data": {"schema": {"type": "object", "properties": properties, "required": [field]}}}
