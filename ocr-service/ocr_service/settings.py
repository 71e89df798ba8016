"""What can be set about this service."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from cleanplate.runtime.cores import cores
from ocr_service.engine_settings import EngineSettings
from ocr_service.engines import DEFAULT
from ocr_service.machine import system_memory
from ocr_service.pages import PageLimits
from ocr_service.wires.dsocr.settings import DsocrSettings

PREFIXES = ("OCR_",)
LANE_BYTES = 800_000_000  # a lane at work takes 0.5 GB; the rest is for what is decoded, and for the process itself


class OcrSettings(DsocrSettings, EngineSettings):
    """Settings of the ocr-service."""

    model_config = SettingsConfigDict(env_prefix="OCR_")

    port: int = Field(8082, ge=0, le=65535, description="Port to listen on.")
    data: Path = Field(Path("data/ocr"), description="Folder for the database, the files of jobs and prepared weights.")
    engine: str = Field(DEFAULT, description="Engine for requests that name none.")
    lanes: int = Field(
        0,
        ge=0,
        le=64,
        description="Copies of the engine, one call each; 0: one per core, as far as each has 800 MB of memory.",
    )
    threads: int = Field(
        1,
        ge=0,
        le=64,
        description="Processor threads of one engine call; 0: for `rapid` as many as cores, at most 4, of which it uses"
        " what other calls leave; for others one.",
    )
    waiting: int = Field(64, ge=0, description="Requests that may wait for an engine; more are refused with 429.")
    queue_timeout_s: float = Field(
        60.0, gt=0, description="Longest time a request waits for its turn at an engine; then it is refused with 503."
    )
    request_timeout_s: float = Field(
        300.0,
        gt=0,
        description="Longest time for a request. An engine's call that takes longer, and longer than a page may, hangs,"
        " and ends the service.",
    )
    fetch_timeout_s: float = Field(30.0, gt=0, description="Longest time to fetch an input by its URL.")
    max_pages: int = Field(100, ge=1, description="Pages of one document that are read.")
    page_timeout_s: float = Field(120.0, gt=0, description="Longest time to render or to read one page of a job.")
    task_timeout_s: float = Field(
        14_400.0, gt=0, description="Longest time for a document; one that takes longer fails, what was read is kept."
    )
    idle_unload_s: float = Field(
        0.0, ge=0, description="Engines that nobody has called for so many seconds are let go; 0: never."
    )
    gpu_min_free_gb: float = Field(
        0.0, ge=0, description="Free memory a GPU must have for an engine to be loaded on it, in GB; 0: not checked."
    )
    memory_reserve_mb: int = Field(
        256,
        ge=0,
        description="Memory that stays free, in MB: while there is less, new work is refused with 503 and running"
        " documents wait before their next page; 0: not checked.",
    )
    pdf_dpi: int = Field(200, ge=18, le=1200, description="Pixels per inch at which PDF pages are rendered.")

    def lane_count(self) -> int:
        """Return how many copies of the engine there shall be."""
        memory = system_memory()
        return self.lanes or max(1, min(cores(), memory.total // LANE_BYTES if memory else cores()))

    def page_limits(self) -> PageLimits:
        """Return the limits that a document must keep."""
        return PageLimits(self.max_pages, self.picture_limits(), self.pdf_dpi, self.page_timeout_s)

    def body_limit(self) -> int:
        """Return the largest request body: a file in base64, and the rest."""
        return int(self.max_file_size * 4 / 3) + 1_000_000

    def message_limit(self) -> int:
        """Return the largest WebSocket message; OcrPlus's clients send documents in them."""
        return self.body_limit()
