"""A job of the backend as a client sees it, and what is checked of its log."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import requests
from websockets.sync.client import connect

from backend.residue import Reading
from cleanplate.contract.messages import DetectedRegion

PATIENCE_S = 120


@dataclass(frozen=True)
class Job:
    """One job at one backend."""

    backend: str
    id: str

    def path(self, name: str = "") -> str:
        return f"{self.backend}/api/v1/jobs/{self.id}{name}"

    def view(self, wait_s: float = 0) -> dict[str, Any]:
        view: dict[str, Any] = requests.get(self.path(f"?wait={wait_s:g}"), timeout=PATIENCE_S).json()
        return view

    def end(self) -> dict[str, Any]:
        view = self.view(60)
        while view["status"] in ("queued", "running"):
            view = self.view(60)
        return view

    def file(self, name: str) -> bytes:
        response = requests.get(self.path(f"/{name}"), timeout=PATIENCE_S)
        assert response.status_code == 200, response.text
        return response.content

    def regions(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.file("regions"))["regions"]
        return found

    def log(self, after: int = 0) -> list[dict[str, Any]]:
        """Return the job's events as its WebSocket tells them, up to the end of the job."""
        url = f"ws{self.backend.removeprefix('http')}/api/v1/ws/jobs/{self.id}?after={after}"
        with connect(url, open_timeout=PATIENCE_S) as websocket:
            return [json.loads(message) for message in websocket]


def submit(backend: str, picture: bytes, **options: Any) -> Job:
    form = {"options": json.dumps(options)}
    response = requests.post(f"{backend}/api/v1/jobs", files={"file": picture}, data=form, timeout=PATIENCE_S)
    assert response.status_code == 202, response.text
    return Job(backend, response.json()["job_id"])


def check_log(events: list[dict[str, Any]], after: int = 0) -> None:
    """Assert that a log has no gap and no double, and that its progress only grows."""
    assert [event["seq"] for event in events] == list(range(after + 1, after + len(events) + 1))
    progress = [event["data"]["progress"] for event in events if event["type"] == "progress"]
    assert progress == sorted(set(progress)), "progress went back, or a unit was told twice"


def detect(ocr: str, picture: bytes) -> list[Reading]:
    response = requests.post(f"{ocr}/v1/detect", files={"image": picture}, timeout=PATIENCE_S)
    assert response.status_code == 200, response.text
    return readings(response.json()["regions"])


def readings(regions: list[dict[str, Any]]) -> list[Reading]:
    return [Reading.of(DetectedRegion.model_validate(region)) for region in regions]
