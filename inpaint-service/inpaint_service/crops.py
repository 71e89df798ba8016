"""Which crops of the picture a model gets to see: every mask with enough around it, nothing scaled. Pure.

What the model's modulus asks for beyond a window is filled with more of the picture where there is more; at the
picture's border padding is the engine's. Cutting what is too large is `tiles`'.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cleanplate.contract.problems import Invalid
from inpaint_service import tiles
from inpaint_service.patches import Edges, grow
from inpaint_service.windows import Window

LEAST_BOUND_PX = 64


@dataclass(frozen=True)
class CropOptions:
    """How windows are cut.

    With big-LaMa's network on one core a window costs 22 to 29 microseconds per pixel, whatever its shape, from
    128 x 128 to 768 x 768 and 256 x 1024, and 33 at 64 x 64: what makes a plan cheap is few pixels, and most pixels
    are context.

    Attributes:
        context: how much a window shows around a region, as a share of the region's shorter side. At 0.75 a line
            of text makes up two fifths of what the model sees. With 1 big-LaMa took 0.21 of the time of IOPaint's
            `Original` in `tests/bench/inpaint.py`; what more context is worth was not measured with real weights.
        context_min_px: the least of that; what this service's `Crop` strategy shows where a request says nothing.
        call_px: what a call costs beside its pixels, in pixels (0.03 s more than its share at 64 x 64); two windows
            become one if that is no dearer.
        largest_side_px: no window is longer or wider, so that a line of text fits into one. At 1024 by 1024 LaMa needs
            3.5 GB, and on two cores up to four times as long per pixel as at 512.
        step_px: a window's sides are multiples of this where the picture and the bound let them.

    Raises:
        Invalid: a number is out of range; the field is named.
    """

    context: float = 0.75
    context_min_px: int = 32
    call_px: int = 1300
    largest_side_px: int = 1024
    step_px: int = 1

    def __post_init__(self) -> None:
        if not (math.isfinite(self.context) and self.context >= 0):
            raise Invalid("context must be 0 or more", field="context")
        for name, least in (("context_min_px", 0), ("call_px", 0), ("largest_side_px", LEAST_BOUND_PX), ("step_px", 1)):
            if getattr(self, name) < least:
                raise Invalid(f"{name} must be {least} or more", field=name)

    def context_px(self, edges: Edges) -> int:
        """Return how far a window reaches past these edges."""
        left, top, right, bottom = edges
        return max(self.context_min_px, round(self.context * min(right - left, bottom - top)))


def windows(boxes: Sequence[Edges], size: tuple[int, int], options: CropOptions | None = None) -> list[Window]:
    """Plan the windows for masks with these bounding boxes.

    Args:
        boxes: (left, top, right, bottom) within the picture, not empty.
        size: (height, width) of the picture.
        options: context, merging and bound.

    Returns:
        Windows inside the picture and within the bound; the cores of those that serve a box cover it. From the top
        down, the tiles of a box in the order that `tiles.cut` gives them.
    """
    options = options or CropOptions()
    merged: list[Window] = []
    tiled: list[Window] = []
    for index, box in enumerate(boxes):
        context_px = options.context_px(box)
        window = Window(grow(box, context_px, size), box, (index,))
        if window.longest_px > options.largest_side_px:
            tiled += tiles.cut(window, context_px, size, options.largest_side_px)
        else:
            _add(merged, window, options)
    even = [_evened(window, size, options) for window in merged + tiled]
    return sorted(even, key=lambda window: (window.core[1], window.core[0]))


def contour_windows(boxes: Sequence[Edges], size: tuple[int, int], margin_px: int) -> list[Window]:
    """Plan the windows of IOPaint's `Crop` strategy: each box by itself, moved inwards at the picture's border."""
    return [Window(_shifted(box, margin_px, size), box, (index,)) for index, box in enumerate(boxes)]


def whole(boxes: Sequence[Edges], size: tuple[int, int]) -> Window:
    """Return the one window that shows everything."""
    edges = (0, 0, size[1], size[0])
    return Window(edges, edges, tuple(range(len(boxes))))


def _add(merged: list[Window], window: Window, options: CropOptions) -> None:
    """Add a window, made one with others as long as that is no dearer."""
    while merged:
        edges = np.array([other.edges for other in merged])
        mine = np.array(window.edges)
        union = np.hstack((np.minimum(edges[:, :2], mine[:2]), np.maximum(edges[:, 2:], mine[2:])))
        gain = _areas(edges) + _areas(mine[None]) + options.call_px - _areas(union)
        gain[(union[:, 2:] - union[:, :2]).max(axis=1) > options.largest_side_px] = -1
        best = int(np.argmax(gain))
        if gain[best] < 0:
            break
        window = _both(merged.pop(best), window)
    merged.append(window)


def _areas(edges: NDArray[np.int_]) -> NDArray[np.int_]:
    return np.asarray(np.prod(edges[:, 2:] - edges[:, :2], axis=1))


def _both(one: Window, other: Window) -> Window:
    regions = tuple(sorted((*one.regions, *other.regions)))
    return Window(_union(one.edges, other.edges), _union(one.core, other.core), regions)


def _union(a: Edges, b: Edges) -> Edges:
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])


def _evened(window: Window, size: tuple[int, int], options: CropOptions) -> Window:
    """Let the window show more, until its sides are multiples of the step."""
    left, top, right, bottom = window.edges
    left, right = _evened_side(left, right, size[1], options)
    top, bottom = _evened_side(top, bottom, size[0], options)
    return replace(window, edges=(left, top, right, bottom))


def _evened_side(start: int, stop: int, limit: int, options: CropOptions) -> tuple[int, int]:
    length = -(-(stop - start) // options.step_px) * options.step_px
    if length > min(limit, options.largest_side_px):
        return start, stop
    return _placed(start - (length - stop + start) // 2, length, limit)


def _shifted(box: Edges, margin_px: int, size: tuple[int, int]) -> Edges:
    left, right = _placed(box[0] - margin_px, box[2] - box[0] + 2 * margin_px, size[1])
    top, bottom = _placed(box[1] - margin_px, box[3] - box[1] + 2 * margin_px, size[0])
    return left, top, right, bottom


def _placed(start: int, length: int, limit: int) -> tuple[int, int]:
    """Return the side moved to where it lies within the picture, as long as it can be there."""
    length = min(length, limit)
    start = min(max(start, 0), limit - length)
    return start, start + length
