"""What a client may ask of a job. A name that is not here is refused, so that no wish is silently ignored."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, HttpUrl

from backend.areas import Area
from cleanplate.contract.messages import Languages, MaskMode
from cleanplate.runtime.images import OutputFormat

CHOOSING = frozenset({"min_score", "min_height", "max_height", "include", "exclude", "match", "keep"})
"""The options by which the regions that are erased are chosen among those that were found."""

Areas = Annotated[tuple[Area, ...], Field(max_length=200)]
Pattern = Annotated[str, Field(min_length=1, max_length=500)]


class Options(BaseModel):
    """The options of one job."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    preset: str | None = Field(None, max_length=100, description="options by name; those given beside it count more")
    dry_run: bool = Field(False, description="find the text and build the mask, but do not repaint")
    engine: str | None = Field(None, max_length=40, description="OCR engine; null: the ocr-service's own")
    languages: Languages | None = Field(
        None, description="of the text, as BCP 47 tags; null: all that the engine reads"
    )
    model: str | None = Field(None, max_length=200, description="inpainting model; null: the inpaint-service's own")
    mask_mode: MaskMode = "auto"
    mask_dilation: float | None = Field(None, ge=0, le=500, description="px from 1 on, below 1 a share of text height")
    feather: float = Field(0.0, ge=0, le=100, description="width of the soft edge inside the mask, in px")
    min_score: float = Field(0.0, ge=0, le=1, description="leave text that was read with less confidence")
    min_height: float = Field(0.0, ge=0, le=100_000, description="leave text that is lower than this, in px")
    max_height: float | None = Field(None, gt=0, le=100_000, description="leave text that is higher than this, in px")
    include: Areas = Field((), description="erase only text whose middle is in one of these; none: anywhere")
    exclude: Areas = Field((), description="leave text whose middle is in one of these")
    match: Pattern | None = Field(None, description="erase only text in which this regular expression is found")
    keep: Pattern | None = Field(None, description="leave text in which this regular expression is found")
    pages: str | None = Field(
        None, max_length=1000, description="pages of a document, such as 1-3,5; others stay as they are; null: all"
    )
    output_format: OutputFormat = "png"
    quality: int | None = Field(None, ge=1, le=100)
    verify: bool = Field(
        True, description="look again, repaint with a larger mask what is still readable, tell what is left"
    )
    priority: int = Field(0, ge=-100, le=100, description="higher goes first")
    ttl: float | None = Field(
        None, ge=1, description="remove the job and its files so many seconds after its end; null: the service's own"
    )
    callback_url: HttpUrl | None = Field(None, description="where the outcome is posted, signed")

    def ocr_params(self) -> dict[str, Any]:
        """Return what of these the ocr-service is told."""
        return self.model_dump(mode="json", include={"engine", "languages"}, exclude_none=True)

    def inpaint_params(self) -> dict[str, Any]:
        """Return what of these the inpaint-service is told; what is painted on again is kept lossless."""
        names = {"model", "mask_mode", "mask_dilation", "feather", "output_format", "quality"}
        params = self.model_dump(mode="json", include=names, exclude_none=True)
        return params | {"output_format": "png"} if self.verify else params

    def patterns(self) -> dict[str, str]:
        """Return the regular expressions that were given, by the option's name."""
        return {name: given for name in ("match", "keep") if (given := getattr(self, name)) is not None}
