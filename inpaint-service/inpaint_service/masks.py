"""What to erase, as pixels: regions or a picture of a mask in, (H, W) uint8 of 0 and 255 out. Pure."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from cleanplate.contract import geometry
from cleanplate.contract.messages import MaskMode, Region
from cleanplate.contract.problems import Invalid, RegionOutside
from inpaint_service import patches
from inpaint_service.patches import Mask, Patch
from inpaint_service.tracing import Tracer

# Measured by `tests/bench/fills.py` with the boxes of the ground-truth pairs drawn 8 % too tight and shifted by 3 % of
# their height: mean PSNR of scenes and posters is 32.9 dB without dilation, 34.6 at 0.05, 35.5 at 0.1, 34.1 at 0.15 and
# 31.6 at 0.3, while 4.1, 2.5, 1.3, 0.8 and 0.1 % of the ink stays. A larger one eats the edges of plates that text
# stands on; a smaller one leaves more ink.
DILATION = 0.1
THRESHOLD = 127
LEAST_TEXT_PX = 5
"""Smaller text is repainted as a whole: there is nothing between its letters."""
MOST_TRACED = 2000
"""More regions in one picture than this are repainted as a whole: to trace them would take longer than anyone waits."""
STROKE_NEAR, STROKE_REACH = 0.12, 0.7
"""How far past the region letters are followed, as shares of its text height: detectors cut off tails, shadow, glow and
the half of a curved line. Past the first only what ends before the second. Of reaches of 0.4, 0.5 and 0.7 the drawn
photographs of `tests.bench.quality` prefer 0.5 to 0.4 by 0.7 dB; 0.7 has 0.003 more of recall."""

Each = Callable[[Callable[[int], Patch], Iterable[int]], Iterable[Patch]]
"""`map`, or that of an executor; keeps the order."""


@dataclass(frozen=True)
class MaskOptions:
    """How regions become a mask.

    Attributes:
        mode: `box` paints upright rectangles, `polygon` the polygons, `stroke` the letters in them, `auto` the letters
            where that is better than the whole (see `tracing`). Where no letters are found, the whole is painted: a
            rectangle where one was given. A region's own `mask_mode` goes before it.
        dilation: how far the mask reaches past the region on every side: pixels from 1.0 on, below that a share of
            the region's text height. Letters are followed further, see `STROKE_REACH`.
        feather_px: width of the soft rim that the composite leaves inside the mask; 0 for none.

    Raises:
        Invalid: a number is negative or not finite; the field is named.
    """

    mode: MaskMode = "auto"
    dilation: float = DILATION
    feather_px: float = 0.0

    def __post_init__(self) -> None:
        for field, value in (("mask_dilation", self.dilation), ("feather", self.feather_px)):
            if not (math.isfinite(value) and value >= 0):
                raise Invalid(f"{field} must be 0 or more, not {value}", field=field)

    def dilation_px(self, region: Region) -> float:
        """Return how many pixels the mask reaches past this region."""
        return self.dilation if self.dilation >= 1 else self.dilation * region.text_height


def mask_from_regions(
    regions: Sequence[Region], size: tuple[int, int], options: MaskOptions | None = None, tracer: Tracer | None = None
) -> Mask:
    """Paint the regions that shall be erased.

    Args:
        regions: in pixels of the displayed picture, origin top left.
        size: (height, width) of that picture; what reaches past it is clipped.
        options: mode and dilation; the feather plays no part here.
        tracer: finds the letters in the picture; without one, regions are painted as a whole.

    Returns:
        (H, W) uint8, 255 where to repaint, 0 elsewhere.

    Raises:
        RegionOutside: a region lies wholly outside or has no area.
    """
    return patches.paint(region_patches(regions, size, options, tracer), size)


def region_patches(
    regions: Sequence[Region],
    size: tuple[int, int],
    options: MaskOptions | None = None,
    tracer: Tracer | None = None,
    each: Each = map,
) -> tuple[Patch, ...]:
    """Paint every region by itself, letters by letters as `each` does it.

    Returns and raises what `mask_from_regions` does, but one patch per region, in their order, that bears the region's
    id, or its index where it has none.
    """
    options = options or MaskOptions()
    check_regions(regions, size)
    if len(regions) > MOST_TRACED:
        tracer = None
    wholes = [_whole(index, region, size, options) for index, region in enumerate(regions)]
    if tracer is None:
        return tuple(wholes)
    taken = patches.paint(wholes, size)
    trace = functools.partial(_traced, size=size, options=options, tracer=tracer, taken=taken)
    return tuple(each(lambda index: trace(regions[index], wholes[index]), range(len(regions))))


def mask_from_image(array: NDArray[np.uint8]) -> Mask:
    """Read a mask that came as a picture: brighter than 127 is erased.

    Args:
        array: (H, W) or (H, W, channels) uint8; of several channels the brightest counts, a fourth (alpha) does not.
    """
    gray = array if array.ndim == 2 else array[:, :, :3].max(axis=2)
    return np.where(gray > THRESHOLD, np.uint8(255), np.uint8(0))


def area_px(mask: Mask) -> int:
    """Return how many pixels are masked, each once."""
    return cv2.countNonZero(mask)


def feather(mask: Mask, feather_px: float) -> NDArray[np.float32]:
    """Return the share of the new pixel in the composite, (H, W) float32.

    It is exactly 0 outside the mask, rises inside over `feather_px` pixels and is 1 from there on. Nothing is masked
    past the picture's border, but the ramp does not start there: no seam can be seen at it.
    """
    if feather_px <= 0:
        return (mask > 0).astype(np.float32)
    framed = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    depth = cv2.distanceTransform((framed > 0).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    share: NDArray[np.float32] = np.minimum(np.float32(1), depth / np.float32(feather_px + 1))
    return share


def check_regions(regions: Sequence[Region], size: tuple[int, int]) -> None:
    """Raise what `mask_from_regions` would raise, without painting anything."""
    height, width = size
    for index, region in enumerate(regions):
        visible = geometry.clip_polygon(region.outline, width, height)
        if not visible or geometry.area(visible) <= 0:
            detail = f"region {index} lies outside the picture of {width} x {height} pixels or has no area"
            raise RegionOutside(detail, field=f"regions.{index}", index=index)


def _whole(index: int, region: Region, size: tuple[int, int], options: MaskOptions) -> Patch:
    mode = region.mask_mode or options.mode
    name, dilation_px = str(index) if region.id is None else region.id, options.dilation_px(region)
    if mode == "box" or (mode != "polygon" and _is_upright(region)):
        return _box_patch(region, size, dilation_px, name)
    return _polygon_patches(region, size, (dilation_px,), name)[0]


def _traced(
    region: Region, whole: Patch, size: tuple[int, int], options: MaskOptions, tracer: Tracer, taken: Mask
) -> Patch:
    """Return the letters of a region, or the whole of it where that is better."""
    mode = region.mask_mode or options.mode
    if mode not in ("auto", "stroke") or region.text_height < LEAST_TEXT_PX:
        return whole
    reaches = (max(options.dilation_px(region), reach * region.text_height) for reach in (STROKE_NEAR, STROKE_REACH))
    near, hull = _polygon_patches(region, size, tuple(reaches), whole.name)
    trace = tracer.trace(region, whole, near, hull, taken)
    if trace is None:
        return whole
    if mode == "auto" and tracer.is_plain(whole, trace):
        return replace(patches.union([whole, trace]), name=whole.name, kind=whole.kind)
    return trace


def _is_upright(region: Region) -> bool:
    return math.isclose(geometry.area(region.outline), region.box.area, rel_tol=1e-6)


def _box_patch(region: Region, size: tuple[int, int], dilation_px: float, name: str) -> Patch:
    edges = region.box.grow(dilation_px).clip(size[1], size[0]).pixels()
    left, top, right, bottom = edges
    return Patch(left, top, np.full((bottom - top, right - left), 255, np.uint8), name, "box")


def _polygon_patches(region: Region, size: tuple[int, int], dilations_px: Sequence[float], name: str) -> list[Patch]:
    reach = math.ceil(max(dilations_px)) + 1
    left, top, right, bottom = patches.grow(region.box.pixels(), reach, size)
    outline = np.array(geometry.clip_polygon(region.outline, size[1], size[0])) - (left, top)
    blank = np.full((bottom - top, right - left), 255, np.uint8)
    cv2.fillPoly(blank, [np.round(outline - 0.5).astype(np.int32)], 0)
    distance = cv2.distanceTransform(blank, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    grown = (np.where(distance <= dilation_px, np.uint8(255), np.uint8(0)) for dilation_px in dilations_px)
    return [Patch(left, top, pixels, name, "polygon").trimmed() for pixels in grown]
