"""How the service is: GET /healthz, for the clients of this wire and of the others that ask there."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from cleanplate.runtime.jobs import State
from cleanplate.runtime.openapi import PROBE
from ocr_service.machine import gpu_memory
from ocr_service.parts import Parts
from ocr_service.settings import OcrSettings

_MEGABYTE = 1024 * 1024


class SystemRoutes:
    """The routes of `router`, with what they need."""

    def __init__(self, parts: Parts):
        self._parts = parts
        self._began = time.monotonic()
        self.router = APIRouter(tags=["operation"])
        self.router.add_api_route("/healthz", self.healthz, methods=["GET"], responses=PROBE)

    async def healthz(self) -> JSONResponse:
        """Say how the service is; 503 while its engine is not warm, unless it is meant to have none."""
        settings, state = self._parts.settings, self._parts.readers.state
        well = state == "ready" or not settings.app_enable_ds_model
        told: dict[str, Any] = {
            "status": "ok" if well else state,
            "uptime_seconds": round(time.monotonic() - self._began, 3),
            "max_workers": settings.slots,
            "queue_capacity": settings.queue_limit,
            "compute_backend": _backend(settings),
            "model_enabled": settings.app_enable_ds_model,
            "limits": {"max_upload_mb": settings.max_file_size // _MEGABYTE, "max_pages": settings.max_pages},
            **await self._queue(),
            **await asyncio.to_thread(self._memory),
        }
        return JSONResponse(told, 200 if well else 503)

    def _memory(self) -> dict[str, Any]:
        system, gpu = self._parts.headroom.machine(), gpu_memory()
        return {
            "gpu_free_gb": gpu and gpu.free_gb,
            "gpu_total_gb": gpu and gpu.total_gb,
            "system_memory_free_gb": system and system.free_gb,
            "system_memory_total_gb": system and system.total_gb,
            "memory_pressure": self._parts.headroom.pressing(system),
        }

    async def _queue(self) -> dict[str, int]:
        board = self._parts.board
        counts = await board.call(board.store.counts, board.kind)
        return {"queue_size": counts[State.QUEUED], "running_workers": counts[State.RUNNING]}


def _backend(settings: OcrSettings) -> str:
    """Return where the service's own engine calculates: here on the processor, on a GPU, or somewhere else."""
    if settings.engine == "deepseek" and settings.deepseek_backend == "hf":
        return "gpu"
    return "remote" if settings.engine in ("deepseek", "openai") else "cpu"
