"""The bodies that this service takes, with their ranges, and how a request becomes one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, HttpUrl, WithJsonSchema

from cleanplate.contract.messages import MaskMode, Region
from cleanplate.contract.problems import Invalid, Malformed, TooLarge
from cleanplate.runtime.bodies import Upload
from cleanplate.runtime.images import OutputFormat, PictureLimits, from_base64
from cleanplate.runtime.jobs import checked_id
from cleanplate.runtime.openapi import EXAMPLE_PNG, EXAMPLE_REGION

HdStrategy = Literal["Auto", "Original", "Resize", "Crop"]
SAMPLERS = (
    "DPM++ 2M", "DPM++ 2M Karras", "DPM++ 2M SDE", "DPM++ 2M SDE Karras", "DPM++ SDE", "DPM++ SDE Karras", "DPM2",
    "DPM2 Karras", "DPM2 a", "DPM2 a Karras", "Euler", "Euler a", "Heun", "LMS", "LMS Karras", "DDIM", "PNDM", "UniPC",
    "LCM",
)  # fmt: skip


def _known(choices: tuple[str, ...]) -> Callable[[str], str]:
    by_name = {choice.lower(): choice for choice in choices}

    def check(value: str) -> str:
        if value.lower() not in by_name:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return by_name[value.lower()]

    return check


def _was_there(value: Any) -> bool | None:
    """Keep of a picture that nobody looks at that there was one."""
    return True if value else None


_WasThere = Annotated[bool | None, BeforeValidator(_was_there), WithJsonSchema({"type": ["string", "null"]})]


def _capitalized(value: Any) -> Any:
    return value.capitalize() if isinstance(value, str) else value


class ModelParams(BaseModel):
    """What is said to the model: fields of IOPaint's `InpaintRequest`, by its names. What it heeds is in `heeded`."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    prompt: str = Field("", max_length=10_000)
    negative_prompt: str = Field("", max_length=10_000)
    sd_seed: int = Field(-1, ge=-1, le=2**32 - 1, description="diffusion models: seed, -1 for a random one")
    sd_steps: int = Field(25, ge=1, le=1000, description="diffusion models: steps")
    sd_strength: float = Field(1.0, ge=0, le=1, description="diffusion models: share of noise")
    sd_guidance_scale: float = Field(7.5, ge=0, le=100, description="diffusion models: weight of the prompt")
    sd_sampler: Annotated[str, AfterValidator(_known(SAMPLERS))] = Field("DDIM", description="diffusion models")
    sd_scale: float = Field(1.0, gt=0, le=1, description="not done here: windows are never scaled")
    sd_mask_blur: int = Field(11, ge=0, le=500, description="not done here; see feather")
    sd_match_histograms: bool = Field(False, description="not done here")
    sd_lcm_lora: bool = Field(False, description="not done here")
    sd_keep_unmasked_area: bool = Field(True, description="always so here")
    ldm_steps: int = Field(20, ge=1, le=1000, description="ldm")
    ldm_sampler: Literal["ddim", "plms"] = Field("plms", description="ldm")
    zits_wireframe: bool = Field(True, description="zits")
    cv2_flag: Literal["INPAINT_NS", "INPAINT_TELEA"] = Field("INPAINT_NS", description="cv2")
    cv2_radius: int = Field(4, ge=1, le=100, description="cv2")
    p2p_image_guidance_scale: float = Field(1.5, ge=0, le=100, description="instruct-pix2pix")
    powerpaint_task: Literal["text-guided", "context-aware", "shape-guided", "object-remove", "outpainting"] | None = (
        Field(None, description="PowerPaint; null: removal, or what the prompt says")
    )
    fitting_degree: float = Field(1.0, gt=0, le=1, description="PowerPaint")
    use_croper: bool = Field(False, description="not done here")
    use_extender: bool = Field(False, description="not done here")
    enable_controlnet: bool = Field(False, description="not done here")
    enable_brushnet: bool = Field(False, description="not done here")
    enable_powerpaint_v2: bool = Field(False, description="not done here")

    def to_model(self) -> dict[str, Any]:
        """Return the fields for the model; what is not given at all it decides itself."""
        return self.model_dump(include=set(ModelParams.model_fields), exclude_none=True)


class Params(ModelParams):
    """What every image endpoint takes beside the picture. Unknown fields are ignored."""

    hd_strategy: Annotated[HdStrategy, BeforeValidator(_capitalized)] = Field(
        "Auto", description="Auto: windows around the text, never scaled; the others as in IOPaint"
    )
    hd_strategy_crop_trigger_size: int = Field(1280, ge=1, le=100_000, description="Crop: from this longest side on")
    hd_strategy_crop_margin: int = Field(32, ge=0, le=10_000, description="Crop: context in px")
    hd_strategy_resize_limit: int = Field(1280, ge=1, le=100_000, description="Resize: longest side the model sees")
    paint_by_example_example_image: _WasThere = Field(None, description="not done here")
    model: str | None = Field(None, max_length=200, description="instead of the service's own")
    mask_mode: MaskMode = "auto"
    mask_dilation: float | None = Field(
        None, ge=0, le=500, description="px from 1 on, below 1 a share of the text height; null: chosen by the service"
    )
    feather: float = Field(0.0, ge=0, le=100, description="width of the soft edge inside the mask, in px")
    output_format: OutputFormat = "png"
    quality: int | None = Field(None, ge=1, le=100, description="of JPEG (default 95) and WebP (default lossless)")


class TaskParams(Params):
    """What the asynchronous endpoint takes beside the picture and the regions."""

    task_id: str | None = Field(
        None, description="the client's own id; repeated with the same body it is the same task"
    )
    enable_progress: bool = Field(True, description="whether WebSockets tell of progress, or only of start and end")
    progress_interval: float = Field(1.0, ge=0, le=3600, description="least seconds between two progress messages")
    callback_url: HttpUrl | None = Field(None, description="where the outcome is posted")


class JsonParams(Params):
    """What the statistics endpoint takes beside the picture and the regions."""

    include_image: bool = Field(False, description="whether the answer holds the picture in base64")


class _Regions(BaseModel):
    regions: list[Region]


@dataclass(frozen=True)
class Order:
    """A request that was read: the picture's bytes, where to erase, and how."""

    image: bytes
    params: Params
    regions: tuple[Region, ...] = ()
    mask: bytes | None = None

    def digest(self) -> str:
        """Return what tells this order from any other, its task id aside."""
        return self._digest(self.params.model_dump(mode="json", exclude={"task_id"}))

    def regions_digest(self) -> str:
        """Return what tells its regions' masks from those of any other order."""
        return self._digest(self.params.model_dump(mode="json", include={"mask_mode", "mask_dilation"}))

    def _digest(self, told: dict[str, Any]) -> str:
        told["regions"] = [region.model_dump(mode="json") for region in self.regions]
        state = hashlib.sha256(json.dumps(told, sort_keys=True).encode())
        state.update(hashlib.sha256(self.image).digest() + hashlib.sha256(self.mask or b"").digest())
        return state.hexdigest()


def read_order(
    upload: Upload, params: type[Params], limits: PictureLimits, *, max_regions: int = 0, mask: bool = False
) -> Order:
    """Return the order in a body. Blocking: base64 and thousands of regions take their time.

    Args:
        upload: the body.
        params: which parameters it may hold.
        limits: of the picture.
        max_regions: how many regions may be there; 0: none are looked for.
        mask: whether there must be a mask.

    Raises:
        Invalid: a field is missing or out of its range.
        Malformed: the picture or the mask is no base64.
        TooLarge: a limit is exceeded.
    """
    known = params.model_validate(_settings(upload.fields))
    if isinstance(known, TaskParams) and known.task_id is not None:
        checked_id(known.task_id, "task_id")
    return Order(
        image=_picture(upload, "image", limits),
        params=known,
        regions=_regions(upload.fields.get("regions"), max_regions) if max_regions else (),
        mask=_picture(upload, "mask", limits) if mask else None,
    )


def body_schema(params: type[Params], *, regions: bool = False, mask: bool = False) -> dict[str, Any]:
    """Return the OpenAPI description of a body that `read_order` reads."""
    schema = params.model_json_schema(ref_template="#/components/schemas/{model}")
    schema.pop("$defs", None)
    text = {"type": "string", "description": "base64 or data URI"}
    file = {"type": "string", "format": "binary"}
    names = ["image", *(["mask"] if mask else [])]
    extra: dict[str, Any] = {}
    if regions:
        extra["regions"] = {"type": "array", "minItems": 1, "items": _region_schema()}
    required = [*names, *extra]
    as_json = {**schema, "properties": {**dict.fromkeys(names, text), **extra, **schema["properties"]}}
    as_form = {
        "type": "object",
        "properties": {**dict.fromkeys(names, file), "params": {"type": "string", "description": "the rest, as JSON"}},
        "required": [*names, *(["params"] if regions else [])],
    }
    sent = {**dict.fromkeys(names, EXAMPLE_PNG), **({"regions": [EXAMPLE_REGION]} if regions else {})}
    content = {
        "application/json": {"schema": {**as_json, "required": required}, "example": sent},
        "multipart/form-data": {"schema": as_form},
    }
    return {"requestBody": {"required": True, "content": content}}


def _region_schema() -> dict[str, Any]:
    number = {"type": "number"}
    box = dict.fromkeys(("x", "y", "width", "height"), number)
    point = {"type": "array", "items": number, "minItems": 2, "maxItems": 2}
    shared = {"id": {"type": "string"}, "text": {"type": "string"}, "score": {"type": "number"}}
    polygon = {"polygon": {"type": "array", "items": point, "minItems": 3}}
    return {
        "anyOf": [
            {"type": "object", "properties": {**box, **shared}, "required": list(box)},
            {"type": "object", "properties": {**polygon, **shared}, "required": ["polygon"]},
        ]
    }


def _settings(fields: dict[str, Any]) -> dict[str, Any]:
    """Leave out what belongs to the picture, so that an error's input is never megabytes of base64."""
    return {name: value for name, value in fields.items() if name not in ("image", "mask", "regions")}


def _picture(upload: Upload, name: str, limits: PictureLimits) -> bytes:
    data = upload.file(name)
    if data is None:
        given = upload.fields.get(name)
        if given is None:
            raise Invalid("is missing", field=name)
        if not isinstance(given, str):
            raise Invalid("must be base64 or a data URI", field=name)
        return from_base64(given, limits, field=name)
    if not data:
        raise Malformed("is empty", field=name)
    if len(data) > limits.max_bytes:
        raise TooLarge(f"has {len(data)} bytes", field=name, limit=limits.max_bytes)
    return data


def _regions(given: Any, limit: int) -> tuple[Region, ...]:
    if isinstance(given, str):  # a multipart field of its own
        try:
            given = json.loads(given)
        except (ValueError, RecursionError):
            raise Malformed("this is no JSON", field="regions") from None
    if not isinstance(given, list) or not given:
        raise Invalid("must be a list of at least 1 region", field="regions", limit=1)
    if len(given) > limit:
        raise TooLarge(f"{len(given)} regions were sent", field="regions", limit=limit)
    regions = _Regions(regions=given).regions
    return tuple(
        region if region.id else region.model_copy(update={"id": f"r{index}"})
        for index, region in enumerate(regions, 1)
    )
