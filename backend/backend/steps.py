"""The steps of one sheet, a picture or a page: detect → mask → inpaint → verify, and keeping what came of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from backend import spans
from backend.artifacts import MASK, REGIONS, RESULT, painted
from backend.choices import Choices, choose
from backend.clients import InpaintClient, OcrClient
from backend.notes import noting
from backend.options import Options
from backend.outputs import finished, unchanged
from backend.painting import Painter, Painting
from backend.sheets import Sheet
from backend.verifying import Verifier
from cleanplate.contract.messages import DetectedRegion
from cleanplate.contract.problems import Expired
from cleanplate.runtime.images import PictureLimits
from cleanplate.runtime.jobs import LeaseLost


class Steps:
    """Each step goes on from wherever the sheet stands; one that is done leaves a file and a checkpoint."""

    def __init__(self, ocr: OcrClient, inpaint: InpaintClient, limits: PictureLimits, patience_s: float):
        self._ocr = ocr
        self._inpaint = inpaint
        self._limits = limits
        self._painter = Painter(inpaint, patience_s)
        self._verifier = Verifier(ocr, inpaint, self._painter, limits)

    async def find(self, sheet: Sheet, image: bytes, options: Options) -> Choices:
        """Return the text, and what of it is erased. A rerun brings it with it, save for pages that had failed."""
        if "detected" in sheet.checkpoint:
            return Choices.model_validate_json(await sheet.get(REGIONS))
        with sheet.step("detect"):
            return await self._detect(sheet, image, options)

    async def _detect(self, sheet: Sheet, image: bytes, options: Options) -> Choices:
        started = time.perf_counter()
        found = await self._given(sheet) if sheet.run.job.params.get("rerun_of") else None
        if found is None:
            seen = await self._ocr.patiently(lambda: self._ocr.detect(image, options.ocr_params()), noting(sheet))
            found = await asyncio.to_thread(choose, seen, options)
        await sheet.put(REGIONS, found.model_dump_json().encode())
        count = len(found.regions)
        size = {"width": found.width, "height": found.height, "regions": count}
        await sheet.report(
            "detecting",
            spans.DETECTED,
            stage_progress=1.0,
            message=f"{count} regions of text found",
            regions=count,
            checkpoint={"detected": {**size, "seconds": round(time.perf_counter() - started, 3)}},
        )
        return found

    async def erase(self, sheet: Sheet, image: bytes, chosen: Sequence[DetectedRegion], options: Options) -> None:
        """Build the mask, and unless that is all that is wanted, repaint and look again."""
        try:
            if options.dry_run:
                await self._mask(sheet, image, chosen, options)
            elif chosen:
                await self._repaint(sheet, image, chosen, options)
                if options.verify:
                    await self._verifier.verify(sheet, chosen, options)
        except (asyncio.CancelledError, LeaseLost):
            cancelling = asyncio.ensure_future(self._painter.cancel(sheet))
            try:
                await asyncio.shield(cancelling)
            except asyncio.CancelledError:  # the lost lease is told twice: by a write, and by its renewal
                await cancelling
            raise

    async def keep(self, sheet: Sheet, image: bytes, options: Options) -> None:
        """Keep the last painting, or the picture as it came, as the result, in the format that is wanted."""
        number, limits = sheet.checkpoint.get("painted"), self._limits
        with sheet.step("finalize"):
            if number is None:
                result = await asyncio.to_thread(unchanged, image, options, limits)
            else:
                result = await asyncio.to_thread(finished, await sheet.get(painted(number)), image, options, limits)
            await sheet.put(RESULT, result)

    async def tidy(self, sheet: Sheet) -> None:
        """Remove the paintings; the result is kept."""
        for number in range(1, sheet.checkpoint.get("painted", 0) + 1):
            await sheet.remove(painted(number))

    async def _given(self, sheet: Sheet) -> Choices | None:
        try:
            return Choices.model_validate_json(await sheet.run.get(sheet.name(REGIONS)))
        except Expired:
            return None

    async def _mask(self, sheet: Sheet, image: bytes, chosen: Sequence[DetectedRegion], options: Options) -> None:
        if "masked" in sheet.checkpoint or not chosen:
            return
        params = options.inpaint_params()
        with sheet.step("mask"):
            mask = await self._inpaint.patiently(lambda: self._inpaint.mask(image, chosen, params), noting(sheet))
            await sheet.put(MASK, mask)
        told = {"stage_progress": 1.0, "message": "mask built", "regions": len(chosen)}
        await sheet.report("masking", spans.MASKED, checkpoint={"masked": True}, **told)

    async def _repaint(self, sheet: Sheet, image: bytes, chosen: Sequence[DetectedRegion], options: Options) -> None:
        """Have it painted; its mask is fetched while it is, when the service has it at hand."""
        if "painted" not in sheet.checkpoint:
            span = spans.painting(1, verify=options.verify)
            painting = Painting(1, image, chosen, options.inpaint_params(), span)
            await self._painter.paint(sheet, painting, lambda: self._mask(sheet, image, chosen, options))
