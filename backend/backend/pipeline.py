"""The story of the product: detect → mask → inpaint → verify → finalize, for one picture, resuming after the last step.

A step that is done leaves a file and a checkpoint; whoever takes the job over afterwards begins at the next step. The
pages of a document go through the same steps; see `documents`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from backend import spans
from backend.artifacts import INPUT
from backend.clients import InpaintClient, OcrClient
from backend.documents import Documents
from backend.options import Options
from backend.papers import PaperLimits
from backend.sheets import Sheet
from backend.steps import Steps
from cleanplate.contract.messages import DetectedRegion
from cleanplate.runtime.images import PictureLimits
from cleanplate.runtime.run import Run


class Pipeline:
    """Handles a job; see `Handler`."""

    def __init__(
        self,
        ocr: OcrClient,
        inpaint: InpaintClient,
        limits: PictureLimits,
        patience_s: float,
        paper: PaperLimits | None = None,
    ):
        self._steps = Steps(ocr, inpaint, limits, patience_s)
        self._documents = Documents(self._steps, paper or PaperLimits(limits))

    async def __call__(self, run: Run) -> None:
        """Carry the job from wherever it stands to its end."""
        options = Options.model_validate(run.job.params["options"])
        if run.job.params.get("paper"):
            await self._documents.erase(run, options)
        else:
            await self._erase(Sheet(run), options)

    def close(self) -> None:
        """Let go of the threads."""
        self._documents.close()

    async def _erase(self, sheet: Sheet, options: Options) -> None:
        image = await sheet.run.get(INPUT)
        found = await self._steps.find(sheet, image, options)
        chosen = found.chosen()
        await self._steps.erase(sheet, image, chosen, options)
        if "kept" not in sheet.checkpoint:
            if not options.dry_run:
                await self._steps.keep(sheet, image, options)
            told = {"stage_progress": 1.0, "message": "result kept", "regions": len(chosen)}
            await sheet.report("finalizing", spans.KEPT, checkpoint={"kept": True}, **told)
        await self._steps.tidy(sheet)
        looked = options.verify and not options.dry_run
        residual = sheet.checkpoint.get("residual", []) if looked else None
        result = {
            "width": found.width,
            "height": found.height,
            "regions_found": len(found.regions),
            "regions": _results(chosen, sheet.checkpoint.get("repainted", []), residual),
            "residual_regions": residual,
            "processing_time": round(time.time() - (sheet.run.job.started_at or time.time()), 3),
            "dry_run": options.dry_run,
        }
        await sheet.run.succeed(result)


def _results(
    chosen: Sequence[DetectedRegion], repainted: Sequence[dict[str, Any]], residual: Sequence[str] | None
) -> list[dict[str, Any]]:
    """Return what was done to each region, and whether it is clean: None where nobody has looked."""
    done, left = {region["id"]: region for region in repainted}, set(residual or ())
    clean = {region.id: None if residual is None else region.id not in left for region in chosen}
    return [{"id": region.id, **done.get(region.id, {}), "clean": clean[region.id]} for region in chosen]
