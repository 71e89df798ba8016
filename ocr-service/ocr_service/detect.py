"""All the text of one picture: an engine looks at it, in windows where it is large; one list in reading order."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cleanplate.contract.geometry import Box, Point, Polygon, area, bounds, clip_polygon
from cleanplate.contract.messages import BoxModel, DetectedRegion, Detection
from ocr_service.engines import Line, ReadOptions, TextEngine
from ocr_service.tiles import LONGEST_STRIP_PX, Window, is_strip, merge, plan, shift

_SMALLEST_SIDE = 32  # what a detector needs
_SAME_ROW = 0.5  # of the greater of two heights: so much overlap makes a row
_RUNS_DOWN = 1.5  # height over width from which engines take a line as turned by 90 degrees


def detect(
    rgb: NDArray[np.uint8], engine: TextEngine, options: ReadOptions | None = None, *, tiled: bool = True
) -> Detection:
    """Find and read the text of a picture.

    Args:
        rgb: (H, W, 3) uint8, RGB, transparency already composited; any size from 1 by 1.
        engine: not used by anybody else during the call.
        options: how to read; the defaults when not given.
        tiled: look at large and long pictures in windows. False: once, whatever `det_limit_side_len` makes of them.

    Returns:
        Regions `r1`, `r2`, … in reading order, in pixels of the picture; timings `read` and `total` in seconds.

    Raises:
        Invalid: the engine does not have one of the options.
    """
    start = time.perf_counter()
    lines = read_lines(rgb, engine, options or ReadOptions(), tiled=tiled)
    read_s = time.perf_counter() - start
    height, width = rgb.shape[:2]
    regions = [region(line, f"r{i}") for i, line in enumerate(lines, 1)]
    timings = {"read": round(read_s, 4), "total": round(time.perf_counter() - start, 4)}
    return Detection(
        width=width, height=height, engine=engine.name, model=engine.model, regions=regions, timings=timings
    )


def read_lines(rgb: NDArray[np.uint8], engine: TextEngine, options: ReadOptions, *, tiled: bool = True) -> list[Line]:
    """Return the lines themselves, with words where `options.word_boxes` asks for them; see `detect`."""
    height, width = rgb.shape[:2]
    windows = plan(width, height) if tiled else [Window(0, 0, width, height, whole=True)]
    found = [(window, _read(rgb, window, engine, _fitted(options, window) if tiled else options)) for window in windows]
    lines = merge(found, width, height) if len(found) > 1 else found[0][1]
    inside = [replace(line, polygon=clip_polygon(line.polygon, width, height)) for line in lines]
    return reading_order([line for line in inside if len(line.polygon) >= 4 and area(line.polygon) > 0])


def region(line: Line, id: str) -> DetectedRegion:
    """Turn a line into what goes over the wire."""
    box = bounds(line.polygon)
    return DetectedRegion(
        id=id,
        polygon=list(_from_top_left(line)),
        box=BoxModel(x=box.x, y=box.y, width=box.width, height=box.height),
        text=line.text,
        score=min(max(line.score, 0.0), 1.0),
        angle=_angle(line),
    )


def reading_order(lines: Sequence[Line]) -> list[Line]:
    """Sort into rows from top to bottom and each row from left to right.

    A line belongs to a row if it overlaps the row's first line by half the greater height.
    """
    rows: list[list[tuple[Box, Line]]] = []
    for box, line in sorted(((bounds(line.polygon), line) for line in lines), key=lambda placed: _middle(placed[0])):
        row = next((row for row in reversed(rows[-3:]) if _same_row(row[0][0], box)), None)
        if row is None:
            rows.append([(box, line)])
        else:
            row.append((box, line))
    return [line for row in rows for _, line in sorted(row, key=lambda placed: placed[0].x)]


def _fitted(options: ReadOptions, window: Window) -> ReadOptions:
    """Lift the limit so that a window or a strip is read as large as it is; the whole of a large picture is not."""
    longest = max(window.width, window.height)
    if (window.whole and not is_strip(window.width, window.height)) or longest > LONGEST_STRIP_PX:
        return options
    if options.det_limit_type == "min" or longest <= options.det_limit_side_len:
        return options
    return replace(options, det_limit_side_len=longest)


def _read(rgb: NDArray[np.uint8], window: Window, engine: TextEngine, options: ReadOptions) -> list[Line]:
    """Read one window, a small one filled up to what a detector needs; lines in pixels of the whole picture."""
    part = rgb[window.y : window.y + window.height, window.x : window.x + window.width]
    missing = [(0, max(0, _SMALLEST_SIDE - side)) for side in part.shape[:2]]
    if any(after for _, after in missing):
        part = np.pad(part, [*missing, (0, 0)], mode="edge")
    return [shift(line, window.x, window.y) for line in engine.read(np.ascontiguousarray(part), options)]


def _middle(box: Box) -> float:
    return box.y + box.height / 2


def _same_row(a: Box, b: Box) -> bool:
    return min(a.bottom, b.bottom) - max(a.y, b.y) >= _SAME_ROW * max(a.height, b.height)


def _from_top_left(line: Line) -> Polygon:
    """Begin the polygon at the corner that is the text's top left, if the line was found upside down."""
    half = len(line.polygon) // 2 if line.upside_down else 0
    return line.polygon[half:] + line.polygon[:half]


def _angle(line: Line) -> float:
    """Return the direction in which the line runs, in degrees, clockwise from right, more than -180 and at most 180."""
    if len(line.polygon) == 4:
        first, second, _, last = line.polygon
        down = math.dist(first, last) >= _RUNS_DOWN * math.dist(first, second)
        angle = _direction(first, last if down else second)
    else:
        corners = zip(line.polygon, (*line.polygon[1:], line.polygon[0]), strict=True)
        angle = _direction(*max(corners, key=lambda side: math.dist(*side)))
        angle = (angle + 90) % 180 - 90
    angle += 180 if line.upside_down else 0
    return round(angle - 360 if angle > 180 else angle, 2)


def _direction(a: Point, b: Point) -> float:
    return math.degrees(math.atan2(b[1] - a[1], b[0] - a[0]))
