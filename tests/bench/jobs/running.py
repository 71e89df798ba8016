"""The services of one row: the backend is always the real one, the others are too, or stand-ins."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import requests
from websockets.sync.client import connect

from backend.cli.launches import BACKEND, INPAINT, OCR
from backend.cli.services import Services

ROOT = Path(__file__).resolve().parents[3]
STAND_IN = [sys.executable, str(Path(__file__).with_name("stand_ins.py"))]
PATIENCE_S = 600.0
ENDS = frozenset({"succeeded", "failed", "cancelled"})
REAL = {"OCR_LANES": "1", "IOPAINT_MODEL": "auto"}


@dataclass(frozen=True)
class Running:
    """The backend that runs."""

    services: Services
    data: Path
    http: requests.Session

    @property
    def url(self) -> str:
        return f"{self.services.urls[BACKEND]}/api/v1"

    @property
    def websocket_url(self) -> str:
        return f"ws{self.url.removeprefix('http')}/ws/jobs"

    def post(self, path: str, *pictures: bytes, **options: Any) -> requests.Response:
        files = [("files", (f"{number}.jpg", data)) for number, data in enumerate(pictures)]
        form = {"options": json.dumps(options)}
        answer = self.http.post(f"{self.url}/{path}", files=files, data=form, timeout=PATIENCE_S)
        assert answer.ok, answer.text
        return answer

    def probe_s(self) -> float:
        """Return what a request takes that does nothing: the floor of all others."""
        began = time.perf_counter()
        self.http.get(f"{self.services.urls[BACKEND]}/livez", timeout=PATIENCE_S).raise_for_status()
        return time.perf_counter() - began

    def events_counted(self) -> float:
        """Return how many events the backend's metrics have."""
        told = self.http.get(f"{self.services.urls[BACKEND]}/metrics", timeout=PATIENCE_S).text.splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in told if line.startswith("job_events_total{"))

    def memory_mb(self) -> float:
        """Return how much memory the backend has, in RAM."""
        status = Path(f"/proc/{self.services.pid(BACKEND)}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1000

    @contextmanager
    def log(self) -> Iterator[Iterator[dict[str, Any]]]:
        """Give the events of all jobs, from now on."""
        with connect(self.websocket_url, max_queue=None) as websocket:
            yield (json.loads(message) for message in websocket)


@contextmanager
def running(*, real: bool = False, **settings: str) -> Iterator[Running]:
    """Start the services, and end them."""
    told = {**os.environ, "LOG_LEVEL": "WARNING", **(REAL if real else {}), **settings}
    commands = None if real else {OCR: STAND_IN, INPAINT: STAND_IN}
    with (
        TemporaryDirectory() as folder,
        Services(ROOT, Path(folder), commands=commands, environ=told) as services,
        requests.Session() as http,
    ):
        yield Running(services, Path(folder), http)


def ended(log: Iterator[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """Return what is told until so many jobs have ended, all of them well."""
    told, ends = [], 0
    while ends < count:
        event = next(log)
        told.append(event)
        if event["type"] in ENDS:
            assert event["type"] == "succeeded", event
            ends += 1
    return told


def p99_ms(taken: list[float]) -> float:
    return 1000 * sorted(taken)[int(len(taken) * 0.99)]
