"""What lies around letters and is theirs: the soft edge that scaling, blur and JPEG give them. Pure."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

GROW = 0.04
"""How far letters are grown, as a share of the text height; at least one pixel."""
ALIKE = 7.0
"""A pixel of what was grown is left alone when no channel is further than this from the mean of the ground around
it, in gray levels. Beside growing alone the drawn pictures of `tests.bench.quality` gain 0.1 of precision, lose 0.004
of recall, photographs gain 0.2 dB and the scenes, whose JPEG leaves fainter edges, lose 0.4; 5 gains and loses half of
that. To ask for more than the ground's own deviation instead loses twice the recall, and 1 to 2 dB on scenes."""
AROUND, AROUND_PX = 0.25, 4
"""How far around a pixel the ground's mean is taken: a share of the text height, and the least."""
LEAST_GROUND_PX = 3

Bits = NDArray[np.bool_]


def with_rim(rgb: NDArray[np.uint8], letters: Bits, ground: Bits, height: float) -> Bits:
    """Return letters with the pixels around them that are not simply the ground's.

    Args:
        rgb: (h, w, 3) uint8.
        letters: (h, w) bool.
        ground: (h, w) bool, what may be ground: not other regions.
        height: of the text, pixels.
    """
    reach = _grown(letters, max(1, round(GROW * height)))
    side = 2 * max(AROUND_PX, round(AROUND * height)) + 1
    known = (ground & ~reach).astype(np.float32)
    count = cv2.boxFilter(known, -1, (side, side), normalize=False)
    total = cv2.boxFilter(rgb * known[..., None], -1, (side, side), normalize=False)
    off = np.abs(rgb - total / np.maximum(count, 1)[..., None]).max(axis=2)
    return np.asarray(letters | (reach & ((off > ALIKE) | (count < LEAST_GROUND_PX))))


def _grown(bits: Bits, by_px: int) -> Bits:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * by_px + 1,) * 2)
    return np.asarray(cv2.dilate(bits.astype(np.uint8), kernel) > 0)
