"""Erasing in this process, as the inpaint-service does it: regions, masks, a plan, its units."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np

from cleanplate.contract.messages import MaskMode, Region
from inpaint_service import masks, patches, repaint
from inpaint_service.engines.embedded import Embedded
from inpaint_service.masks import STROKE_REACH, MaskOptions
from inpaint_service.patches import Mask, Patch
from inpaint_service.strokes import StrokeNetwork
from inpaint_service.tracing import Tracer
from tests.bench.fills import Picture
from tests.bench.quality.cases import corners

LINES = ThreadPoolExecutor(os.cpu_count())


@dataclass(frozen=True, eq=False)
class Masked:
    """The regions' masks, and how long they took."""

    mask: Mask
    patches: tuple[Patch, ...]
    seconds: float = 0.0


@dataclass(frozen=True, eq=False)
class Erased:
    """The picture without the regions, and how long the repainting took."""

    picture: Picture
    seconds: float


def masked(rgb: Picture, regions: Sequence[Region], mode: MaskMode, network: StrokeNetwork) -> Masked:
    began = time.perf_counter()
    found = masks.region_patches(regions, rgb.shape[:2], MaskOptions(mode), Tracer(rgb, network.ink), LINES.map)
    return Masked(patches.paint(found, rgb.shape[:2]), found, time.perf_counter() - began)


def given(mask: Mask) -> Masked:
    """Return a mask that is known; as in `tests/bench/fills.py` its pieces are the regions."""
    return Masked(mask, ())


def erased(rgb: Picture, of: Masked, model: str) -> Erased:
    """Repaint with the fill of this name, or with `auto`, which chooses."""
    began = time.perf_counter()
    engine = Embedded(model)
    plan = repaint.plan(rgb, of.mask, engine, regions=of.patches)
    canvas = repaint.Canvas(rgb, plan, engine)
    for unit in plan.units:
        canvas.repaint(unit)
    return Erased(canvas.picture, time.perf_counter() - began)


def strays(before: Picture, after: Picture, regions: Sequence[Region]) -> int:
    """Count the pixels that changed outside the regions' convex hulls, dilated as far as a mask reaches past a region.

    The hulls grow by squares, since the box of an upright region keeps its corners, and by a pixel for rounding.
    """
    allowed = np.zeros(before.shape[:2], np.uint8)
    for region in regions:
        reach = int(np.ceil(max(MaskOptions().dilation_px(region), STROKE_REACH * region.text_height))) + 1
        hull = cv2.convexHull(corners(region))
        own = cv2.fillConvexPoly(np.zeros_like(allowed), hull, 255)
        allowed |= np.asarray(cv2.dilate(own, np.ones((2 * reach + 1,) * 2, np.uint8)), np.uint8)
    return int(((before != after).any(axis=2) & (allowed == 0)).sum())


def line_ms(rgb: Picture, regions: Sequence[Region], network: StrokeNetwork, threads: int, times: int = 3) -> float:
    """Return how long the stroke network takes for these lines together, the best of some rounds."""
    usual = cv2.getNumThreads()
    height, width = rgb.shape[:2]
    places = [(region, region.box.clip(width, height).pixels()) for region in regions]
    cv2.setNumThreads(threads)
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        for region, edges in places:
            network.ink(rgb, region, edges)
        taken.append(time.perf_counter() - began)
    cv2.setNumThreads(usual)
    return 1000 * min(taken)
