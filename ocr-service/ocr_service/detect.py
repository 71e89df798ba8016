"""All the text of one picture, the right way up if that is asked for, as one list in reading order."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cleanplate.contract.geometry import Box, Point, Polygon, area, bounds, clip_polygon, is_convex
from cleanplate.contract.messages import BoxModel, DetectedRegion, DetectedWord, Detection
from ocr_service.engines import Line, ReadOptions, RemoteEngine, TextEngine
from ocr_service.looks import look, look_once
from ocr_service.orientation import quarter_turns, turned_back
from ocr_service.words import whole

_SAME_ROW = 0.5  # of the greater of two heights: so much overlap makes a row
_RUNS_DOWN = 1.5  # height over width from which engines take a line as turned by 90 degrees


@dataclass(frozen=True)
class Reading:
    """What was read on a page: lines in reading order, in pixels of the page as it was given.

    To be upright it had to be turned by 90 degrees `quarter_turns` times, against the clock.
    """

    lines: list[Line]
    quarter_turns: int = 0


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
    return detection(rgb, read_page(rgb, engine, options or ReadOptions(), tiled=tiled), engine, start)


def detection(rgb: NDArray[np.uint8], reading: Reading, engine: TextEngine | RemoteEngine, start: float) -> Detection:
    """Return what was read in a picture; `start` is when that began, by the performance counter."""
    read_s = time.perf_counter() - start
    height, width = rgb.shape[:2]
    regions = [region(line, f"r{i}") for i, line in enumerate(reading.lines, 1)]
    timings = {"read": round(read_s, 4), "total": round(time.perf_counter() - start, 4)}
    return Detection(
        width=width,
        height=height,
        engine=engine.name,
        model=engine.model,
        regions=regions,
        timings=timings,
        quarter_turns=reading.quarter_turns,
    )


def read_page(rgb: NDArray[np.uint8], engine: TextEngine, options: ReadOptions, *, tiled: bool = True) -> Reading:
    """Return the lines, with words where `options.word_boxes` asks for them; see `detect`."""
    turns = quarter_turns(rgb, engine, options) if options.doc_orientation else 0
    upright = np.rot90(rgb, turns)
    height, width = upright.shape[:2]
    lines = (look if tiled else look_once)(upright, engine, replace(options, doc_orientation=False))
    ordered = in_order(lines, width, height)
    return Reading([turned_back(line, turns, *rgb.shape[1::-1]) for line in ordered], turns)


def in_order(lines: Sequence[Line], width: int, height: int) -> list[Line]:
    """Return what of the lines is inside a picture of this size, in reading order."""
    inside = [
        replace(line, polygon=clip_polygon(line.polygon, width, height), words=whole(line.words, line.text))
        for line in lines
    ]
    return reading_order([line for line in inside if len(line.polygon) >= 4 and area(line.polygon) > 0])


def region(line: Line, id: str) -> DetectedRegion:
    """Turn a line into what goes over the wire."""
    return DetectedRegion(
        id=id,
        polygon=list(_from_top_left(line)),
        box=BoxModel.of(bounds(line.polygon)),
        text=line.text,
        score=min(max(line.score, 0.0), 1.0),
        angle=_angle(line),
        words=[DetectedWord(polygon=list(word.polygon), text=word.text) for word in line.words] or None,
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


def _middle(box: Box) -> float:
    return box.y + box.height / 2


def _same_row(a: Box, b: Box) -> bool:
    return min(a.bottom, b.bottom) - max(a.y, b.y) >= _SAME_ROW * max(a.height, b.height)


def _from_top_left(line: Line) -> Polygon:
    """Begin the polygon at the corner that is the text's top left, if the line was found upside down."""
    half = len(line.polygon) // 2 if line.upside_down else 0
    return line.polygon[half:] + line.polygon[:half]


def _angle(line: Line) -> float:
    """Return the direction in which the line runs, in degrees, clockwise from right, more than -180 and at most 180.

    A bent line runs from the middle of its first edge to that of its last.
    """
    polygon, half = line.polygon, len(line.polygon) // 2
    if len(polygon) == 4:
        first, second, _, last = polygon
        down = math.dist(first, last) >= _RUNS_DOWN * math.dist(first, second)
        angle = _direction(first, last if down else second)
    elif is_convex(polygon):  # what an edge of the picture has left of a straight line
        corners = zip(polygon, (*polygon[1:], polygon[0]), strict=True)
        angle = _direction(*max(corners, key=lambda side: math.dist(*side)))
        angle = (angle + 90) % 180 - 90
    else:
        angle = _direction(_between(polygon[0], polygon[-1]), _between(polygon[half - 1], polygon[half]))
    angle = round(angle + (180 if line.upside_down else 0), 2)
    return angle - 360 if angle > 180 else angle + 360 if angle <= -180 else angle


def _between(a: Point, b: Point) -> Point:
    return (a[0] + b[0]) / 2, (a[1] + b[1]) / 2


def _direction(a: Point, b: Point) -> float:
    return math.degrees(math.atan2(b[1] - a[1], b[0] - a[0]))
