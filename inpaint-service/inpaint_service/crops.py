"""Which crops of the picture a model gets to see: every mask with enough around it, nothing scaled. Pure.

A window's core is what may be written from it, the rest is context. Padding to a model's modulus is the engine's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from cleanplate.contract.problems import Invalid
from inpaint_service.patches import Edges, grow

LEAST_BOUND_PX = 64


@dataclass(frozen=True)
class CropOptions:
    """How windows are cut.

    Attributes:
        context: how much a window shows around a region, as a share of the region's shorter side.
        context_min_px: the least of that.
        call_px: what a call costs beside its pixels, in pixels; two windows become one if that is no dearer.
        largest_side_px: no window is longer or wider, so that a line of text fits into one: cut in two it costs nearly
            twice as much. LaMa's cost per pixel is flat up to 512 by 512 and up to four times as
            much at 1024 (measured with its architecture on two cores), where it also needs 3.5 GB.

    Raises:
        Invalid: a number is out of range; the field is named.
    """

    context: float = 1.0
    context_min_px: int = 64
    call_px: int = 4096
    largest_side_px: int = 1024

    def __post_init__(self) -> None:
        if not (math.isfinite(self.context) and self.context >= 0):
            raise Invalid("context must be 0 or more", field="context")
        if min(self.context_min_px, self.call_px) < 0:
            raise Invalid("context_min_px and call_px must be 0 or more", field="context_min_px")
        if self.largest_side_px < LEAST_BOUND_PX:
            raise Invalid(f"largest_side_px must be {LEAST_BOUND_PX} or more", field="largest_side_px")

    def context_px(self, edges: Edges) -> int:
        """Return how far a window reaches past these edges."""
        left, top, right, bottom = edges
        return max(self.context_min_px, round(self.context * min(right - left, bottom - top)))


@dataclass(frozen=True)
class Window:
    """A crop of the picture: edges in pixels, right and bottom exclusive.

    Attributes:
        edges: what the model sees.
        core: (left, top, right, bottom) of what is written; within `edges`.
        regions: indices of the boxes that it serves.
    """

    edges: Edges
    core: Edges
    regions: tuple[int, ...]

    @property
    def place(self) -> tuple[slice, slice]:
        """Return its rows and columns in the picture."""
        left, top, right, bottom = self.edges
        return slice(top, bottom), slice(left, right)

    @property
    def longest_px(self) -> int:
        """Return its longer side."""
        left, top, right, bottom = self.edges
        return max(right - left, bottom - top)


@dataclass(frozen=True)
class _Draft:
    window: Window
    context_px: int


def windows(boxes: Sequence[Edges], size: tuple[int, int], options: CropOptions | None = None) -> list[Window]:
    """Plan the windows for masks with these bounding boxes.

    Args:
        boxes: (left, top, right, bottom) within the picture, not empty.
        size: (height, width) of the picture.
        options: context, merging and bound.

    Returns:
        Windows inside the picture and within the bound, whose cores together cover every box, from the top down.
    """
    options = options or CropOptions()
    drafts: list[_Draft] = []
    for index, box in enumerate(boxes):
        context_px = options.context_px(box)
        window = Window(grow(box, context_px, size), box, (index,))
        _add(drafts, _Draft(window, context_px), options)
    tiled = [tile for draft in drafts for tile in tiles(draft.window, draft.context_px, size, options.largest_side_px)]
    return sorted(tiled, key=lambda window: (window.core[1], window.core[0]))


def contour_windows(boxes: Sequence[Edges], size: tuple[int, int], margin_px: int) -> list[Window]:
    """Plan the windows of IOPaint's `Crop` strategy: each box by itself, moved inwards at the picture's border."""
    return [Window(_shifted(box, margin_px, size), box, (index,)) for index, box in enumerate(boxes)]


def whole(boxes: Sequence[Edges], size: tuple[int, int]) -> Window:
    """Return the one window that shows everything."""
    edges = (0, 0, size[1], size[0])
    return Window(edges, edges, tuple(range(len(boxes))))


def tiles(window: Window, context_px: int, size: tuple[int, int], bound_px: int) -> list[Window]:
    """Cut a window whose side exceeds the bound into overlapping ones that do not; cores meet edge to edge."""
    if window.longest_px <= bound_px:
        return [window]
    context_px = min(context_px, bound_px // 4)
    left, top, right, bottom = window.core
    columns = _cuts(left, right, bound_px - 2 * context_px)
    rows = _cuts(top, bottom, bound_px - 2 * context_px)
    cores = [(x0, y0, x1, y1) for y0, y1 in rows for x0, x1 in columns]
    return [replace(window, edges=grow(core, context_px, size), core=core) for core in cores]


def _add(drafts: list[_Draft], draft: _Draft, options: CropOptions) -> None:
    """Add a draft, merged with others as long as that is no dearer."""
    while drafts:
        edges = np.array([other.window.edges for other in drafts])
        mine = np.array(draft.window.edges)
        union = np.hstack((np.minimum(edges[:, :2], mine[:2]), np.maximum(edges[:, 2:], mine[2:])))
        gain = _areas(edges) + _areas(mine[None]) + options.call_px - _areas(union)
        gain[(union[:, 2:] - union[:, :2]).max(axis=1) > options.largest_side_px] = -1
        best = int(np.argmax(gain))
        if gain[best] < 0:
            break
        draft = _merged(drafts.pop(best), draft)
    drafts.append(draft)


def _areas(edges: NDArray[np.int_]) -> NDArray[np.int_]:
    return np.asarray(np.prod(edges[:, 2:] - edges[:, :2], axis=1))


def _merged(one: _Draft, other: _Draft) -> _Draft:
    a, b = one.window, other.window
    window = Window(_union(a.edges, b.edges), _union(a.core, b.core), tuple(sorted((*a.regions, *b.regions))))
    return _Draft(window, max(one.context_px, other.context_px))


def _union(a: Edges, b: Edges) -> Edges:
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])


def _cuts(start: int, stop: int, longest: int) -> list[tuple[int, int]]:
    count = max(1, math.ceil((stop - start) / longest))
    marks = [start + (stop - start) * step // count for step in range(count + 1)]
    return list(pairwise(marks))


def _shifted(box: Edges, margin_px: int, size: tuple[int, int]) -> Edges:
    left, right = _shifted_side(box[0], box[2], margin_px, size[1])
    top, bottom = _shifted_side(box[1], box[3], margin_px, size[0])
    return left, top, right, bottom


def _shifted_side(start: int, stop: int, margin_px: int, limit: int) -> tuple[int, int]:
    length = min(stop - start + 2 * margin_px, limit)
    start = min(max(start - margin_px, 0), limit - length)
    return start, start + length
