"""What can be set about this service; `IOPAINT_*` and the short names are those of the services it replaces."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field
from pydantic_settings import SettingsConfigDict

from cleanplate.runtime.settings import JobSettings
from inpaint_service.crops import CropOptions

PREFIXES = ("INPAINT_", "IOPAINT_")


class InpaintSettings(JobSettings):
    """Settings of the inpaint-service."""

    model_config = SettingsConfigDict(env_prefix="INPAINT_")

    host: str = Field("0.0.0.0", description="Address to listen on.", validation_alias=AliasChoices("IOPAINT_HOST"))
    port: int = Field(
        8081, ge=0, le=65535, description="Port to listen on.", validation_alias=AliasChoices("IOPAINT_PORT")
    )
    data: Path = Field(Path("data/inpaint"), description="Folder for the database and the files of tasks.")
    model: str = Field(
        "lama",
        description="Model for regions that no plain fill suits; the embedded fills stand in where it cannot be used.",
        validation_alias=AliasChoices("IOPAINT_MODEL"),
    )
    strict_model: bool = Field(
        False, description="Do not start when the model cannot be used.", validation_alias=AliasChoices("STRICT_MODEL")
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = Field(
        "auto", description="Where the model runs.", validation_alias=AliasChoices("IOPAINT_DEVICE")
    )
    low_mem: bool = Field(
        False,
        description="Halve the largest window a model sees and empty the device's cache after each call: less memory,"
        " more windows.",
        validation_alias=AliasChoices("IOPAINT_LOW_MEM"),
    )
    cpu_offload: bool = Field(
        False,
        description="Keep weights in main memory and move them to the device for each call: less memory of a GPU,"
        " more time. Has no effect on the CPU.",
        validation_alias=AliasChoices("IOPAINT_CPU_OFFLOAD"),
    )
    precision: Literal["fp32", "bf16"] = Field(
        "fp32",
        description="What models calculate in; bf16 is faster and less exact. It ends the start where the device has"
        " none: it takes AVX512-BF16, AMX or Arm BF16, or an NVIDIA GPU from Ampere on.",
    )
    models_kept: int = Field(
        2, ge=0, le=64, description="Models that stay in memory besides the service's own; the oldest is let go."
    )
    model_copies: int = Field(
        1, ge=1, le=16, description="Copies of each model in memory; each takes one call at a time."
    )
    idle_unload_s: float = Field(
        0.0,
        ge=0,
        description="A model without calls for so many seconds leaves memory until it is called again; 0: never.",
    )
    model_dir: Path | None = Field(
        None,
        description="Folder with model files, and with diffusion models as `org/name`; empty: where IOPaint and Hugging"
        " Face keep their downloads.",
    )
    weights: Path | None = Field(
        None,
        description="TorchScript file for the model, instead of the one in the folder.",
        validation_alias=AliasChoices("INPAINT_WEIGHTS", "LAMA_MODEL_URL"),
    )
    threads: int = Field(
        0,
        ge=0,
        le=256,
        description="Processor threads of one model call; 0: as many as cores.",
    )
    window_side: int = Field(1024, ge=256, le=8192, description="Longest side of a window that a model sees, in px.")
    context: float = Field(
        0.75,
        ge=0,
        le=10,
        description="How much of the picture a model sees around a region, as a share of the region's shorter side;"
        " what it paints may fit in better with more, and time grows with it.",
    )
    context_min: int = Field(32, ge=0, le=2048, description="The least of that, in px.")
    batch: int = Field(
        0,
        ge=0,
        le=64,
        description="Windows of equal size that go to LaMa in one call; 0: 4 on an NVIDIA GPU, else 1, and 1 with"
        " IOPAINT_LOW_MEM.",
    )
    max_image_size: int = Field(
        0,
        ge=0,
        description="Longest side of a picture, in px; 0: no limit.",
        validation_alias=AliasChoices("MAX_IMAGE_SIZE"),
    )
    max_file_size: int = Field(
        52_428_800, ge=1, description="Largest picture file, in bytes.", validation_alias=AliasChoices("MAX_FILE_SIZE")
    )
    max_regions: int = Field(10_000, ge=1, description="Regions in one request.")
    request_timeout: float = Field(
        300.0,
        gt=0,
        description="Longest time for a synchronous request, in seconds.",
        validation_alias=AliasChoices("REQUEST_TIMEOUT"),
    )
    task_timeout_s: float = Field(
        3600.0,
        gt=0,
        description="A task that takes longer, in seconds, fails; a model call that takes longer hangs, and ends the"
        " process, for its supervisor to start it anew.",
    )
    sync_queue: int = Field(32, ge=0, description="Synchronous requests that may wait; more are refused with 429.")
    workers: int = Field(
        2,
        ge=1,
        le=64,
        description="Pictures that are worked on at once; each copy of a model takes one at a time.",
    )
    public_url: str = Field(
        "", description="This service's address as clients see it.", validation_alias=AliasChoices("PUBLIC_URL")
    )

    def crops(self) -> CropOptions:
        """Return how windows are cut."""
        side_px = self.window_side // 2 if self.low_mem else self.window_side
        return CropOptions(self.context, self.context_min, largest_side_px=side_px)

    def body_limit(self) -> int:
        """Return the largest request body: a picture and a mask in base64, and the rest."""
        return int(self.max_file_size * 4 / 3) * 2 + 2_000_000
