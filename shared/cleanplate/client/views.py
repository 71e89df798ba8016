"""What a backend shows of a job, under the names that its API has. What a newer one shows beside it is there, too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict

Status = Literal["queued", "running", "succeeded", "failed", "cancelled"]
FINAL = frozenset({"succeeded", "failed", "cancelled"})


class View(TypedDict, total=False):
    """A job; `progress` is 0 to 1, times are UTC in ISO 8601 with Z."""

    job_id: str
    name: str
    status: Status
    stage: str
    progress: float
    message: str
    eta_s: float | None
    position: int
    estimated_time: float | None
    page: int | None
    pages: int
    width: int | None
    height: int | None
    regions_found: int | None
    options: dict[str, Any]
    rerun_of: str | None
    result: dict[str, Any] | None
    error: dict[str, Any] | None
    attempt: int
    seq: int
    created_at: str
    started_at: str | None
    finished_at: str | None
    status_url: str
    result_url: str
    events_url: str
    websocket_url: str


class Box(TypedDict):
    """An upright rectangle, in pixels."""

    x: float
    y: float
    width: float
    height: float


class Region(TypedDict, total=False):
    """A line of text that was found, in pixels of the picture as displayed, and whether it is erased."""

    id: str
    polygon: list[list[float]]
    box: Box
    text: str
    score: float
    angle: float
    enabled: bool


@dataclass(frozen=True)
class Event:
    """An entry of a job's log; `seq` counts from 1 without gaps."""

    job_id: str
    seq: int
    type: str
    at: str
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def progress(self) -> float | None:
        """That of the whole job, 0 to 1; None where the event tells none."""
        return self.data.get("progress")

    @property
    def message(self) -> str:
        """What happened, in words, where the event has any."""
        return str(self.data.get("message") or "")
