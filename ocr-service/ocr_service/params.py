"""What requests may ask for beside the file. What an engine cannot do is refused, not ignored."""

from __future__ import annotations

from dataclasses import fields

from pydantic import AnyHttpUrl, BaseModel, ConfigDict, Field

from cleanplate.contract.messages import Languages
from ocr_service.engines import ReadOptions

_OPTIONS = {field.name for field in fields(ReadOptions)}


class ReadParams(BaseModel):
    """How a picture or a page is read."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    engine: str | None = Field(None, max_length=40, description="null: the service's own")
    languages: Languages | None = Field(
        None, description="that the text is in, as BCP 47 has them; null: the engine's own"
    )
    det_limit_side_len: int = Field(ReadOptions.det_limit_side_len, ge=32, le=4000)
    det_limit_type: str = Field(ReadOptions.det_limit_type, pattern="^(min|max)$")
    det_thresh: float = Field(ReadOptions.det_thresh, ge=0.01, le=0.99)
    det_box_thresh: float = Field(ReadOptions.det_box_thresh, ge=0.01, le=1)
    det_unclip_ratio: float = Field(ReadOptions.det_unclip_ratio, ge=0.1, le=10)
    rec_score_thresh: float = Field(ReadOptions.rec_score_thresh, ge=0, le=1)
    textline_orientation: bool = Field(False, description="find lines that are upside down")
    word_boxes: bool = Field(False, description="give each region its words")
    doc_orientation: bool = Field(
        False, description="find out which way up the picture, or each page, is, and read it that way"
    )

    def options(self) -> ReadOptions:
        """Return what the engine is told."""
        return ReadOptions(**self.model_dump(include=_OPTIONS, exclude_none=True))


class DocumentParams(ReadParams):
    """What /v1/documents takes beside the document."""

    page_ranges: str | None = Field(None, max_length=1000, description="such as 1-3,7; null: all")
    text_layer: bool = Field(
        False, description="take the text that a PDF's page has of its own, where it can be trusted, instead of reading"
    )
    searchable_pdf: bool = Field(False, description="also make a PDF with an invisible text layer")
    describe_images: bool = Field(False, description="let the engine openai say what each picture on a page shows")
    callback_url: AnyHttpUrl | None = Field(None, description="is told how the job ended")
