"""Lines of text that bend: told from the shape of what a detector marked, outlined along both sides, and laid flat.

A detector marks the core of a line, thinner than its text by what `det_unclip_ratio` says. Where the core is a ribbon
along a bent middle, the ribbon is grown as PaddleOCR grows its boxes; what is no ribbon is left to its rectangle.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ocr_service.engines import Line, ReadOptions
from ocr_service.engines.ribbons import Curve, Points, evenly, lengthened, sagitta

_MARKED = 0.6  # from here on a pixel belongs to a bent core: on its inner side detectors mark more, less surely
_FILLED = 0.8  # of its rectangle, or more, a straight line's core fills
_LEAST_ASPECT = 3.0  # length over width of a core that bends
_LEAST_PX = 4.0  # width of a core whose middle can be followed
_ENOUGH_PX = 8.0  # width at which it is followed
_BENT = 0.35  # of the core's width: so far the middle leaves the straight way
_LIKE = 0.8  # intersection over union of the core and the ribbon that is taken for it
_MOST_DEGREE = 5
_MARGIN = 2
_COVERED = 0.6  # of the lesser of two lines

Mask = NDArray[np.uint8]
Contour = NDArray[np.int32]


def find(marks: NDArray[np.float32], options: ReadOptions, width: int, height: int) -> list[Curve]:
    """Return the bent lines of a picture of this size.

    Args:
        marks: (H, W) float32, how surely each pixel of the picture, scaled to this, belongs to a line's core, 0 to 1.
        options: how to find lines.
        width: of the picture, in pixels.
        height: likewise.
    """
    marked = (marks > max(options.det_thresh, _MARKED)).astype(np.uint8)
    found = []
    for outer in cv2.findContours(marked, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]:
        contour = outer.astype(np.int32)
        curve = _followed(contour, options.det_unclip_ratio)
        if curve is not None and _sureness(marks, contour) >= options.det_box_thresh:
            found.append(curve.scaled(width / marks.shape[1], height / marks.shape[0]))
    return found


def instead(lines: Sequence[Line], bent: Iterable[Line]) -> list[Line]:
    """Return the lines with the bent ones in the place of what covers the same.

    Where that was read more surely, and no shorter, its text stays.
    """
    kept = list(lines)
    for line in bent:
        others = [other for other in kept if _same_place(line, other)]
        if len(others) == 1 and others[0].score > line.score and len(others[0].text) >= len(line.text):
            line = replace(others[0], polygon=line.polygon)
        place = kept.index(others[0]) if others else len(kept)
        kept = [*kept[:place], line, *(other for other in kept[place:] if other not in others)]
    return kept


def _followed(contour: Contour, unclip_ratio: float) -> Curve | None:
    """Return the ribbon around the text whose core has this contour; None if that is straight, or no ribbon."""
    (_, sides, _), filled, around = cv2.minAreaRect(contour), cv2.contourArea(contour), _around(contour)
    width = _width(filled, around)
    if filled >= _FILLED * sides[0] * sides[1] or width < _LEAST_PX or filled < _LEAST_ASPECT * width**2:
        return None
    scale = min(_ENOUGH_PX / width, 1.0)
    core, corner = _drawn(contour, scale)
    middle = _middle(core, width * scale)
    if middle is None or sagitta(middle) < _BENT * width * scale:
        return None
    ribbon = Curve(middle, width * scale / 2)
    if ribbon.folds() or _likeness(core, ribbon) < _LIKE:
        return None
    grown = unclip_ratio * filled / around
    longer = evenly(lengthened(middle / scale + corner, grown), len(middle))
    whole = Curve(longer, width / 2 + grown)
    return None if whole.folds() else whole.forward()


def _sureness(marks: NDArray[np.float32], contour: Contour) -> float:
    core, corner = _drawn(contour, 1.0)
    left, top = (int(value) + _MARGIN for value in corner)
    inside = core[_MARGIN:, _MARGIN:]
    part = marks[top : top + inside.shape[0], left : left + inside.shape[1]]
    return float(cv2.mean(part, inside[: part.shape[0], : part.shape[1]])[0])


def _same_place(bent: Line, other: Line) -> bool:
    """Say whether one of the two covers most of the other."""
    corners = [np.round(np.array(line.polygon)).astype(np.int32) for line in (bent, other)]
    left, top, width, height = cv2.boundingRect(np.concatenate(corners))
    drawn = [np.zeros((height, width), np.uint8) for _ in corners]
    for canvas, polygon in zip(drawn, corners, strict=True):
        cv2.fillPoly(canvas, [polygon - (left, top)], 1)
    least = min(float(canvas.sum()) for canvas in drawn)
    return float((drawn[0] & drawn[1]).sum()) >= _COVERED * least


def _around(contour: Contour) -> float:
    return cv2.arcLength(contour, closed=True)


def _drawn(contour: Contour, scale: float) -> tuple[Mask, Points]:
    """Return the shape with this contour in a picture of its own, 1 inside, and where that one's corner is."""
    points = contour.reshape(-1, 2).astype(np.float64)
    corner = points.min(axis=0) - _MARGIN / scale
    width, height = np.ceil((points.max(axis=0) - corner) * scale).astype(int) + _MARGIN
    core = np.zeros((height, width), np.uint8)
    cv2.fillPoly(core, [np.round((points - corner) * scale).astype(np.int32)], 1)
    return core, corner


def _width(area: float, around: float) -> float:
    """Return the width of a ribbon, the lesser root of area = length * width, around = 2 * (length + width)."""
    half = around / 2
    return (half - math.sqrt(max(half**2 - 4 * area, 0))) / 2


def _middle(core: Mask, width: float) -> Points | None:
    """Return a smooth line along the middle of a shape from end to end."""
    ys, xs = np.nonzero(core)
    first = _farthest(_ways(core, (xs[0], ys[0])))
    from_one = _ways(core, first)
    from_other = _ways(core, _farthest(from_one))
    place = (from_one - from_other)[ys, xs]
    low, high = int(place.min()), int(place.max())
    slices = int((high - low) / width)  # half as long as wide
    if slices < 4:
        return None
    owners = np.minimum((place - low) * slices // (high - low), slices - 1).astype(np.intp)
    filled = np.bincount(owners, minlength=slices)
    if not filled.all():
        return None
    middles = np.stack([np.bincount(owners, values, slices) / filled for values in (xs, ys)], axis=-1)
    share = (np.arange(slices) + 0.5) / slices
    degree = min(_MOST_DEGREE, slices - 2)
    fits = [np.polynomial.Polynomial.fit(share, middles[:, axis], degree, domain=(0, 1)) for axis in (0, 1)]
    inner = np.linspace(share[0], share[-1], 8 * slices)
    line = np.stack([fit(inner) for fit in fits], axis=-1).astype(np.float64)
    return evenly(lengthened(line, width / 4), len(line))


def _ways(core: Mask, start: tuple[int, int]) -> NDArray[np.float64]:
    """Return how far each pixel is from one of them, inside the shape; 0 outside."""
    ways = np.zeros(core.shape, np.float64)
    seen = np.zeros_like(core)
    seen[start[1], start[0]] = 1
    square, cross = np.ones((3, 3), np.uint8), np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
    step = 0
    while True:
        step += 1
        grown = np.minimum(cv2.dilate(seen, square if step % 2 else cross), core).astype(np.uint8)
        new = grown != seen
        if not new.any():
            if step % 2:
                return ways
            continue
        ways[new] = step
        seen = grown


def _farthest(ways: NDArray[np.float64]) -> tuple[int, int]:
    y, x = np.unravel_index(int(ways.argmax()), ways.shape)
    return int(x), int(y)


def _likeness(core: Mask, ribbon: Curve) -> float:
    drawn = np.zeros_like(core)
    cv2.fillPoly(drawn, [np.round(np.array(ribbon.outline())).astype(np.int32)], 1)
    return float((core & drawn).sum() / max((core | drawn).sum(), 1))
