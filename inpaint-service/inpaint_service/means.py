"""Means over those pixels alone that are known: normalized convolution (Knutsson and Westin, CVPR 1993). Pure."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

LEAST_SHARE = 1e-3

Values = NDArray[np.float32]
Bits = NDArray[np.bool_]


def blurred(rgb: NDArray[np.uint8], known: Bits, blur_px: float) -> Values:
    """Return the Gaussian means of what is known, (h, w, 3) float32; `blur_px` is their standard deviation."""
    share = known.astype(np.float32)
    total, weight = (cv2.GaussianBlur(part, (0, 0), blur_px) for part in (rgb * share[..., None], share))
    return np.asarray(total / np.maximum(weight, LEAST_SHARE)[..., None], np.float32)


def boxed(values: NDArray[Any], known: Bits, side_px: int) -> tuple[Values, Values]:
    """Return the means of what is known in a square around each pixel, float32, and of how many pixels they are.

    Args:
        values: (h, w) or (h, w, channels).
        known: (h, w) bool.
        side_px: of the square.
    """
    share = known.astype(np.float32)
    shares = share if values.ndim == 2 else share[..., None]
    total, count = (cv2.boxFilter(part, -1, (side_px,) * 2, normalize=False) for part in (values * shares, share))
    return np.asarray(total / np.maximum(count, 1).reshape(shares.shape), np.float32), np.asarray(count, np.float32)
