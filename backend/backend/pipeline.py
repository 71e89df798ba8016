"""The story of the product: detect → mask → inpaint → verify → finalize, for one picture, resuming after the last step.

A step that is done leaves a file and a checkpoint; whoever takes the job over afterwards begins at the next step.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from backend import spans
from backend.artifacts import INPUT, MASK, REGIONS, RESULT, painted
from backend.choices import Choices, choose
from backend.clients import InpaintClient, OcrClient
from backend.notes import noting
from backend.options import Options
from backend.outputs import finished, unchanged
from backend.painting import Painter, Painting
from backend.verifying import Verifier
from cleanplate.contract.messages import DetectedRegion
from cleanplate.runtime.images import PictureLimits
from cleanplate.runtime.run import Run


class Pipeline:
    """Handles a job; see `Handler`."""

    def __init__(self, ocr: OcrClient, inpaint: InpaintClient, limits: PictureLimits, patience_s: float):
        self._ocr = ocr
        self._inpaint = inpaint
        self._limits = limits
        self._painter = Painter(inpaint, patience_s)
        self._verifier = Verifier(ocr, inpaint, self._painter, limits)

    async def __call__(self, run: Run) -> None:
        """Carry the job from wherever it stands to its end."""
        options = Options.model_validate(run.job.params["options"])
        image = await run.get(INPUT)
        try:
            detection = await self._detect(run, image, options)
            chosen = detection.chosen()
            await self._mask(run, image, chosen, options)
            if chosen and not options.dry_run:
                await self._repaint(run, image, chosen, options)
                if options.verify:
                    await self._verifier.verify(run, chosen, options)
            await self._finalize(run, image, detection, chosen, options)
        except asyncio.CancelledError:
            await self._painter.cancel(run)
            raise

    async def _detect(self, run: Run, image: bytes, options: Options) -> Choices:
        if "detected" in run.job.checkpoint:
            return Choices.model_validate_json(await run.board.call(run.board.files.get, run.job.id, REGIONS))
        started = time.perf_counter()
        if run.job.params.get("rerun_of"):
            detection = Choices.model_validate_json(await run.get(REGIONS))
        else:
            seen = await self._ocr.patiently(lambda: self._ocr.detect(image, options.engine), noting(run))
            detection = await asyncio.to_thread(choose, seen, options)
        await run.put(REGIONS, detection.model_dump_json().encode())
        found = len(detection.regions)
        size = {"width": detection.width, "height": detection.height, "regions": found}
        await run.report(
            "detecting",
            spans.DETECTED,
            stage_progress=1.0,
            message=f"{found} regions of text found",
            regions=found,
            checkpoint={"detected": {**size, "seconds": round(time.perf_counter() - started, 3)}},
        )
        return detection

    async def _mask(self, run: Run, image: bytes, chosen: Sequence[DetectedRegion], options: Options) -> None:
        if "masked" in run.job.checkpoint or not chosen:
            return
        params = options.inpaint_params()
        mask = await self._inpaint.patiently(lambda: self._inpaint.mask(image, chosen, params), noting(run))
        await run.put(MASK, mask)
        told = {"stage_progress": 1.0, "message": "mask built", "regions": len(chosen)}
        await run.report("masking", spans.MASKED, checkpoint={"masked": True}, **told)

    async def _repaint(self, run: Run, image: bytes, chosen: Sequence[DetectedRegion], options: Options) -> None:
        if "painted" not in run.job.checkpoint:
            span = spans.painting(1, verify=options.verify)
            await self._painter.paint(run, Painting(1, image, chosen, options.inpaint_params(), span))

    async def _finalize(
        self, run: Run, image: bytes, detection: Choices, chosen: Sequence[DetectedRegion], options: Options
    ) -> None:
        if "kept" not in run.job.checkpoint:
            if not options.dry_run:
                await run.put(RESULT, await self._result(run, image, options))
            told = {"stage_progress": 1.0, "message": "result kept", "regions": len(chosen)}
            await run.report("finalizing", spans.KEPT, checkpoint={"kept": True}, **told)
        for number in range(1, run.job.checkpoint.get("painted", 0) + 1):
            await run.board.call(run.board.files.remove, run.job.id, painted(number))
        looked = options.verify and not options.dry_run
        residual = run.job.checkpoint.get("residual", []) if looked else None
        result = {
            "width": detection.width,
            "height": detection.height,
            "regions_found": len(detection.regions),
            "regions": _results(chosen, run.job.checkpoint.get("repainted", []), residual),
            "residual_regions": residual,
            "processing_time": round(time.time() - (run.job.started_at or time.time()), 3),
            "dry_run": options.dry_run,
        }
        await run.succeed(result)

    async def _result(self, run: Run, image: bytes, options: Options) -> bytes:
        number = run.job.checkpoint.get("painted")
        if number is None:
            return await asyncio.to_thread(unchanged, image, options, self._limits)
        last = await run.board.call(run.board.files.get, run.job.id, painted(number))
        return await asyncio.to_thread(finished, last, image, options, self._limits)


def _results(
    chosen: Sequence[DetectedRegion], repainted: Sequence[dict[str, Any]], residual: Sequence[str] | None
) -> list[dict[str, Any]]:
    """Return what was done to each region, and whether it is clean: None where nobody has looked."""
    done, left = {region["id"]: region for region in repainted}, set(residual or ())
    clean = {region.id: None if residual is None else region.id not in left for region in chosen}
    return [{"id": region.id, **done.get(region.id, {}), "clean": clean[region.id]} for region in chosen]
