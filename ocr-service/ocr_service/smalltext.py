"""Text too small for the first look: where rows of fine strokes lie that no line covers, the picture is enlarged.

A detector misses lines under some nine pixels, and a large picture is scaled down for it. What it missed can be told
without a network: strokes at most five pixels thick, on lighter or darker ground, many of them in a row. Reading the
areas is left to others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import nlargest
from statistics import median
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cleanplate.contract.geometry import Box
from ocr_service.engines import Line

SURE = 0.7
"""The least score of a line that only the second look shows: what is no text reads as some, with little confidence."""

_SEEN_PX = 9.0  # rows that were as high in the first look needed no second
_WANTED_PX = 10.0
_MOST_ZOOM = 2.0
_STROKE_PX = 5
_CONTRAST = 40  # of 255
_LOWEST_PX = 5
_TALLEST_PX = 20
_SPOT_PX = 3  # less is dust
_LONGEST = 8  # a stroke's length over a row's height: the letters of small words touch, but a rule is longer
_LONG = 5.0  # a row's width over its height
_FULL = 0.55  # of a row's box, once the gaps between its letters are closed
_INK = (0.15, 0.8)  # of a row's box
_STROKES = 0.8  # that a row crosses in a stretch as long as it is high
_MARGIN = 2  # row heights around a row
_MOST_AREAS = 100  # each costs a look, and a picture can be drawn that has thousands
_PATTERN_ROWS = 4  # so many rows of dots that are all alike are the screen of a print, not text
_ALIKE = 0.35  # deviation of the size of a row's letters, over its mean

Mask = NDArray[np.uint8]


@dataclass(frozen=True)
class Area:
    """A part of the picture, in whole pixels, and how many times it is to be enlarged."""

    x: int
    y: int
    width: int
    height: int
    zoom: float


@dataclass(frozen=True)
class _Row:
    box: Box
    varied: float


def areas(rgb: NDArray[np.uint8], lines: Sequence[Line], seen: float) -> list[Area]:
    """Return where small text seems to be that is not among the lines; of very many areas the largest.

    Args:
        rgb: (H, W, 3) uint8, the picture.
        lines: what was found in it.
        seen: how large the picture was when they were looked for, 1 being its own size.
    """
    tallest = round(min(_SEEN_PX / seen, _TALLEST_PX))
    gray = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    unknown = np.ones(gray.shape, np.uint8)
    for line in lines:
        cv2.fillPoly(unknown, [np.array(line.polygon, np.int32)], [0])
    kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (_STROKE_PX, _STROKE_PX))
    rows = []
    for polarity in (cv2.MORPH_BLACKHAT, cv2.MORPH_TOPHAT):
        strokes = (cv2.morphologyEx(gray, polarity, kernel) >= _CONTRAST).astype(np.uint8) * unknown
        rows += _rows(strokes, tallest)
    return _grouped(rows, rgb.shape[1], rgb.shape[0])


def _rows(strokes: Mask, tallest: int) -> list[_Row]:
    """Return what looks like rows of letters in a mask of strokes."""
    ink, middles, sizes = _letters(strokes, tallest)
    closed = cv2.morphologyEx(ink, cv2.MORPH_CLOSE, np.ones((1, tallest), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(closed)
    _, _, width, height, filled = stats.T
    size = width * height
    inked = np.bincount(labels.ravel(), ink.ravel(), count) / size
    begun = np.bincount(labels[:, 1:].ravel(), (ink[:, 1:] > ink[:, :-1]).ravel(), count)
    likely = (
        (height >= _LOWEST_PX)
        & (height <= tallest)
        & (width >= _LONG * height)
        & (filled >= _FULL * size)
        & (inked >= _INK[0])
        & (inked <= _INK[1])
        & (begun >= _STROKES * width)  # counted in each of its rows of pixels
    )
    likely[0] = False  # the ground
    varied = _deviation(labels[middles[:, 1], middles[:, 0]], sizes, count)
    return [_Row(Box(*map(float, stats[i][:4])), float(varied[i])) for i in np.flatnonzero(likely)]


def _letters(strokes: Mask, tallest: int) -> tuple[Mask, NDArray[np.intp], NDArray[np.float64]]:
    """Leave of the strokes what may be letters: no dust, and no rules or outlines; with their middles and sizes."""
    _, labels, stats, middles = cv2.connectedComponentsWithStats(strokes)
    _, _, width, height, filled = stats.T
    kept = (height <= tallest) & (width <= _LONGEST * tallest) & (filled >= _SPOT_PX)
    kept[0] = False
    return kept.astype(np.uint8)[labels], middles[kept].astype(np.intp), filled[kept].astype(np.float64)


def _deviation(owners: NDArray[Any], sizes: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return for each owner the standard deviation of its sizes over their mean."""
    number = np.maximum(np.bincount(owners, minlength=count), 1)
    mean = np.maximum(np.bincount(owners, sizes, count) / number, 1)
    squares = np.bincount(owners, sizes**2, count) / number
    return np.asarray(np.sqrt(np.maximum(squares / mean**2 - 1, 0)))


def _grouped(rows: Sequence[_Row], width: int, height: int) -> list[Area]:
    """Make areas of rows that are near each other."""
    if not rows:
        return []
    near = np.zeros((height, width), np.uint8)
    grown = [row.box.grow(_MARGIN * row.box.height).clip(width, height).pixels() for row in rows]
    for left, top, right, bottom in grown:
        near[top:bottom, left:right] = 1
    count, labels, stats, _ = cv2.connectedComponentsWithStats(near)
    inside: list[list[_Row]] = [[] for _ in range(count)]
    for (left, top, _, _), row in zip(grown, rows, strict=True):
        inside[labels[top, left]].append(row)
    found = [_area(stats[i], inside[i]) for i in range(1, count) if not _pattern(inside[i])]
    return found if len(found) <= _MOST_AREAS else nlargest(_MOST_AREAS, found, lambda area: area.width * area.height)


def _pattern(rows: Sequence[_Row]) -> bool:
    return len(rows) >= _PATTERN_ROWS and median(row.varied for row in rows) < _ALIKE


def _area(stat: Sequence[int], rows: Sequence[_Row]) -> Area:
    x, y, width, height = (int(value) for value in stat[:4])
    return Area(x, y, width, height, min(_WANTED_PX / min(row.box.height for row in rows), _MOST_ZOOM))
