"""The pictures on a page: where they are when no engine says, cutting them out, and their place among the blocks. Pure.

Without a layout model a picture is a large area of the page that is neither background nor text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cleanplate.contract.geometry import Box

GRID = 64  # cells along the longer side of the page
INK = 32  # so far from the background's gray level a pixel is not background
BUSY = 0.35  # share of such pixels from which a cell belongs to a picture
LEAST_AREA = 0.02  # of the page
LEAST_FILL = 0.5  # share of busy cells in a picture's box
MOST = 20  # pictures on a page
QUALITY = 90

RGB = NDArray[np.uint8]


@dataclass(frozen=True)
class Figure:
    """A picture on a page; `description` is empty where there is none."""

    name: str
    box: Box
    description: str = ""


def figure_name(page: int, number: int) -> str:
    """Return the name of a page's picture; both count from 1."""
    return f"page-{page:06}-{number}.jpg"


def page_of(name: str) -> int:
    """Return the page of a picture with such a name."""
    return int(name.split("-")[1])


def cut_out(rgb: RGB, box: Box) -> tuple[RGB, bytes]:
    """Return what is in a box with an area, and the same as a JPEG file."""
    height, width = rgb.shape[:2]
    left, top, right, bottom = box.clip(width, height).pixels()
    part = np.ascontiguousarray(rgb[top:bottom, left:right])
    file = BytesIO()
    Image.fromarray(part).save(file, "JPEG", quality=QUALITY)
    return part, file.getvalue()


def picture_boxes(rgb: RGB, texts: Sequence[Box]) -> list[Box]:
    """Return where pictures are on a page, from the top.

    Args:
        rgb: (H, W, 3) uint8.
        texts: where its text is.
    """
    height, width = rgb.shape[:2]
    cell = max(1, round(max(height, width) / GRID))
    gray = np.asarray(Image.fromarray(rgb).convert("L"))
    busy = np.abs(gray.astype(np.int16) - int(np.bincount(gray.ravel(), minlength=256).argmax())) > INK
    for box in texts:
        left, top, right, bottom = box.clip(width, height).pixels()
        busy[top:bottom, left:right] = False
    rows, columns = -(-height // cell), -(-width // cell)
    padded = np.pad(busy, ((0, rows * cell - height), (0, columns * cell - width)))
    cells = padded.reshape(rows, cell, columns, cell).mean(axis=(1, 3)) >= BUSY
    found = [(box, filled) for box, filled in _areas(cells, cell)]
    large = [box.clip(width, height) for box, filled in found if filled >= LEAST_FILL]
    large = [box for box in large if box.area >= LEAST_AREA * width * height]
    return sorted(large, key=lambda box: (box.y, box.x))[:MOST]


def _areas(cells: NDArray[np.bool_], side: int) -> list[tuple[Box, float]]:
    """Return the box around each connected area of cells, in pixels, and which share of it they fill."""
    left, areas = set(zip(*(place.tolist() for place in np.nonzero(cells)), strict=True)), []
    while left:
        open_, area = [left.pop()], []
        while open_:
            row, column = open_.pop()
            area.append((row, column))
            around = {(row + down, column + across) for down in (-1, 0, 1) for across in (-1, 0, 1)} & left
            left -= around
            open_ += around
        rows, columns = [row for row, _ in area], [column for _, column in area]
        high, wide = max(rows) - min(rows) + 1, max(columns) - min(columns) + 1
        box = Box(float(min(columns) * side), float(min(rows) * side), float(wide * side), float(high * side))
        areas.append((box, len(area) / (high * wide)))
    return areas
