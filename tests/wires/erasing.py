"""A backend behind a real port whose two services are small classes; it can be restarted where it was."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from backend import relay, workers
from backend.app import make_app
from backend.settings import BackendSettings
from cleanplate.contract.messages import Detection
from tests.fakes.services import Inpaint, Ocr
from tests.wires.serving import PATIENCE_S, Live


class GatedOcr(Ocr):
    """Reads a picture only after the gate was opened."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.entered = threading.Event(), threading.Event()

    async def detect(self, image: bytes, params: dict[str, Any]) -> Detection:
        self.entered.set()
        while not self.gate.is_set():  # noqa: ASYNC110 - other threads open it
            await asyncio.sleep(0.01)
        return await super().detect(image, params)


class Erasing:
    """The backend."""

    def __init__(self, data: Path, monkeypatch: pytest.MonkeyPatch, **settings: Any):
        def follow(client: Inpaint, task_id: str, after: int, patience_s: float) -> AsyncIterator[dict[str, Any]]:
            return client.follow(task_id, after)

        self.ocr, self.inpaint = GatedOcr(), Inpaint()
        self.ocr.gate.set()
        monkeypatch.setattr(workers, "OcrClient", lambda *_, **__: self.ocr)
        monkeypatch.setattr(workers, "InpaintClient", lambda *_, **__: self.inpaint)
        monkeypatch.setattr(relay, "follow", follow)
        self._settings = BackendSettings(data=data, slots=1, **settings)
        self._port = 0
        self.live: Live[BackendSettings] | None = None

    def start(self) -> None:
        """Return when it is ready, on the port that it had before."""
        self.live = Live(make_app(self._settings), self._settings, self._port)
        self._port = int(self.live.address.rpartition(":")[2])
        self.live.start()
        self.live.until_ready()

    def stop(self) -> None:
        """Return when it has ended; who followed a job is hung up."""
        if self.live is not None:
            self.live.stop()
        self.live = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def begun(self) -> None:
        """Return when a picture waits at the gate."""
        assert self.ocr.entered.wait(PATIENCE_S)
