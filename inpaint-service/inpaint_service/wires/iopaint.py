"""What IOPaint's own clients ask beside /api/v1/inpaint: the server's configuration, samplers, and a mask adjusted."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

import cv2
import numpy as np
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from cleanplate.contract.problems import Invalid
from cleanplate.runtime.access import Owner
from cleanplate.runtime.bodies import Upload, read_upload
from cleanplate.runtime.images import PictureLimits, decode, from_base64, png
from cleanplate.runtime.openapi import EXAMPLE_PNG, answers
from inpaint_service.engines.catalog import DIFFUSION
from inpaint_service.masks import mask_from_image
from inpaint_service.parts import Parts
from inpaint_service.views import ModelInfo, View
from inpaint_service.wire import SAMPLERS

_PNG: dict[str, Any] = {"response_class": Response, "responses": answers("image/png", description="The mask")}
BRUSH_RGBA = (0, 203, 255, 186)  # in the byte order in which IOPaint sends it


class AdjustMask(BaseModel):
    """The body of adjust_mask, the mask aside."""

    model_config = ConfigDict(extra="ignore")

    operate: Literal["expand", "shrink", "reverse"]
    kernel_size: int = Field(5, ge=0, le=500, description="radius in px")


class ServerConfig(View):
    """What IOPaint's page reads before it shows anything."""

    plugins: list[str]
    modelInfos: list[ModelInfo]
    removeBGModel: str
    removeBGModels: list[str]
    realesrganModel: str
    realesrganModels: list[str]
    interactiveSegModel: str
    interactiveSegModels: list[str]
    enableFileManager: bool
    enableAutoSaving: bool
    enableControlnet: bool
    controlnetMethod: str | None
    disableModelSwitch: bool
    isDesktop: bool
    samplers: list[str]


class IopaintRoutes:
    """The routes of `router`, with what they need."""

    def __init__(self, parts: Parts):
        self._parts = parts
        self.router = APIRouter(prefix="/api/v1", tags=["iopaint"])
        mask = {"mask": {"type": "string", "description": "base64 or data URI"}}
        schema = AdjustMask.model_json_schema()
        schema = {**schema, "properties": {**mask, **schema["properties"]}, "required": ["mask", "operate"]}
        example = {"mask": EXAMPLE_PNG, "operate": "expand"}
        content = {"application/json": {"schema": schema, "example": example}}
        body = {"requestBody": {"required": True, "content": content}}
        add = self.router.add_api_route
        add("/server-config", self.server_config, methods=["GET"], response_model=ServerConfig)
        add("/samplers", self.samplers, methods=["GET"])
        add("/adjust_mask", self.adjust_mask, methods=["POST"], openapi_extra=body, **_PNG)

    async def server_config(self, owner: Owner) -> dict[str, Any]:
        """Say what can be chosen; there are no plugins and no file manager here."""
        models = await asyncio.to_thread(self._parts.models.usable)
        return {
            "plugins": [],
            "modelInfos": [model_info(str(model["name"])) for model in models if model["usable"]],
            "removeBGModel": "",
            "removeBGModels": [],
            "realesrganModel": "",
            "realesrganModels": [],
            "interactiveSegModel": "",
            "interactiveSegModels": [],
            "enableFileManager": False,
            "enableAutoSaving": False,
            "enableControlnet": False,
            "controlnetMethod": None,
            "disableModelSwitch": True,
            "isDesktop": False,
            "samplers": list(SAMPLERS),
        }

    async def samplers(self, owner: Owner) -> list[str]:
        """Name the samplers of diffusion models."""
        return list(SAMPLERS)

    async def adjust_mask(self, request: Request, owner: Owner) -> Response:
        """Grow, shrink or invert a mask; the answer is a PNG in the color of IOPaint's brush."""
        settings = self._parts.settings
        upload = await read_upload(request, settings.body_timeout_s)
        data = await self._parts.lane.run(lambda: _adjusted(upload, settings.picture_limits()))
        return Response(data, media_type="image/png")


def model_info(name: str) -> dict[str, Any]:
    """Return how IOPaint describes a model."""
    diffusion = name in DIFFUSION
    return {
        "name": name,
        "path": name,
        "model_type": "diffusers_other" if diffusion else "inpaint",
        "is_single_file_diffusers": False,
        "need_prompt": diffusion,
        "controlnets": [],
        "brushnets": [],
        "support_strength": diffusion,
        "support_outpainting": False,
        "support_lcm_lora": False,
        "support_controlnet": False,
        "support_brushnet": False,
        "support_powerpaint_v2": False,
    }


def _adjusted(upload: Upload, limits: PictureLimits) -> bytes:
    given = upload.fields.get("mask")
    if not isinstance(given, str):
        raise Invalid("must be base64 or a data URI", field="mask")
    wish = AdjustMask.model_validate(upload.fields)
    mask = mask_from_image(decode(from_base64(given, limits, field="mask"), limits, field="mask").rgb)
    if wish.operate == "reverse":
        mask = np.invert(mask)
    else:
        side = 2 * wish.kernel_size + 1
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
        change = cv2.dilate if wish.operate == "expand" else cv2.erode
        mask = np.asarray(change(mask, kernel), dtype=np.uint8)
    brush = np.zeros((*mask.shape, 4), np.uint8)
    brush[mask > 0] = BRUSH_RGBA
    return png.write(brush)
