"""What the routes answer in JSON. The OpenAPI page is made of it; an answer with any other member is a defect."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from cleanplate.contract.messages import RegionResult

StatusWord = Literal["pending", "preparing", "processing", "completed", "error", "cancelled"]
Stage = Literal["preparing", "masking", "inpainting", "finalizing"]


class View(BaseModel):
    """An answer; members that are not always there are left out then."""

    model_config = ConfigDict(extra="forbid")


class Root(View):
    """What this is."""

    name: str
    version: str
    status: Literal["running"]
    docs: str
    health: str
    model: str
    device: str


class ModelState(View):
    """The service's own model."""

    name: str
    device: str
    status: Literal["ready", "loading", "unloaded", "error"]
    parameters: dict[str, Any]


class ModelInfo(View):
    """A model in IOPaint's words."""

    name: str
    path: str
    model_type: Literal["inpaint", "diffusers_other"]
    is_single_file_diffusers: bool
    need_prompt: bool
    controlnets: list[str]
    brushnets: list[str]
    support_strength: bool
    support_outpainting: bool
    support_lcm_lora: bool
    support_controlnet: bool
    support_brushnet: bool
    support_powerpaint_v2: bool


class OwnModel(ModelInfo, ModelState):
    """The service's own model, in this service's words and in IOPaint's."""


class Health(View):
    """Whether the service can do its work."""

    status: Literal["healthy", "unhealthy"]
    message: str
    timestamp: str
    version: str
    model: ModelState
    uptime_seconds: float
    memory_bytes: int | None
    tasks: dict[str, int]
    waiting_requests: int
    last_error: str | None


class Limits(View):
    """What a request must keep; 0: no limit."""

    max_image_size: int = Field(description="longest side in px")
    max_file_size: int = Field(description="bytes")
    max_pixels: int
    max_regions: int
    request_timeout: float = Field(description="seconds")
    queue_limit: int
    supported_formats: list[str]


class Usable(View):
    """Whether a model can be used here, and why or why not."""

    name: str
    usable: bool
    reason: str


class Info(View):
    """What the service can do."""

    name: str
    version: str
    model: ModelState
    capabilities: list[str]
    limits: Limits
    models: list[Usable]


class Size(View):
    """Of a picture as displayed, in px."""

    width: int
    height: int


class Stats(View):
    """What was done to a picture."""

    regions_processed: int
    total_area: int = Field(description="px of the union")
    processing_time: float = Field(description="seconds")
    image_dimensions: Size
    regions: list[RegionResult]
    seed: int | None = Field(description="of a diffusion model")
    ignored: list[str] = Field(description="fields without effect")
    frames: int = Field(description="that the picture has; the first was taken")


class Statistics(View):
    """Figures, and the picture when it was asked for."""

    success: Literal[True]
    message: str
    processing_stats: Stats
    timestamp: str
    image: str = Field("", description="base64; with `include_image`")


class Submitted(View):
    """A task that was taken."""

    task_id: str
    status: Literal["pending"]
    message: str
    estimated_time: float | None = Field(description="seconds; null before the first task was done")
    websocket_url: str
    status_url: str
    result_url: str


class TaskStatus(View):
    """Where a task stands. Shares are 0 to 100, times in seconds."""

    task_id: str
    status: StatusWord
    stage: Stage
    overall_progress: float
    stage_progress: float
    current_region: int
    total_regions: int
    message: str
    elapsed_time: float
    estimated_remaining: float | None
    created_at: str
    started_at: str | None
    completed_at: str | None
    seq: int = Field(description="the newest message, from which on a WebSocket may go on with `after`")
    error_message: str | None
    retryable: bool | None = Field(description="of an error: whether another task may do better")
    result_url: str = Field("", description="when it is completed")
    regions: list[RegionResult] = Field([], description="when it is completed")


class Cancelled(View):
    """A task that was cancelled."""

    task_id: str
    status: Literal["cancelled"]
    message: str


class TaskCounts(View):
    """The caller's tasks."""

    total_tasks: int
    active_tasks: int
    completed_tasks: int
    error_tasks: int
    cancelled_tasks: int
    active_task_ids: list[str] = Field(description="the newest 1000")
    queued_tasks: int
    queue_limit: int
