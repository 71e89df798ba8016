"""The answer that is a picture, at once or of a task: its headers tell what was done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import Response

from cleanplate.runtime.openapi import answers
from inpaint_service.erase import Outcome

HEADERS = {
    "Content-Disposition": "inline, with a file name",
    "X-Processing-Time": "seconds",
    "X-Regions-Count": "regions of the request",
    "X-Total-Area": "px of the union of what was erased",
    "X-Timestamp": "UTC, ISO 8601 with Z",
    "X-Model": "which model repainted",
    "X-Model-Requested": "the service's model that X-Model stands in for",
    "X-Mask-Mode": "how regions became a mask",
    "X-Unchanged-Outside-Mask": "true: every pixel outside the mask is the input's; false: the format is lossy",
    "X-Seed": "of a diffusion model",
    "X-Ignored-Parameters": "fields of the request without effect",
    "X-Warning": "what else the client should know",
}
PICTURE = answers("image/png", "image/jpeg", "image/webp", description="The picture", headers=HEADERS)


def told(outcome: Outcome) -> dict[str, Any]:
    """Return what is told of an outcome, as JSON: a task's result."""
    return {
        "regions": [region.model_dump(mode="json") for region in outcome.regions],
        "processing_time": round(outcome.seconds, 3),
        "media_type": outcome.encoded.media_type,
        "extension": outcome.encoded.extension,
        "lossless": outcome.encoded.lossless,
        "width": outcome.size[1],
        "height": outcome.size[0],
        "frames": outcome.frames,
        "area_px": outcome.area_px,
        "model": outcome.model,
        "mask_mode": outcome.mask_mode,
        "seed": outcome.seed,
        "ignored": list(outcome.ignored),
    }


def picture(data: bytes, done: Mapping[str, Any], name: str, regions: int, at: str | None, wanted: str) -> Response:
    """Return the picture.

    Args:
        data: its bytes.
        done: what `told` made.
        name: of the file, without an extension.
        regions: how many regions the request had.
        at: when it was done, UTC.
        wanted: the model that the one used stands in for; empty: none.
    """
    headers = {
        "Content-Disposition": f'inline; filename="{name}.{done["extension"]}"',
        "X-Processing-Time": f"{done['processing_time']:.3f}",
        "X-Regions-Count": str(regions),
        "X-Total-Area": str(done["area_px"]),
        "X-Timestamp": at or "",
        "X-Model": done["model"],
        "X-Model-Requested": wanted,
        "X-Mask-Mode": done["mask_mode"],
        "X-Unchanged-Outside-Mask": str(done["lossless"]).lower(),
        "X-Seed": "" if done.get("seed") is None else str(done["seed"]),
        "X-Ignored-Parameters": ", ".join(done.get("ignored", ())),
        "X-Warning": warning(done.get("frames", 1)),
    }
    told = {header: value for header, value in headers.items() if value}
    return Response(data, media_type=done["media_type"], headers=told)


def warning(frames: int) -> str:
    """Return what is said of a picture that moves; empty: nothing."""
    return f"only the first of {frames} frames was taken" if frames > 1 else ""
