"""Looking again at what was erased, and repainting what can still be read: at most twice, each time with a larger mask.

    look ──► nothing is readable ──► done
      │ ▲
      ▼ │
    repaint what is, on the picture as painted so far

A look and a painting each leave a checkpoint, so whoever takes the job over begins at the next of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend import spans
from backend.artifacts import MASK, painted
from backend.clients import InpaintClient, OcrClient
from backend.growth import grown_params
from backend.notes import noting
from backend.options import Options
from backend.outputs import OWN
from backend.painting import Painter, Painting
from backend.residue import Reading, still_readable
from backend.sheets import Sheet
from backend.spans import MOST_PAINTINGS
from backend.windows import windows
from cleanplate.contract.geometry import Box
from cleanplate.contract.messages import DetectedRegion
from cleanplate.runtime.images import PictureLimits, decode, encode, png


class Verifier:
    """Has the erased regions looked at."""

    def __init__(self, ocr: OcrClient, inpaint: InpaintClient, painter: Painter, limits: PictureLimits):
        self._ocr = ocr
        self._inpaint = inpaint
        self._painter = painter
        self._limits = limits

    async def verify(self, sheet: Sheet, chosen: Sequence[DetectedRegion], options: Options) -> None:
        """Look and repaint until nothing can be read or it was tried often enough; `residual` has what is left."""
        if "verified" not in sheet.checkpoint:
            with sheet.step("verify"):
                await self._verify(sheet, chosen, options)

    async def _verify(self, sheet: Sheet, chosen: Sequence[DetectedRegion], options: Options) -> None:
        while "verified" not in sheet.checkpoint:
            number = sheet.checkpoint["painted"]
            image = await sheet.get(painted(number))
            residual = set(sheet.checkpoint.get("residual", [region.id for region in chosen]))
            open_regions = [region for region in chosen if region.id in residual]
            if sheet.checkpoint.get("looked", 0) < number:
                await self._look(sheet, image, open_regions, options)
            else:
                await self._repaint(sheet, image, open_regions, options)

    async def _look(self, sheet: Sheet, image: bytes, regions: Sequence[DetectedRegion], options: Options) -> None:
        number = sheet.checkpoint["painted"]
        found = await self._read(sheet, image, regions, options)
        residual = [region.id for region in regions if still_readable(Reading.of(region), found, options.min_score)]
        # A PNG may be larger than what the inpaint-service takes, although the picture was not.
        last = not residual or number == MOST_PAINTINGS or len(image) > (self._limits.max_bytes or len(image))
        span = spans.look(number, last=last)
        await sheet.report(
            span.stage,
            span.end,
            stage_progress=span.stage_progress(1),
            message=f"{len(residual)} of {len(regions)} regions still readable",
            regions=len(regions),
            readable=len(residual),
            checkpoint={"looked": number, "residual": residual, **({"verified": True} if last else {})},
        )

    async def _read(
        self, sheet: Sheet, image: bytes, regions: Sequence[DetectedRegion], options: Options
    ) -> list[Reading]:
        """Return the text around the regions, window by window."""
        rgb = (await asyncio.to_thread(decode, image, OWN)).over()
        places = windows((Reading.of(region).box for region in regions), rgb.shape[1], rgb.shape[0])
        span = spans.look(sheet.checkpoint["painted"])
        found: list[Reading] = []
        for done, place in enumerate(places):
            if done:
                share, message = done / len(places), f"looked at {done} of {len(places)} places"
                at: dict[str, Any] = {"stage_progress": span.stage_progress(share), "unit": done, "units": len(places)}
                await sheet.report(span.stage, span.at(share), message=message, **at)
            part = await asyncio.to_thread(_cut, rgb, place)
            seen = await self._ocr.patiently(
                lambda part=part: self._ocr.detect(part, options.ocr_params()),  # type: ignore[misc]
                noting(sheet),
            )
            left, top, _, _ = place.pixels()
            found += [Reading.of(region, left, top) for region in seen.regions]
        return found

    async def _repaint(self, sheet: Sheet, image: bytes, regions: Sequence[DetectedRegion], options: Options) -> None:
        number = sheet.checkpoint["painted"] + 1
        params = grown_params(options, regions, number - 1)
        more = await self._inpaint.patiently(lambda: self._inpaint.mask(image, regions, params), noting(sheet))
        mask = await sheet.get(MASK)
        united = await asyncio.to_thread(_united, mask, more)
        await sheet.run.still_mine()  # an older worker's mask would lack what was added since
        await sheet.put(MASK, united)
        span = spans.painting(number, verify=True)
        await self._painter.paint(sheet, Painting(number, image, regions, params, span))


def _cut(rgb: NDArray[np.uint8], place: Box) -> bytes:
    left, top, right, bottom = place.pixels()
    return png.write(np.ascontiguousarray(rgb[top:bottom, left:right]))


def _united(mask: bytes, other: bytes) -> bytes:
    """Return the mask of all that one of the two covers, as a PNG."""
    picture = decode(mask, OWN)
    return encode(picture, np.maximum(picture.rgb, decode(other, OWN).rgb)).data
