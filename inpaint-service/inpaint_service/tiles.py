"""Cutting a window that is too large into tiles, and blending these where they meet. Pure.

The cores of neighbors overlap by a seam, across which what the earlier one painted fades into the later one's.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from inpaint_service.patches import Edges, grow
from inpaint_service.windows import Window

SEAM_PX = 32
"""How far cores overlap: four times the 8 px that a pixel of LaMa's innermost layers spans, and 3 % of a long tile."""

Span = tuple[int, int, int, int]


def cut(window: Window, context_px: int, size: tuple[int, int], bound_px: int) -> list[Window]:
    """Cut a window whose side exceeds the bound into tiles that do not, from the top left on.

    Args:
        window: what to cut; may itself be a tile.
        context_px: how far a tile reaches past its core; less where the bound is narrow.
        size: (height, width) of the picture.
        bound_px: no tile is longer or wider.

    Returns:
        Tiles whose cores together are the window's, to be painted in this order.
    """
    if window.longest_px <= bound_px:
        return [window]
    context_px = min(context_px, bound_px // 4)
    longest_px = bound_px - 2 * context_px
    (left, top, right, bottom), shared = window.core, window.shared
    columns = _spans(left, right, longest_px, (shared[0], shared[2]))
    rows = _spans(top, bottom, longest_px, (shared[1], shared[3]))
    return [_tile(column, row, context_px, size, window.regions) for row in rows for column in columns]


def blended(window: Window, old: NDArray[np.uint8], new: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Fade from what earlier tiles painted to what this one did, linearly across what it shares with them.

    Args:
        window: the tile.
        old: (h, w, 3) uint8, its piece of the picture as it is.
        new: (h, w, 3) uint8, what the model made of it.

    Returns:
        (h, w, 3) uint8, a new array; the very pixels of `new` where no earlier tile has painted.
    """
    rows, columns = window.inner
    y = _ramp(rows.stop - rows.start, window.shared[1])
    x = _ramp(columns.stop - columns.start, window.shared[0])
    share = np.outer(y, x)[..., None]
    out, before = new.copy(), old[window.inner].astype(np.float32)
    out[window.inner] = np.rint(before + share * (new[window.inner] - before)).astype(np.uint8)
    return out


def _tile(column: Span, row: Span, context_px: int, size: tuple[int, int], regions: tuple[int, ...]) -> Window:
    core: Edges = (column[0], row[0], column[1], row[1])
    return Window(grow(core, context_px, size), core, regions, (column[2], row[2], column[3], row[3]))


def _spans(start: int, stop: int, longest_px: int, outer: tuple[int, int]) -> list[Span]:
    """Return (start, stop, shared with the one before, with the one after) of tiles of about the same length."""
    seam_px = min(SEAM_PX, longest_px // 4)
    count = max(1, math.ceil((stop - start - seam_px) / (longest_px - seam_px)))
    marks = [start + (stop - start - seam_px) * step // count for step in range(count + 1)]
    before, after = [outer[0]] + [seam_px] * (count - 1), [seam_px] * (count - 1) + [outer[1]]
    return [(marks[at], marks[at + 1] + seam_px, before[at], after[at]) for at in range(count)]


def _ramp(length_px: int, shared_px: int) -> NDArray[np.float32]:
    """Return the weight of the later tile, from near 0 at the first pixel to 1 past the shared ones."""
    steps = np.arange(1, length_px + 1, dtype=np.float32)
    return np.minimum(steps / (shared_px + 1), 1)
