"""A picture as an engine sees it: as a whole or in windows, and once more, enlarged, where its text was too small."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ocr_service import smalltext
from ocr_service.engines import Line, ReadOptions, TextEngine
from ocr_service.smalltext import Area
from ocr_service.tiles import LONGEST_STRIP_PX, Window, add, cut, is_strip, mapped, merge, plan, shift

_SMALLEST_SIDE = 32  # what a detector needs


def look(rgb: NDArray[np.uint8], engine: TextEngine, options: ReadOptions) -> list[Line]:
    """Return the lines of a picture, (H, W, 3) uint8 RGB, in any order; they may reach over its edges."""
    height, width = rgb.shape[:2]
    windows = plan(width, height)
    lines = _through(windows, rgb, engine, options)
    seen = 1.0 if len(windows) > 1 else _scale(windows[0], _fitted(options, windows[0]))
    for area in smalltext.areas(rgb, lines, seen):
        window = Window(area.x, area.y, area.width, area.height)
        lines = add(lines, _closer(rgb, area, engine, options), window, width, height)
    return lines


def look_once(rgb: NDArray[np.uint8], engine: TextEngine, options: ReadOptions) -> list[Line]:
    """Return the lines as the engine sees them, with the options as they are, whatever the size."""
    height, width = rgb.shape[:2]
    return _read(rgb, Window(0, 0, width, height, whole=True), engine, options)


def _through(windows: Sequence[Window], rgb: NDArray[np.uint8], engine: TextEngine, options: ReadOptions) -> list[Line]:
    found = [(window, _read(rgb, window, engine, _fitted(options, window))) for window in windows]
    return merge(found, rgb.shape[1], rgb.shape[0]) if len(found) > 1 else found[0][1]


def _closer(rgb: NDArray[np.uint8], area: Area, engine: TextEngine, options: ReadOptions) -> list[Line]:
    """Return what is surely text in an area, in pixels of the whole picture."""
    part = rgb[area.y : area.y + area.height, area.x : area.x + area.width]
    enlarged = cv2.resize(part, None, fx=area.zoom, fy=area.zoom, interpolation=cv2.INTER_CUBIC).astype(np.uint8)
    height, width = enlarged.shape[:2]
    back = area.width / width, area.height / height
    lines = _through(cut(width, height), enlarged, engine, options)
    return [
        mapped(line, lambda point: (area.x + point[0] * back[0], area.y + point[1] * back[1]))
        for line in lines
        if line.text and line.score >= smalltext.SURE
    ]


def _fitted(options: ReadOptions, window: Window) -> ReadOptions:
    """Lift the limit so that a window or a strip is read as large as it is; the whole of a large picture is not."""
    longest = max(window.width, window.height)
    if (window.whole and not is_strip(window.width, window.height)) or longest > LONGEST_STRIP_PX:
        return options
    if options.det_limit_type == "min" or longest <= options.det_limit_side_len:
        return options
    return replace(options, det_limit_side_len=longest)


def _scale(window: Window, options: ReadOptions) -> float:
    """Return how large the detector sees a window, 1 being its own size."""
    if options.det_limit_type == "min":
        return max(1.0, options.det_limit_side_len / min(window.width, window.height))
    return min(1.0, options.det_limit_side_len / max(window.width, window.height))


def _read(rgb: NDArray[np.uint8], window: Window, engine: TextEngine, options: ReadOptions) -> list[Line]:
    """Read one window, a small one filled up to what a detector needs; lines in pixels of the whole picture."""
    part = rgb[window.y : window.y + window.height, window.x : window.x + window.width]
    missing = [(0, max(0, _SMALLEST_SIDE - side)) for side in part.shape[:2]]
    if any(after for _, after in missing):
        part = np.pad(part, [*missing, (0, 0)], mode="edge")
    return [shift(line, window.x, window.y) for line in engine.read(np.ascontiguousarray(part), options)]
