"""The presets over HTTP."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from backend.presets import Presets
from cleanplate.runtime.access import Owner


def preset_routes(presets: Presets) -> APIRouter:
    """Return the router that tells which presets there are."""
    router = APIRouter(prefix="/api/v1", tags=["about"])

    @router.get("/presets")
    async def list_presets(owner: Owner) -> dict[str, Any]:
        """Return the presets by name, with their options."""
        return {"presets": presets}

    return router
