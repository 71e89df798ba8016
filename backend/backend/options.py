"""What a client may ask of a job. A name that is not here is refused, so that no wish is silently ignored."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, HttpUrl

from cleanplate.contract.messages import MaskMode
from cleanplate.runtime.images import OutputFormat


class Options(BaseModel):
    """The options of one job."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    dry_run: bool = Field(False, description="find the text and build the mask, but do not repaint")
    engine: str | None = Field(None, max_length=40, description="OCR engine; null: the ocr-service's own")
    model: str | None = Field(None, max_length=200, description="inpainting model; null: the inpaint-service's own")
    mask_mode: MaskMode = "auto"
    mask_dilation: float | None = Field(None, ge=0, le=500, description="px from 1 on, below 1 a share of text height")
    feather: float = Field(0.0, ge=0, le=100, description="width of the soft edge inside the mask, in px")
    min_score: float = Field(0.0, ge=0, le=1, description="leave text that was read with less confidence")
    min_height: float = Field(0.0, ge=0, le=100_000, description="leave text that is lower than this, in px")
    output_format: OutputFormat = "png"
    quality: int | None = Field(None, ge=1, le=100)
    verify: bool = Field(
        True, description="look again, repaint with a larger mask what is still readable, tell what is left"
    )
    priority: int = Field(0, ge=-100, le=100, description="higher goes first")
    callback_url: HttpUrl | None = Field(None, description="where the outcome is posted, signed")

    def inpaint_params(self) -> dict[str, Any]:
        """Return what of these the inpaint-service is told; what is painted on again is kept lossless."""
        names = {"model", "mask_mode", "mask_dilation", "feather", "output_format", "quality"}
        params = self.model_dump(mode="json", include=names, exclude_none=True)
        return params | {"output_format": "png"} if self.verify else params
