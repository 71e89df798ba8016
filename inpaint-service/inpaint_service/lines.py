"""A line of text as the stroke network sees it: upright, at one height, in windows of one shape. Pure.

    polygon ──► line ──► windows ──► look(picture) ──► ... the network ... ──► back on the picture's pixels

The line runs along the longer side of the polygon's rectangle; a column of letters is turned on its side.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inpaint_service.patches import Edges

HEIGHT_PX, WIDTH_PX = 64, 256
WIDTHS_PX = (96, 144, 192, WIDTH_PX)
"""What a window is cut to: a short word costs a third of a long one. Few, since a network is kept ready for each, and
narrow windows see less: six cost 0.1 dB on the posters."""
TEXT_PX = 35
"""Height that a line gets in a window: the rest shows what is around it."""
OVERLAP_PX = 16

Matrix = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LineWindow:
    """A piece of a line.

    Attributes:
        matrix: (2, 3) float64, from the picture's pixels (their centers at whole numbers) to the window's.
        scale: window pixels per picture pixel.
        width_px: one of `WIDTHS_PX`.
    """

    matrix: Matrix
    scale: float
    width_px: int

    def look(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return what the window shows, (64, width, channels) uint8; past the border the picture repeats its edge."""
        left, top, right, bottom = self.edges(picture.shape[:2], room_px=2)
        crop = picture[top:bottom, left:right]
        matrix = self.matrix @ _homogeneous(shift=(left, top))
        less = max(1, int(1 / self.scale / 1.5))
        if less > 1:
            small = (max(1, crop.shape[1] // less), max(1, crop.shape[0] // less))
            factors = crop.shape[1] / small[0], crop.shape[0] / small[1]
            crop = np.asarray(cv2.resize(crop, small, interpolation=cv2.INTER_AREA), np.uint8)
            matrix = matrix @ _homogeneous(factors, ((factors[0] - 1) / 2, (factors[1] - 1) / 2))
        size = (self.width_px, HEIGHT_PX)
        shown = cv2.warpAffine(crop, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(shown, np.uint8)

    def back(self, seen: NDArray[np.float32], edges: Edges) -> NDArray[np.float32]:
        """Return what was found in the window, on the picture's pixels within these edges; 0 past the window.

        Args:
            seen: (64, width) float32.
            edges: (left, top, right, bottom) in the picture, right and bottom exclusive.
        """
        left, top, right, bottom = edges
        matrix = self.matrix @ _homogeneous(shift=(left, top))
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return np.asarray(cv2.warpAffine(seen, matrix, (right - left, bottom - top), flags=flags), np.float32)

    def edges(self, size: tuple[int, int], room_px: int = 0) -> Edges:
        """Return the box of the window in a picture of `size` (height, width), at least one pixel of it."""
        corners = np.array([[-1, -1], [self.width_px, -1], [self.width_px, HEIGHT_PX], [-1, HEIGHT_PX]], np.float64)
        places = (corners - self.matrix[:, 2]) @ np.linalg.inv(self.matrix[:, :2]).T
        left, top = np.floor(places.min(axis=0)).astype(int) - room_px
        right, bottom = np.ceil(places.max(axis=0)).astype(int) + 1 + room_px
        x0, y0 = min(max(left, 0), size[1] - 1), min(max(top, 0), size[0] - 1)
        return int(x0), int(y0), int(max(x0 + 1, min(right, size[1]))), int(max(y0 + 1, min(bottom, size[0])))


def line_windows(outline: Sequence[tuple[float, float]], widths_px: Sequence[int] = WIDTHS_PX) -> list[LineWindow]:
    """Plan the windows that show a line.

    Args:
        outline: the polygon's corners in pixels of the picture, origin at its top left corner.
        widths_px: what windows are cut to, rising; the last is `WIDTH_PX`.

    Returns:
        Windows from the line's start to its end; what they show overlaps.
    """
    corners = np.array(outline, np.float32) - 0.5
    center, sides, degrees = cv2.minAreaRect(corners)
    length, height = (max(side, 1.0) for side in sides)
    if length < height or (length < height * 1.2 and abs(degrees) > 45):
        length, height, degrees = height, length, degrees + 90
    if length < height * 1.2 and abs(degrees) > 45:  # nearly square: what stands upright stays upright
        length, height, degrees = height, length, degrees - 90
    angle = math.radians((degrees + 90) % 180 - 90)
    scale = TEXT_PX / height
    core_px = WIDTH_PX - 2 * OVERLAP_PX
    count = max(1, math.ceil(length * scale / core_px))
    width_px = next(width for width in widths_px if width >= min(length * scale / count + 2 * OVERLAP_PX, WIDTH_PX))
    along = np.array([math.cos(angle), math.sin(angle)])
    centers = [np.array(center) + along * ((step + 0.5) / count - 0.5) * length for step in range(count)]
    return [_window(center, angle, scale, width_px) for center in centers]


def _window(center: NDArray[np.float64], angle: float, scale: float, width_px: int) -> LineWindow:
    cosine, sine = scale * math.cos(angle), scale * math.sin(angle)
    turn = np.array([[cosine, sine], [-sine, cosine]])
    middle = np.array([(width_px - 1) / 2, (HEIGHT_PX - 1) / 2])
    return LineWindow(np.hstack((turn, (middle - turn @ center)[:, None])), scale, width_px)


def _homogeneous(factors: tuple[float, float] = (1.0, 1.0), shift: tuple[float, float] = (0.0, 0.0)) -> Matrix:
    return np.array([[factors[0], 0, shift[0]], [0, factors[1], shift[1]], [0, 0, 1]])
