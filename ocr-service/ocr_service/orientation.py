"""Which way up a page is, told from how well its lines can be read; no network for it comes with the weights.

A detector finds lines whichever way they run, and an engine turns those that run down, so one look tells whether the
page lies on its side. Which of the two ways that are left is up, another look tells: the letters of a line that is
upside down are read as some others, with little confidence.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from cleanplate.contract.geometry import Point, Polygon, bounds
from cleanplate.contract.messages import BoxModel, DetectedRegion
from ocr_service.engines import Line, ReadOptions, TextEngine
from ocr_service.looks import look_once
from ocr_service.tiles import mapped

_SIDE_PX = 1280  # a page is looked at no larger
_BETTER = 0.05  # so much surer the lines must be for a page to be turned
_SURE = 0.8  # or more they must be: columns of letters that stand upright are read badly whichever way they are turned


def quarter_turns(rgb: NDArray[np.uint8], engine: TextEngine, options: ReadOptions) -> int:
    """Return how many times a page, (H, W, 3) uint8 RGB, is to be turned by 90 degrees, against the clock.

    A page without text, or whose text is as sure as it lies, is not turned.
    """
    options = replace(options, doc_orientation=False, textline_orientation=False, word_boxes=False)
    small = _no_larger(rgb)
    options = replace(options, det_limit_side_len=max(options.det_limit_side_len, *small.shape[:2]))

    def sureness(turns: int) -> float:
        return _sureness(look_once(np.ascontiguousarray(np.rot90(small, turns)), engine, options))

    lines = look_once(small, engine, options)
    if not lines:
        return 0
    sure = {0: _sureness(lines)} | {turns: sureness(turns) for turns in ((1, 3) if _run_down(lines) else (2,))}
    best = max(sure, key=lambda turns: sure[turns])
    return best if sure[best] > max(sure[0] + _BETTER, _SURE) else 0


def upright(region: DetectedRegion, turns: int, width: int, height: int) -> DetectedRegion:
    """Return a region of a page of this size on the page turned so often by 90 degrees, against the clock."""
    polygon = placed_back(region.polygon, -turns % 4, *((height, width) if turns % 2 else (width, height)))
    angle = 180 - (180 - region.angle + 90 * turns) % 360
    placed = {"polygon": list(polygon), "box": BoxModel.of(bounds(polygon)), "angle": angle}
    return region.model_copy(update=placed)


def turned_back(line: Line, turns: int, width: int, height: int) -> Line:
    """Return a line of a turned page in the page of this size, in pixels, as it was."""
    return mapped(line, lambda point: _placed_back(point, turns, width, height))


def placed_back(polygon: Iterable[Point], turns: int, width: int, height: int) -> Polygon:
    """Return points of a turned page in the page of this size, in pixels, as it was."""
    return tuple(_placed_back(point, turns, width, height) for point in polygon)


def _placed_back(point: Point, turns: int, width: int, height: int) -> Point:
    x, y = point
    return ((x, y), (width - y, x), (width - x, height - y), (y, height - x))[turns]


def _no_larger(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    factor = _SIDE_PX / max(rgb.shape[:2])
    if factor >= 1:
        return rgb
    height, width = (max(round(side * factor), 1) for side in rgb.shape[:2])
    return cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8)


def _run_down(lines: Sequence[Line]) -> bool:
    boxes = [bounds(line.polygon) for line in lines]
    return sum(math.copysign(max(box.width, box.height), box.height - box.width) for box in boxes) > 0


def _sureness(lines: Sequence[Line]) -> float:
    """Return the mean score of a page's letters in lines that run across, 0 to 1."""
    across = [line for line in lines if bounds(line.polygon).width >= bounds(line.polygon).height]
    letters = sum(len(line.text) for line in across)
    return sum(line.score * len(line.text) for line in across) / letters if letters else 0.0
