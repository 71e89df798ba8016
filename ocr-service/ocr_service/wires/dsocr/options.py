"""What a task is asked for. What no engine here can be told is taken, as the DeepSeek-OCR server takes it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ocr_service.engines import ENGINES
from ocr_service.params import DocumentParams

NO_EFFECT = "has no effect here"
UNSAID = ("", "auto", "ch", "ch_lite", "ch_server")
CODES: Mapping[str, str] = MappingProxyType(
    {
        "chinese_cht": "zh-Hant",
        "japan": "ja",
        "korean": "ko",
        "french": "fr",
        "german": "de",
        "rs_latin": "sr-Latn",
        "rs_cyrillic": "sr-Cyrl",
        "ka": "kn",
        "latin": "fr",
        "arabic": "ar",
        "devanagari": "hi",
        "east_slavic": "ru",
        "eslav": "ru",
        "cyrillic": "bg",
    }
)
"""PaddleOCR's names that are no codes, or others'; of a whole script one language that its model reads."""


class TaskOptions(BaseModel):
    """The options of a task; keys that are not known are ignored."""

    model_config = ConfigDict(extra="ignore")

    is_ocr: bool = Field(True, description="false: take the text that a PDF's page has, where it can be trusted")
    enable_formula: bool = Field(True, description=NO_EFFECT)
    enable_table: bool = Field(True, description=NO_EFFECT)
    language: str = Field(
        "ch",
        max_length=100,
        description="by PaddleOCR's name or BCP 47's code; ch: the engine's own. One that is not read here has no"
        " effect, and the task's message says so",
    )
    extra_formats: list[Literal["docx", "html", "latex"]] | None = Field(
        None, max_length=10, description="not made here; the task's message says so"
    )
    model_version: str | None = Field(None, max_length=200, description="an engine's name; others have no effect")
    bbox: bool = Field(True, description="whether the regions of result.json say where they are")
    pack_zip: bool = Field(True, description="whether download.zip is there")
    data_id: str | None = Field(None, max_length=200, description="the client's own, told with the task")
    page_ranges: str | None = Field(None, max_length=1000, description="such as 1-3,7; null: all")

    def params(self) -> DocumentParams:
        """Return how the document is to be read, whatever its language."""
        engine = self.model_version if self.model_version in ENGINES else None
        return DocumentParams(engine=engine, page_ranges=self.page_ranges, text_layer=not self.is_ocr)

    def code(self) -> str | None:
        """Return the language's code in BCP 47's way; None: it is the default, which clients send unasked."""
        name = self.language.strip().lower()
        return None if name in UNSAID else CODES.get(name, name)


class UrlTask(TaskOptions):
    """The body of a task by URL."""

    url: str | None = Field(None, max_length=8192, description="where the document is fetched")
